use proptest::prelude::*;
use serde_json::json;
use triarch_supervision::message::Priority;

use super::*;
use crate::envelope::{Destination, Envelope, EnvelopeId, Payload, Timestamp};
use crate::filter::Filter;
use crate::fuzz::fuzz;
use crate::topic::Topic;

fn envelope(payload: &Value) -> Envelope {
    Envelope {
        id: EnvelopeId::new(1, 2),
        time: Timestamp(1000),
        from: "plant/pump".into(),
        to: Destination::Topic(Topic::new("plant.readings").unwrap()),
        kind: "reading".into(),
        key: Some("k1".into()),
        priority: Priority::High,
        ttl_ms: None,
        correlation: None,
        causation: Some(EnvelopeId::new(1, 1)),
        payload: Payload::json(payload),
    }
}

fn accepts(filter: &str, payload: &Value) -> bool {
    Filter::new(filter)
        .unwrap_or_else(|error| panic!("{error}"))
        .accepts(&envelope(payload))
}

#[test]
fn comparisons_hold_as_their_words_say() {
    let payload = json!({
        "n": 7, "half": 0.5, "text": "pump-3", "list": [1, "a"], "deep": {"er": {"x": null}}, "odd key": true,
        "big": u64::MAX, "no": false
    });
    for (filter, holds) in [
        ("payload.n eq 7", true),
        ("payload.n eq 7.0", true),
        ("payload.n ne 7", false),
        ("payload.n ne \"7\"", true),
        ("payload.n gt 6", true),
        ("payload.n gt 7", false),
        ("payload.n ge 7", true),
        ("payload.n lt 7", false),
        ("payload.n le 7", true),
        ("payload.n le 6.9", false),
        ("payload.half lt 1", true),
        ("payload.n gt \"6\"", false),
        ("payload.text gt \"pump\"", true),
        ("payload.text lt \"pump\"", false),
        ("payload.n in [1, 7, \"x\"]", true),
        ("payload.n in []", false),
        ("payload.text contains \"mp-\"", true),
        ("payload.text contains \"x\"", false),
        ("payload.list contains 1", true),
        ("payload.list contains \"b\"", false),
        ("payload.deep contains \"er\"", true),
        ("payload.n contains 7", false),
        ("payload.text matches \"^pump-[0-9]$\"", true),
        ("payload.text matches \"^ump\"", false),
        ("payload.n matches \"7\"", false),
        ("payload.deep.er.x exists", true),
        ("payload.deep.er.y exists", false),
        ("payload.deep.er.x eq null", true),
        ("payload.list.1 eq \"a\"", true),
        ("payload.list.2 exists", false),
        ("payload.\"odd key\" eq true", true),
        ("payload.no eq false", true),
        ("payload.none ne 1", false),
        ("payload.big eq 18446744073709551615", true),
        ("payload.big gt 18446744073709551614", true),
        ("payload exists", true),
    ] {
        assert_eq!(accepts(filter, &payload), holds, "{filter}");
    }
}

#[test]
fn every_field_of_an_envelope_can_be_asked_for() {
    for (filter, holds) in [
        ("id eq \"00000000000000010000000000000002\"", true),
        ("time ge 1000", true),
        ("from eq \"plant/pump\"", true),
        ("topic matches \"^plant[.]\"", true),
        ("to eq \"plant.readings\"", true),
        ("kind eq \"reading\"", true),
        ("priority in [\"critical\", \"high\"]", true),
        ("ttl exists", false),
        ("correlation exists", false),
        ("causation eq \"00000000000000010000000000000001\"", true),
        ("size eq 4", true),
    ] {
        assert_eq!(accepts(filter, &json!(null)), holds, "{filter}");
    }
    let mut direct = envelope(&json!(null));
    direct.to = Destination::Agent("plant/boiler".into());
    direct.payload = Payload::bytes(*b"{}");
    for (filter, holds) in [("topic exists", false), ("to exists", true), ("payload exists", false)] {
        assert_eq!(Filter::new(filter).unwrap().accepts(&direct), holds, "{filter}");
    }
}

