//! Posts to agents, and what is proved of them.

use std::pin::pin;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use futures_util::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::timeout_at;
use triarch_supervision::Address;
use triarch_supervision::clock::Moment;
use triarch_supervision::name::team_of;
use triarch_supervision::tree::Phase;
use triarch_teams::receipt::{DROPPED, Stage, Stages};
use triarch_teams::{Post, Span};

use super::given::body;
use super::meant::find_agent;
use super::seen::millis;
use super::{Code, Operation, QUICK, Trouble};
use crate::fleet::Fleet;

/// Who it is that sends, where a person does.
pub(crate) const SENDER: &str = "operator";

/// A body as it is written: JSON, or text where it is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Body(pub(crate) Value);

impl FromStr for Body {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let value = serde_json::from_str(text);
        Ok(Self(value.unwrap_or_else(|_| Value::String(text.to_owned()))))
    }
}

impl Default for Body {
    fn default() -> Self {
        Self(Value::Null)
    }
}

/// What a post says.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Content {
    /// What it says: JSON, or text; `-` for what comes by the standard input.
    #[arg(default_value = "null", hide_default_value = true, value_parser = body)]
    #[serde(default)]
    pub(crate) body: Body,
    /// What it asks for, in a word of the agent's choice.
    #[arg(long, default_value = "message", value_parser = kind_of_post)]
    #[serde(default = "kind")]
    pub(crate) kind: String,
}

/// To so many agents of a team a post is under way at once.
const AT_ONCE: usize = 64;

/// So many of those that did not get it are named.
const NAMED: usize = 20;

/// So long may the kind of a post be.
const KIND_MAX: usize = 128;

fn kind_of_post(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("a kind is a word, and not empty".to_owned());
    }
    if let Some(strange) = text.chars().find(|one| one.is_control()) {
        return Err(format!("a kind has no control character, as {strange:?} is one"));
    }
    if text.len() > KIND_MAX {
        return Err(format!("a kind has {KIND_MAX} bytes at most, not {}", text.len()));
    }
    Ok(text.to_owned())
}

pub(super) fn kind() -> String {
    "message".to_owned()
}

/// How long one waits for a receipt.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Patience {
    /// How long to wait for the receipt.
    #[arg(long, value_name = "TIME", default_value = "10s")]
    #[serde(default = "ten_seconds")]
    pub(crate) within: Span,
}

fn ten_seconds() -> Span {
    Span(Duration::from_secs(10))
}

/// What has to be proved before a send is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wait {
    /// It lies in the agent's mailbox.
    #[default]
    Queued,
    /// The agent has it in hand.
    Delivered,
    /// The agent says that it will do it.
    Accepted,
    /// It is done.
    Done,
}

/// How far a post has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) id: String,
    pub(crate) to: String,
    pub(crate) proof: Proof,
    /// What came of it, where it is done.
    pub(crate) result: Option<Value>,
    pub(crate) took_ms: u64,
}

/// What is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Proof {
    Queued,
    Delivered,
    Accepted,
    Done,
}

impl Proof {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Delivered => "delivered",
            Self::Accepted => "accepted",
            Self::Done => "done",
        }
    }
}

/// Sends a post to an agent.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SendPost {
    /// The agent: its path, or its name where only one has it.
    pub(crate) agent: String,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) content: Content,
    /// What has to be proved.
    #[arg(long, value_enum, default_value_t)]
    #[serde(default)]
    pub(crate) wait: Wait,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) patience: Patience,
}

impl Operation for SendPost {
    const NAME: &'static str = "agent.send";
    type Output = Sent;

    fn answered_within(&self) -> Option<Duration> {
        Some(self.patience.within.0.saturating_add(QUICK))
    }

    async fn perform(self, fleet: &Fleet) -> Result<Sent, Trouble> {
        send(fleet, &self.agent, self.content, self.wait, self.patience.within.0).await
    }
}

