//! Changes of the names of a simulated disk.

use std::collections::BTreeMap;

pub(super) enum Change {
    Named(String, usize),
    Moved(String, String, usize),
    Removed(String),
}

pub(super) fn apply(names: &mut BTreeMap<String, usize>, change: Change) {
    match change {
        Change::Named(name, inode) => drop(names.insert(name, inode)),
        Change::Moved(from, to, inode) => {
            names.remove(&from);
            names.insert(to, inode);
        }
        Change::Removed(name) => drop(names.remove(&name)),
    }
}
