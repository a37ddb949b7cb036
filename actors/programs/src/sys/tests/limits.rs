//! What programs may use and reach.

use super::*;

async fn run(
    yard: &Yard,
    change: impl FnOnce(&mut Launch),
    script: &str,
) -> (Vec<String>, super::super::Exit, Enforcement) {
    let mut launch = yard.bash(script);
    change(&mut launch);
    let (mut process, enforcement) = yard.try_launch(launch).await.unwrap();
    let printed = output(&mut process).await;
    (printed, process.ended().await, enforcement)
}

fn reasons(enforcement: &Enforcement) -> Vec<&str> {
    enforcement.not_enforced.iter().map(|(what, _)| *what).collect()
}

#[tokio::test]
async fn open_files_and_cpu_are_limited_on_each_machine() {
    for cgroups in offers() {
        let yard = Yard::new(cgroups);
        let limit = |launch: &mut Launch| {
            launch.limits.open_files = Some(50);
            launch.limits.cpu = Some(Duration::from_secs(1));
        };
        let (printed, exit, enforcement) =
            run(&yard, limit, "ulimit -n; ulimit -t; ulimit -c; while :; do :; done").await;
        assert_eq!(printed, ["50", "1", "0"]);
        assert_eq!((exit.code, exit.signal), (None, Some(libc::SIGXCPU)));
        assert!(exit.cpu() >= Duration::from_millis(500));
        for held in ["cpu of each process", "open files of each process"] {
            assert!(enforcement.enforced.contains(&held), "{enforcement:?}");
        }
    }
}

#[tokio::test]
async fn one_that_goes_on_when_its_processor_time_is_over_is_killed() {
    let yard = Yard::new(Cgroups::found().clone());
    let limit = |launch: &mut Launch| launch.limits.cpu = Some(Duration::from_secs(1));
    let (_, exit, _) = run(&yard, limit, "trap '' XCPU; while :; do :; done").await;
    assert_eq!((exit.code, exit.signal), (None, Some(libc::SIGKILL)));
}

#[tokio::test]
async fn memory_is_limited_on_each_machine_and_it_is_said_how_well() {
    for cgroups in offers() {
        let has_group = cgroups.memory.is_some();
        let yard = Yard::new(cgroups);
        let limit = |launch: &mut Launch| launch.limits.memory = Some(64 << 20);
        let eat = "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo ${#x}";
        let (printed, exit, enforcement) = run(&yard, limit, eat).await;
        assert_ne!(printed, ["200000000"], "{exit:?}");
        if has_group {
            assert!(enforcement.enforced.contains(&"memory"), "{enforcement:?}");
        }
        assert_eq!(
            reasons(&enforcement).contains(&"memory"),
            !enforcement.enforced.contains(&"memory")
        );
    }
}

#[tokio::test]
async fn what_no_machine_could_hold_is_said() {
    let yard = Yard::new(Cgroups::default());
    let limit = |launch: &mut Launch| {
        launch.limits = Limits {
            memory: Some(1 << 30),
            processes: Some(1000),
            ..Limits::default()
        }
    };
    let (_, exit, enforcement) = run(&yard, limit, "exit 0").await;
    assert_eq!(exit.code, Some(0));
    assert_eq!(reasons(&enforcement), ["control group", "memory", "processes"]);
}

#[tokio::test]
async fn the_sandbox_opens_the_folders_it_names_and_no_others() {
    let yard = Yard::new(Cgroups::found().clone());
    let [inside, to_read, outside] = ["inside", "to-read", "outside"].map(|name| yard.dir.join(name));
    for folder in [&inside, &to_read, &outside] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("file"), "text\n").unwrap();
    }
    let sandbox = |launch: &mut Launch| {
        launch.dir = inside.clone();
        launch.sandbox = Sandbox::Standard {
            read: vec![to_read.clone(), yard.dir.join("gone")],
            write: vec![inside.clone()],
        };
    };
    let script = "cat file && echo more >file && mv file other && echo wrote
                  cat ../to-read/file; (echo more >../to-read/file) 2>&1 | grep -o 'Permission denied'
                  cat ../outside/file 2>&1 | grep -o 'Permission denied'; cat ../outside/file
                  ls / 2>&1 | grep -o 'Permission denied'; echo >/dev/null && echo end >/dev/stdout";
    let (printed, _, enforcement) = run(&yard, sandbox, script).await;
    if !enforcement.enforced.contains(&"folders") {
        assert!(reasons(&enforcement).contains(&"folders"));
        return;
    }
    let refused = "Permission denied";
    assert_eq!(printed, ["text", "wrote", "text", refused, refused, refused, "end"]);
    assert!(reasons(&enforcement).contains(&"a folder of the sandbox"));
}

