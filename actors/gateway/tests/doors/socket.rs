//! The Unix socket.

use std::os::unix::fs::MetadataExt;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use triarch_gateway::{Answer, Client, Code, Config, DEPTH_MAX, Doors, Error, LINE_MAX, OperationError, Written};

use crate::house::House;
use crate::patience::{soon, until};

/// A connection by lines.
struct Caller(BufReader<UnixStream>);

impl Caller {
    async fn of(house: &House) -> Self {
        Self(BufReader::new(house.dial().await))
    }

    async fn say(&mut self, line: &str) {
        self.0.write_all(line.as_bytes()).await.unwrap();
        self.0.write_all(b"\n").await.unwrap();
    }

    /// The next line; `None` where the other side has closed.
    async fn hear(&mut self) -> Option<Answer> {
        let mut line = String::new();
        let read = soon("a line comes", self.0.read_line(&mut line)).await;
        // A connection that is closed with something unread is reset.
        read.ok().filter(|read| *read > 0)?;
        Some(serde_json::from_str(&line).unwrap())
    }

    async fn hear_code(&mut self) -> Option<Code> {
        match self.hear().await? {
            Answer::Error(error) => Some(error.code),
            answer => panic!("{answer:?} is no error"),
        }
    }
}

fn output(of: &Value) -> Answer {
    Answer::Output(Written::of(of).unwrap())
}

