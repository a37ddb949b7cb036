//! Supervisors: who starts, stops and restarts the children of one branch of the tree.

pub mod machine;
