//! A mailbox with lanes: what one sees is that what is urgent is served first, and what is equally urgent in its order.
//!
//! The clerk is paused while the letters come in, or each would be served as it came.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use triarch::prelude::*;

enum Letter {
    Post(Priority, &'static str),
    Served(Reply<Vec<&'static str>>),
}

impl Message for Letter {
    const PRIORITY: Option<fn(&Self) -> Priority> = Some(|letter| match letter {
        Letter::Post(priority, _) => *priority,
        Letter::Served(_) => Priority::Background,
    });
}

struct Clerk {
    served: Vec<&'static str>,
}

impl Agent for Clerk {
    type Message = Letter;
    type Spec = ();

    async fn start((): (), _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self { served: Vec::new() })
    }

    async fn handle(&mut self, letter: Letter, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match letter {
            Letter::Post(priority, text) => {
                println!("{priority:?}: {text}");
                self.served.push(text);
            }
            Letter::Served(reply) => reply.send(std::mem::take(&mut self.served)),
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clerk = Child::of::<Clerk>("clerk", ());
    let counter = clerk.address();
    let office = Supervisor::named("office").child(clerk);
    let tree = Root::new().supervisor(office).start().await?;

    tree.observer().pause("office/clerk")?;
    for (priority, text) in [
        (Priority::Low, "the newsletter"),
        (Priority::Normal, "a first bill"),
        (Priority::High, "a reminder"),
        (Priority::Normal, "a second bill"),
        (Priority::Critical, "the roof is on fire"),
    ] {
        counter.send(Letter::Post(priority, text)).await?;
    }
    println!("{} letters wait", counter.figures().depth);
    tree.observer().resume("office/clerk")?;

    let served = counter.ask(Letter::Served).await?;
    let urgent_first = [
        "the roof is on fire",
        "a reminder",
        "a first bill",
        "a second bill",
        "the newsletter",
    ];
    assert_eq!(served, urgent_first);

    assert!(tree.stop().await.is_orderly());
    Ok(())
}
