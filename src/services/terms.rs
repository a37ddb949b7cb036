//! What a subscription of an agent may be like.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;
use triarch_bus::{BreakerTerms, Class, Retry, Terms, WhenFull};
use triarch_teams::{Size, Span};

use crate::operations::{Code, Trouble};

/// How long a program may take to answer an event, where it says nothing else.
const ANSWERED_WITHIN: Duration = Duration::from_mins(5);
/// So many events may wait for one subscription.
const BOUND: RangeInclusive<usize> = 1..=100_000;
const BOUND_SIZE: RangeInclusive<Size> = Size(1 << 10)..=Size(1 << 30);
const IN_HAND: RangeInclusive<usize> = 1..=10_000;
const TIMES: RangeInclusive<u32> = 1..=1_000;
/// 0 is never.
const FAILURES: RangeInclusive<u32> = 0..=1_000;
const SHARE: RangeInclusive<f64> = 0.0..=1.0;
const WAITS: RangeInclusive<Span> = Span(Duration::from_millis(1))..=Span(Duration::from_hours(24));
/// Each time half of it is over the time of all that lies in the mailbox begins anew.
const ACK_WAITS: RangeInclusive<Span> = Span(Duration::from_millis(50))..=Span(Duration::from_hours(24));

/// Terms as a program asks for them; what it leaves out is as with all others.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TermsWish {
    ack_within: Option<Span>,
    bound: Option<usize>,
    bound_size: Option<Size>,
    when_full: Option<WhenFull>,
    in_hand: Option<usize>,
    strict: bool,
    retry: RetryWish,
    poison_after: Option<u32>,
    remember: Option<Span>,
    breaker: BreakerWish,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RetryWish {
    tries: Option<u32>,
    first: Option<Span>,
    most: Option<Span>,
    jitter: Option<f64>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BreakerWish {
    failures: Option<u32>,
    rest: Option<Span>,
    trials: Option<u32>,
}

/// The terms of a subscription of that class where nothing else is said.
pub(super) fn usual(class: Class) -> Terms {
    // What an agent is promised is kept for whoever looks, where it does not keep up.
    let when_full = match class {
        Class::AtMostOnce => WhenFull::DropOldest,
        Class::AtLeastOnce | Class::EffectivelyOnce => WhenFull::DeadLetter,
    };
    Terms {
        ack_within: ANSWERED_WITHIN,
        when_full,
        ..Terms::of(class)
    }
}

impl TermsWish {
    /// The terms of a subscription of that class, whether or not they can be kept.
    pub(super) fn of(&self, class: Class) -> Terms {
        let usual = usual(class);
        Terms {
            ack_within: time(self.ack_within, usual.ack_within),
            bound: self.bound.unwrap_or(usual.bound),
            bound_bytes: self.bound_size.map_or(usual.bound_bytes, Size::bytes),
            when_full: self.when_full.unwrap_or(usual.when_full),
            in_hand: self.in_hand.unwrap_or(usual.in_hand),
            is_strict: self.strict,
            retry: self.retry.of(usual.retry),
            poison_after: self.poison_after.unwrap_or(usual.poison_after),
            remember: time(self.remember, usual.remember),
            breaker: self.breaker.of(usual.breaker),
            ..usual
        }
    }
}

impl RetryWish {
    fn of(&self, usual: Retry) -> Retry {
        let first = time(self.first, usual.first);
        Retry {
            tries: self.tries.unwrap_or(usual.tries),
            first,
            most: time(self.most, usual.most.max(first)),
            jitter: self.jitter.unwrap_or(usual.jitter),
        }
    }
}

impl BreakerWish {
    fn of(&self, usual: BreakerTerms) -> BreakerTerms {
        BreakerTerms {
            failures: self.failures.unwrap_or(usual.failures),
            rest: time(self.rest, usual.rest),
            trials: self.trials.unwrap_or(usual.trials),
        }
    }
}

fn time(asked: Option<Span>, usual: Duration) -> Duration {
    asked.map_or(usual, |Span(time)| time)
}

/// That terms can be kept, whoever asks for them.
pub(super) fn check(terms: &Terms) -> Result<(), Trouble> {
    let Terms { retry, breaker, .. } = terms;
    bounded("ack_within", &Span(terms.ack_within), &ACK_WAITS)?;
    bounded("bound", &terms.bound, &BOUND)?;
    bounded("bound_size", &Size(terms.bound_bytes as u64), &BOUND_SIZE)?;
    bounded("in_hand", &terms.in_hand, &IN_HAND)?;
    bounded("retry.tries", &retry.tries, &TIMES)?;
    bounded("retry.first", &Span(retry.first), &WAITS)?;
    bounded("retry.most", &Span(retry.most), &WAITS)?;
    bounded("retry.jitter", &retry.jitter, &SHARE)?;
    bounded("poison_after", &terms.poison_after, &TIMES)?;
    bounded("remember", &Span(terms.remember), &WAITS)?;
    bounded("breaker.failures", &breaker.failures, &FAILURES)?;
    bounded("breaker.rest", &Span(breaker.rest), &WAITS)?;
    bounded("breaker.trials", &breaker.trials, &TIMES)?;
    if retry.most < retry.first {
        let (most, first) = (Span(retry.most), Span(retry.first));
        let message = format!("terms.retry.most is {most}, and terms.retry.first {first}");
        let remedy = "let the longest wait be no shorter than the first";
        return Err(Trouble::new(Code::Usage, message, remedy));
    }
    Ok(())
}

fn bounded<T: PartialOrd + Display>(key: &str, value: &T, range: &RangeInclusive<T>) -> Result<(), Trouble> {
    if range.contains(value) {
        return Ok(());
    }
    let message = format!("terms.{key} is {value}");
    let remedy = format!("say {} to {}, or leave it out", range.start(), range.end());
    Err(Trouble::new(Code::Usage, message, remedy))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(wish: Value) -> Result<Terms, String> {
        let wish: TermsWish = serde_json::from_value(wish).map_err(|error| error.to_string())?;
        let terms = wish.of(Class::AtLeastOnce);
        check(&terms).map(|()| terms).map_err(|trouble| trouble.told())
    }

    #[test]
    fn what_is_left_out_is_as_with_all_others() {
        let usual = Terms {
            ack_within: ANSWERED_WITHIN,
            when_full: WhenFull::DeadLetter,
            ..Terms::of(Class::AtLeastOnce)
        };
        assert_eq!(read(json!({})).unwrap(), usual);
    }

    #[test]
    fn all_that_is_asked_for_is_in_the_terms() {
        let wish = json!({
            "ack_within": "2s", "bound": 7, "bound_size": "2MiB", "when_full": "drop_newest", "in_hand": 3, "strict": true,
            "retry": { "tries": 2, "first": "10ms", "most": "1s", "jitter": 0.5 }, "poison_after": 4, "remember": "1m",
            "breaker": { "failures": 0, "rest": "5s", "trials": 1 },
        });
        let expected = Terms {
            class: Class::AtLeastOnce,
            bound: 7,
            bound_bytes: 2 << 20,
            when_full: WhenFull::DropNewest,
            in_hand: 3,
            is_strict: true,
            ack_within: Duration::from_secs(2),
            retry: Retry {
                tries: 2,
                first: Duration::from_millis(10),
                most: Duration::from_secs(1),
                jitter: 0.5,
            },
            poison_after: 4,
            remember: Duration::from_mins(1),
            breaker: BreakerTerms {
                failures: 0,
                rest: Duration::from_secs(5),
                trials: 1,
            },
        };
        assert_eq!(read(wish).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_kept_is_refused_with_what_may_be_said() {
        for (wish, told) in [
            (
                json!({ "bound": 0 }),
                "terms.bound is 0; say 1 to 100000, or leave it out",
            ),
            (
                json!({ "bound_size": "2GiB" }),
                "terms.bound_size is 2GiB; say 1KiB to 1GiB, or leave it out",
            ),
            (json!({ "in_hand": 10_001 }), "terms.in_hand is 10001; say 1 to 10000"),
            (
                json!({ "ack_within": "0s" }),
                "terms.ack_within is 0s; say 50ms to 1day",
            ),
            (
                json!({ "retry": { "tries": 0 } }),
                "terms.retry.tries is 0; say 1 to 1000",
            ),
            (
                json!({ "retry": { "jitter": 1.5 } }),
                "terms.retry.jitter is 1.5; say 0 to 1",
            ),
            (
                json!({ "retry": { "first": "2s", "most": "1s" } }),
                "terms.retry.most is 1s, and terms.retry.first 2s; let the longest",
            ),
            (json!({ "poison_after": 0 }), "terms.poison_after is 0; say 1 to 1000"),
            (
                json!({ "breaker": { "trials": 0 } }),
                "terms.breaker.trials is 0; say 1 to 1000",
            ),
            (
                json!({ "brake": {} }),
                "unknown field `brake`, expected one of `ack_within`",
            ),
            (json!({ "ack_within": "soon" }), "\"soon\" is no length of time"),
        ] {
            let found = read(wish).unwrap_err();
            assert!(found.starts_with(told), "{found}");
        }
    }
}
