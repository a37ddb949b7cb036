//! A team is what its description says.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::{Value, json};
    use triarch_supervision::metrics::{Catalogue, Instruments, TELEMETRY};
    use triarch_supervision::prelude::*;
    use triarch_teams::metrics::TEAMS;
    use triarch_teams::receipt::Stage;
    use triarch_teams::{Kind, Kinds, Post, PostOffice, Seat, SettingError, TeamConfig, TeamError, members, room};

    #[derive(Clone, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        /// What it says first.
        prefix: String,
    }

    struct Parrots;

    impl Kind for Parrots {
        type Settings = Settings;
        type Agent = Parrot;

        fn name(&self) -> &'static str {
            "parrot"
        }

        fn about(&self) -> &'static str {
            "Says again what it hears."
        }

        fn spec(&self, seat: Seat<Settings>) -> Result<String, SettingError> {
            if seat.settings.prefix.is_empty() {
                return Err(SettingError::of("prefix", "the prefix is empty", "give it a word"));
            }
            Ok(format!("{} {}", seat.name, seat.settings.prefix))
        }
    }

    struct Parrot(String);

    impl Agent for Parrot {
        type Message = Post;
        type Spec = String;

        async fn start(prefix: String, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
            Ok(Self(prefix))
        }

        async fn handle(&mut self, post: Post, _ctx: &mut Context<Self>) -> Result<(), Failure> {
            post.receipt.done(json!(format!("{} {}", self.0, post.body)));
            Ok(())
        }
    }

    fn kinds() -> Kinds {
        Kinds::new().with(Parrots)
    }

    fn team(agents: &Value) -> TeamConfig {
        serde_json::from_value(json!({ "name": "birds", "agent": agents })).unwrap()
    }

    fn fault(agents: &Value) -> TeamError {
        members(&team(agents), &kinds()).unwrap_err()
    }

    #[tokio::test(start_paused = true)]
    async fn agents_stand_in_their_order_and_answer_posts() {
        let config = team(&json!([
            { "name": "polly", "kind": "parrot", "prefix": "says" },
            { "name": "flock", "kind": "parrot", "prefix": "cry", "replicas": 2, "mailbox": { "capacity": 7 } },
        ]));
        let tree = Root::new()
            .supervisor(room(&config, &kinds(), 10).unwrap())
            .start()
            .await
            .unwrap();
        let paths: Vec<_> = tree
            .observer()
            .snapshot()
            .iter()
            .map(|node| node.path.to_string())
            .collect();
        assert_eq!(
            paths,
            ["root", "birds", "birds/flock-1", "birds/flock-2", "birds/polly"]
        );
        let flock = tree.observer().node("birds/flock-2").unwrap();
        assert_eq!(flock.mailbox.unwrap().capacity, 7);

        let instruments = Instruments::new(Catalogue::new(&[TEAMS, TELEMETRY]).unwrap());
        let office = PostOffice::new(1, &instruments).unwrap();
        let (post, stages) = office.registered("me", "greet", json!("hello"));
        tree.observer().send_to("birds/flock-2", post).await.unwrap();
        assert_eq!(stages.recv_async().await.unwrap().1, Stage::Delivered);
        assert_eq!(
            stages.recv_async().await.unwrap().1,
            Stage::Done(json!("flock-2 cry \"hello\""))
        );
        assert!(tree.stop().await.is_orderly());
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_joins_a_team_that_runs() {
        let config = team(&json!([]));
        let tree = Root::new()
            .supervisor(room(&config, &kinds(), 10).unwrap())
            .start()
            .await
            .unwrap();
        let more = team(&json!([{ "name": "polly", "kind": "parrot", "prefix": "says" }]));
        let birds = tree.observer().supervisor("birds").unwrap();
        for member in members(&more, &kinds()).unwrap() {
            member.join_running(&birds).await.unwrap();
        }
        assert!(tree.observer().node("birds/polly").is_ok());
        tree.stop().await;
    }

    #[test]
    fn what_cannot_be_followed_names_the_agent_the_key_and_the_remedy() {
        assert_eq!(
            fault(&json!([{ "name": "polly", "kind": "parot" }])).to_string(),
            "agent birds/polly is of kind \"parot\", which there is not; there are: parrot"
        );
        let empty = fault(&json!([{ "name": "polly", "kind": "parrot", "prefix": "" }]));
        assert_eq!(
            empty.to_string(),
            "agent birds/polly: `prefix`: the prefix is empty; give it a word"
        );
        let unknown = fault(&json!([{ "name": "polly", "kind": "parrot", "prefix": "a", "prefx": 1 }]));
        let TeamError::Setting { fault, .. } = unknown else {
            panic!("{unknown}")
        };
        assert_eq!(fault.key.as_deref(), Some("prefx"));
    }

    #[test]
    fn a_team_needs_a_name() {
        let config: TeamConfig = serde_json::from_value(json!({ "name": "Birds" })).unwrap();
        let fault = members(&config, &kinds()).unwrap_err().to_string();
        assert!(fault.starts_with("team Birds: "), "{fault}");
    }
}
