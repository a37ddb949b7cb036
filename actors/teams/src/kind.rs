//! Kinds of agents, by the word that a description names them with.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use triarch_supervision::Agent;

use crate::config::Rules;
use crate::error::SettingError;
use crate::member::Member;
use crate::post::Post;

/// What makes agents of one kind.
pub trait Kind: Send + Sync + 'static {
    /// What a description may set. It denies keys it does not know.
    type Settings: DeserializeOwned + JsonSchema + Clone + Send + Sync + 'static;

    /// What they are.
    type Agent: Agent<Message = Post>;

    /// The word a description names it with.
    fn name(&self) -> &'static str;

    /// What it is, in a sentence.
    fn about(&self) -> &'static str;

    /// All that is wrong with what is set for the agent at `seat`; a kind that says nothing tells of the first alone, which
    /// [`Kind::spec`] refuses.
    fn faults(&self, seat: Seat<Self::Settings>) -> Vec<SettingError> {
        self.spec(seat).err().into_iter().collect()
    }

    /// What each life of the agent at `seat` begins from; refuses settings that cannot be followed.
    fn spec(&self, seat: Seat<Self::Settings>) -> Result<<Self::Agent as Agent>::Spec, SettingError>;
}

/// The place of one agent in its team, and what is set for it.
#[derive(Clone)]
pub struct Seat<S> {
    /// The name of its team.
    pub team: Arc<str>,
    /// Its own name, with the number of the replica.
    pub name: Arc<str>,
    /// The rules that hold for it.
    pub rules: Rules,
    /// The settings of its kind.
    pub settings: S,
}

/// What is set for it may be secret.
impl<S> fmt::Debug for Seat<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat")
            .field("team", &self.team)
            .field("name", &self.name)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// All kinds there are.
#[derive(Clone, Default)]
pub struct Kinds(BTreeMap<&'static str, Arc<dyn AnyKind>>);

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Kinds {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one; of two with one name the later stays.
    #[must_use]
    pub fn with(mut self, kind: impl Kind) -> Self {
        self.0.insert(kind.name(), Arc::new(kind));
        self
    }

    /// These and `others`; of two with one name that of the others stays.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Their names, with what they are.
    pub fn list(&self) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
        self.0.iter().map(|(name, kind)| (*name, kind.about()))
    }

    /// What the settings of a kind may be.
    pub fn schema(&self, kind: &str) -> Option<Schema> {
        self.0.get(kind).map(|kind| kind.schema())
    }

    pub(crate) fn faults(&self, kind: &str, seat: Seat<Map<String, Value>>) -> Option<Vec<SettingError>> {
        self.0.get(kind).map(|kind| kind.faults(seat))
    }

    pub(crate) fn member(&self, kind: &str, seat: Seat<Map<String, Value>>) -> Option<Result<Member, SettingError>> {
        self.0.get(kind).map(|kind| kind.member(seat))
    }
}

/// A kind whose types are nobody's business.
trait AnyKind: Send + Sync {
    fn about(&self) -> &'static str;
    fn schema(&self) -> Schema;
    fn faults(&self, seat: Seat<Map<String, Value>>) -> Vec<SettingError>;
    fn member(&self, seat: Seat<Map<String, Value>>) -> Result<Member, SettingError>;
}

impl<K: Kind> AnyKind for K {
    fn about(&self) -> &'static str {
        Kind::about(self)
    }

    fn schema(&self) -> Schema {
        SchemaGenerator::default().into_root_schema_for::<K::Settings>()
    }

    fn faults(&self, seat: Seat<Map<String, Value>>) -> Vec<SettingError> {
        read(seat).map_or_else(|fault| vec![fault], |seat| Kind::faults(self, seat))
    }

    fn member(&self, seat: Seat<Map<String, Value>>) -> Result<Member, SettingError> {
        let seat = read::<K::Settings>(seat)?;
        let (name, rules) = (Arc::clone(&seat.name), seat.rules.clone());
        let spec = self.spec(seat)?;
        Ok(Member::of::<K::Agent>(&name, spec, &rules))
    }
}

fn read<S: DeserializeOwned>(seat: Seat<Map<String, Value>>) -> Result<Seat<S>, SettingError> {
    let settings = serde_path_to_error::deserialize(Value::Object(seat.settings)).map_err(|error| {
        let path = error.path().to_string();
        let text = error.into_inner().to_string();
        // Of a key that is missing or unknown serde names only the table, and the key between the first pair of backticks.
        let named = text.split('`').nth(1).map(str::to_owned);
        let key = if path == "." { named } else { Some(path) };
        let (problem, remedy) = text.split_once("; ").unwrap_or((&text, SEE_SCHEMA));
        let remedy = of_a_table(key.as_deref(), problem).unwrap_or_else(|| remedy.to_owned());
        SettingError {
            key,
            problem: problem.to_owned(),
            remedy,
        }
    })?;
    Ok(Seat {
        team: seat.team,
        name: seat.name,
        rules: seat.rules,
        settings,
    })
}

/// What to do where a key of a table was named by its whole way.
fn of_a_table(key: Option<&str>, problem: &str) -> Option<String> {
    let (table, key) = key?.split_once('.')?;
    let is_unknown = problem.starts_with("unknown field");
    is_unknown.then(|| format!("set `{table}` to a table that has `{key}`, as in {table}={{\"{key}\":…}}"))
}

const SEE_SCHEMA: &str = "see what its kind may set with `triarch config schema`";
