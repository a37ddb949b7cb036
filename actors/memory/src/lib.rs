//! The store that agents share: namespaced keys with versions, lifetimes, watches and search, as durable as each namespace asks.
