//! What real trees count: after a known script the readings are exactly what happened.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "all of it is a test")]

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;
use triarch_supervision::metrics::families::{AGENT, MAILBOX, SUPERVISION};
use triarch_supervision::metrics::{Catalogue, Counter, Family, Instruments, Section, TELEMETRY, Value};
use triarch_supervision::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone)]
enum Say {
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
        struct $name;

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
struct Twice(Say);

impl Message for Twice {
    const REDELIVERIES: u32 = 1;

    fn again(&self) -> Option<Self> {
        Some(self.clone())
    }
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

/// A message with a priority.
struct Urgent(Priority, Say);

impl Message for Urgent {
    const LANES: bool = true;

    fn priority(&self) -> Priority {
        self.0
    }
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

agents! { Nurse: Urgent, Worker: Say, Idler: Say, Newest: Say, Oldest: Say, Patient: Twice, }

/// All that is not 0 after a sample, as `name{values}` without the product's prefix; of a histogram its count.
fn shown(tree: &Tree) -> BTreeMap<String, f64> {
    tree.observer().sample();
    let mut lines = BTreeMap::new();
    for reading in tree.metrics().read() {
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

fn lines(expected: &[(&str, f64)]) -> BTreeMap<String, f64> {
    expected
        .iter()
        .map(|(line, figure)| ((*line).to_owned(), *figure))
        .collect()
}

/// Of all that is shown, what begins so.
fn part(shown: &BTreeMap<String, f64>, beginnings: &[&str]) -> BTreeMap<String, f64> {
    let is_meant = |line: &str| beginnings.iter().any(|beginning| line.starts_with(beginning));
    let meant = shown.iter().filter(|(line, _)| is_meant(line));
    meant.map(|(line, figure)| (line.clone(), *figure)).collect()
}

fn sum(shown: &BTreeMap<String, f64>, beginning: &str) -> f64 {
    part(shown, &[beginning]).values().sum()
}

/// At a quiet point nothing is lost, and who was started and has not ended is there.
fn check_balance(shown: &BTreeMap<String, f64>, types: &[&str]) {
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
async fn quiet() {
    sleep(10 * Duration::from_millis(1)).await;
}

async fn tell(address: &Address<Say>, words: impl IntoIterator<Item = Say>) {
    for say in words {
        address.send(say).await.unwrap();
    }
    quiet().await;
}

fn team() -> Supervisor {
    Supervisor::named("team").intensity(Intensity::new(1000, SECOND))
}

async fn grow(team: Supervisor) -> Tree {
    Root::new().seed(1).supervisor(team).start().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_script_of_work_failure_and_pause_is_counted_to_the_last_event() {
    let [one, two] = ["one", "two"].map(|name| Child::of::<Worker>(name, ()));
    let idler = Child::of::<Idler>("idler", ());
    let (first, second, third) = (one.address(), two.address(), idler.address());
    let tree = grow(team().child(one).child(two).child(idler)).await;
    tell(&first, [Say::Work, Say::Work, Say::Work, Say::Work, Say::Work]).await;
    tell(&second, [Say::Work, Say::Fail, Say::Work, Say::Panic]).await;
    tree.observer().pause("team/idler").unwrap();
    tell(&third, [Say::Work, Say::Work, Say::Work]).await;
    let expected = lines(&[
        ("actor_spawn_seconds{}", 7.0),
        ("actor_spawns_total{Idler}", 1.0),
        ("actor_spawns_total{Root}", 1.0),
        ("actor_spawns_total{Supervisor}", 1.0),
        ("actor_spawns_total{Worker}", 4.0),
        ("actor_stops_total{Worker,error}", 1.0),
        ("actor_stops_total{Worker,panic}", 1.0),
        ("actors{Idler}", 1.0),
        ("actors{Root}", 1.0),
        ("actors{Supervisor}", 1.0),
        ("actors{Worker}", 2.0),
        ("agent_transitions_total{native,idle}", 5.0),
        ("agent_transitions_total{native,starting}", 5.0),
        ("agent_transitions_total{native,stopped}", 2.0),
        ("agent_transitions_total{native,stopping}", 1.0),
        ("agents{native,idle}", 2.0),
        ("agents{native,paused}", 1.0),
        ("dead_letters_total{crashed}", 2.0),
        ("mailbox_messages_max{Idler}", 3.0),
        ("mailbox_messages{Idler}", 3.0),
        ("mailbox_wait_seconds{}", 2.0),
        ("mailboxes{0}", 2.0),
        ("mailboxes{1-9}", 1.0),
        // The first of each mailbox is one of those whose times are measured.
        ("message_handle_seconds{Worker}", 2.0),
        ("message_timing_sample_ratio{}", 1.0 / 256.0),
        ("messages_enqueued_total{Idler,normal}", 3.0),
        ("messages_enqueued_total{Worker,normal}", 9.0),
        ("messages_handled_total{Worker,error}", 2.0),
        ("messages_handled_total{Worker,ok}", 7.0),
        ("supervision_depth{}", 3.0),
        ("supervisor_children{root,running}", 1.0),
        ("supervisor_children{team,running}", 3.0),
        ("supervisor_restart_budget_used_ratio{team}", 2.0 / 1000.0),
        ("supervisor_restart_seconds{}", 2.0),
        ("supervisor_restarts_total{team,error}", 1.0),
        ("supervisor_restarts_total{team,panic}", 1.0),
    ]);
    let mut found = shown(&tree);
    let age = found.remove("mailbox_oldest_age_seconds{Idler}").unwrap();
    assert!((0.009..0.011).contains(&age), "{age}");
    assert_eq!(found, expected);
    check_balance(&found, &["Worker", "Idler", "Supervisor", "Root"]);
    let mut again = shown(&tree);
    again.remove("mailbox_oldest_age_seconds{Idler}");
    assert_eq!(again, expected, "a second sample counted something twice");
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn each_way_of_losing_a_message_is_counted_and_nothing_is_lost_unseen() {
    let newest = Child::of::<Newest>("newest", ())
        .capacity(2)
        .overflow(Overflow::DropNewest);
    let oldest = Child::of::<Oldest>("oldest", ())
        .capacity(2)
        .overflow(Overflow::DropOldest);
    let worker = Child::of::<Worker>("worker", ());
    let addresses = [newest.address(), oldest.address(), worker.address()];
    let tree = grow(team().child(newest).child(oldest).child(worker)).await;
    for name in ["newest", "oldest", "worker"] {
        tree.observer().pause(&format!("team/{name}")).unwrap();
    }
    for address in &addresses {
        tell(address, [Say::Work, Say::Work]).await;
    }
    tell(&addresses[0], [Say::Work, Say::Work, Say::Work]).await;
    tell(&addresses[1], [Say::Work]).await;
    addresses[2]
        .send_before(Say::Work, Moment::now() + SECOND)
        .await
        .unwrap();
    sleep(2 * SECOND).await;
    let messages = ["messages_", "dead_letters", "mailbox_messages{"];
    let waiting = lines(&[
        ("dead_letters_total{full}", 4.0),
        ("mailbox_messages{Newest}", 2.0),
        ("mailbox_messages{Oldest}", 2.0),
        ("mailbox_messages{Worker}", 3.0),
        ("messages_dropped_total{Newest,full}", 3.0),
        ("messages_dropped_total{Oldest,full}", 1.0),
        ("messages_enqueued_total{Newest,normal}", 5.0),
        ("messages_enqueued_total{Oldest,normal}", 3.0),
        ("messages_enqueued_total{Worker,normal}", 3.0),
    ]);
    let found = shown(&tree);
    assert_eq!(part(&found, &messages), waiting);
    check_balance(&found, &["Newest", "Oldest", "Worker"]);
    tree.observer().resume("team/worker").unwrap();
    quiet().await;
    tree.stop().await;
    let found = shown(&tree);
    let ended = lines(&[
        ("messages_dropped_total{Newest,closed}", 2.0),
        ("messages_dropped_total{Newest,full}", 3.0),
        ("messages_dropped_total{Oldest,closed}", 2.0),
        ("messages_dropped_total{Oldest,full}", 1.0),
        ("messages_dropped_total{Worker,expired}", 1.0),
        ("messages_handled_total{Worker,ok}", 2.0),
    ]);
    assert_eq!(part(&found, &["messages_dropped", "messages_handled"]), ended);
    assert_eq!(
        part(&found, &["actors", "agents", "mailbox_messages", "mailboxes"]),
        BTreeMap::new()
    );
    check_balance(&found, &["Newest", "Oldest", "Worker", "Supervisor"]);
    tree.observer().send_to("team/nobody", Say::Work).await.unwrap_err();
    let letters = lines(&[
        ("dead_letters_total{closed}", 4.0),
        ("dead_letters_total{expired}", 1.0),
        ("dead_letters_total{full}", 4.0),
        ("dead_letters_total{no_such_agent}", 1.0),
    ]);
    assert_eq!(part(&shown(&tree), &["dead_letters"]), letters);
}

#[tokio::test(start_paused = true)]
async fn what_was_dropped_before_the_start_and_what_timers_bring_is_counted() {
    let newest = Child::of::<Newest>("newest", ())
        .capacity(1)
        .overflow(Overflow::DropNewest);
    let address = newest.address();
    for say in [Say::Remember, Say::Work, Say::Work] {
        address.try_send(say).unwrap();
    }
    let tree = grow(team().child(newest)).await;
    quiet().await;
    let found = shown(&tree);
    let expected = lines(&[
        ("dead_letters_total{full}", 2.0),
        ("messages_dropped_total{Newest,full}", 2.0),
        ("messages_enqueued_total{Newest,normal}", 4.0),
        ("messages_handled_total{Newest,ok}", 2.0),
    ]);
    assert_eq!(part(&found, &["messages_", "dead_letters"]), expected);
    check_balance(&found, &["Newest"]);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn messages_with_priorities_are_counted_by_them_whichever_way_they_come() {
    for overflow in [Overflow::Wait, Overflow::DropNewest, Overflow::DropOldest] {
        let nurse = Child::of::<Nurse>("nurse", ()).capacity(4).overflow(overflow);
        let address = nurse.address();
        let tree = grow(team().child(nurse)).await;
        let work = |priority| Urgent(priority, Say::Work);
        address.send(work(Priority::Critical)).await.unwrap();
        let deadline = Moment::now() + SECOND;
        address.send_before(work(Priority::High), deadline).await.unwrap();
        address.send(Urgent(Priority::Normal, Say::Remember)).await.unwrap();
        quiet().await;
        let many = (0..4).map(|_| work(Priority::Low)).chain([work(Priority::Critical)]);
        address.send_many(many.collect()).await.unwrap();
        quiet().await;
        let expected = lines(&[
            ("messages_enqueued_total{Nurse,background}", 1.0),
            ("messages_enqueued_total{Nurse,critical}", 2.0),
            ("messages_enqueued_total{Nurse,high}", 1.0),
            ("messages_enqueued_total{Nurse,low}", 4.0),
            ("messages_enqueued_total{Nurse,normal}", 1.0),
        ]);
        let found = shown(&tree);
        assert_eq!(part(&found, &["messages_enqueued"]), expected, "{overflow:?}");
        check_balance(&found, &["Nurse"]);
        assert_eq!(part(&shown(&tree), &["messages_enqueued"]), expected, "{overflow:?}");
        tree.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_handed_out_again_counts_once() {
    let patient = Child::of::<Patient>("patient", ());
    let address = patient.address();
    let tree = grow(team().child(patient)).await;
    for say in [Say::Work, Say::Fail, Say::Panic, Say::Work] {
        address.send(Twice(say)).await.unwrap();
    }
    quiet().await;
    let found = shown(&tree);
    let expected = lines(&[
        ("dead_letters_total{poison}", 2.0),
        ("messages_enqueued_total{Patient,normal}", 4.0),
        ("messages_handled_total{Patient,error}", 2.0),
        ("messages_handled_total{Patient,ok}", 2.0),
    ]);
    assert_eq!(part(&found, &["messages_", "dead_letters"]), expected);
    let restarts = lines(&[
        ("supervisor_restarts_total{team,error}", 2.0),
        ("supervisor_restarts_total{team,panic}", 2.0),
    ]);
    assert_eq!(part(&found, &["supervisor_restarts"]), restarts);
    check_balance(&found, &["Patient"]);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_takes_as_long_as_the_child_was_down_by_the_trees_clock() {
    let wait = Backoff {
        jitter: 0.0,
        ..Backoff::exponential(3 * SECOND, 3 * SECOND)
    };
    let worker = Child::of::<Worker>("worker", ());
    let address = worker.address();
    let tree = grow(team().backoff(wait).child(worker)).await;
    tell(&address, [Say::Fail]).await;
    let down = lines(&[
        ("agents{native,backoff}", 1.0),
        ("supervisor_children{root,running}", 1.0),
        ("supervisor_children{team,restarting}", 1.0),
    ]);
    assert_eq!(part(&shown(&tree), &["agents{", "supervisor_children"]), down);
    sleep(4 * SECOND).await;
    let readings = tree.metrics().read();
    let restarts = readings
        .iter()
        .find(|reading| reading.family.name == "triarch_supervisor_restart_seconds");
    let Value::Spread(spread) = &restarts.unwrap().samples[0].value else {
        panic!("it is a histogram");
    };
    let late = spread.sum().checked_sub(3 * SECOND).unwrap();
    assert!(spread.count() == 1 && late < 5 * Duration::from_millis(1), "{spread:?}");
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_escalation_is_counted_and_the_roots_budget_fills_and_empties() {
    let worker = Child::of::<Worker>("worker", ());
    let address = worker.address();
    let team = Supervisor::named("team")
        .intensity(Intensity::new(1, SECOND))
        .child(worker);
    let root = Root::new().seed(1).intensity(Intensity::new(4, 10 * SECOND));
    let tree = root.supervisor(team).start().await.unwrap();
    tell(&address, [Say::Fail, Say::Fail]).await;
    let wanted = ["supervisor_", "actor_stops", "actors{"];
    let expected = lines(&[
        ("actor_stops_total{Supervisor,error}", 1.0),
        ("actor_stops_total{Worker,error}", 2.0),
        ("actors{Root}", 1.0),
        ("actors{Supervisor}", 1.0),
        ("actors{Worker}", 1.0),
        ("supervisor_children{root,running}", 1.0),
        ("supervisor_children{team,running}", 1.0),
        ("supervisor_escalations_total{team}", 1.0),
        ("supervisor_restart_budget_used_ratio{root}", 0.25),
        ("supervisor_restart_seconds{}", 2.0),
        ("supervisor_restarts_total{root,error}", 1.0),
        ("supervisor_restarts_total{team,error}", 1.0),
    ]);
    assert_eq!(part(&shown(&tree), &wanted), expected);
    sleep(11 * SECOND).await;
    assert_eq!(part(&shown(&tree), &["supervisor_restart_budget"]), BTreeMap::new());
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_in_quarantine_is_counted_and_its_restarts_are_forgiven() {
    let worker = Child::of::<Worker>("worker", ());
    let address = worker.address();
    let team = Supervisor::named("team")
        .intensity(Intensity::new(0, SECOND))
        .on_limit(OnLimit::Quarantine)
        .child(worker);
    let root = Root::new().seed(1).intensity(Intensity::new(1, 10 * SECOND));
    let tree = root.supervisor(team).start().await.unwrap();
    tell(&address, [Say::Fail]).await;
    let [of_root, of_team] = ["root", "team"].map(|of| format!("supervisor_restart_budget_used_ratio{{{of}}}"));
    // Who bears no restart at all has used up what it bears from the beginning.
    let full = lines(&[(&of_root, 1.0), (&of_team, 1.0)]);
    assert_eq!(part(&shown(&tree), &["supervisor_restart_budget"]), full);
    tell(&address, [Say::Fail]).await;
    let found = shown(&tree);
    let expected = lines(&[
        ("supervisor_children{root,quarantined}", 1.0),
        ("supervisor_children{team,down}", 1.0),
        (&of_team, 1.0),
    ]);
    let wanted = ["supervisor_children", "supervisor_restart_budget"];
    assert_eq!(part(&found, &wanted), expected);
    check_balance(&found, &["Worker", "Supervisor", "Root"]);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_killed_supervisor_leaves_no_actor_uncounted() {
    let static_child = Child::of::<Worker>("static", ());
    let address = static_child.address();
    let tree = grow(team().child(static_child)).await;
    let team = tree.observer().supervisor("team").unwrap();
    team.start_child(Child::of::<Idler>("dynamic", ())).await.unwrap();
    tell(&address, [Say::Work, Say::Hang, Say::Work]).await;
    tree.observer()
        .supervisor("root")
        .unwrap()
        .kill_child("team")
        .await
        .unwrap();
    quiet().await;
    let found = shown(&tree);
    let expected = lines(&[
        ("actor_stops_total{Idler,killed}", 1.0),
        ("actor_stops_total{Supervisor,killed}", 1.0),
        ("actor_stops_total{Worker,killed}", 1.0),
        ("messages_enqueued_total{Worker,normal}", 3.0),
        ("messages_handled_total{Worker,error}", 1.0),
        ("messages_handled_total{Worker,ok}", 2.0),
        ("supervisor_restarts_total{root,killed}", 1.0),
    ]);
    assert_eq!(
        part(&found, &["actor_stops", "messages_", "supervisor_restarts"]),
        expected
    );
    check_balance(&found, &["Worker", "Idler", "Supervisor", "Root"]);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn agents_that_come_and_go_between_two_samples_are_counted() {
    const MANY: u32 = 600;
    let tree = grow(Supervisor::dynamic("team")).await;
    let team = tree.observer().supervisor("team").unwrap();
    for number in 0..MANY {
        let child = Child::of::<Worker>(format!("worker-{number}"), ()).restart(Restart::Temporary);
        let address = team.start_child(child).await.unwrap();
        for say in [Say::Work, Say::Stop, Say::Work] {
            address.try_send(say).unwrap();
        }
    }
    quiet().await;
    let many = f64::from(MANY);
    let expected = lines(&[
        ("actor_spawns_total{Worker}", many),
        ("actor_stops_total{Worker,normal}", many),
        ("messages_dropped_total{Worker,closed}", many),
        ("messages_enqueued_total{Worker,normal}", 3.0 * many),
        ("messages_handled_total{Worker,ok}", 2.0 * many),
    ]);
    let found = shown(&tree);
    let wanted = ["actor_spawns_total{W", "actor_stops", "actors{W", "messages_"];
    assert_eq!(part(&found, &wanted), expected);
    check_balance(&found, &["Worker"]);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_parts_of_a_split_group_count_under_its_name() {
    let workers: Vec<_> = (0..5)
        .map(|number| Child::of::<Worker>(format!("worker-{number}"), ()))
        .collect();
    let addresses: Vec<_> = workers.iter().map(Child::address).collect();
    let tree = grow(team().children(workers).span(2)).await;
    for address in &addresses {
        tell(address, [Say::Fail]).await;
    }
    let expected = lines(&[
        ("actors{Supervisor}", 3.0),
        ("supervisor_children{root,running}", 3.0),
        ("supervisor_children{team,running}", 5.0),
        ("supervisor_restarts_total{team,error}", 5.0),
    ]);
    let wanted = ["actors{S", "supervisor_children", "supervisor_restarts"];
    assert_eq!(part(&shown(&tree), &wanted), expected);
    tree.stop().await;
}

const CUPS: Family = Family::counter("triarch_cups_total", &[], "Cups poured.");
const TEA: Section = Section {
    title: "Tea",
    families: &[CUPS],
};

#[tokio::test(start_paused = true)]
async fn a_tree_counts_in_instruments_that_others_count_in_too() {
    let catalogue = Catalogue::new(&[SUPERVISION, MAILBOX, AGENT, TEA, TELEMETRY]).unwrap();
    let instruments = Instruments::new(catalogue);
    let root = Root::new().instruments(instruments.clone()).supervisor(team());
    let tree = root.start().await.unwrap();
    instruments.single::<Counter>(&CUPS).unwrap().add(3);
    let found = shown(&tree);
    let both = lines(&[("actors{Supervisor}", 1.0), ("cups_total{}", 3.0)]);
    assert_eq!(part(&found, &["actors{S", "cups"]), both);
    tree.stop().await;
}
