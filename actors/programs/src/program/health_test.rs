//! Nobody is killed who lives, and nobody lives on who does not.

use proptest::prelude::*;
use triarch_supervision::clock::Seeded;

use super::*;
use crate::heartbeat::HeartbeatSettings;

const START: Moment = Moment::from_nanos(1_000_000_000);
const LOOK: Input = Input::Look { is_judged: true };
const LOOK_AWAY: Input = Input::Look { is_judged: false };

fn limits() -> Limits {
    HeartbeatSettings::default().limits()
}

/// One that has given its first sign of life.
fn begun() -> Signs {
    let mut signs = Signs::new(limits(), START);
    assert_eq!(
        signs.step(Input::Sign, START),
        Some(Effect::Show(Health::Healthy, Duration::ZERO))
    );
    signs
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What is seen by looks when they fall due, until it has failed or that time is over.
fn looked(signs: &mut Signs, until: Moment) -> Vec<(u128, Effect)> {
    let mut seen = Vec::new();
    while signs.next() <= until {
        let now = signs.next();
        let Some(effect) = signs.step(LOOK, now) else { continue };
        seen.push((now.since(START).as_millis(), effect));
        if effect == Effect::Fail {
            break;
        }
    }
    seen
}

#[test]
fn one_that_falls_silent_is_degraded_then_critical_then_killed_at_the_second_look() {
    let seen = looked(&mut begun(), START + Duration::from_mins(1));
    let expected = [
        (2_000, Effect::Show(Health::Degraded, millis(2_000))),
        (5_000, Effect::Show(Health::Critical, millis(5_000))),
        (10_500, Effect::Fail),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_sign_of_life_makes_it_healthy_again_and_says_how_long_it_was_silent() {
    let mut signs = begun();
    looked(&mut signs, START + millis(10_000));
    assert!(signs.is_suspect, "the first look beyond the limit kills nobody");
    let healed = signs.step(Input::Sign, START + millis(10_400));
    assert_eq!(healed, Some(Effect::Show(Health::Healthy, millis(10_000))));
    assert_eq!(looked(&mut signs, START + millis(12_000)), []);
}

#[test]
fn one_that_has_not_said_a_word_yet_is_not_judged() {
    let mut signs = Signs::new(limits(), START);
    assert_eq!(looked(&mut signs, START + Duration::from_hours(1)), []);
}

#[test]
fn time_in_which_nobody_judged_does_not_count() {
    let mut signs = begun();
    looked(&mut signs, START + millis(10_000));
    for _ in 0..100 {
        let now = signs.next();
        assert_eq!(signs.step(LOOK_AWAY, now), None);
    }
    let now = signs.next();
    assert_eq!(signs.step(LOOK, now), None, "a reading from before is no second one");
    let now = signs.next();
    assert_eq!(signs.step(LOOK, now), Some(Effect::Fail));
}

#[test]
fn a_look_that_comes_far_too_late_proves_nothing() {
    for away in [millis(1_001), Duration::from_secs(20), Duration::from_hours(8)] {
        let mut signs = begun();
        looked(&mut signs, START + millis(1_500));
        let now = signs.counted + away;
        assert_eq!(signs.step(LOOK, now), None, "{away:?}");
        assert_eq!(signs.silence(), millis(1_500));
    }
}

#[test]
fn a_healthy_program_outlives_ten_thousand_looks() {
    for seed in 0..20 {
        let mut chance = Seeded::new(seed);
        let mut signs = begun();
        let (mut sign, mut looks) = (START, 0);
        while looks < 10_000 {
            // Up to 990 ms late with each beat, as a busy machine has it; looks are late too.
            let beat = sign + millis(1_000 + chance.below(990));
            while signs.next() < beat {
                let now = signs.next() + millis(chance.below(400));
                looks += 1;
                assert_eq!(signs.step(LOOK, now.min(beat)), None, "seed {seed}, look {looks}");
            }
            sign = beat;
            assert_eq!(signs.step(Input::Sign, sign), None, "seed {seed}, look {looks}");
        }
    }
}

/// What happens, and how much later.
fn inputs() -> impl Strategy<Value = Vec<(Input, u64)>> {
    let input = prop_oneof![1 => Just(Input::Sign), 12 => Just(LOOK), 1 => Just(LOOK_AWAY)];
    let later = prop_oneof![20 => 1_u64..=1_000, 1 => 1_001_u64..100_000];
    prop::collection::vec((input, later), 0..200)
}

fn rank(health: Health) -> usize {
    Health::ALL.iter().position(|known| *known == health).unwrap()
}

proptest! {
    #[test]
    fn nobody_fails_on_one_reading_or_before_the_limit_and_steps_lead_down_until_a_sign(inputs in inputs()) {
        let mut signs = begun();
        let mut again = signs.clone();
        let (mut now, mut sign, mut over, mut health) = (START, START, 0, Health::Healthy);
        for (input, later) in inputs {
            now = now + millis(later);
            let effect = signs.step(input, now);
            prop_assert_eq!(effect, again.step(input, now), "the same input has the same effect");
            match input {
                Input::Sign => (sign, over, health) = (now, 0, Health::Healthy),
                // Counted by the wall, which runs at least as fast as what was watched.
                Input::Look { .. } if now.since(sign) >= limits().failed => over += 1,
                Input::Look { .. } => {}
            }
            if let (Some(Effect::Show(shown, _)), Input::Look { .. }) = (effect, input) {
                prop_assert!(rank(shown) > rank(health), "{:?} after {:?}", shown, health);
                health = shown;
            }
            if effect == Some(Effect::Fail) {
                prop_assert!(over >= 2);
                prop_assert!(now.since(sign) >= limits().failed);
                break;
            }
        }
    }

    #[test]
    fn silence_is_never_borne_longer_than_the_limit_and_two_looks(
        every in 10_u64..100_000,
        silent_from in 0_u64..100_000,
    ) {
        let settings = HeartbeatSettings { every: triarch_teams::Span(millis(every)), ..HeartbeatSettings::default() };
        let limits = settings.limits();
        let mut signs = Signs::new(limits, START);
        let sign = START + millis(silent_from % every);
        signs.step(Input::Sign, sign);
        let seen = looked(&mut signs, sign + limits.failed + limits.pace * 2);
        prop_assert_eq!(seen.last().map(|(_, effect)| *effect), Some(Effect::Fail));
    }
}