#[test]
fn and_binds_closer_than_or_and_not_closest() {
    let payload = json!({"a": 1, "b": 2});
    for (filter, holds) in [
        ("payload.a eq 1 or payload.a eq 1 and payload.b eq 3", true),
        ("(payload.a eq 1 or payload.a eq 1) and payload.b eq 3", false),
        ("not payload.a eq 2 and payload.b eq 2", true),
        ("not (payload.a eq 1 and payload.b eq 2)", false),
        ("not not payload.a eq 1", true),
        ("payload.a eq 2 or payload.b eq 3", false),
        ("payload.a eq 1 and payload.b eq 2", true),
        ("  (\n(payload.a eq 1)\t) ", true),
        ("payload.c exists or payload.and.or exists or payload.a eq 1", true),
    ] {
        assert_eq!(accepts(filter, &payload), holds, "{filter}");
    }
}

#[test]
fn what_is_no_filter_is_refused_with_column_and_caret() {
    let told = |text: &str| Filter::new(text).unwrap_err().to_string();
    assert_eq!(
        told("kind is \"x\""),
        "column 6 of the filter: expected a comparison: eq, ne, gt, ge, lt, le, in, contains, matches or exists\n  \
         kind is \"x\"\n       ^"
    );
    let flat = vec!["kind exists"; COMPARISONS_MAX + 1].join(" or ");
    let long = format!("kind in [{}]", vec!["1"; COMPARISONS_MAX + 1].join(","));
    for (text, column, problem) in [
        ("", 1, "expected a field"),
        ("kind", 5, "expected a comparison"),
        ("colour eq 1", 1, "there is no field colour"),
        ("kind eq", 8, "expected a value"),
        ("kind eq red", 9, "expected a value"),
        ("kind eq -", 9, "expected a value"),
        ("kind eq 1e999", 9, "expected a value"),
        ("kind eq \"red", 9, "the text in quotes does not end"),
        ("kind eq \"\\x\"", 9, "the text in quotes does not end"),
        ("kind gt true", 9, "only numbers and texts"),
        ("kind eq 1 kind", 11, "expected and, or, or the end"),
        ("(kind eq 1", 11, "expected ) here"),
        ("kind eq 1)", 10, "expected and, or, or the end"),
        ("kind in 1", 9, "expected [ and a list"),
        ("kind in [1 2]", 12, "expected , or ]"),
        ("kind in [1,]", 12, "expected a value"),
        ("kind matches x", 14, "expected a regular expression"),
        ("kind matches \"(\"", 14, "the regular expression is none"),
        ("kind matches \"[0-9]{9999999}\"", 14, "the regular expression is none"),
        ("payload. eq 1", 9, "expected a name after the dot"),
        ("é eq 1", 1, "expected a field"),
        ("kind eq \"é\" é", 13, "expected and, or"),
        (&*flat, 961, "it has more than 64 comparisons"),
        (&*long, 138, "the list has more than 64 values"),
        (&*" ".repeat(4097), 1, "it has 4097 bytes"),
        (
            &*format!("{}kind exists", "not ".repeat(17)),
            65,
            "it lies more than 16 deep",
        ),
        (
            &*format!("{}kind exists", "(".repeat(17)),
            17,
            "it lies more than 16 deep",
        ),
    ] {
        let error = Filter::new(text).unwrap_err();
        assert!(error.problem.starts_with(problem), "{text}: {error}");
        assert_eq!(error.column, column, "{text}: {error}");
    }
    let deep = format!("{}kind exists{}", "(".repeat(16), ")".repeat(16));
    assert!(Filter::new(&deep).is_ok());
}

#[test]
fn a_long_filter_is_shown_around_its_fault() {
    let text = format!("{}kind is 1", "kind exists and ".repeat(20));
    let told = Filter::new(&text).unwrap_err().to_string();
    let lines: Vec<_> = told.lines().collect();
    assert!(lines[0].starts_with("column 326 "), "{told}");
    assert_eq!(
        (lines[1].trim_start().len() <= 60, lines[2].len()),
        (true, 33),
        "{told}"
    );
    assert_eq!(&lines[1][32..34], "is");
}

// ---- properties ----

fn name() -> impl Strategy<Value = Field> {
    prop_oneof![
        prop::sample::select(Name::ALL.to_vec()).prop_map(|(name, _)| Field::Envelope(name)),
        prop::collection::vec(prop_oneof!["[a-z0-9_-]{1,4}", ".{0,4}"], 0..3).prop_map(Field::Payload),
    ]
}

