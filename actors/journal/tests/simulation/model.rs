//! What must be in a journal: the naive model.

use std::hash::{DefaultHasher, Hash, Hasher};

use triarch_journal::{Journal, Recovered, Seq};

/// All records that are on disk, and those that may be.
#[derive(Debug, Default)]
pub(crate) struct Model {
    settled: Vec<Vec<u8>>,
    /// What the records up to each come to.
    sums: Vec<u64>,
    /// Handed to the disk; nobody was told what became of them.
    open: Vec<Vec<u8>>,
    /// The newest snapshot that was acknowledged.
    snapshot: u64,
}

impl Model {
    pub(crate) fn append(&mut self, record: Vec<u8>) {
        self.open.push(record);
    }

    pub(crate) fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    pub(crate) fn acknowledge(&mut self, settled: Seq) -> Result<(), String> {
        self.settle();
        if settled.number() == self.settled.len() as u64 {
            return Ok(());
        }
        Err(format!("{settled} were acknowledged instead of {}", self.settled.len()))
    }

    /// They were refused for certain: they must never come up.
    pub(crate) fn refuse(&mut self) {
        self.open.clear();
    }

    pub(crate) fn snapshot(&mut self, seq: Seq) {
        self.snapshot = seq.number();
    }

    /// What a snapshot of all that is settled holds.
    pub(crate) fn summary(&self, seq: u64) -> Vec<u8> {
        let sum = usize::try_from(seq)
            .ok()
            .and_then(|seq| self.sums.get(seq.checked_sub(1)?));
        let sum = sum.copied().unwrap_or_default();
        let long = vec![7; usize::try_from(sum % 1500).unwrap()];
        [&sum.to_le_bytes()[..], &long].concat()
    }

    fn settle(&mut self) {
        for record in self.open.drain(..) {
            let mut hasher = DefaultHasher::new();
            (self.sums.last(), &record).hash(&mut hasher);
            self.sums.push(hasher.finish());
            self.settled.push(record);
        }
    }

    /// All that was acknowledged is there, in its order, and behind it a beginning of what may be there; from now on
    /// that is settled too. Returns how many records were adopted.
    pub(crate) fn check(&mut self, journal: &Journal, recovered: Recovered) -> Result<u64, String> {
        let begin = recovered.snapshot.as_ref().map_or(0, |snapshot| snapshot.seq.number());
        if begin < self.snapshot {
            return Err(format!("the snapshot of {} is gone, there is {begin}", self.snapshot));
        }
        let count = self.settled.len();
        self.settle();
        if let Some(snapshot) = recovered.snapshot
            && snapshot.bytes != self.summary(begin)
        {
            return Err(format!("the snapshot of {begin} is not what was snapshot"));
        }
        self.snapshot = begin;
        let mut last = begin;
        for record in recovered.records {
            let record = record.map_err(|error| format!("{error}: {error:?}"))?;
            last += 1;
            let expected = usize::try_from(last).ok().and_then(|seq| self.settled.get(seq - 1));
            if record.seq.number() != last || expected != Some(&record.bytes) {
                return Err(format!("record {} is not what was written as {last}", record.seq));
            }
        }
        if last < count as u64 {
            return Err(format!("of {count} acknowledged records {last} are there"));
        }
        if journal.settled().number() != last {
            return Err(format!("{last} records are there, and {} settled", journal.settled()));
        }
        self.settled.truncate(usize::try_from(last).unwrap());
        self.sums.truncate(self.settled.len());
        Ok(last - count as u64)
    }
}
