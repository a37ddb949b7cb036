//! How programs begin and end.

use std::time::Instant;

use rustix::process::{Pid, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::await_ends;
use super::super::spawner::spawn;
use super::*;
use rustix::process::Signal;

async fn launched(script: &str) -> (Yard, Process) {
    let yard = Yard::new(Cgroups::found().clone());
    // As the runtime does it, and not in groups of the test's choice.
    let (process, _) = Process::launch(yard.bash(script)).await.unwrap();
    (yard, process)
}

#[tokio::test]
async fn a_program_reads_and_prints_and_ends_with_its_code() {
    let (_yard, mut process) = launched("read line; echo \"got $line\"; echo oops >&2; exit 7").await;
    let mut stdin = process.stdin.take().unwrap();
    stdin.write_all(b"hello\n").await.unwrap();
    assert_eq!(output(&mut process).await, ["got hello"]);
    let mut complaint = String::new();
    process
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut complaint)
        .await
        .unwrap();
    assert_eq!(complaint, "oops\n");
    let exit = process.ended().await;
    assert_eq!((exit.code, exit.signal), (Some(7), None));
    assert_eq!(process.ended().await, exit, "the end of a program stays known");
    assert!(exit.max_rss > 0);
}

#[tokio::test]
async fn a_program_that_is_killed_ends_with_the_signal() {
    let (_yard, mut process) = launched("kill -KILL $$").await;
    let exit = process.ended().await;
    assert_eq!((exit.code, exit.signal), (None, Some(9)));
}

#[tokio::test]
async fn waiting_may_be_given_up_and_begun_again() {
    let (_yard, mut process) = launched("read; exit 3").await;
    for _ in 0..3 {
        assert!(timeout(Duration::from_millis(1), process.ended()).await.is_err());
    }
    drop(process.stdin.take());
    assert_eq!(process.ended().await.code, Some(3));
}

/// Signals 32 and 33 are the C library's own: it lets nobody set them, and whoever began the tests may ignore them.
fn without_own_signals(line: String) -> String {
    let ignored = line
        .strip_prefix("SigIgn:\t")
        .and_then(|bits| u64::from_str_radix(bits, 16).ok());
    ignored.map_or(line, |bits| format!("SigIgn:\t{:016x}", bits & !(0b11 << 31)))
}