fn asked(operation: &str, input: &Value) -> String {
    json!({"operation": operation, "input": input}).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_a_line_and_so_is_its_answer_one_after_the_other() {
    let house = House::open().await;
    let mut caller = Caller::of(&house).await;
    for number in 0..3 {
        caller.say(&asked("echo", &json!({"number": number}))).await;
        assert_eq!(caller.hear().await, Some(output(&json!({"number": number}))));
    }
    caller.say(&asked("fail", &Value::Null)).await;
    assert_eq!(caller.hear_code().await, Some(Code::NotFound));
    caller.say(&asked("nothing", &Value::Null)).await;
    assert_eq!(caller.hear_code().await, Some(Code::Usage));
    assert_eq!(house.figure("triarch_gateway_requests_total", &["socket", "done"]), 3);
    assert_eq!(
        house.figure("triarch_gateway_requests_total", &["socket", "not_found"]),
        1
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_sent_all_at_once_are_answered_in_their_order() {
    let house = House::open().await;
    let mut caller = Caller::of(&house).await;
    let lines: Vec<_> = (0..100).map(|number| asked("echo", &json!(number))).collect();
    caller.say(&lines.join("\n")).await;
    for number in 0..100 {
        assert_eq!(caller.hear().await, Some(output(&json!(number))));
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_comes_before_the_output_and_none_is_lost() {
    let house = House::open().await;
    let mut caller = Caller::of(&house).await;
    caller.say(&asked("count", &json!(500))).await;
    for done in 1..=500 {
        assert_eq!(
            caller.hear().await,
            Some(Answer::Progress(json!({"done": done, "of": 500})))
        );
    }
    assert_eq!(caller.hear().await, Some(output(&json!(500))));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_output_comes_in_parts_of_which_none_is_lost() {
    let house = House::open().await;
    let mut caller = Caller::of(&house).await;
    caller.say(&asked("pieces", &json!(500))).await;
    for piece in 1..=500 {
        let part = Written::of(&[piece]).unwrap();
        assert_eq!(caller.hear().await, Some(Answer::Part(part)));
    }
    assert_eq!(caller.hear().await, Some(output(&json!([0]))));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_takes_no_part_for_all_of_an_answer_nor_for_the_next_one() {
    let house = House::open().await;
    let socket = house.socket.clone();
    let asking = tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(&socket).unwrap();
        let whole = client.request::<Vec<u64>>("pieces", &json!(2), |_| {});
        (whole, client.request::<u64>("echo", &json!(7), |_| {}))
    });
    let (whole, next) = soon("it is answered", asking).await.unwrap();
    let error = whole.unwrap_err();
    assert_eq!(
        (error.code, error.message.as_str()),
        (Code::Usage, "pieces answers in parts")
    );
    assert_eq!(next, Ok(7));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_closes_the_connection_cancels_what_is_in_hand() {
    let house = House::open().await;
    let mut caller = Caller::of(&house).await;
    caller.say(&asked("wait", &Value::Null)).await;
    assert_eq!(caller.hear().await, Some(Answer::Progress(json!("waiting"))));
    assert_eq!(house.dropped.load(Ordering::SeqCst), 0);
    drop(caller);
    until("it is cancelled", || house.dropped.load(Ordering::SeqCst) == 1).await;
    until("its place is free", || house.connections("socket") == 0).await;
    assert_eq!(
        house.figure("triarch_gateway_requests_total", &["socket", "cancelled"]),
        1
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_to_go_on_ends_for_nobody_and_then_leaves_its_place() {
    let house = House::open().await;
    let mut caller = Caller::of(&house).await;
    caller.say(&asked("insist", &Value::Null)).await;
    assert_eq!(caller.hear().await, Some(Answer::Progress(json!("begun"))));
    drop(caller);
    until("its place is free", || house.connections("socket") == 0).await;
    assert_eq!(house.dropped.load(Ordering::SeqCst), 0);
    assert_eq!(house.figure("triarch_gateway_requests_total", &["socket", "done"]), 1);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_more_to_say_and_leaves_cancels_it_too() {
    let house = House::open().await;
    let mut caller = Caller::of(&house).await;
    caller.say(&asked("wait", &Value::Null)).await;
    assert_eq!(caller.hear().await, Some(Answer::Progress(json!("waiting"))));
    caller.say(&asked("echo", &Value::Null)).await;
    drop(caller);
    until("it is cancelled", || house.dropped.load(Ordering::SeqCst) == 1).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_closes_only_its_own_direction_still_hears_the_answer() {
    let house = House::open().await;
    let mut stream = house.dial().await;
    let line = asked("linger", &Value::Null) + "\n";
    stream.write_all(line.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    soon("the answer ends", stream.read_to_string(&mut answer))
        .await
        .unwrap();
    assert_eq!(answer, "{\"progress\":\"lingering\"}\n{\"output\":\"done\"}\n");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_answered_with_what_is_wrong_and_the_connection_goes_on() {
    let house = House::open().await;
    let mut caller = Caller::of(&house).await;
    let deep = "[".repeat(DEPTH_MAX + 1);
    for garbage in ["GET / HTTP/1.1", "{", "null", "\u{0}\u{1}", "{\"operation\":7}", &deep] {
        caller.say(garbage).await;
        assert_eq!(caller.hear_code().await, Some(Code::Usage), "{garbage:?}");
    }
    caller.say("").await;
    caller.say(&asked("echo", &json!(1))).await;
    assert_eq!(caller.hear().await, Some(output(&json!(1))));
    assert_eq!(house.refused("socket", "malformed"), 6);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_within_the_bound_is_taken_and_one_beyond_it_ends_the_connection() {
    let house = House::open().await;
    let mut caller = Caller::of(&house).await;
    let frame = asked("echo", &json!("")).len();
    let long = "x".repeat(LINE_MAX - frame);
    caller.say(&asked("echo", &json!(long))).await;
    assert_eq!(caller.hear().await, Some(output(&json!(long))));
    let (mut reading, mut writing) = caller.0.into_inner().into_split();
    let flood = async move {
        // The other side stops reading at some point.
        let _refused = writing.write_all(&vec![b'x'; 4 * LINE_MAX]).await;
    };
    let hear = async move {
        let mut answer = Vec::new();
        let _reset = reading.read_to_end(&mut answer).await;
        answer
    };
    let ((), answer) = soon("it is refused", async { tokio::join!(flood, hear) }).await;
    let answer: Answer = serde_json::from_slice(&answer).unwrap();
    assert!(
        matches!(answer, Answer::Error(OperationError { code: Code::Usage, .. })),
        "{answer:?}"
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_that_panics_is_a_failure_of_the_runtime_and_of_nothing_else() {
    let house = House::open().await;
    let mut caller = Caller::of(&house).await;
    caller.say(&asked("panic", &Value::Null)).await;
    assert_eq!(caller.hear_code().await, Some(Code::RuntimeFailed));
    caller.say(&asked("echo", &json!(1))).await;
    assert_eq!(caller.hear().await, Some(output(&json!(1))));
    assert_eq!(house.figure("triarch_slo_events_total", &["api", "bad"]), 1);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_tells_whoever_waits_that_it_was_not_done_and_whoever_asks_next_that_there_was_one() {
    let house = House::open().await;
    let (mut idle, mut caller) = (Caller::of(&house).await, Caller::of(&house).await);
    caller.say(&asked("wait", &Value::Null)).await;
    assert_eq!(caller.hear().await, Some(Answer::Progress(json!("waiting"))));
    let stopping = house.tree.stop();
    let hearing = async { (caller.hear_code().await, caller.hear().await) };
    let (_, heard) = soon("it is told", async { tokio::join!(stopping, hearing) }).await;
    assert_eq!(heard, (Some(Code::NotRunning), None));
    assert_eq!(idle.hear_code().await, Some(Code::NotRunning));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_only_the_doors_are_ended_nobody_is_told_that_the_runtime_has_stopped() {
    let house = House::open().await;
    let (mut idle, mut busy) = (Caller::of(&house).await, Caller::of(&house).await);
    idle.say(&asked("echo", &json!(1))).await;
    assert_eq!(idle.hear().await, Some(output(&json!(1))));
    busy.say(&asked("wait", &Value::Null)).await;
    assert_eq!(busy.hear().await, Some(Answer::Progress(json!("waiting"))));
    let root = house.tree.observer().supervisor("root").unwrap();
    root.terminate_child("gateway").await.unwrap();
    assert_eq!(idle.hear_code().await, Some(Code::Refused));
    assert_eq!(busy.hear_code().await, Some(Code::Failed));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_runtime_is_refused_while_the_first_lives_and_welcome_afterwards() {
    let mut house = House::open().await;
    let config = || Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        ..Config::default()
    };
    assert!(matches!(
        Doors::open(config(), house.folder.path()),
        Err(Error::Held { .. })
    ));
    let mut caller = Caller::of(&house).await;
    caller.say(&asked("echo", &json!(1))).await;
    assert_eq!(
        caller.hear().await,
        Some(output(&json!(1))),
        "the first is not disturbed"
    );
    let folder = std::mem::replace(&mut house.folder, crate::house::folder());
    soon("the tree stops", house.tree.stop()).await;
    drop(house);
    until("its place is free", || Doors::open(config(), folder.path()).is_ok()).await;
}

#[tokio::test]
async fn the_file_of_the_socket_goes_with_the_farewell_even_while_somebody_holds_the_door() {
    let house = House::open().await;
    assert!(house.socket.exists());
    let second = crate::house::folder();
    let doors = Doors::open(
        Config {
            http: false,
            ..Config::default()
        },
        second.path(),
    );
    let doors = doors.unwrap();
    drop(doors.farewell());
    assert!(!doors.socket().exists());
    assert!(house.socket.exists(), "only its own");
    drop(doors);
    house.close().await;
}

#[tokio::test]
async fn nobody_else_has_the_folder_before_the_farewell_is_over_and_nobody_is_robbed_by_it() {
    let folder = crate::house::folder();
    let config = || Config {
        http: false,
        ..Config::default()
    };
    let doors = Doors::open(config(), folder.path()).unwrap();
    let (socket, farewell) = (doors.socket().to_owned(), doors.farewell());
    drop(doors);
    assert!(matches!(Doors::open(config(), folder.path()), Err(Error::Held { .. })));
    farewell.leave();
    assert!(!socket.exists(), "whoever comes finds nobody");
    assert!(matches!(Doors::open(config(), folder.path()), Err(Error::Held { .. })));
    drop(farewell);
    let next = Doors::open(config(), folder.path()).unwrap();
    assert!(next.socket().exists());
    drop(next);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_caller_is_who_the_system_says_it_is() {
    let house = House::open().await;
    let mut caller = Caller::of(&house).await;
    caller.say(&asked("whoami", &Value::Null)).await;
    let uid = std::fs::metadata(house.folder.path()).unwrap().uid();
    let who = json!({"uid": uid, "pid": std::process::id()});
    assert_eq!(caller.hear().await, Some(output(&who)));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_more_than_may_be_served_takes_the_place_of_the_one_that_waits_longest() {
    let house = House::with(|config| config.socket_connections = 2).await;
    let mut working = Caller::of(&house).await;
    working.say(&asked("wait", &Value::Null)).await;
    assert!(working.hear().await.is_some());
    let mut waiting = Caller::of(&house).await;
    until("both are there", || house.connections("socket") == 2).await;
    let mut newcomer = Caller::of(&house).await;
    newcomer.say(&asked("wait", &Value::Null)).await;
    assert!(newcomer.hear().await.is_some());
    assert_eq!(
        waiting.hear_code().await,
        Some(Code::Refused),
        "it is told why it has to go"
    );
    assert_eq!(waiting.hear().await, None);
    let mut surplus = Caller::of(&house).await;
    assert_eq!(surplus.hear_code().await, Some(Code::Refused), "both are being served");
    assert_eq!(house.refused("socket", "full"), 2);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_follow_there_is_a_place_for_a_question_that_waits_for_nobody() {
    let house = House::with(|config| config.socket_connections = 8).await;
    let mut following = Vec::new();
    for _ in 0..7 {
        let mut caller = Caller::of(&house).await;
        caller.say(&asked("follow", &Value::Null)).await;
        assert_eq!(caller.hear().await, Some(Answer::Progress(json!("following"))));
        following.push(caller);
    }
    let mut surplus = Caller::of(&house).await;
    surplus.say(&asked("follow", &Value::Null)).await;
    assert_eq!(surplus.hear_code().await, Some(Code::Refused), "as many follow as may");
    for number in 0..3 {
        let mut caller = Caller::of(&house).await;
        caller.say(&asked("echo", &json!(number))).await;
        assert_eq!(caller.hear().await, Some(output(&json!(number))));
    }
    drop(following.pop());
    until("its place is free", || {
        house.figure("triarch_gateway_requests_total", &["socket", "cancelled"]) == 1
    })
    .await;
    let mut caller = Caller::of(&house).await;
    caller.say(&asked("follow", &Value::Null)).await;
    assert_eq!(caller.hear().await, Some(Answer::Progress(json!("following"))));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_comes_as_its_place_is_given_away_is_answered_or_never_begun() {
    let house = House::with(|config| config.socket_connections = 1).await;
    let mut answered = 0;
    for round in 0..200 {
        let mut caller = Caller::of(&house).await;
        until("it is there", || house.connections("socket") == 1).await;
        let line = asked("echo", &json!(round)) + "\n";
        // Who is sent away before it has said anything is told why all the same.
        let (newcomer, _refused) = tokio::join!(house.dial(), caller.0.write_all(line.as_bytes()));
        match caller.hear().await {
            Some(Answer::Output(_)) => answered += 1,
            Some(Answer::Error(error)) => assert_eq!(error.code, Code::Refused),
            other => panic!("{other:?} is no answer"),
        }
        drop(newcomer);
        drop(caller);
        until("they have gone", || house.connections("socket") == 0).await;
    }
    assert_eq!(
        house.figure("triarch_gateway_requests_total", &["socket", "done"]),
        answered
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_fewer_may_stay_than_there_are_all_that_are_too_many_go_when_the_next_comes() {
    let house = House::open().await;
    let mut waiting = [
        Caller::of(&house).await,
        Caller::of(&house).await,
        Caller::of(&house).await,
    ];
    until("they are there", || house.connections("socket") == 3).await;
    house.bounds.change(&Config {
        socket_connections: 1,
        ..Config::default()
    });
    let mut newcomer = Caller::of(&house).await;
    for caller in &mut waiting {
        assert_eq!(caller.hear_code().await, Some(Code::Refused));
        assert_eq!(caller.hear().await, None);
    }
    newcomer.say(&asked("wait", &Value::Null)).await;
    assert!(newcomer.hear().await.is_some());
    assert_eq!(house.refused("socket", "full"), 3);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_hears_progress_and_what_came_of_it() {
    let house = House::open().await;
    let socket = house.socket.clone();
    let asking = tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(&socket).unwrap();
        let mut told = Vec::new();
        let output = client.request::<u32>("count", &json!(3), |progress| told.push(progress["done"].clone()));
        (told, output, client.request::<Value>("fail", &Value::Null, |_| {}))
    });
    let (told, output, failure) = soon("it is answered", asking).await.unwrap();
    assert_eq!((told, output), (vec![json!(1), json!(2), json!(3)], Ok(3)));
    assert_eq!(failure.unwrap_err().code, Code::NotFound);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_not_understood_says_so() {
    let house = House::open().await;
    let socket = house.socket.clone();
    let asking = tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(&socket).unwrap();
        client.request::<bool>("count", &json!(3), |_| {})
    });
    let error = soon("it is answered", asking).await.unwrap().unwrap_err();
    assert_eq!(error.code, Code::Failed);
    assert!(error.message.contains("cannot be read: invalid type"), "{error}");
    assert_eq!(error.remedy, "use the command line of its version");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_whose_runtime_breaks_off_is_told_so() {
    let house = House::open().await;
    let socket = house.socket.clone();
    let asking = tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(&socket).unwrap();
        client
            .request::<Value>("wait", &Value::Null, |_| {})
            .map_err(|error| error.code)
    });
    until("it is at work", || house.connections("socket") == 1).await;
    house.close().await;
    let code = soon("it is told", asking).await.unwrap().unwrap_err();
    assert!([Code::NotRunning, Code::RuntimeFailed].contains(&code), "{code:?}");
}
