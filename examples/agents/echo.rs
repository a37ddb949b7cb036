//! Answers each post with its body. It writes when nothing more waits to be read, so that many answers go out together.
#![forbid(unsafe_code)]

use std::io::{self, BufRead, BufReader, Write};

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Post<'a> {
    id: &'a str,
    #[serde(borrow)]
    body: &'a RawValue,
}

fn main() -> io::Result<()> {
    let mut input = BufReader::with_capacity(1 << 16, io::stdin().lock());
    let mut output = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut line = String::new();
    writeln!(output, r#"{{"type":"status","state":"ready"}}"#)?;
    loop {
        if !input.buffer().contains(&b'\n') {
            output.flush()?;
        }
        line.clear();
        if input.read_line(&mut line)? == 0 {
            return output.flush();
        }
        let Post { id, body } = serde_json::from_str(&line)?;
        writeln!(output, r#"{{"type":"reply","id":"{id}","body":{body}}}"#)?;
    }
}
