//! Kill means dead.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::super::census::Census;
use super::super::hunt::{Survey, Tally, strike};
use super::super::{bury_orphans, household};
use super::*;

/// Long enough for whoever listens to end, short enough for whoever does not to be killed soon.
const PATIENCE: Duration = Duration::from_millis(300);

/// So often what happens by chance is tried.
const ROUNDS: usize = 5;

/// Starts `script` on each kind of machine, waits until it has brought forth `exiles`, stops it, and looks for itself.
async fn all_end(script: &str, exiles: usize) -> Vec<Survey> {
    all_end_within(PATIENCE, script, exiles).await
}

async fn all_end_within(patience: Duration, script: &str, exiles: usize) -> Vec<Survey> {
    let mut surveys = Vec::new();
    for cgroups in offers() {
        let yard = Yard::new(cgroups);
        let mut process = yard.start(script).await;
        yard.until_exiles(exiles).await;
        let survey = process.stop(patience).await;
        assert_eq!(yard.marked(), [0; 0], "{survey} on {:?}", yard.cgroups);
        assert_eq!(survey.survivors, 0);
        assert!(survey.found >= exiles.max(1), "{survey} on {:?}", yard.cgroups);
        surveys.push(survey);
    }
    surveys
}

#[tokio::test]
async fn a_program_that_listens_ends_without_being_killed() {
    for survey in all_end(
        "trap 'kill $!; exit 0' TERM; (exec -a $MARK sleep 1000) & echo ready; wait",
        1,
    )
    .await
    {
        assert_eq!((survey.found, survey.killed), (2, 0));
    }
}

#[tokio::test]
async fn a_program_that_ignores_the_signal_is_killed() {
    for survey in all_end("trap '' TERM; echo ready; exec -a $MARK sleep 1000", 1).await {
        assert_eq!((survey.found, survey.killed), (1, 1));
    }
}

#[tokio::test]
async fn whoever_begins_a_session_of_his_own_ends() {
    all_end("setsid bash -c 'exec -a $MARK sleep 1000' & echo ready; wait", 1).await;
}

#[tokio::test]
async fn whoever_forks_twice_and_leaves_the_session_ends() {
    let script = "(setsid bash -c '(exec -a $MARK sleep 1000) & exit' &); echo ready; trap '' TERM; sleep 1000; :";
    all_end(script, 1).await;
}

#[tokio::test]
async fn whoever_also_clears_his_environment_ends() {
    let script = "(setsid env -i bash -c '(trap \"\" TERM; exec -a $0 sleep 1000) & (exec -a $0 sleep 1000) & exit' \
                  $MARK &); echo ready; sleep 1000; :";
    for survey in all_end(script, 2).await {
        assert_eq!(survey.killed, 1);
    }
}

#[tokio::test]
async fn a_stopped_process_ends() {
    let script = "(exec -a $MARK sleep 1000) & until read -d '' name </proc/$!/cmdline; [ \"$name\" = $MARK ]; do :; done; kill -STOP $!
                  until grep -q '^State:.T' /proc/$!/status; do :; done; echo ready; sleep 1000; :";
    for survey in all_end_within(DEADLINE, script, 1).await {
        assert_eq!(survey.killed, 0, "who goes on hears the signal");
    }
}

#[tokio::test]
async fn a_stopped_process_that_ignores_the_signal_ends() {
    all_end(
        "trap '' TERM; (exec -a $MARK sleep 1000) & echo ready; kill -STOP $$; :",
        1,
    )
    .await;
}

