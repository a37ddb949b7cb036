//! Work that must not wait for a descriptor which only that work would free.

use std::panic::resume_unwind;
use std::thread;

use super::birth;

/// Does `work` on a thread that has its own table of descriptors, empty but for the standard streams: it finds room there
/// however many are open here. It sees none of those, and none that it opens outlives it.
pub(super) fn apart<T: Send>(work: impl Fn() -> T + Sync) -> T {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("triarch-hunter".to_owned());
        let begun = thread.spawn_scoped(scope, || {
            birth::part_with_descriptors();
            work()
        });
        match begun {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            // There may be room for descriptors where there is none for threads.
            Err(_) => work(),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::io::Read;
    use std::os::fd::AsRawFd;

    use super::*;

    fn open() -> BTreeSet<i32> {
        let listed = fs::read_dir("/proc/thread-self/fd").unwrap().flatten();
        listed
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect()
    }

    #[test]
    fn whoever_works_apart_has_room_whatever_is_open_here_and_leaves_that_open() {
        let mut files: Vec<_> = (0..50).map(|_| fs::File::open("/proc/self/stat").unwrap()).collect();
        let there = apart(open);
        // The folder that is listed.
        assert!(there.iter().all(|number| *number <= 3), "{there:?}");
        let here = open();
        for file in &mut files {
            assert!(here.contains(&file.as_raw_fd()));
            assert!(file.read_to_string(&mut String::new()).unwrap() > 0);
        }
    }

    #[test]
    #[should_panic(expected = "as it said")]
    fn a_panic_there_is_a_panic_here() {
        apart(|| panic!("as it said"));
    }
}
