//! Durable tasks: submitted once, claimed under a lease with a fencing number, done once.
