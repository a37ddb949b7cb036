//! The load of the tell cases, and its check at the receiver: a fast wrong answer fails.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::case::Scale;

/// The capacity of every mailbox and channel that has one.
pub const CAPACITY: usize = 1_024;

/// How many messages `send_many_32` hands over at a time.
pub const BATCH: usize = 32;

/// Longer than any load takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// A message of `WORDS` × 8 bytes: 2 or 8 words.
#[derive(Clone, Copy, Debug)]
pub struct Packet<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Packet<WORDS> {
    /// The `n`-th message of its producer.
    pub const fn new(n: u64) -> Self {
        Self([n; WORDS])
    }

    /// What the receiver adds up: the first and the last word.
    const fn weight(&self) -> u64 {
        self.0[0].wrapping_add(self.0[WORDS - 1].wrapping_mul(2))
    }
}

/// Who sends how much to how many: producer p sends to receiver p modulo `receivers`.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Tasks that send.
    pub producers: usize,
    /// Actors that receive.
    pub receivers: usize,
    /// Messages of one producer, numbered from zero.
    pub per_producer: u64,
}

impl Load {
    /// `producers` → `receivers` at this scale.
    pub const fn new(producers: usize, receivers: usize, scale: &Scale) -> Self {
        Self {
            producers,
            receivers,
            per_producer: scale.messages / producers as u64,
        }
    }

    /// 1 → 1 with so many messages.
    pub const fn pair(messages: u64) -> Self {
        Self {
            producers: 1,
            receivers: 1,
            per_producer: messages,
        }
    }

    /// Messages in all.
    pub const fn total(&self) -> u64 {
        self.per_producer * self.producers as u64
    }

    /// A tally for each receiver, and the finish where they report.
    pub fn tallies(self) -> (Vec<Tally>, Finish) {
        let producers = (self.producers / self.receivers) as u64;
        let sum_of_numbers = self.per_producer * (self.per_producer - 1) / 2;
        let (tallies, reports) = (0..self.receivers)
            .map(|_| {
                let (report, reported) = oneshot::channel();
                let left = producers * self.per_producer;
                let expected = (producers * 3).wrapping_mul(sum_of_numbers);
                (
                    Tally {
                        left,
                        sum: 0,
                        expected,
                        report: Some(report),
                    },
                    reported,
                )
            })
            .unzip();
        (
            tallies,
            Finish {
                total: self.total(),
                reports,
            },
        )
    }
}

/// What a receiver keeps: it adds up each message and reports the last.
#[derive(Debug)]
pub struct Tally {
    left: u64,
    sum: u64,
    expected: u64,
    report: Option<oneshot::Sender<Instant>>,
}

impl Tally {
    /// A message is handled.
    ///
    /// # Panics
    /// When it is one too many, or the last and the sum is wrong.
    #[inline]
    pub fn add<const WORDS: usize>(&mut self, packet: &Packet<WORDS>) {
        self.sum = self.sum.wrapping_add(packet.weight());
        self.left = self.left.wrapping_sub(1);
        if self.left == 0 {
            self.finish();
        }
    }

    /// Whether the last message is handled.
    pub const fn is_complete(&self) -> bool {
        self.left == 0
    }

    #[cold]
    fn finish(&mut self) {
        let now = Instant::now();
        assert_eq!(self.sum, self.expected, "the messages handled are not those sent");
        let report = self.report.take().expect("a last message comes once");
        report.send(now).expect("the finish waits for every receiver");
    }
}

/// Where the receivers report their last message.
#[derive(Debug)]
pub struct Finish {
    total: u64,
    reports: Vec<oneshot::Receiver<Instant>>,
}

impl Finish {
    /// Messages per second, from the first send (of `starts`, one per producer) to the last message handled.
    ///
    /// # Panics
    /// When a receiver does not report: it failed, or messages were lost.
    pub async fn rate(self, starts: Vec<Instant>) -> f64 {
        let first = starts.into_iter().min().expect("a load has a producer");
        let mut last = first;
        for report in self.reports {
            let reported = timeout(PATIENCE, report).await.expect("a receiver lacks messages");
            last = last.max(reported.expect("a receiver failed before its last message"));
        }
        self.total as f64 / last.duration_since(first).as_secs_f64()
    }
}
