//! The runtime as a service: what its manager hears, and that it says when it gives up.

use std::os::unix::net::UnixDatagram;
use std::process::Command;

use crate::running::{House, Running};
use crate::{PATIENCE, until};

/// A service manager, as far as it listens.
struct Listener(UnixDatagram);

impl Listener {
    fn of(house: &House, command: &mut Command) -> Self {
        let path = house.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        command.env("NOTIFY_SOCKET", path).env("WATCHDOG_USEC", "100000");
        Self(socket)
    }

    fn hears(&self) -> String {
        let mut heard = [0; 256];
        let length = self.0.recv(&mut heard).unwrap();
        crate::text(&heard[..length])
    }

    /// What it hears next besides that the runtime is well.
    fn hears_next(&self) -> String {
        loop {
            let heard = self.hears();
            if heard != "WATCHDOG=1\n" {
                return heard;
            }
        }
    }
}

#[test]
fn the_service_manager_hears_that_it_is_ready_is_well_and_stops() {
    let house = House::new();
    let mut command = house.command(&["up"]);
    let manager = Listener::of(&house, &mut command);
    let mut triarch = House::up_by(command);
    assert_eq!(manager.hears_next(), format!("READY=1\nMAINPID={}\n", triarch.pid()));
    assert_eq!([manager.hears(), manager.hears()], ["WATCHDOG=1\n"; 2]);
    triarch.signal("TERM");
    assert_eq!(manager.hears_next(), "STOPPING=1\n");
    assert_eq!(triarch.end(PATIENCE), Some(0));
}

/// A team that bears nothing, of one that falls with its first post.
const BRITTLE: &str = r#"
[[team]]
name = "glass"
intensity = { restarts = 0, within = "1s" }

  [[team.agent]]
  name = "vase"
  kind = "echo"
  fail_every = 1
  on_limit = "escalate"
"#;

#[test]
fn a_root_that_gives_up_is_code_70_and_tells_who_failed_and_why() {
    let house = House::new();
    house.write("triarch.toml", BRITTLE);
    let mut triarch: Running = house.up(&[]);
    until("it has given up", || {
        house.run(&["agent", "send", "vase", "1"]);
        !triarch.runs()
    });
    assert_eq!(triarch.end(PATIENCE), Some(70));
    let told = triarch.rest_with("triarch: the root gave up").unwrap();
    for who in ["child glass gave up", "child vase failed"] {
        assert!(told.contains(who), "{told}");
    }
}
