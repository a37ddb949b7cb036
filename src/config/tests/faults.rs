//! Every fault with its full text, as it stands in `faults.txt`.

use std::fmt::Write as _;

use super::*;
use crate::committed::assert_committed;

const PAGE: &str = "src/config/tests/faults.txt";
const CASE: &str = "=== ";
const TOLD: &str = "--- told\n";

/// The description of each case, by what is wrong with it.
fn cases(page: &str) -> Vec<(&str, &str)> {
    let cases = page.split(CASE).filter(|case| !case.is_empty());
    cases
        .map(|case| {
            let (title, rest) = case.split_once('\n').unwrap();
            (title, rest.split_once(TOLD).map_or(rest, |(text, _)| text))
        })
        .collect()
}

#[test]
fn each_fault_is_told_in_the_words_of_the_page() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/src/config/tests/faults.txt");
    let found = fs::read_to_string(page).unwrap().replace("\r\n", "\n");
    let mut wanted = String::new();
    for (title, text) in cases(&found) {
        let errors = read(text).map_or_else(|errors| errors, |_| panic!("{title} is accepted"));
        write!(wanted, "{CASE}{title}\n{text}{TOLD}{errors}\n\n").unwrap();
    }
    assert_committed(PAGE, &wanted);
}

#[test]
fn of_very_many_faults_the_first_are_told_and_the_others_counted() {
    let errors = read(&"[".repeat(40_000)).unwrap_err().0;
    assert!(errors.len() <= 11, "{}", errors.len());
    let unknown: Vec<_> = (0..4_000).map(|number| format!("colour{number} = 1\n")).collect();
    let errors = read(&unknown.concat()).unwrap_err().0;
    assert_eq!(errors.len(), 101);
    assert_eq!(
        errors[100].to_string(),
        "3900 more things are wrong\n  see to these first"
    );
}

#[test]
fn all_faults_of_a_description_are_told_at_once_in_the_order_of_its_lines() {
    let text = "[runtime]\nspam = 1\nspan = 0\n[gateway]\nlisten = \"0.0.0.0:1\"\n[[team]]\nname = \"A\"\nfoo = 1\n[[team.agent]]\nname = \"b\"\n";
    assert_eq!(lines_at_fault(text), [2, 3, 5, 7, 8, 9]);
}

#[test]
fn each_section_tells_all_of_its_faults() {
    let text = "[work]\nlease = \"2d\"\nopen_max = 0\n[programs]\nlog_files = 0\nlog_file_bytes = 0\n";
    assert_eq!(lines_at_fault(text), [2, 3, 5, 6]);
}

fn lines_at_fault(text: &str) -> Vec<usize> {
    let line = |error: &ConfigError| match &error.spot {
        Some(Spot {
            origin: SpotOrigin::File { line, .. },
            ..
        }) => *line,
        _ => 0,
    };
    read(text).unwrap_err().0.iter().map(line).collect()
}

/// What no fault may show.
const HUSH: &str = "hunter2";

#[test]
fn a_secret_of_several_lines_is_not_shown_whatever_is_wrong_in_it() {
    for text in [
        "[team.agent.env]\nDB_PASSWORD = \"\"\"\nhunter2\\q\n\"\"\"\n",
        "[team.agent.env]\nDB_PASSWORD = '''\na = hunter2\u{1}\n'''\n",
        "[team.agent.env]\nDB_PASSWORD = \"\"\"\n[hunter2]\nhunter2\\q\"\"\"\n",
        "[team.agent.secrets]\nFROM = \"\"\"\n[a]\nhunter2\\q\"\"\"\n",
        "secrets = {\n  FROM = \"hunter2\\q\"\n}\n",
        "env = {\n  DB_PASSWORD =\n  \"a=hunter2\\q\"\n}\n",
        "tokens = 1\ntoken = [\n  [\"hunter2\\q\"],\n]\n",
        "secrets.\"FROM\" = \"hunter2\\q\"\n",
        "a = { secrets.'FROM' = \"hunter2\\q\" }\n",
        "token = \"hush\nhunter2=\"\n",
        "token = hush\nhunter2\n",
        "token =\n\"hunter2\\q\"\n",
        "a = \"\"\"\ntoken = \"\"\"\nhunter2 = \\q\n\"\"\"\n",
    ] {
        let told = read(text).unwrap_err().to_string();
        assert!(!told.contains(HUSH) && told.contains("(hidden)"), "{text}\n{told}");
    }
}

#[test]
fn lines_of_what_is_no_secret_are_shown() {
    for text in [
        "[team.agent]\nprompt = \"\"\"\nhunter2\\q\n\"\"\"\n",
        "token = \"a\"\nb = {\n  c = \"hunter2\\q\"\n}\n",
        "[secrets]\nA = [\n  \"a\",\n]\n[b]\nc = [\n  \"hunter2\\q\",\n]\n",
    ] {
        let told = read(text).unwrap_err().to_string();
        assert!(told.contains(HUSH), "{text}\n{told}");
    }
}