fn plain_number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has finite ones", |number| number.is_finite())
            .prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        plain_number(),
        ".{0,6}".prop_map(Value::from),
    ]
}

fn comparison() -> impl Strategy<Value = Comparison> {
    let relation = prop::sample::select(Relation::ALL.to_vec()).prop_map(|(relation, _)| relation);
    let ordered = prop_oneof![plain_number(), ".{0,6}".prop_map(Value::from)];
    prop_oneof![
        value().prop_map(Comparison::Equal),
        value().prop_map(Comparison::NotEqual),
        (relation, ordered).prop_map(|(relation, value)| Comparison::Order(relation, value)),
        prop::collection::vec(value(), 0..4).prop_map(Comparison::In),
        value().prop_map(Comparison::Contains),
        "[a-z]{1,3}(\\[0-9\\]|\"|\\\\\\\\)?\\$?".prop_map(|text| Comparison::Matches(Expression::new(&text).unwrap())),
        Just(Comparison::Exists),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    let leaf = (name(), comparison()).prop_map(|(field, comparison)| Condition::Compare(field, comparison));
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Condition::All),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Condition::Any),
            inner.prop_map(|part| Condition::Not(Box::new(part))),
        ]
    })
}

proptest! {
    #[test]
    fn a_filter_is_read_as_it_is_printed(condition in condition()) {
        let text = condition.to_string();
        prop_assume!(text.len() <= FILTER_LENGTH_MAX);
        prop_assert_eq!(parse(&text).unwrap_or_else(|error| panic!("{error}")), condition);
    }

    #[test]
    fn any_text_is_a_filter_or_refused_within_itself(text in ".{0,80}") {
        if let Err(error) = parse(&text) {
            prop_assert!(error.column >= 1 && error.column <= text.chars().count() + 1);
        }
    }
}

const TOKENS: [&str; 24] = [
    "payload",
    ".",
    "kind",
    " eq ",
    " ne ",
    " gt ",
    " le ",
    " in ",
    " contains ",
    " matches ",
    " exists ",
    "(",
    ")",
    "[",
    "]",
    ",",
    "\"",
    " and ",
    " or ",
    "not ",
    "1e308",
    "-0",
    "null",
    "\\u0000",
];

#[test]
fn a_filter_is_printed_with_no_more_quotes_and_parentheses_than_it_needs() {
    for text in [
        "payload.a-b_1.\"odd key\" eq 1",
        "not kind eq \"k\"",
        "not (kind eq \"k\" or from eq \"x\")",
        "not (kind eq \"k\" and (from eq \"x\" or from eq \"y\"))",
    ] {
        assert_eq!(Filter::new(text).unwrap().to_string(), text);
        assert_eq!(format!("{:?}", Filter::new(text).unwrap()), format!("Filter({text})"));
    }
    let [one, other] = ["a", "b"].map(|text| Filter::new(&format!("kind matches \"{text}\"")).unwrap());
    assert!(one == one.clone() && one != other);
}

#[test]
fn a_filter_may_be_as_long_as_the_limit_and_no_longer() {
    let of_length = |length: usize| format!("kind eq \"{}\"", "k".repeat(length - 10));
    assert!(Filter::new(&of_length(FILTER_LENGTH_MAX)).is_ok());
    let error = Filter::new(&of_length(FILTER_LENGTH_MAX + 1)).unwrap_err();
    assert_eq!(error.problem, "it has 4097 bytes; shorten it to 4096 or fewer");
}

#[test]
fn fuzzed_filters_are_printed_and_read_again_as_they_are_or_refused_in_words() {
    fuzz("filters", &TOKENS, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return false;
        };
        match Filter::new(text) {
            Ok(filter) => {
                let _holds = filter.accepts(&envelope(&json!({"a": [1, "x"], "b": null})));
                let printed = filter.to_string();
                if printed.len() <= FILTER_LENGTH_MAX {
                    assert_eq!(Filter::new(&printed).unwrap(), filter, "{printed}");
                }
                true
            }
            Err(error) => {
                assert!(!error.problem.is_empty() && error.to_string().len() <= 4096, "{error}");
                false
            }
        }
    });
}
