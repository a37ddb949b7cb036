//! The agents of these tests, and the readings as lines.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;
use triarch_supervision::metrics::Value;
use triarch_supervision::prelude::*;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(crate) enum Say {
    Work,
    Fail,
    Panic,
    Hang,
    Stop,
    /// Sets a timer that says to work.
    Remember,
}

impl Message for Say {}

async fn obey<A: Agent<Message: From<Say>>>(say: Say, ctx: &mut Context<A>) -> Result<(), Failure> {
    match say {
        Say::Work => {}
        Say::Fail => return Err(Failure::new("told to fail")),
        Say::Panic => panic!("told to panic"),
        Say::Hang => std::future::pending().await,
        Say::Stop => ctx.stop(),
        Say::Remember => drop(ctx.send_after(Duration::from_millis(1), Say::Work.into())),
    }
    Ok(())
}

/// Types of agents that differ in name, messages and nothing else.
macro_rules! agents {
    ($($name:ident: $message:ident,)*) => { $(
        pub(crate) struct $name;

        impl Agent for $name {
            type Message = $message;
            type Spec = ();

            async fn start((): (), _ctx: &mut Context<Self>) -> Result<Self, Failure> {
                Ok(Self)
            }

            async fn handle(&mut self, message: $message, ctx: &mut Context<Self>) -> Result<(), Failure> {
                obey(message.into(), ctx).await
            }
        }
    )* };
}

/// A message that is handed out once more.
#[derive(Clone)]
pub(crate) struct Twice(pub(crate) Say);

impl Message for Twice {
    const REDELIVERY: Option<Redelivery<Self>> = Some(Redelivery::cloned(1));
}

impl From<Say> for Twice {
    fn from(say: Say) -> Self {
        Self(say)
    }
}

impl From<Twice> for Say {
    fn from(Twice(say): Twice) -> Self {
        say
    }
}

/// A message whose times nobody wants to know.
pub(crate) struct Untimed(Say);

impl Message for Untimed {
    const TIMED: bool = false;
}

impl From<Untimed> for Say {
    fn from(Untimed(say): Untimed) -> Self {
        say
    }
}

impl From<Say> for Untimed {
    fn from(say: Say) -> Self {
        Self(say)
    }
}

/// A message with a priority.
pub(crate) struct Urgent(pub(crate) Priority, pub(crate) Say);

impl Message for Urgent {
    const PRIORITY: Option<fn(&Self) -> Priority> = Some(|urgent| urgent.0);
}

impl From<Say> for Urgent {
    fn from(say: Say) -> Self {
        Self(Priority::Background, say)
    }
}

impl From<Urgent> for Say {
    fn from(Urgent(_, say): Urgent) -> Self {
        say
    }
}

agents! { Hasty: Untimed, Nurse: Urgent, Worker: Say, Idler: Say, Newest: Say, Oldest: Say, Patient: Twice, }

/// All that is not 0 after a sample, as `name{values}` without the product's prefix; of a histogram its count.
pub(crate) fn shown(tree: &Tree) -> BTreeMap<String, f64> {
    tree.observer().sample();
    let mut lines = BTreeMap::new();
    for reading in tree.instruments().read() {
        let name = reading.family.name.trim_start_matches("triarch_");
        for sample in &reading.samples {
            let values: Vec<_> = sample.labels().map(|(_, value)| value).collect();
            let figure = figure(&sample.value);
            if figure > 0.0 {
                lines.insert(format!("{name}{{{}}}", values.join(",")), figure);
            }
        }
    }
    lines
}

fn figure(value: &Value) -> f64 {
    match value {
        Value::Count(count) => f64::from(u32::try_from(*count).unwrap()),
        Value::Elapsed(time) => time.as_secs_f64(),
        Value::Level(level) => *level,
        Value::Spread(snapshot) => f64::from(u32::try_from(snapshot.count()).unwrap()),
    }
}

pub(crate) fn lines(expected: &[(&str, f64)]) -> BTreeMap<String, f64> {
    expected
        .iter()
        .map(|(line, figure)| ((*line).to_owned(), *figure))
        .collect()
}

/// Of all that is shown, what begins so.
pub(crate) fn part(shown: &BTreeMap<String, f64>, beginnings: &[&str]) -> BTreeMap<String, f64> {
    let is_meant = |line: &str| beginnings.iter().any(|beginning| line.starts_with(beginning));
    let meant = shown.iter().filter(|(line, _)| is_meant(line));
    meant.map(|(line, figure)| (line.clone(), *figure)).collect()
}

fn sum(shown: &BTreeMap<String, f64>, beginning: &str) -> f64 {
    part(shown, &[beginning]).values().sum()
}

/// At a quiet point nothing is lost, and who was started and has not ended is there.
pub(crate) fn check_balance(shown: &BTreeMap<String, f64>, types: &[&str]) {
    for of_type in types {
        let of = |family: &str| sum(shown, &format!("{family}{{{of_type}"));
        let gone = of("messages_handled_total") + of("messages_dropped_total");
        let balance = of("messages_enqueued_total") - gone - of("mailbox_messages");
        assert!(balance.abs() < 0.5, "{of_type} lacks {balance} messages: {shown:#?}");
        let live = of("actor_spawns_total") - of("actor_stops_total") - of("actors");
        assert!(live.abs() < 0.5, "{of_type} lacks {live} actors: {shown:#?}");
    }
}

/// Lets all that can happen happen.
pub(crate) async fn quiet() {
    sleep(10 * Duration::from_millis(1)).await;
}

pub(crate) async fn tell(address: &Address<Say>, words: impl IntoIterator<Item = Say>) {
    for say in words {
        address.send(say).await.unwrap();
    }
    quiet().await;
}

pub(crate) fn team() -> Supervisor {
    Supervisor::named("team").intensity(Intensity::new(1000, SECOND))
}

pub(crate) async fn grow(team: Supervisor) -> Tree {
    Root::new().seed(1).supervisor(team).start().await.unwrap()
}
