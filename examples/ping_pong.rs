//! Two players and a ball: what one sees is the ball crossing the net ten times, and the answer of whoever had it last.
//!
//! The ball carries the address of who hit it, and the way back to who asked for the game.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use triarch::prelude::*;

const CROSSINGS: u32 = 10;

struct Ball {
    crossed: u32,
    from: Address<Ball>,
    game: Reply<u32>,
}

impl Message for Ball {}

struct Player;

impl Agent for Player {
    type Message = Ball;
    type Spec = ();

    async fn start((): (), _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn handle(&mut self, ball: Ball, ctx: &mut Context<Self>) -> Result<(), Failure> {
        if ball.crossed == CROSSINGS {
            println!("{} lets it drop", ctx.path());
            ball.game.send(ball.crossed);
            return Ok(());
        }
        println!("{} returns the ball, {} crossings so far", ctx.path(), ball.crossed);
        let returned = Ball {
            crossed: ball.crossed + 1,
            from: ctx.address(),
            game: ball.game,
        };
        Ok(ball.from.send(returned).await?)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let players = ["ping", "pong"].map(|name| Child::of::<Player>(name, ()));
    let [left, right] = players.each_ref().map(Child::address);
    let table = Supervisor::named("table").children(players);
    let tree = Root::new().supervisor(table).start().await?;

    let serve = |game| Ball {
        crossed: 0,
        from: right,
        game,
    };
    let crossed = left.ask(serve).await?;
    println!("the ball crossed the net {crossed} times");
    assert_eq!(crossed, CROSSINGS);

    assert!(tree.stop().await.is_orderly());
    Ok(())
}
