//! The doors of the runtime: a Unix socket for the command line, HTTP for Prometheus and health checks.
#![forbid(unsafe_code)]