/// Sends a post to an agent and waits until it is done.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ask {
    /// The agent: its path, or its name where only one has it.
    pub(crate) agent: String,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) content: Content,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) patience: Patience,
}

impl Operation for Ask {
    const NAME: &'static str = "agent.ask";
    type Output = Sent;

    fn answered_within(&self) -> Option<Duration> {
        Some(self.patience.within.0.saturating_add(QUICK))
    }

    fn stays(&self) -> bool {
        true
    }

    async fn perform(self, fleet: &Fleet) -> Result<Sent, Trouble> {
        send(fleet, &self.agent, self.content, Wait::Done, self.patience.within.0).await
    }
}

/// Sends a post to each agent of a team.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Broadcast {
    /// The team.
    pub(crate) team: String,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) content: Content,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) patience: Patience,
}

impl Operation for Broadcast {
    const NAME: &'static str = "team.broadcast";
    type Output = Vec<Sent>;

    fn answered_within(&self) -> Option<Duration> {
        None
    }

    async fn perform(self, fleet: &Fleet) -> Result<Vec<Sent>, Trouble> {
        if !fleet.has_team(&self.team) {
            return Err(Trouble::no_such_team(&self.team));
        }
        let nodes = fleet.observer().snapshot();
        let paths = nodes.iter().filter_map(|node| {
            let (supervisor, _) = node.path.split_once('/')?;
            (team_of(supervisor) == self.team).then(|| node.path.to_string())
        });
        let paths: Vec<_> = paths.collect();
        let within = self.patience.within.0;
        let sending = paths.into_iter().map(|path| {
            let content = self.content.clone();
            async move {
                let sent = send(fleet, &path, content, Wait::Queued, within).await;
                sent.map_err(|trouble| (path, trouble))
            }
        });
        let sent: Vec<_> = stream::iter(sending).buffered(AT_ONCE).collect().await;
        whole(sent)
    }
}

/// What came of a broadcast; where some did not get it, they are named, so that it can be sent to those alone.
fn whole(sent: Vec<Result<Sent, (String, Trouble)>>) -> Result<Vec<Sent>, Trouble> {
    let count = sent.len();
    let (got, refused): (Vec<_>, Vec<_>) = sent.into_iter().partition(Result::is_ok);
    let got: Vec<_> = got.into_iter().flatten().collect();
    let refused: Vec<_> = refused.into_iter().filter_map(Result::err).collect();
    let Some((_, first)) = refused.first() else {
        return Ok(got);
    };
    let why = &first.message;
    let named: Vec<_> = refused.iter().take(NAMED).map(|(path, _)| path.as_str()).collect();
    let more = match refused.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!(
        "{} of {count} agents got it, not {}{more}: {why}",
        got.len(),
        named.join(", ")
    );
    Err(Trouble::new(
        first.code,
        message,
        "send it to those alone, with `triarch agent send`",
    ))
}

async fn send(fleet: &Fleet, agent: &str, content: Content, wait: Wait, within: Duration) -> Result<Sent, Trouble> {
    kind_of_post(&content.kind).map_err(|why| Trouble::new(Code::Usage, why, "name another"))?;
    let place = find_agent(fleet, agent)?;
    let address: Address<Post> = fleet
        .observer()
        .address(&place.path)
        .map_err(|_| Trouble::takes_no_posts(&place.path))?;
    let begun = Moment::now();
    let (post, stages) = fleet.office().registered(SENDER, content.kind, content.body.0);
    let mut sent = Sent {
        id: post.id.to_string(),
        to: place.path.clone(),
        proof: Proof::Queued,
        result: None,
        took_ms: 0,
    };
    let post = if wait == Wait::Queued {
        post
    } else {
        post.before(begun + within)
    };
    let queued = address.send_before(begun + within, post).await;
    queued.map_err(|refused| Trouble::not_sent(&place.path, &refused.why))?;
    let proved = {
        let mut proving = pin!(proof(&mut sent, &stages, wait));
        match timeout_at((begun + within.min(SOON)).instant(), &mut proving).await {
            // Nothing comes of waiting for one that nobody starts.
            Err(_) if is_down_for_good(fleet, &place.path) => None,
            Err(_) => timeout_at((begun + within).instant(), proving).await.ok(),
            Ok(proved) => Some(proved),
        }
    };
    let took = Moment::now().since(begun);
    sent.took_ms = millis(took);
    match proved {
        Some(Ok(())) => Ok(sent),
        Some(Err(why)) => Err(Trouble::new(
            Code::Failed,
            format!("{} did not do it: {why}", sent.to),
            "`triarch why` tells more of the agent",
        )),
        None => Err(no_receipt(fleet, &sent, took)),
    }
}

