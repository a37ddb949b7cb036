//! Maps and caches of others, each with keys and values that are shared as ours are, and the same hasher.

use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::shelf::{Shelf, key, number, value};

type Name = Arc<str>;
type Bytes = Arc<[u8]>;

fn names(keys: usize) -> Vec<Name> {
    (0..keys).map(|n| key(n).into()).collect()
}

/// papaya 0.2: what a namespace holds its entries in, with nothing around it.
pub(crate) struct Papaya(Vec<Name>, papaya::HashMap<Name, Bytes, RandomState>);

impl Shelf for Papaya {
    fn new(keys: usize) -> Self {
        Self(names(keys), papaya::HashMap::default())
    }

    fn get(&self, n: usize) -> u64 {
        number(self.1.pin().get(&*self.0[n]).expect("it is there"))
    }

    fn put(&self, n: usize) {
        self.1.pin().insert(Arc::clone(&self.0[n]), value(n).into());
    }
}

/// dashmap 6.
pub(crate) struct Dash(Vec<Name>, dashmap::DashMap<Name, Bytes, RandomState>);

impl Shelf for Dash {
    fn new(keys: usize) -> Self {
        Self(names(keys), dashmap::DashMap::default())
    }

    fn get(&self, n: usize) -> u64 {
        number(&self.1.get(&*self.0[n]).expect("it is there"))
    }

    fn put(&self, n: usize) {
        self.1.insert(Arc::clone(&self.0[n]), value(n).into());
    }
}

/// moka 0.12, without a bound: it still keeps its figures of who was used.
pub(crate) struct Moka(Vec<Name>, moka::sync::Cache<Name, Bytes, RandomState>);

impl Shelf for Moka {
    fn new(keys: usize) -> Self {
        let cache = moka::sync::Cache::builder().build_with_hasher(RandomState::default());
        Self(names(keys), cache)
    }

    fn get(&self, n: usize) -> u64 {
        number(&self.1.get(&*self.0[n]).expect("it is there"))
    }

    fn put(&self, n: usize) {
        self.1.insert(Arc::clone(&self.0[n]), value(n).into());
    }
}
