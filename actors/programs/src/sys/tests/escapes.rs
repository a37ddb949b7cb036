//! Kill means dead.

use std::time::Duration;

use super::super::hunt::Survey;
use super::super::{Signal, bury_orphans, household};
use super::*;

/// Long enough for whoever listens to end, short enough for whoever does not to be killed soon.
const PATIENCE: Duration = Duration::from_millis(300);

/// Starts `script` on each kind of machine, waits for `marked` processes, stops it, and looks for itself.
async fn all_end(script: &str, marked: usize) -> Vec<Survey> {
    let mut surveys = Vec::new();
    for ground in grounds() {
        let yard = Yard::new(ground);
        let mut process = yard.start(script).await;
        yard.until_marked(|count| count >= marked).await;
        let survey = process.stop(PATIENCE).await;
        assert_eq!(yard.marked(), [0; 0], "{survey} on {:?}", yard.ground);
        assert_eq!(survey.survivors, 0);
        assert!(survey.found >= marked, "{survey}, of {marked}, on {:?}", yard.ground);
        surveys.push(survey);
    }
    surveys
}

#[tokio::test]
async fn a_program_that_listens_ends_without_being_killed() {
    for survey in all_end("trap 'kill $!; exit 0' TERM; sleep 1000 & echo ready; wait", 1).await {
        assert_eq!(survey.killed, 0);
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
    all_end("setsid bash -c 'exec -a $MARK sleep 1000' & echo ready; wait", 2).await;
}

#[tokio::test]
async fn whoever_forks_twice_and_leaves_the_session_ends() {
    let script = "(setsid bash -c '(exec -a $MARK sleep 1000) & exit' &) ; echo ready; trap '' TERM; sleep 1000";
    all_end(script, 2).await;
}

#[tokio::test]
async fn whoever_also_clears_his_environment_ends() {
    let script = "(setsid env -i MARK=$MARK bash -c \
                  '(trap \"\" TERM; exec -a $MARK env -i /usr/bin/sleep 1000 $MARK) & \
                  (trap \"\" TERM; exec env -i bash -c \"while :; do read -t 1000 < <(exec sleep 1000); done\" $MARK) & exit' &)
                  echo ready; sleep 1000; :";
    all_end(script, 2).await;
}

#[tokio::test]
async fn a_stopped_process_ends() {
    let script = "bash -c 'kill -STOP $$; :' $MARK & until grep -q '^State:.T' /proc/$!/status; do :; done
                  echo ready; wait";
    for survey in all_end(script, 2).await {
        assert_eq!(survey.killed, 0, "who goes on hears the signal");
    }
}

#[tokio::test]
async fn a_stopped_process_that_ignores_the_signal_ends() {
    all_end("trap '' TERM; echo ready; kill -STOP $$; :", 1).await;
}

#[tokio::test]
async fn two_that_bring_each_other_back_end() {
    let hydra = "trap '' TERM
                 head() { while :; do [ -d /proc/$1 ] || { setsid bash -c \"$HEAD\" $MARK $BASHPID & set -- $!; }; done; }
                 export HEAD=\"trap '' TERM; $(declare -f head); head \\$1\"
                 setsid bash -c \"$HEAD\" $MARK 0 &
                 echo ready; wait; sleep 1000";
    all_end(hydra, 4).await;
}

#[tokio::test]
async fn a_family_that_grows_until_it_may_no_more_ends() {
    let bomb = "trap '' TERM
                grow() { [ $1 -eq 0 ] || { grow $(($1 - 1)) & grow $(($1 - 1)) & }; sleep 1000 & wait; wait; }
                echo ready; grow 5";
    all_end(bomb, 60).await;
}

#[tokio::test]
async fn a_fork_bomb_within_its_limit_ends() {
    for ground in grounds().into_iter().filter(|ground| ground.pids.is_some()) {
        let yard = Yard::new(ground);
        let mut launch = yard.bash("trap '' TERM; echo ready; bomb() { bomb | bomb & bomb; }; bomb 2>/dev/null");
        launch.limits.processes = Some(100);
        let (mut process, enforcement) = yard.try_launch(launch).await.unwrap();
        assert!(enforcement.enforced.contains(&"processes"));
        assert_eq!(lines(&mut process, 1).await, ["ready"]);
        assert!(yard.until_marked(|count| count >= 90).await <= 100);
        let survey = process.stop(Duration::ZERO).await;
        assert_eq!((yard.marked(), survey.survivors), (vec![], 0));
    }
}

#[tokio::test]
async fn those_whom_a_crashed_program_left_end() {
    let script = "(setsid bash -c 'trap \"\" TERM; exec -a $MARK sleep 1000' &); sleep 1000 & echo ready; read";
    for ground in grounds() {
        let yard = Yard::new(ground);
        let mut process = yard.start(script).await;
        yard.until_marked(|count| count >= 2).await;
        assert_eq!(process.signal_all(Signal::CONT).await.unwrap(), 3);
        drop(process.stdin.take());
        assert_eq!(process.ended().await.code, Some(1));
        let survey = process.stop(PATIENCE).await;
        assert_eq!((yard.marked(), survey.found, survey.survivors), (vec![], 2, 0));
    }
}

#[tokio::test]
async fn a_process_that_is_dropped_takes_all_with_it() {
    for ground in grounds() {
        let yard = Yard::new(ground);
        let process = yard
            .start("(setsid bash -c 'trap \"\" TERM; exec -a $MARK sleep 1000' &); echo ready; sleep 1000; :")
            .await;
        yard.until_marked(|count| count >= 2).await;
        drop(process);
        yard.until_marked(|count| count == 0).await;
    }
}

#[test]
fn a_process_that_is_dropped_after_the_runtime_takes_all_with_it() {
    for ground in grounds() {
        let yard = Yard::new(ground);
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
    for ground in grounds() {
        let [stopped, other] = [Yard::new(ground.clone()), Yard::new(ground)];
        let script = "setsid bash -c 'exec -a $MARK sleep 1000' & echo ready; wait";
        let mut process = stopped.start(script).await;
        let mut left = other.start(script).await;
        other.until_marked(|count| count == 2).await;
        process.stop(PATIENCE).await;
        assert_eq!((stopped.marked().len(), other.marked().len()), (0, 2));
        left.stop(PATIENCE).await;
    }
}

#[tokio::test]
async fn orphans_that_ended_are_laid_to_rest_while_the_program_runs() {
    for ground in grounds().into_iter().filter(Ground::tracks) {
        let yard = Yard::new(ground);
        let script = "(setsid bash -c '(read <&3; exit) & echo $! ; exit' 3<&0 &) ; wait; cat";
        let (mut process, _) = yard.try_launch(yard.bash(script)).await.unwrap();
        let orphan: i32 = lines(&mut process, 1).await[0].parse().unwrap();
        timeout(DEADLINE, process.stdin.as_ref().unwrap().writable())
            .await
            .unwrap()
            .unwrap();
        let is_there = || fs::metadata(format!("/proc/{orphan}")).is_ok();
        assert!(is_there());
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
async fn a_household_is_shown_with_what_it_uses() {
    for ground in grounds() {
        let yard = Yard::new(ground);
        let mut process = yard
            .start("setsid bash -c 'exec -a $MARK sleep 1000' & echo ready; wait")
            .await;
        yard.until_marked(|count| count == 2).await;
        let shown = household(&yard.tag()).await;
        let of: Vec<_> = shown.iter().map(|one| (one.command.as_str(), one.ppid)).collect();
        let own = super::super::census::own_pid();
        assert_eq!(of, [("bash", own), ("sleep", process.pid())]);
        assert!(shown.iter().all(|one| one.rss > 0 && one.state == 'S'));
        process.stop(PATIENCE).await;
        assert_eq!(household(&yard.tag()).await, []);
    }
}
