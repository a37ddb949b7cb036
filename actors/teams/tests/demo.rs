//! The teams that run where nothing is described.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use serde::Deserialize;
    use triarch_supervision::dead_letter::DeadReason;
    use triarch_supervision::metrics::{Catalogue, Counter, Fan, Instruments, TELEMETRY};
    use triarch_supervision::prelude::*;
    use triarch_supervision::testing::World;
    use triarch_teams::metrics::{RECEIPTS, TEAMS};
    use triarch_teams::{DEMO, Places, PostOffice, TeamConfig, natives, room};

    #[derive(Deserialize)]
    struct Described {
        team: Vec<TeamConfig>,
    }

    const SPAN: usize = 10;

    fn demo(office: PostOffice) -> Supervisor {
        let described: Described = toml::from_str(DEMO).unwrap();
        // The other team stands on more than this crate.
        room(
            &described.team[0],
            &natives(Arc::new(office), Places::seen_from(".")),
            SPAN,
        )
        .unwrap()
    }

    fn ended(receipts: &Fan<Counter>) -> [u64; 3] {
        ["done", "failed", "lost"].map(|stage| receipts.at(stage).get())
    }

    #[test]
    fn it_works_fails_and_recovers_and_never_gives_up() {
        let instruments = Instruments::new(Catalogue::new(&[TEAMS, TELEMETRY]).unwrap());
        let receipts = instruments.fans(&RECEIPTS).unwrap().with([]);
        World::new(7).run(async |world| {
            let office = PostOffice::new(1, &instruments).unwrap();
            let tree = world.start(Root::new().supervisor(demo(office))).await.unwrap();
            world.advance(Duration::from_mins(10)).await;
            let observer = tree.observer();
            let restarts = |path: &str| observer.node(path).unwrap().restarts;
            // After more than five of them in so long somebody is told of a crash loop.
            assert!(
                (2..=5).contains(&restarts("demo/fragile")),
                "{}",
                restarts("demo/fragile")
            );
            assert_eq!(
                restarts("demo") + restarts("demo/worker-1") + restarts("demo/customer"),
                0
            );
            let alive = observer
                .snapshot()
                .iter()
                .all(|node| node.last_exit.is_none() || node.restarts > 0);
            assert!(alive, "nobody stays down");
            let [done, failed, lost] = ended(&receipts);
            assert!(done > 5_000, "{done}");
            let crashed = observer.dead_letters().count(DeadReason::Crashed);
            assert_eq!(lost, crashed, "the post in hand at each failure");
            assert!(failed > 0, "what came too late");
            assert!(tree.stop().await.is_orderly());
        });
    }

    #[test]
    fn its_teams_have_no_fault_and_each_fits_under_one_supervisor() {
        let described: Described = toml::from_str(DEMO).unwrap();
        for team in &described.team {
            assert_eq!((team.faults(SPAN), team.collisions()), (Vec::new(), Vec::new()));
            assert!(team.size() <= SPAN, "{}", team.size());
        }
    }
}
