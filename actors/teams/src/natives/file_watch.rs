//! `file-watch`: looks at files and folders each so often, and tells what came, changed and went.

use std::fmt;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use triarch_supervision::prelude::*;

use super::changes::{Changes, Known};
use super::look::look;
use super::outgoing::{Outgoing, Recipients};
use super::show;
use crate::error::SettingError;
use crate::kind::{Kind, Seat};
use crate::places::Places;
use crate::post::{Post, PostOffice};
use crate::span::Span;

const EVERY_MIN: Duration = Duration::from_millis(10);
const ENTRIES_MAX: usize = 100_000;
/// How many paths of each sort one post names; it tells how many there are more.
const NAMED_MAX: usize = 1_000;

/// The settings of a `file-watch`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// Files, and folders with all that is below them, seen from the folder of the description; `~/` stands for the home. They
    /// need not be there yet.
    paths: Vec<PathBuf>,
    /// How often it looks.
    #[serde(default = "every")]
    every: Span,
    /// How many files and folders there may be: with more, it does not compare, and shows that it does not.
    #[serde(default = "entries")]
    #[schemars(range(min = 1, max = ENTRIES_MAX))]
    entries: NonZeroU32,
    /// Whom it tells of changes: paths such as `team/agent`, or `agent` for one of its own team.
    notify: Vec<String>,
}

fn every() -> Span {
    Span(Duration::from_secs(2))
}

fn entries() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(9_999)
}

pub(super) struct FileWatches {
    office: Arc<PostOffice>,
    places: Places,
}

impl FileWatches {
    pub(super) fn new(office: Arc<PostOffice>, places: Places) -> Self {
        Self { office, places }
    }

    /// Where a path leads, whole: those who are told of it may work elsewhere.
    fn whole(&self, written: &Path) -> Result<PathBuf, SettingError> {
        let path = self.places.path("paths", written, &self.places.description)?;
        Ok(std::path::absolute(&path).unwrap_or(path))
    }
}

impl Kind for FileWatches {
    type Settings = Settings;
    type Agent = FileWatch;

    fn name(&self) -> &'static str {
        "file-watch"
    }

    fn about(&self) -> &'static str {
        "Looks at files and folders each so often, and tells what came, changed and went."
    }

    fn spec(&self, seat: Seat<Settings>) -> Result<Spec, SettingError> {
        let settings = seat.settings;
        if settings.paths.is_empty() || settings.paths.iter().any(|path| path.as_os_str().is_empty()) {
            let problem = "`paths` names no file, or an empty one";
            return Err(SettingError::of("paths", problem, "name files or folders"));
        }
        SettingError::unless_at_least(EVERY_MIN, "every", settings.every)?;
        let entries = usize::try_from(settings.entries.get()).unwrap_or(usize::MAX);
        if entries > ENTRIES_MAX {
            let problem = format!("`entries` is {entries}");
            return Err(SettingError::of(
                "entries",
                problem,
                format!("set {ENTRIES_MAX} or fewer, and watch smaller folders"),
            ));
        }
        Ok(Spec {
            paths: settings
                .paths
                .iter()
                .map(|path| self.whole(path))
                .collect::<Result<_, _>>()?,
            every: settings.every.0,
            entries,
            notify: Recipients::read_some("notify", &settings.notify, &seat.team)?,
            office: Arc::clone(&self.office),
        })
    }
}

/// What each life of a watch begins from.
#[derive(Clone)]
pub(super) struct Spec {
    paths: Arc<[PathBuf]>,
    every: Duration,
    entries: usize,
    notify: Recipients,
    office: Arc<PostOffice>,
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spec")
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}

/// Looks at files and folders. What changes while it is down is not told: each life begins from what it finds.
#[derive(Debug)]
pub(super) struct FileWatch {
    spec: Spec,
    known: Known,
    looks: u64,
    changes: u64,
    trouble: Option<String>,
    outgoing: Outgoing,
}

impl Agent for FileWatch {
    type Message = Post;
    type Spec = Spec;

    async fn start(spec: Spec, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let mut watch = Self {
            spec,
            known: Known::default(),
            looks: 0,
            changes: 0,
            trouble: None,
            outgoing: Outgoing::default(),
        };
        watch.look().await;
        watch.look_later(ctx);
        Ok(watch)
    }

