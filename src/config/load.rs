//! From a description to settings that can be followed.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;
use toml::de::DeTable;
use triarch_teams::{AgentConfig, Kinds, TeamConfig};

use super::environment::overlay;
use super::error::{ConfigErrors, Fault};
use super::node::{Content, Node, Place, Step, Within};
use super::schema::{Schema, schema};
use super::sections::{Config, RuntimeConfig};
use super::sense;
use super::shape::shaped;
use super::source::Source;
use super::texts::Texts;

/// Settings that can be followed, and where each of them comes from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// What the description is called.
    pub name: String,
    pub(super) tree: Node,
    pub(super) texts: Texts,
    pub(super) schema: Value,
}

/// Reads a description and what the environment sets over it; tells all that is wrong with them.
pub fn load(
    source: &Source,
    kinds: &Kinds,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigErrors> {
    let mut texts = Texts::of_file(source.name(), source.read()?);
    let schema = schema(kinds);
    let root = Schema(&schema);
    // What follows from a text that cannot be read would be told of what nobody wrote.
    let mut tree = parsed(&texts).map_err(|faults| texts.told(faults, UNREADABLE_MAX))?;
    let mut faults = overlay(&mut tree, root, &mut texts, environment);
    let (tree, misshapen) = shaped(root, &texts, tree);
    faults.extend(misshapen);
    let mut tree = tree.unwrap_or_else(empty);
    faults.extend(refused(&mut tree));
    let config = serde_json::from_value::<Config>(tree.value());
    match &config {
        Ok(config) => faults.extend(sense::faults(config, &tree, kinds, source)),
        Err(error) => faults.push(Fault::new(tree.place.clone(), error.to_string(), SEE_SCHEMA)),
    }
    match config {
        Ok(config) if faults.is_empty() => Ok(Loaded {
            config,
            name: source.name(),
            tree,
            texts,
            schema,
        }),
        _ => Err(texts.told(faults, FAULTS_MAX)),
    }
}

/// How many faults are told.
pub(super) const FAULTS_MAX: usize = 100;
/// How many places are told that are no TOML: one bracket that is missing makes a fault of each line after it.
const UNREADABLE_MAX: usize = 10;
/// The folder of what outlives the process, as far as a description says it that need not be without faults: who asks a
/// runtime how it is must be answered while somebody mends its description. One that is not there at all says nothing: whoever
/// misspelt its name would be answered by another fleet.
///
/// A relative one in a description is seen from the folder of that, one in the environment from the present folder.
pub fn state_dir(source: &Source, variable: impl Fn(&str) -> Option<String>) -> Result<String, ConfigErrors> {
    if let Some(set) = variable(STATE_DIR) {
        return Ok(set);
    }
    let written = written_state_dir(&source.read()?);
    let seen = |written: String| {
        if written.starts_with('~') {
            return written;
        }
        let folder = source.folder();
        let folder = folder.strip_prefix(".").unwrap_or(&folder);
        folder.join(written).display().to_string()
    };
    Ok(written.map_or_else(|| RuntimeConfig::default().state_dir, seen))
}

/// The variable that names the state folder.
pub const STATE_DIR: &str = "TRIARCH_RUNTIME__STATE_DIR";

fn written_state_dir(text: &str) -> Option<String> {
    let (table, _faults) = DeTable::parse_recoverable(text);
    let runtime = table.get_ref().get("runtime")?.get_ref().get("state_dir")?;
    runtime.get_ref().as_str().map(str::to_owned)
}

const SEE_SCHEMA: &str = "see what may be set with `triarch config schema`";

/// What the reader of TOML says of anything that is no value.
const UNQUOTED: &str = "string values must be quoted";

fn parsed(texts: &Texts) -> Result<Node, Vec<Fault>> {
    let text = texts.file();
    let (table, errors) = DeTable::parse_recoverable(text);
    let fault = |error: &toml::de::Error| {
        let range = error.span().unwrap_or(0..0);
        let is_empty = range.is_empty();
        let (problem, remedy) = match error.message() {
            "duplicate key" => ("this key is there already", "keep one of them"),
            text if is_empty && text.starts_with(UNQUOTED) => ("a value is missing", "write one, or remove the key"),
            text if text.starts_with(UNQUOTED) => ("this is no value that TOML knows", "put a text in quotes"),
            text => (text, "write it as TOML does, https://toml.io"),
        };
        Fault::new(Place { text: 0, range }, problem, remedy)
    };
    if errors.is_empty() {
        Ok(Node::of_table(&table, Within { text: 0, offset: 0 }))
    } else {
        Err(errors.iter().map(fault).collect())
    }
}

fn empty() -> Node {
    let place = Place { text: 0, range: 0..0 };
    Node::new(place.clone(), place, Content::Table(Vec::new()))
}

/// What an owner's type refuses though its schema does not; it is left out of the tree.
fn refused(tree: &mut Node) -> Vec<Fault> {
    let mut faults = Vec::new();
    let Content::Table(sections) = &mut tree.content else {
        return faults;
    };
    for (section, node) in sections.iter_mut() {
        if section == "team" {
            teams_refused(node, &mut faults);
        }
    }
    sections.retain(|(section, node)| section == "team" || is_read(section, node, &mut faults));
    faults
}

fn is_read(section: &str, node: &Node, faults: &mut Vec<Fault>) -> bool {
    let whole = Value::Object([(section.to_owned(), node.value())].into_iter().collect());
    is_accepted::<Config>(whole, node, 1, faults)
}

fn teams_refused(teams: &mut Node, faults: &mut Vec<Fault>) {
    let Content::List(teams) = &mut teams.content else {
        return;
    };
    for team in teams.iter_mut() {
        if let Content::Table(entries) = &mut team.content
            && let Some((_, agents)) = entries.iter_mut().find(|(key, _)| key == "agent")
            && let Content::List(agents) = &mut agents.content
        {
            agents.retain(|agent| is_accepted::<AgentConfig>(agent.value(), agent, 0, faults));
        }
    }
    teams.retain(|team| is_accepted::<TeamConfig>(team.value(), team, 0, faults));
}

fn is_accepted<T: DeserializeOwned>(value: Value, node: &Node, below: usize, faults: &mut Vec<Fault>) -> bool {
    let Err(error) = serde_path_to_error::deserialize::<_, T>(value) else {
        return true;
    };
    // What lacks something because that was wrong is told of already.
    if node.is_sound {
        let text = error.inner().to_string();
        let (problem, remedy) = text.split_once("; ").unwrap_or((&text, SEE_SCHEMA));
        faults.push(Fault::new(node.place_of(&way(error.path(), below)), problem, remedy));
    }
    false
}

/// The way that a refusal tells, without the steps above the value that was looked at.
fn way(path: &serde_path_to_error::Path, above: usize) -> Vec<Step> {
    let steps = path.iter().skip(above).map_while(|segment| match segment {
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    steps.collect()
}
