//! Events without an end.

use super::*;

/// A tree with a log of events and a neighbour that may fail often, at rest.
async fn tree_with_log(world: &World, folder: &Path, instruments: &Instruments) -> (Tree, Address<Fail>) {
    let log = EventLog::new(folder, Config::default().events);
    let silent = Output::to(io::sink());
    let team = Supervisor::named("team").intensity(Intensity::new(1_000, Duration::from_secs(1)));
    let both = tree_beside(team, world, Config::default(), silent, Some(log), instruments).await;
    world.advance(Duration::from_secs(1)).await;
    both
}

#[test]
fn what_happens_now_and_then_is_written_at_once_and_what_happens_without_an_end_in_heaps() {
    let (folder, instruments) = (tempfile::tempdir().unwrap(), instruments());
    let newest = folder.path().join("events.jsonl");
    let size = || fs::metadata(&newest).unwrap().len();
    World::any().run(async |world| {
        let (tree, writer) = tree_with_log(world, folder.path(), &instruments).await;
        let before = size();
        let mut sizes = std::collections::BTreeSet::new();
        for failure in 1..=80 {
            writer.send(Fail).await.unwrap();
            world.advance(Duration::from_millis(2)).await;
            sizes.insert(size());
            assert!(failure > 5 || sizes.len() == failure, "the first are written at once");
        }
        assert!(size() > before && sizes.len() < 40, "{} writes", sizes.len());
        world.advance(Duration::from_secs(1)).await;
        assert!(tree.stop().await.is_orderly());
    });
    let lives = changes(folder.path(), "team/writer").len();
    assert_eq!(lives, 100, "as many as are told");
    assert_eq!(count(&instruments, metrics::LOST_EVENTS.name), 0);
}

#[test]
fn what_a_recorder_that_is_killed_had_gathered_is_counted_as_lost() {
    let (folder, instruments) = (tempfile::tempdir().unwrap(), instruments());
    World::any().run(async |world| {
        let (tree, writer) = tree_with_log(world, folder.path(), &instruments).await;
        for _ in 0..60 {
            writer.send(Fail).await.unwrap();
            world.advance(Duration::from_millis(2)).await;
        }
        let room = tree.observer().supervisor("telemetry").unwrap();
        assert_eq!(count(&instruments, metrics::LOST_EVENTS.name), 0);
        room.kill_child("events").await.unwrap();
        world.advance(Duration::from_secs(1)).await;
        assert!(count(&instruments, metrics::LOST_EVENTS.name) > 0);
        tree.stop().await;
    });
}
