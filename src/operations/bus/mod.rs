//! What can be asked for of the bus.

mod dead;
mod follow;
mod forget;
mod later;
mod publish;
mod request;
mod seen;
mod send;
mod time;
mod words;

use serde::de::DeserializeOwned;
use serde_json::Value;
use triarch_bus::{
    ArchiveError, DailyError, FilterError, ForgetError, PublishError, ReplayError, RequestError, SubscribeError,
    TopicError,
};

use super::{Code, Trouble, caused};

pub(crate) use dead::{BusDead, BusDrop, BusReplay, DeadSeen, DroppedSeen, ReplayedSeen};
pub(crate) use follow::{BusSubscribe, BusTap, End, Place, event};
pub(crate) use forget::{BusForget, ForgottenSeen};
pub(crate) use later::{BusCancel, BusPlanned, CancelledSeen, PlannedSeen};
pub(crate) use publish::{BusPublish, PublishedSeen, publish};
pub(crate) use request::{AnswerSeen, BusRequest, request};
pub(crate) use seen::{BusShow, BusTopics, TopicSeen, TopicShown};
pub(crate) use send::{BusSend, SentTo, send};

/// A word of the command line that lines and answers have too.
fn by_word<T: DeserializeOwned>(word: &str) -> Result<T, String> {
    serde_json::from_value(Value::from(word)).map_err(|error| error.to_string())
}

/// So many of a list are told where nobody says how many.
const MOST: usize = 100;

fn most() -> usize {
    MOST
}

macro_rules! told_as_they_are {
    ($($error:ty: $code:expr),+ $(,)?) => {
        $(
            impl From<$error> for Trouble {
                fn from(error: $error) -> Self {
                    let code: fn(&$error) -> Code = $code;
                    Self::new(code(&error), caused(&error), "")
                }
            }
        )+
    };
}

told_as_they_are! {
    TopicError: |_| Code::Usage,
    FilterError: |_| Code::Usage,
    DailyError: |_| Code::Usage,
    RequestError: |error| match error {
        RequestError::NobodyHears { .. } => Code::NotFound,
        RequestError::Full { .. } => Code::Refused,
        RequestError::Timeout { .. } => Code::NoReceipt,
        _ => Code::Failed,
    },
    PublishError: |error| match error {
        PublishError::TooLarge(_) | PublishError::Form(_) => Code::Usage,
        PublishError::NotAllowed(_) | PublishError::AgendaFull(_) | PublishError::NotAttached(_) => Code::Refused,
        _ => Code::Failed,
    },
    SubscribeError: |error| match error {
        SubscribeError::NotAllowed(_) | SubscribeError::Full { .. } => Code::Refused,
        SubscribeError::Archive(ArchiveError::NotOneLog { .. }) => Code::Usage,
        SubscribeError::Archive(_) => Code::Failed,
        _ => Code::Usage,
    },
    ArchiveError: |_| Code::Failed,
    ForgetError: |error| match error {
        ForgetError::Attended { .. } | ForgetError::Named { .. } => Code::Refused,
        _ => Code::Failed,
    },
    ReplayError: |error| match error {
        ReplayError::NoSuchLetter(_) => Code::NotFound,
        _ => Code::Refused,
    },
}
