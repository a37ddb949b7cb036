//! What an agent shows of itself, and who waits for it.

use tokio::sync::oneshot;

use super::Node;

/// Somebody who waits until the agent has shown itself, or will not any more.
pub(super) type Onlooker = oneshot::Sender<()>;

impl Node {
    /// What the agent shows now; whoever waits for it goes on.
    pub(crate) fn set_view(&self, view: Option<serde_json::Value>) {
        let mut records = self.records();
        let rare = records.rare();
        let before = std::mem::replace(&mut rare.view, view);
        let onlookers = std::mem::take(&mut rare.onlookers);
        drop(records);
        drop(before);
        for onlooker in onlookers {
            // One that has given up in the meantime needs no word.
            let _told = onlooker.send(());
        }
    }

    /// What it showed last.
    pub(crate) fn view(&self) -> Option<serde_json::Value> {
        self.records().rare.as_ref()?.view.clone()
    }

    /// Is over when the agent has shown itself, or has ended; nothing where none is there to show itself. Say it before
    /// the agent is asked to.
    pub(crate) fn look_on(&self) -> Option<oneshot::Receiver<()>> {
        let mut records = self.records();
        if !self.is_alive() {
            return None;
        }
        let onlookers = &mut records.rare().onlookers;
        onlookers.retain(|onlooker| !onlooker.is_closed());
        let (onlooker, shown) = oneshot::channel();
        onlookers.push(onlooker);
        Some(shown)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use oneshot::error::TryRecvError;

    use super::super::Level;
    use super::*;
    use crate::clock::Moment;
    use crate::name::Name;
    use crate::reason::ExitReason;

    #[test]
    fn onlookers_go_on_when_the_agent_has_shown_itself_or_has_ended_and_those_who_left_are_forgotten() {
        let node = Node::new(Level::Agent, Name::unchecked("a"), "Type");
        assert!(node.look_on().is_none(), "nobody is there");
        node.begin(1, Moment::default());
        for _ in 0..100 {
            drop(node.look_on());
        }
        let mut shown = node.look_on().unwrap();
        assert_eq!(node.records().rare().onlookers.len(), 1);
        assert_eq!(shown.try_recv(), Err(TryRecvError::Empty));
        node.set_view(Some(7.into()));
        assert_eq!((shown.try_recv(), node.view()), (Ok(()), Some(7.into())));
        let mut shown = node.look_on().unwrap();
        node.ended(1, ExitReason::Normal, Moment::default());
        assert_eq!(shown.try_recv(), Err(TryRecvError::Closed));
    }
}