#[tokio::test]
async fn nothing_is_inherited_but_what_is_given() {
    let script = "tr '\\0' '\\n' </proc/$$/environ | grep -v ^TRIARCH_TAG= | sort; ls /proc/self/fd
                  grep -E '^(NoNewPrivs|SigBlk|SigIgn)' /proc/self/status | sort; readlink /proc/$$/cwd; [ $$ = $(ps -o sid= $$) ] && echo leads";
    let (yard, mut process) = launched(script).await;
    let seen: Vec<_> = output(&mut process)
        .await
        .into_iter()
        .map(without_own_signals)
        .collect();
    let mark = format!("MARK={}", yard.mark);
    let dir = yard.dir.canonicalize().unwrap();
    let expected = [
        mark.as_str(),
        "PATH=/usr/bin:/bin",
        "0",
        "1",
        "2",
        // The folder that is listed.
        "3",
        "NoNewPrivs:\t1",
        "SigBlk:\t0000000000000000",
        "SigIgn:\t0000000000000000",
        dir.to_str().unwrap(),
        "leads",
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn the_tag_cannot_be_given_by_the_environment() {
    let yard = Yard::new(Cgroups::found().clone());
    let mut launch = yard.bash("echo $TRIARCH_TAG");
    launch.env.push(("TRIARCH_TAG".into(), "another".into()));
    let given = launch.tag.to_string();
    let (mut process, _) = yard.try_launch(launch).await.unwrap();
    assert_eq!(output(&mut process).await, [given]);
}

#[tokio::test]
async fn a_command_that_is_none_is_refused_with_a_remedy() {
    let yard = Yard::new(Cgroups::found().clone());
    let refused = async |change: fn(&mut Launch)| {
        let mut launch = yard.bash("exit");
        change(&mut launch);
        yard.try_launch(launch).await.unwrap_err().to_string()
    };
    assert_eq!(
        refused(|launch| launch.command.clear()).await,
        "the command is empty; name a program"
    );
    assert_eq!(
        refused(|launch| launch.command = vec!["no-such".into()]).await,
        "there is no program \"no-such\" that may be run in /usr/bin:/bin; correct the command, or PATH in its env"
    );
    assert_eq!(
        refused(|launch| launch.env.push(("A".into(), "\0".into()))).await,
        "the environment has a zero byte in it; remove it"
    );
    let no_folder = refused(|launch| launch.dir.push("gone")).await;
    assert!(
        no_folder.contains("it failed to enter its working folder: No such file"),
        "{no_folder}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_program_is_not_given_to_a_shell() {
    let yard = Yard::new(Cgroups::found().clone());
    let file = yard.dir.join("text");
    fs::write(&file, "echo a shell reads this\n").unwrap();
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut launch = yard.bash("");
    launch.command = vec!["./text".into()];
    let error = yard.try_launch(launch).await.unwrap_err().to_string();
    assert!(
        error.contains("it failed to become the program: Exec format error"),
        "{error}"
    );
    assert_eq!(yard.groups(), Vec::<PathBuf>::new(), "what was made for it is gone");
}

#[tokio::test]
async fn a_stopped_program_leaves_no_control_group() {
    let (yard, mut process) = launched("sleep 1000 & wait").await;
    process.stop(Duration::from_millis(100)).await;
    assert_eq!(yard.groups(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_launch_that_is_given_up_leaves_nobody() {
    let yard = Yard::new(Cgroups::found().clone());
    for _ in 0..5 {
        let launch = yard.try_launch(yard.bash("sleep 1000; :"));
        drop(timeout(Duration::from_micros(300), launch).await);
    }
    yard.until_marked(|count| count == 0).await;
}

#[test]
fn a_program_outlives_the_thread_that_asked_for_it() {
    let yard = Yard::new(Cgroups::found().clone());
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let started = std::thread::scope(|scope| {
        scope
            .spawn(|| runtime().block_on(yard.start("echo ready; read; exit 4")))
            .join()
    });
    let process = started.unwrap();
    assert_eq!(yard.marked(), [process.pid()]);
}

/// Not judged here, since other tests run beside it: the figures are printed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_programs_start_and_their_deaths_are_noticed() {
    for sandboxed in [false, true] {
        let yard = Yard::new(Cgroups::found().clone());
        let launch = |number: usize| {
            let mut launch = yard.bash("");
            launch.command = vec!["sleep".into(), "1000".into(), (&yard.mark).into()];
            launch.command.truncate(2);
            launch.tag = Tag::new(&yard.owner, &format!("team/agent-{number}"), 1);
            if sandboxed {
                let write = vec![yard.dir.clone()];
                launch.sandbox = Sandbox::Standard {
                    read: Vec::new(),
                    write,
                };
            }
            yard.try_launch(launch)
        };
        let begun = Instant::now();
        let mut processes = Vec::new();
        for number in 0..100 {
            processes.push(launch(number).await.unwrap().0);
        }
        let started = begun.elapsed();
        let mut waits = Vec::new();
        for process in &mut processes {
            let begun = Instant::now();
            kill_process(Pid::from_raw(process.pid()).unwrap(), Signal::KILL).unwrap();
            assert_eq!(process.ended().await.signal, Some(9));
            waits.push(begun.elapsed());
        }
        waits.sort();
        eprintln!(
            "sandboxed {sandboxed}: 100 started in {started:?}; death noticed after {:?} (median), {:?} (worst)",
            waits[50], waits[99]
        );
        let begun = Instant::now();
        for process in &mut processes {
            assert_eq!(process.stop(Duration::ZERO).await.survivors, 0);
        }
        eprintln!("100 stopped one by one in {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_launch_that_nobody_waits_for_any_more_is_undone_on_another_thread() {
    for cgroups in offers() {
        let mut is_elsewhere = false;
        // It may be done before that is seen.
        for _try in 0..20 {
            let yard = Yard::new(cgroups.clone());
            let born = spawn(yard.bash("exec -a $MARK sleep 1000"), cgroups.clone())
                .await
                .unwrap();
            drop(born);
            is_elsewhere |= await_ends(&yard.owner, Duration::ZERO) > 0;
            yard.until_marked(|count| count == 0).await;
        }
        assert!(is_elsewhere, "{cgroups:?}");
    }
}