    async fn handle(&mut self, post: Post, ctx: &mut Context<Self>) -> Result<(), Failure> {
        if !post.is_reminder() {
            show(self, post);
            return Ok(());
        }
        let changes = self.look().await;
        if changes.count() > 0 {
            self.tell(&changes, ctx);
        }
        self.look_later(ctx);
        Ok(())
    }

    fn state(&self) -> Option<Value> {
        Some(json!({
            "paths": *self.spec.paths,
            "entries": self.known.count(),
            "looks": self.looks,
            "changes": self.changes,
            "trouble": self.trouble,
            "posts": self.outgoing.shown(),
        }))
    }
}

impl FileWatch {
    /// What changed since the last look. A look that fails changes nothing, and is shown.
    async fn look(&mut self) -> Changes {
        let (paths, entries) = (Arc::clone(&self.spec.paths), self.spec.entries);
        let looked = tokio::task::spawn_blocking(move || look(&paths, entries)).await;
        self.looks += 1;
        let seen = match looked {
            Ok(Ok(seen)) => seen,
            Ok(Err(too_many)) => {
                self.trouble = Some(too_many.to_string());
                return Changes::default();
            }
            Err(gone) => {
                self.trouble = Some(gone.to_string());
                return Changes::default();
            }
        };
        let unseen = seen.unseen.first_key_value();
        self.trouble = unseen.map(|(path, why)| format!("cannot look at {}: {why}", path.display()));
        self.known.learn(seen)
    }

    /// Set anew after each look: timers go before posts, and looks that fill their period would keep posts away.
    fn look_later(&self, ctx: &mut Context<Self>) {
        ctx.send_after(self.spec.every, self.spec.office.reminder(ctx.path(), "look"));
    }

    fn tell(&mut self, changes: &Changes, ctx: &Context<Self>) {
        self.changes += u64::try_from(changes.count()).unwrap_or(u64::MAX);
        let body = body(changes);
        let (tree, me) = (ctx.observer(), ctx.path());
        for to in self.spec.notify.iter() {
            let post = self.spec.office.post(Arc::clone(&me), "files", body.clone());
            self.outgoing.send(&tree, to, post);
        }
    }
}

/// What a post says of `changes`.
fn body(changes: &Changes) -> Value {
    let Changes {
        created,
        changed,
        removed,
    } = changes;
    let unnamed = |paths: &[PathBuf]| paths.len().saturating_sub(NAMED_MAX);
    json!({
        "created": named(created),
        "changed": named(changed),
        "removed": named(removed),
        "unnamed": unnamed(created) + unnamed(changed) + unnamed(removed),
    })
}

