//! What the room counts.

use std::sync::Arc;
use std::time::Duration;

use triarch_supervision::metrics::{
    Buckets, Counter, Family, Fan, Gauge, Histogram, InstrumentError, Instruments, Label, Section,
};
use triarch_telemetry::Exposition;

use crate::operation::Code;

const DOOR: Label = Label::closed("door", &["socket", "http"]);

/// Requests by what came of them.
pub const REQUESTS: Family = Family::counter(
    "triarch_gateway_requests_total",
    &[
        DOOR,
        Label::closed(
            "outcome",
            &[
                "done",
                "failed",
                "usage",
                "no_receipt",
                "not_found",
                "refused",
                "not_running",
                "runtime_failed",
                "cancelled",
            ],
        ),
    ],
    "Requests that ended, by what came of them; cancelled where whoever asked had gone.",
);

/// How long requests take.
pub const REQUEST_SECONDS: Family = Family::histogram(
    "triarch_gateway_request_seconds",
    Buckets::LAT,
    &[DOOR],
    "Time from a request's last byte to its answer, progress and waiting included.",
);

/// Who is connected.
pub const CONNECTIONS: Family = Family::gauge("triarch_gateway_connections", &[DOOR], "Connections that are open.");

/// Who was sent away.
pub const REFUSED: Family = Family::counter(
    "triarch_gateway_refused_total",
    &[
        DOOR,
        Label::closed(
            "reason",
            &[
                "full",
                "credentials",
                "host",
                "origin",
                "malformed",
                "slow",
                "exhausted",
            ],
        ),
    ],
    "Connections and requests that were refused or cut off, by reason; exhausted counts each time the process had no descriptor left for whoever came.",
);

/// The section of the doors in a catalogue.
pub const GATEWAY: Section = Section {
    title: "Gateway",
    families: &[REQUESTS, REQUEST_SECONDS, CONNECTIONS, REFUSED],
};

/// Which door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    /// The Unix socket.
    Socket,
    /// HTTP.
    Http,
}

/// Why somebody is sent away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Refusal {
    Full,
    Credentials,
    Host,
    Origin,
    Malformed,
    Slow,
    Exhausted,
}

impl Door {
    /// The word for it in metrics and paths.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Http => "http",
        }
    }
}

impl Refusal {
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Credentials => "credentials",
            Self::Host => "host",
            Self::Origin => "origin",
            Self::Malformed => "malformed",
            Self::Slow => "slow",
            Self::Exhausted => "exhausted",
        }
    }
}

/// The instruments of one door.
#[derive(Clone, Debug)]
pub(crate) struct Metrics(Arc<OfDoor>);

#[derive(Debug)]
struct OfDoor {
    requests: Fan<Counter>,
    seconds: Arc<Histogram>,
    connections: Arc<Gauge>,
    refused: Fan<Counter>,
    exposition: Exposition,
}

impl Metrics {
    pub(crate) fn new(instruments: &Instruments, exposition: &Exposition, door: Door) -> Result<Self, InstrumentError> {
        let door = door.label();
        let connections = instruments.labelled::<Gauge, 1>(&CONNECTIONS)?.with([door]);
        connections.set(0.0);
        Ok(Self(Arc::new(OfDoor {
            requests: instruments.fans(&REQUESTS)?.with([door]),
            seconds: instruments.labelled(&REQUEST_SECONDS)?.with([door]),
            connections,
            refused: instruments.fans(&REFUSED)?.with([door]),
            exposition: exposition.clone(),
        })))
    }

    /// A request was answered. One that told progress, answered in parts or waited for somebody took as long as its
    /// work, its reader or whoever it waited for did, which no objective is about.
    pub(crate) fn answered(&self, code: Option<Code>, took: Duration, is_own_pace: bool) {
        self.0.requests.at(code.map_or("done", Code::label)).increment();
        self.0.seconds.observe(took);
        if is_own_pace {
            self.0.exposition.answered(took, code == Some(Code::RuntimeFailed));
        }
    }

    pub(crate) fn cancelled(&self) {
        self.0.requests.at("cancelled").increment();
    }

    pub(crate) fn refused(&self, why: Refusal) {
        self.0.refused.at(why.label()).increment();
    }

    pub(crate) fn connections(&self) -> &Gauge {
        &self.0.connections
    }
}

#[cfg(test)]
mod tests {
    use triarch_supervision::metrics::Values;

    use super::*;

    fn has(label: &Label, word: &str) -> bool {
        matches!(label.values, Values::Closed(words) if words.contains(&word))
    }

    #[test]
    fn every_code_and_every_refusal_has_its_word() {
        for code in Code::ALL {
            assert!(has(&REQUESTS.labels[1], code.label()), "{code:?}");
        }
        for why in [
            Refusal::Full,
            Refusal::Credentials,
            Refusal::Host,
            Refusal::Origin,
            Refusal::Malformed,
            Refusal::Slow,
            Refusal::Exhausted,
        ] {
            assert!(has(&REFUSED.labels[1], why.label()), "{why:?}");
        }
    }
}
