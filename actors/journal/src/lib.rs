//! What is acknowledged is on disk: an append-only journal with group commit, snapshots and verified recovery, over a real or a simulated disk.
