//! What is planned and what is dead, as the disk is told of it.

use std::sync::Arc;
use std::time::Duration;

use super::record::{Again as Written, Letter, Record, RecordError};
use super::replay::ReplayFault;
use crate::account::Cause;
use crate::agenda::{Again, Agenda, Plan};
use crate::codec::{self, CodecError};
use crate::daily::Daily;
use crate::dead::{Count, DeadBox, DeadLetter, SubscriptionId};
use crate::envelope::{Draft, EnvelopeId, Timestamp};
use crate::item::Sent;

/// So much of what a subscriber said of a dead letter is kept on disk, in bytes.
const WHY_MAX: usize = 4096;

/// A plan as it is written down.
pub(super) fn planned(number: u64, plan: &Plan) -> Result<Vec<u8>, CodecError> {
    let first = plan.first.unwrap_or_default();
    let draft = plan.draft.clone();
    let envelope = draft.sealed(
        EnvelopeId::new(0, number),
        first,
        Arc::clone(&plan.from),
        plan.to.clone(),
    );
    let again = match &plan.again {
        Again::Never => Written::Never,
        Again::Every(every) => Written::Every(u64::try_from(every.as_micros()).unwrap_or(u64::MAX)),
        Again::Daily { times, .. } => Written::Daily(times.to_string()),
    };
    let record = Record::Planned {
        number,
        first: first.0,
        again,
        envelope: &codec::encode(&envelope)?,
    };
    Ok(record.encode()?)
}

/// A plan as it was written down.
pub(super) fn plan(first: u64, again: Written, envelope: &[u8]) -> Result<Plan, ReplayFault> {
    let envelope = codec::decode(envelope, usize::MAX)?;
    let again = match again {
        Written::Never => Again::Never,
        Written::Every(every) => Again::Every(Duration::from_micros(every)),
        Written::Daily(text) => Again::Daily {
            times: Daily::new(&text).map_err(|_| RecordError::Unknown {
                what: "times of day",
                found: text,
            })?,
            next: Timestamp::default(),
            came: Timestamp::default(),
        },
    };
    let draft = Draft {
        kind: envelope.kind,
        key: envelope.key,
        priority: envelope.priority,
        ttl: envelope.ttl_ms.map(Duration::from_millis),
        correlation: envelope.correlation,
        causation: envelope.causation,
        payload: envelope.payload,
    };
    Ok(Plan {
        from: envelope.from,
        to: envelope.to,
        draft,
        again,
        first: Some(Timestamp(first)),
    })
}

/// A dead letter as it is written down.
pub(super) fn dead(letter: &DeadLetter) -> Result<Vec<u8>, CodecError> {
    let record = Record::Dead(Letter {
        number: letter.number,
        time: letter.time.0,
        subscriber: &letter.subscriber,
        name: letter.name.as_deref(),
        cause: letter.cause.label(),
        why: letter
            .why
            .as_deref()
            .map(|why| &why[..why.floor_char_boundary(WHY_MAX)]),
        failures: letter.failures,
        envelope: &codec::encode(&letter.envelope)?,
    });
    Ok(record.encode()?)
}

/// A dead letter as it was written down. Its subscription was of an earlier runtime.
pub(super) fn letter(written: &Letter<'_>) -> Result<DeadLetter, ReplayFault> {
    let cause = Cause::ALL.into_iter().find(|cause| cause.label() == written.cause);
    Ok(DeadLetter {
        number: written.number,
        time: Timestamp(written.time),
        subscriber: written.subscriber.into(),
        subscription: SubscriptionId(0),
        name: written.name.map(Arc::from),
        cause: cause.ok_or_else(|| RecordError::Unknown {
            what: "a cause",
            found: written.cause.to_owned(),
        })?,
        why: written.why.map(Arc::from),
        failures: written.failures,
        envelope: Sent::at_rest(codec::decode(written.envelope, usize::MAX)?),
    })
}

/// All that is planned and dead on disk in one moment. It is written out later, by whoever writes a snapshot.
#[derive(Debug)]
pub(super) struct Later {
    last: u64,
    count: Count,
    plans: Vec<(u64, Plan)>,
    letters: Vec<DeadLetter>,
}

impl Later {
    pub(super) fn of(agenda: &Agenda, box_of_dead: &mut DeadBox) -> Self {
        Self {
            last: agenda.last(),
            count: box_of_dead.count(),
            plans: agenda.durable().map(|(number, plan)| (number, plan.clone())).collect(),
            letters: box_of_dead.copy().cloned().collect(),
        }
    }

    /// As a snapshot says it.
    pub(super) fn records(&self) -> impl Iterator<Item = Result<Vec<u8>, CodecError>> {
        let numbered = Record::Numbered { last: self.last }.encode();
        let first = [numbered.map_err(CodecError::from), counted(self.count)];
        let plans = self.plans.iter().map(|(number, plan)| planned(*number, plan));
        first.into_iter().chain(plans).chain(self.letters.iter().map(dead))
    }
}

/// What is counted of dead letters.
pub(super) fn counted(count: Count) -> Result<Vec<u8>, CodecError> {
    let record = Record::Counted {
        last: count.last,
        forgotten: count.forgotten,
    };
    Ok(record.encode()?)
}

#[cfg(test)]
mod tests {
    use super::super::replay::Replay;
    use super::*;
    use crate::agenda::Clocks;
    use crate::envelope::{Destination, Payload};
    use crate::topic::Topic;

    fn plan(first: Option<Timestamp>, size: usize) -> Plan {
        Plan {
            from: "a".into(),
            to: Destination::Topic(Topic::new("t").unwrap()),
            draft: Draft::new("k", Payload::bytes(vec![7; size])),
            again: Again::Never,
            first,
        }
    }

    #[test]
    fn what_stands_on_disk_of_an_agenda_is_copied_and_counted_and_nothing_else() {
        let (mut agenda, mut dead) = (Agenda::new(9, u64::MAX), DeadBox::new(9, u64::MAX));
        let clocks = Clocks {
            now: triarch_supervision::clock::Moment::from_nanos(0),
            wall: Timestamp(0),
        };
        agenda.add(clocks.now, plan(None, 1000)).unwrap();
        let reserved = plan(Some(Timestamp(0)), 30);
        let number = agenda.reserve(&reserved).unwrap();
        agenda.add_reserved(number, clocks.now, reserved);
        assert_eq!(agenda.bytes(), 30);
        let later = Later::of(&agenda, &mut dead);
        // What changes afterwards is not in it.
        agenda.due(clocks).unwrap();
        agenda.due(clocks).unwrap();
        agenda.came(number);
        assert_eq!(agenda.bytes(), 0);
        let mut replay = Replay::default();
        for record in later.records() {
            replay.take(&record.unwrap(), &[]).unwrap();
        }
        assert_eq!((replay.plans.len(), replay.plans[&number].draft.payload.len()), (1, 30));
        assert_eq!(replay.last_plan, number);
    }
}