#[tokio::test]
async fn whoever_tries_to_leave_the_control_group_ends_whether_he_may_or_not() {
    let script = "setsid bash -c 'for group in /sys/fs/cgroup /sys/fs/cgroup/{unified,freezer,pids,memory}
                                  do echo $$ >$group/cgroup.procs; done 2>/dev/null
                                  trap \"\" TERM; exec -a $MARK sleep 1000' & echo ready; wait";
    for written in [None, Some("/")] {
        for cgroups in offers() {
            let yard = Yard::new(cgroups);
            let mut launch = yard.bash(script);
            launch.sandbox = Sandbox::Standard {
                read: Vec::new(),
                write: vec![written.map_or_else(|| yard.dir.clone(), PathBuf::from)],
            };
            let (mut process, _) = yard.try_launch(launch).await.unwrap();
            assert_eq!(lines(&mut process, 1).await, ["ready"]);
            yard.until_exiles(1).await;
            let survey = process.stop(PATIENCE).await;
            assert_eq!((yard.marked(), survey.survivors), (vec![], 0));
        }
    }
}

#[tokio::test]
async fn two_that_bring_each_other_back_end() {
    // Each looks whether the other is there, and starts another if not, in a session of its own; for a minute, should a test fail.
    let hydra = "trap '' TERM; export END=$((EPOCHSECONDS + 60))
                 head() { while [ $EPOCHSECONDS -lt $END ]; do [ -d /proc/$1 ] || { setsid bash -c \"$HEAD\" $MARK $BASHPID & set -- $!; }; done; }
                 export HEAD=\"trap '' TERM; $(declare -f head); head \\$1\"
                 setsid bash -c \"$HEAD\" $MARK 0 & echo ready; wait; sleep 1000; :";
    for cgroups in offers() {
        let yard = Yard::new(cgroups);
        let mut process = yard.start(hydra).await;
        yard.until_marked(|count| count >= 3).await;
        assert_eq!(process.stop(PATIENCE).await.survivors, 0);
        assert_eq!(yard.marked(), [0; 0]);
    }
}

#[tokio::test]
async fn a_family_that_grows_while_it_is_stopped_ends() {
    let family = "trap '' TERM
                  grow() { [ $1 -eq 0 ] || { grow $(($1 - 1)) & grow $(($1 - 1)) & }; (exec -a $MARK sleep 1000) & wait; wait; }
                  echo ready; grow 6";
    for cgroups in offers() {
        let yard = Yard::new(cgroups);
        let mut process = yard.start(family).await;
        yard.until_marked(|count| count >= 20).await;
        assert_eq!(process.stop(Duration::ZERO).await.survivors, 0);
        assert_eq!(yard.marked(), [0; 0]);
    }
}

#[tokio::test]
async fn a_fork_bomb_within_its_limit_ends() {
    for cgroups in offers().into_iter().filter(|cgroups| cgroups.pids.is_some()) {
        let yard = Yard::new(cgroups);
        let mut launch = yard.bash("trap '' TERM; echo ready; bomb() { bomb | bomb & bomb; }; bomb 2>/dev/null");
        launch.limits.processes = Some(100);
        let (mut process, enforcement) = yard.try_launch(launch).await.unwrap();
        assert!(enforcement.enforced.contains(&"processes"));
        assert_eq!(lines(&mut process, 1).await, ["ready"]);
        yard.until_marked(|count| count >= 90).await;
        assert!(yard.marked().len() <= 100);
        let survey = process.stop(Duration::ZERO).await;
        assert_eq!((yard.marked(), survey.survivors), (vec![], 0));
    }
}

#[tokio::test]
async fn whoever_is_in_the_control_groups_ends_though_nobody_is_looked_for_elsewhere() {
    for cgroups in offers().into_iter().filter(Cgroups::tracks) {
        let yard = Yard::new(cgroups);
        let script = "trap '' TERM; (setsid env -i bash -c 'exec -a $0 sleep 1000' $MARK &); echo ready; sleep 1000; :";
        let process = yard.start(script).await;
        yard.until_exiles(1).await;
        let mut tally = Tally::default();
        assert!(strike(process.household(), &mut tally), "it is known to be empty");
        assert_eq!(yard.marked(), [0; 0], "{:?}", yard.cgroups);
        assert!(tally.survey(0).killed >= 2);
    }
}

fn within_its_folder(yard: &Yard) -> Sandbox {
    Sandbox::Standard {
        read: Vec::new(),
        write: vec![yard.dir.clone()],
    }
}

/// Leaves a child and ends, again and again: whoever is looked at is gone, but each leaves a byte. It does not outlive a test
/// that fails for long.
const HOPPER: &str = "exec -a $MARK perl -e '$| = 1; open $track, \">>\", \"track\" or die; $end = time + 60;
                      print \"ready\\n\"; while (time < $end) { syswrite $track, \"x\"; fork and exit }'";

#[tokio::test]
async fn one_that_leaves_another_and_ends_again_and_again_ends() {
    for cgroups in offers() {
        for sandbox in [|_: &Yard| Sandbox::None, within_its_folder] {
            for _round in 0..ROUNDS {
                let yard = Yard::new(cgroups.clone());
                let mut launch = yard.bash(HOPPER);
                launch.sandbox = sandbox(&yard);
                let (mut process, _) = yard.try_launch(launch).await.unwrap();
                assert_eq!(lines(&mut process, 1).await, ["ready"]);
                let survey = process.stop(Duration::ZERO).await;
                assert_eq!(survey.survivors, 0, "{survey} on {cgroups:?}");
                let track = || fs::metadata(yard.dir.join("track")).unwrap().len();
                let left = track();
                sleep(Duration::from_millis(50)).await;
                assert_eq!((track(), yard.marked()), (left, vec![]), "{survey} on {cgroups:?}");
            }
        }
    }
}

#[tokio::test]
async fn those_whom_a_crashed_program_left_end() {
    let script =
        "(setsid bash -c 'trap \"\" TERM; exec -a $MARK sleep 1000' &); (exec -a $MARK sleep 1000) & echo ready; read";
    for cgroups in offers() {
        let yard = Yard::new(cgroups);
        let mut process = yard.start(script).await;
        yard.until_exiles(2).await;
        assert_eq!(household(process.pid()).await.len(), 3);
        drop(process.stdin.take());
        assert_eq!(process.ended().await.code, Some(1));
        let survey = process.stop(PATIENCE).await;
        assert_eq!((yard.marked(), survey.found, survey.survivors), (vec![], 2, 0));
    }
}

#[tokio::test]
async fn a_process_that_is_dropped_takes_all_with_it() {
    for cgroups in offers() {
        let yard = Yard::new(cgroups);
        let process = yard
            .start("(setsid bash -c 'trap \"\" TERM; exec -a $MARK sleep 1000' &); echo ready; sleep 1000; :")
            .await;
        yard.until_exiles(1).await;
        drop(process);
        yard.until_marked(|count| count == 0).await;
    }
}

/// No thread can be had with such a stack.
const STACK: usize = 1 << 46;

#[test]
fn a_process_that_is_dropped_by_a_panic_where_no_thread_can_be_had_takes_all_with_it() {
    for cgroups in offers() {
        let yard = Yard::new(cgroups);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .thread_stack_size(STACK)
            .build()
            .unwrap();
        let panics = || {
            runtime.block_on(async {
                let _process = yard.start("echo ready; sleep 1000; :").await;
                drop(tokio::task::spawn_blocking(|| ()));
            });
        };
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        assert_eq!(yard.marked(), [0; 0]);
    }
}

#[test]
fn a_process_that_is_dropped_after_the_runtime_takes_all_with_it() {
    for cgroups in offers() {
        let yard = Yard::new(cgroups);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let process = runtime.block_on(yard.start("echo ready; sleep 1000; :"));
        drop(runtime);
        drop(process);
        assert_eq!(yard.marked(), [0; 0]);
    }
}

#[tokio::test]
async fn stopping_one_agent_leaves_the_others_alone() {
    for cgroups in offers() {
        let [stopped, other] = [Yard::new(cgroups.clone()), Yard::new(cgroups)];
        let script = "setsid bash -c 'exec -a $MARK sleep 1000' & echo ready; wait";
        let mut process = stopped.start(script).await;
        let mut left = other.start(script).await;
        other.until_exiles(1).await;
        process.stop(PATIENCE).await;
        assert_eq!((stopped.marked().len(), other.marked().len()), (0, 2));
        left.stop(PATIENCE).await;
    }
}

#[tokio::test]
async fn orphans_that_ended_are_laid_to_rest_while_the_program_runs() {
    for cgroups in offers().into_iter().filter(Cgroups::tracks) {
        let yard = Yard::new(cgroups);
        let script = "exec 3<&0; (setsid bash -c '(read <&3; exit) & echo $!; exit' &); sleep 1000; :";
        let (mut process, _) = yard.try_launch(yard.bash(script)).await.unwrap();
        let orphan: i32 = lines(&mut process, 1).await[0].parse().unwrap();
        timeout(DEADLINE, process.stdin.as_ref().unwrap().writable())
            .await
            .unwrap()
            .unwrap();
        let is_there = || fs::metadata(format!("/proc/{orphan}")).is_ok();
        assert!(is_there());
        bury_orphans();
        process.stdin.as_ref().unwrap().try_write(b"\n").unwrap();
        timeout(DEADLINE, async {
            while is_there() {
                bury_orphans();
                sleep(Duration::from_millis(2)).await;
            }
        })
        .await
        .expect("the orphan is still there");
        assert_eq!(process.stop(PATIENCE).await.survivors, 0);
    }
}

#[tokio::test]
async fn who_was_laid_to_rest_is_not_remembered() {
    for cgroups in offers() {
        let yard = Yard::new(cgroups);
        let script = "for _ in {1..1000}; do (: &); done; echo ready; sleep 1000; :";
        let (mut process, _) = yard.try_launch(yard.bash(script)).await.unwrap();
        let mut buried = 0;
        let mut bury = async || {
            loop {
                buried += bury_orphans();
                sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::select! {
            ready = lines(&mut process, 1) => assert_eq!(ready, ["ready"]),
            () = bury() => unreachable!(),
        }
        let seen = process.household().seen_count();
        assert!(seen < 100, "{seen} of {buried} that were buried");
        assert_eq!(process.stop(PATIENCE).await.survivors, 0);
    }
}

#[tokio::test]
async fn who_was_laid_to_rest_by_others_is_news_for_who_finds_nobody() {
    for cgroups in offers().into_iter().filter(Cgroups::tracks) {
        let yard = Yard::new(cgroups);
        let process = yard.start("(sleep 0.1 &); echo ready; sleep 1000; :").await;
        let ended = || process.household().parted(&Census::default()).unwrap().1;
        let before = ended();
        let is_told = async {
            while ended() == before {
                bury_orphans();
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(DEADLINE, is_told).await.unwrap();
    }
}

#[tokio::test]
async fn a_household_is_shown_with_what_it_uses() {
    for cgroups in offers() {
        let yard = Yard::new(cgroups);
        let mut process = yard
            .start("setsid bash -c 'exec -a $MARK sleep 1000' & echo ready; wait")
            .await;
        let own = super::super::census::own_pid();
        let shown = timeout(DEADLINE, async {
            loop {
                let shown = household(process.pid()).await;
                let is_settled = shown.iter().all(|one| one.memory_bytes > 0 && one.state == 'S');
                if is_settled && shown.last().is_some_and(|last| last.command == "sleep") {
                    return shown;
                }
            }
        });
        let shown = shown.await.unwrap();
        let of: Vec<_> = shown.iter().map(|one| (one.pid, one.parent)).collect();
        assert_eq!(of, [(process.pid(), own), (shown[1].pid, process.pid())]);
        process.stop(PATIENCE).await;
        assert_eq!(household(process.pid()).await, []);
    }
}