/// After so long it is looked whether anybody is there at all.
const SOON: Duration = Duration::from_secs(1);

fn no_receipt(fleet: &Fleet, sent: &Sent, took: Duration) -> Trouble {
    let (took, proof) = (Span(Duration::from_millis(millis(took))), sent.proof.label());
    let (why, remedy) = down(fleet, &sent.to).unwrap_or_else(|| {
        let remedy = "allow more time with --within, or see what the agent does with `triarch why`";
        (String::new(), remedy.to_owned())
    });
    Trouble::new(
        Code::NoReceipt,
        format!("no receipt came within {took}: it is {proof}{why}"),
        remedy,
    )
}

fn is_down_for_good(fleet: &Fleet, path: &str) -> bool {
    let node = fleet.observer().node(path);
    node.is_ok_and(|node| matches!(node.state, Phase::Failed | Phase::Stopped))
}

/// How an agent is that takes nothing before somebody does something about it, and what that is.
fn down(fleet: &Fleet, path: &str) -> Option<(String, String)> {
    let (how, verb) = match fleet.observer().node(path).ok()?.state {
        Phase::Failed => ("in quarantine", "restart"),
        Phase::Stopped => ("stopped", "restart"),
        Phase::Paused => ("paused", "resume"),
        _ => return None,
    };
    let team = path
        .split('/')
        .next()
        .map(team_of)
        .filter(|team| fleet.ground().deviations().has_stopped_team(team));
    let remedy = team.map_or_else(
        || format!("`triarch agent {verb} {path}` brings it back; `triarch why {path}` tells more"),
        |team| format!("`triarch team start {team}` brings its team back"),
    );
    Some((format!(", and {path} is {how}"), remedy))
}

async fn proof(sent: &mut Sent, stages: &Stages, wait: Wait) -> Result<(), String> {
    let wanted = match wait {
        Wait::Queued => return Ok(()),
        Wait::Delivered => Proof::Delivered,
        Wait::Accepted => Proof::Accepted,
        Wait::Done => Proof::Done,
    };
    loop {
        let stage = stages
            .recv_async()
            .await
            .map_or_else(|_| Stage::Lost(DROPPED.to_owned()), |(_, stage)| stage);
        sent.proof = match stage {
            Stage::Delivered => Proof::Delivered,
            Stage::Accepted => Proof::Accepted,
            Stage::Done(result) => {
                sent.result = Some(result);
                Proof::Done
            }
            Stage::Failed(why) | Stage::Lost(why) => return Err(why),
        };
        if sent.proof == wanted || sent.proof == Proof::Done {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_a_word_that_a_screen_can_show() {
        assert_eq!(kind_of_post("build it").unwrap(), "build it");
        let long = "x".repeat(129);
        for (text, told) in [
            ("", "a kind is a word, and not empty"),
            ("a\u{1b}[2J", "a kind has no control character, as '\\u{1b}' is one"),
            (&*long, "a kind has 128 bytes at most, not 129"),
        ] {
            assert_eq!(kind_of_post(text).unwrap_err(), told);
        }
    }
}
