//! Three ways a question may go: what one sees is an answer, a timeout that says so, and a message that was void before
//! its turn came and lies among the dead letters.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use triarch::dead_letter::DeadReason;
use triarch::prelude::*;

const SOON: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_millis(200);

enum Request {
    LookUp {
        takes: Duration,
        reply: Reply<&'static str>,
    },
    Dust,
}

impl Message for Request {}

struct Librarian;

impl Agent for Librarian {
    type Message = Request;
    type Spec = ();

    async fn start((): (), _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn handle(&mut self, request: Request, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match request {
            Request::LookUp { takes, reply } => {
                tokio::time::sleep(takes).await;
                reply.send("third shelf on the left");
            }
            Request::Dust => println!("the librarian dusts, which no deadline below allows"),
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let librarian = Child::of::<Librarian>("librarian", ());
    let desk = librarian.address();
    let library = Supervisor::named("library").child(librarian);
    let tree = Root::new().supervisor(library).start().await?;
    let look_up = |takes| move |reply| Request::LookUp { takes, reply };

    let answer = desk.ask_within(LONG, look_up(Duration::ZERO)).await?;
    println!("in time: {answer}");
    assert_eq!(answer, "third shelf on the left");

    let Err(error) = desk.ask_within(SOON, look_up(LONG)).await else {
        return Err("the answer came sooner than it could".into());
    };
    println!("too late: {error}");
    assert!(error.is_timeout());

    // The librarian is still busy with the question above, and will be beyond this deadline.
    desk.send_before(Moment::now() + SOON, Request::Dust).await?;
    desk.ask(look_up(Duration::ZERO)).await?;
    for letter in tree.observer().dead_letters().list() {
        println!("dead letter {} to {}: {:?}", letter.number, letter.to, letter.reason);
    }
    assert_eq!(tree.observer().dead_letters().count(DeadReason::Expired), 1);

    assert!(tree.stop().await.is_orderly());
    Ok(())
}