fn named(paths: &[PathBuf]) -> Vec<String> {
    let named = paths.iter().take(NAMED_MAX);
    named.map(|path| path.to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use triarch_supervision::testing::World;

    use super::super::stage::{Scene, fault};
    use super::*;

    const BEAT: Duration = Duration::from_secs(2);

    fn watch(paths: &Value, more: &Value) -> Value {
        let mut watch = json!({ "name": "watch", "kind": "file-watch", "notify": ["test/ear"], "paths": paths });
        watch.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([watch])
    }

    /// What a post says, with paths as they are below `folder`.
    fn told(post: &Post, folder: &Path) -> Value {
        let text = post.body.to_string();
        serde_json::from_str(&text.replace(&format!("{}/", folder.display()), "")).unwrap()
    }

    #[test]
    fn it_tells_what_came_changed_and_went() {
        World::new(1).run(async |world| {
            let folder = tempfile::tempdir().unwrap();
            let at = |name: &str| folder.path().join(name);
            fs::write(at("a"), "1").unwrap();
            fs::write(at("b"), "1").unwrap();
            let mut scene = Scene::new(world, &watch(&json!([folder.path()]), &json!({}))).await;
            scene.ear.expect_none_within(3 * BEAT).await;
            fs::write(at("a"), "12").unwrap();
            fs::remove_file(at("b")).unwrap();
            fs::create_dir(at("c")).unwrap();
            fs::write(at("c/d"), "").unwrap();
            let post = scene.ear.expect_next().await;
            assert_eq!((&*post.from, &*post.kind), ("team/watch", "files"));
            assert_eq!(
                told(&post, folder.path()),
                json!({ "created": ["c", "c/d"], "changed": ["a"], "removed": ["b"], "unnamed": 0 })
            );
            scene.ear.expect_none_within(3 * BEAT).await;
            let state = scene.state("team/watch").await;
            assert_eq!((&state["changes"], &state["entries"]), (&json!(4), &json!(4)));
            scene.end().await;
        });
    }

    #[test]
    fn a_file_need_not_be_there_yet_and_one_path_may_lie_below_another() {
        World::new(1).run(async |world| {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("later");
            let mut scene = Scene::new(world, &watch(&json!([file, folder.path()]), &json!({}))).await;
            fs::write(&file, "").unwrap();
            let created = scene.ear.expect_next().await;
            assert_eq!(created.body["created"], json!([file]));
            fs::remove_file(&file).unwrap();
            let removed = scene.ear.expect_next().await;
            assert_eq!(removed.body["removed"], json!([file]));
            scene.end().await;
        });
    }

    #[test]
    fn with_too_many_entries_it_shows_that_it_does_not_compare_and_goes_on_when_there_are_fewer() {
        World::new(1).run(async |world| {
            let folder = tempfile::tempdir().unwrap();
            let files = ["a", "b", "c"].map(|name| folder.path().join(name));
            fs::write(&files[0], "").unwrap();
            let mut scene = Scene::new(world, &watch(&json!([folder.path()]), &json!({ "entries": 3 }))).await;
            for file in &files {
                fs::write(file, "").unwrap();
            }
            scene.ear.expect_none_within(3 * BEAT).await;
            let state = scene.state("team/watch").await;
            assert!(state["trouble"].as_str().unwrap().contains("more than 3"), "{state}");
            fs::remove_file(&files[2]).unwrap();
            let post = scene.ear.expect_next().await;
            assert_eq!(post.body["created"], json!([files[1]]));
            assert_eq!(scene.state("team/watch").await["trouble"], Value::Null);
            scene.end().await;
        });
    }

    #[test]
    fn a_post_names_no_more_than_so_many_and_tells_how_many_more_there_are() {
        let changes = Changes {
            created: vec![PathBuf::from("a"); NAMED_MAX + 7],
            changed: vec![PathBuf::from("b"); NAMED_MAX],
            removed: Vec::new(),
        };
        let body = body(&changes);
        assert_eq!(body["created"].as_array().unwrap().len(), NAMED_MAX);
        assert_eq!(body["unnamed"], 7);
    }

    #[test]
    fn paths_are_seen_from_the_folder_of_the_description_and_the_home() {
        let places = Places {
            description: "/srv/fleet".into(),
            home: Some("/h/me".into()),
        };
        let office = Arc::new(crate::post::tests::office(1));
        let spec = |paths: Value| {
            let settings = json!({ "paths": paths, "notify": ["test/ear"] });
            let seat = Seat {
                settings: serde_json::from_value(settings).unwrap(),
                team: "team".into(),
                name: "watch".into(),
                rules: serde_json::from_value(json!({})).unwrap(),
            };
            FileWatches::new(Arc::clone(&office), places.clone()).spec(seat)
        };
        let paths = spec(json!(["in", "~/notes", "/etc/hosts"])).unwrap().paths;
        let expected = ["/srv/fleet/in", "/h/me/notes", "/etc/hosts"].map(PathBuf::from);
        assert_eq!(*paths, expected);
        let fault = spec(json!(["~you/notes"])).unwrap_err();
        assert_eq!(fault.key.as_deref(), Some("paths"));
    }

    #[test]
    fn settings_that_cannot_be_followed_are_refused() {
        let key = |more: Value| fault(&watch(&json!(["a"]), &more)[0]).key;
        assert_eq!(key(json!({ "paths": [] })).as_deref(), Some("paths"));
        assert_eq!(key(json!({ "paths": [""] })).as_deref(), Some("paths"));
        assert_eq!(key(json!({ "every": "1ms" })).as_deref(), Some("every"));
        assert_eq!(key(json!({ "entries": 1_000_000 })).as_deref(), Some("entries"));
        assert_eq!(key(json!({ "notify": [] })).as_deref(), Some("notify"));
    }
}