/// Within the sandbox, and told of somebody outside.
fn beside(yard: &Yard, other: i32) -> impl Fn(&mut Launch) {
    move |launch| {
        launch.tag = Tag::new(&yard.owner, "team/other", 1);
        launch.env.push(("OTHER".into(), other.to_string().into()));
        launch.sandbox = Sandbox::Standard {
            read: Vec::new(),
            write: vec![yard.dir.clone()],
        };
    }
}

#[tokio::test]
async fn the_sandbox_keeps_signals_within() {
    let yard = Yard::new(Cgroups::found().clone());
    let mut other = yard.start("echo ready; sleep 1000; :").await;
    let sandbox = beside(&yard, other.pid());
    let script = "kill -KILL $OTHER 2>/dev/null || echo refused; sleep 1000 & kill -KILL $! && echo own";
    let (printed, _, enforcement) = run(&yard, sandbox, script).await;
    if enforcement.enforced.contains(&"signals to others") {
        assert_eq!(printed, ["refused", "own"]);
        assert!(timeout(Duration::from_millis(1), other.ended()).await.is_err());
    } else {
        assert!(reasons(&enforcement).contains(&"signals to others"));
    }
    other.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn from_within_the_sandbox_nobody_reads_the_environment_of_others_and_the_superuser_is_none() {
    let yard = Yard::new(Cgroups::found().clone());
    let mut other = yard.start("echo ready; sleep 1000; :").await;
    let sandbox = beside(&yard, other.pid());
    let script = "for one in $PPID $OTHER; do cat /proc/$one/environ >/dev/null 2>&1 || echo refused; done; grep ^CapPrm /proc/self/status";
    let (printed, _, enforcement) = run(&yard, sandbox, script).await;
    if enforcement.enforced.contains(&"folders") {
        assert_eq!(printed[..2], ["refused", "refused"]);
    }
    // Administers the system (21), traces others (19), reads what they do (38), opens by number (2), makes devices (27).
    let held = printed.last().and_then(|line| line.strip_prefix("CapPrm:\t")).unwrap();
    let held = u64::from_str_radix(held, 16).unwrap();
    assert!([2, 19, 21, 27, 38].iter().all(|one| held & (1 << one) == 0), "{held:x}");
    other.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn the_sandbox_refuses_calls_that_administer_the_machine() {
    let yard = Yard::new(Cgroups::found().clone());
    let sandbox = |launch: &mut Launch| {
        launch.sandbox = Sandbox::Standard {
            read: Vec::new(),
            write: vec![yard.dir.clone()],
        };
    };
    let (printed, _, enforcement) = run(
        &yard,
        sandbox,
        "grep ^Seccomp: /proc/self/status; dmesg >/dev/null 2>&1 || echo refused",
    )
    .await;
    assert!(enforcement.enforced.contains(&"system calls"), "{enforcement:?}");
    assert_eq!(printed, ["Seccomp:\t2", "refused"]);
}

#[tokio::test]
async fn groups_of_the_first_version_are_made_for_what_they_limit_where_another_is_ended_at_once() {
    for cgroups in offers() {
        for limit in [None, Some(100)] {
            let yard = Yard::new(cgroups.clone());
            let mut launch = yard.bash("echo ready; sleep 1000");
            (launch.limits.processes, launch.limits.memory) = (limit, limit.map(|limit| limit << 20));
            let groups = PathBuf::from(yard.owner.group()).join(launch.tag.group());
            let (mut process, _) = yard.try_launch(launch).await.unwrap();
            assert_eq!(lines(&mut process, 1).await, ["ready"]);
            let is_there = |base: &Option<PathBuf>, file: &str| {
                base.as_ref().is_some_and(|base| base.join(&groups).join(file).exists())
            };
            let is_enough = is_there(&cgroups.unified, "cgroup.kill");
            for base in [&cgroups.pids, &cgroups.memory] {
                let is_needed = base.is_some() && (limit.is_some() || !is_enough);
                assert_eq!(is_there(base, "tasks"), is_needed, "{limit:?} {cgroups:?}");
            }
        }
    }
}
