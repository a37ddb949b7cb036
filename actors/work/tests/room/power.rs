//! Nothing acknowledged is lost, wherever the power is cut.

use std::collections::BTreeMap;
use std::sync::Arc;

use triarch_journal::testing::{Call, Fault, SimDisk};
use triarch_supervision::clock::Seeded;
use triarch_work::Word;
use triarch_work::config::Config;
use triarch_work::machine::Mend;
use triarch_work::task::{State, Submission};
use triarch_work::words::{Key, TaskId};

use crate::house::*;

/// Each has five lives that end by a power cut.
const SEEDS: u64 = 200;

/// What customers and workers were told across power cuts.
#[derive(Default)]
struct Told {
    submitted: BTreeMap<Key, TaskId>,
    done: BTreeMap<TaskId, u32>,
    claimed: Vec<(TaskId, triarch_work::words::Fence)>,
}

async fn live(house: &House, chance: &mut Seeded, told: &mut Told, keys: &mut u64) {
    for _ in 0..chance.below(30) {
        match chance.below(3) {
            0 => {
                *keys += 1;
                let key = Key::new(format!("key-{keys}")).unwrap();
                let submission = Submission {
                    key: Some(key.clone()),
                    ..task()
                };
                if let Ok(accepted) = house.tasks.submit(vec![submission]).await {
                    told.submitted.insert(key, accepted[0].task);
                }
            }
            1 => {
                let claims = house.tasks.claim(request(false)).await.unwrap_or_default();
                told.claimed
                    .extend(claims.iter().map(|claim| (claim.task, claim.fence)));
            }
            _ if told.claimed.is_empty() => {}
            _ => {
                let place = usize::try_from(chance.below(told.claimed.len() as u64)).unwrap();
                let (task, fence) = told.claimed.swap_remove(place);
                let word = if chance.below(4) == 0 {
                    Word::Failed {
                        why: "chaos".into(),
                        mend: Mend::Possible,
                    }
                } else {
                    done()
                };
                let is_done = matches!(word, Word::Done { .. });
                if house.tasks.tell(task, fence, word).await.is_ok() && is_done {
                    *told.done.entry(task).or_default() += 1;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn power_cuts_lose_nothing_acknowledged_and_nothing_is_done_twice() {
    for seed in 0..SEEDS {
        let (disk, mut chance) = (SimDisk::new(seed), Seeded::new(seed));
        let (mut told, mut keys) = (Told::default(), 0);
        for _ in 0..5 {
            let house = open(
                Arc::new(disk.clone()),
                Config {
                    snapshot_after: 2_000,
                    ..Config::default()
                },
            )
            .await;
            disk.fail(Call::Sync, chance.below(20), Fault::PowerCut);
            within(live(&house, &mut chance, &mut told, &mut keys)).await;
            disk.heal();
            disk.cut_power();
            house.tree.stop().await;
        }
        let house = open(Arc::new(disk), Config::default()).await;
        for (key, task) in &told.submitted {
            let view = house.tasks.show(*task).await.unwrap();
            assert_eq!(view.key.as_deref(), Some(key.as_str()), "seed {seed}");
        }
        for (task, times) in &told.done {
            let state = house.tasks.show(*task).await.unwrap().state;
            assert_eq!((state, *times), (State::Done, 1), "seed {seed}: task {task}");
        }
        let overview = house.tasks.overview().await.unwrap();
        let ended: u64 = overview.totals.ended.iter().sum();
        assert_eq!(overview.totals.submitted, ended + overview.open as u64, "seed {seed}");
        assert!(house.tree.stop().await.is_orderly());
    }
}
