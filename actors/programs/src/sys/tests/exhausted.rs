//! A runtime that has no descriptor left.

use std::fs::File;
use std::process::Command;

use rustix::process::{Resource, getrlimit, setrlimit};

use super::super::census::{Census, Groups};
use super::super::cgroups;
use super::*;

/// Tells the test binary to be that runtime: nobody else's tests are to run out with it.
const ROLE: &str = "TRIARCH_TEST_EXHAUSTED";

/// Long enough to be asked, and to be known before the kill.
const PATIENCE: Duration = Duration::from_millis(300);

const SCRIPT: &str =
    "trap '' TERM; (setsid bash -c 'trap \"\" TERM; exec -a $MARK sleep 1000' &); echo ready; sleep 1000; :";

/// All descriptors that there may be.
struct Hoard(Vec<File>);

impl Hoard {
    fn new() -> Self {
        let limit = getrlimit(Resource::Nofile);
        let current = Some(64);
        setrlimit(Resource::Nofile, rustix::process::Rlimit { current, ..limit }).unwrap();
        let hoard = Self(std::iter::from_fn(|| File::open("/dev/null").ok()).collect());
        assert!(!hoard.0.is_empty());
        hoard
    }
}

#[test]
fn without_a_descriptor_left_whoever_is_stopped_or_dropped_is_gone_and_nobody_seems_so() {
    if std::env::var(ROLE).is_ok() {
        be_exhausted();
        return;
    }
    let name = std::thread::current().name().unwrap().to_owned();
    let mut exhausted = Command::new(std::env::current_exe().unwrap());
    let told = exhausted
        .args(["--exact", &name, "--nocapture"])
        .env(ROLE, "yes")
        .output()
        .unwrap();
    assert!(told.status.success(), "{told:?}");
}

fn be_exhausted() {
    let written = tempfile::NamedTempFile::new().unwrap();
    for cgroups in offers() {
        let yards = [Yard::new(cgroups.clone()), Yard::new(cgroups)];
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let [mut stopped, dropped] = runtime.block_on(async {
            let both = [yards[0].start(SCRIPT).await, yards[1].start(SCRIPT).await];
            yards[0].until_exiles(1).await;
            yards[1].until_exiles(1).await;
            both
        });
        let hoard = Hoard::new();
        assert!(Census::take(Groups::OfOrphans).is_err());
        cgroups::write(written.path(), "1").unwrap();
        let survey = runtime.block_on(stopped.stop(PATIENCE));
        let freed: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        drop(runtime);
        drop(dropped);
        drop((hoard, freed));
        assert_eq!((yards[0].marked(), yards[1].marked()), (vec![], vec![]));
        // The program, and who left it; perhaps whom it was about to wait for.
        assert!(survey.found >= 2 && survey.killed == survey.found, "{survey:?}");
        assert_eq!(survey.survivors, 0);
    }
}
