//! What becomes of agents and their messages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::{sleep, timeout};
use triarch_supervision::prelude::*;

use crate::kit::{
    Hasty, Idler, Newest, Nurse, Oldest, Patient, SECOND, Say, Twice, Urgent, Worker, check_balance, grow, lines, part,
    quiet, shown, team, tell,
};

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
        .send_before(Moment::now() + SECOND, Say::Work)
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
async fn the_time_a_sender_is_held_back_is_counted_however_it_sends_and_however_that_ends() {
    let worker = Child::of::<Worker>("worker", ()).capacity(1);
    let address = worker.address();
    let tree = grow(team().child(worker)).await;
    tree.observer().pause("team/worker").unwrap();
    tell(&address, [Say::Work]).await;
    timeout(SECOND, address.send(Say::Work)).await.unwrap_err();
    timeout(SECOND, address.send_many(vec![Say::Work])).await.unwrap_err();
    address
        .send_before(Moment::now() + SECOND, Say::Work)
        .await
        .unwrap_err();
    let resume = async {
        sleep(SECOND).await;
        tree.observer().resume("team/worker").unwrap();
    };
    let (sent, ()) = tokio::join!(address.send(Say::Work), resume);
    sent.unwrap();
    let found: Vec<_> = part(&shown(&tree), &["backpressure_wait"]).into_values().collect();
    assert!(
        matches!(found[..], [waited] if (4.0..4.1).contains(&waited)),
        "{found:?}"
    );
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
        address.send_before(deadline, work(Priority::High)).await.unwrap();
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
async fn a_type_that_is_not_timed_is_counted_and_has_neither_times_nor_ages() {
    let (hasty, worker) = (Child::of::<Hasty>("hasty", ()), Child::of::<Worker>("worker", ()));
    let (untimed, timed) = (hasty.address(), worker.address());
    let tree = grow(team().child(hasty).child(worker)).await;
    untimed.send(Say::Work.into()).await.unwrap();
    timed.send(Say::Work).await.unwrap();
    quiet().await;
    for path in ["team/hasty", "team/worker"] {
        tree.observer().pause(path).unwrap();
    }
    untimed.send(Say::Work.into()).await.unwrap();
    timed.send(Say::Work).await.unwrap();
    quiet().await;
    let found = shown(&tree);
    let of_both = lines(&[
        ("mailbox_wait_seconds{}", 1.0),
        ("message_handle_seconds{Worker}", 1.0),
        ("messages_enqueued_total{Hasty,normal}", 2.0),
        ("messages_enqueued_total{Worker,normal}", 2.0),
        ("messages_handled_total{Hasty,ok}", 1.0),
        ("messages_handled_total{Worker,ok}", 1.0),
    ]);
    let beginnings = ["mailbox_wait_", "message_handle_", "messages_"];
    assert_eq!(part(&found, &beginnings), of_both);
    assert_eq!(found.get("mailbox_oldest_age_seconds{Hasty}"), None);
    assert!(found["mailbox_oldest_age_seconds{Worker}"] > 0.0);
    assert_eq!(untimed.figures().oldest_age, None);
    assert!(timed.figures().oldest_age.is_some());
    tree.stop().await;
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
async fn agents_that_come_and_go_between_two_samples_are_counted() {
    const MANY: u32 = 600;
    let tree = grow(Supervisor::dynamic("team")).await;
    let team = tree.observer().supervisor("team").unwrap();
    for number in 0..MANY {
        let child = Child::of::<Worker>(format!("worker-{number}"), ()).restart(Restart::Temporary);
        let (address, _) = team.start_child(child).await.unwrap();
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
async fn of_a_message_that_was_void_no_time_is_measured_until_the_next_is_done() {
    let worker = Child::of::<Worker>("worker", ()).paused();
    let address = worker.address();
    let tree = grow(team().child(worker)).await;
    address.send_before(Moment::now() + SECOND, Say::Work).await.unwrap();
    sleep(2 * SECOND).await;
    tree.observer().resume("team/worker").unwrap();
    sleep(3600 * SECOND).await;
    tell(&address, [Say::Work]).await;
    let handled = part(&shown(&tree), &["messages_handled", "message_handle_seconds"]);
    assert_eq!(handled, lines(&[("messages_handled_total{Worker,ok}", 1.0)]));
    tree.stop().await;
}

/// A message that counts how often it was handed out.
struct Counted(Arc<AtomicU64>);

impl Message for Counted {
    const HANDED: Option<fn(&Self)> = Some(|counted| {
        counted.0.fetch_add(1, Ordering::Relaxed);
    });
}

/// Takes what came together at once.
struct Taker;

impl Agent for Taker {
    type Message = Counted;
    type Spec = ();

    async fn start((): (), _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn handle(&mut self, _: Counted, ctx: &mut Context<Self>) -> Result<(), Failure> {
        while ctx.next_of_batch().is_some() {}
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn of_messages_taken_in_batches_each_is_told_that_it_is_handed_out_and_one_in_256_is_measured() {
    let handed = Arc::new(AtomicU64::new(0));
    let counted = || Counted(Arc::clone(&handed));
    let child = Child::of::<Taker>("taker", ());
    let address = child.address();
    let tree = grow(team().child(child)).await;
    address.send(counted()).await.unwrap();
    for _ in 0..64 {
        address.send_many((0..32).map(|_| counted()).collect()).await.unwrap();
    }
    quiet().await;
    assert_eq!(handed.load(Ordering::Relaxed), 1 + 64 * 32);
    let expected = lines(&[
        ("message_handle_seconds{Taker}", 9.0),
        ("messages_handled_total{Taker,ok}", 2049.0),
    ]);
    assert_eq!(part(&shown(&tree), &["message_handle_", "messages_handled_"]), expected);
    tree.stop().await;
}
