//! What of a JSON text would not be kept as it stands: numbers that none of 64 bits is, and names that stand twice.

use std::collections::HashSet;

use serde::de::{Error as _, MapAccess};
use serde_json::Value;

use crate::walk::{Walk, Walker, walk};

/// What would be changed silently, in words; nothing where all is kept. What is no JSON is somebody else's to refuse.
pub(crate) fn fault(text: &str) -> Option<String> {
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    if !is_json {
        return None;
    }
    let number = numbers(text).find(|number| !is_kept(number));
    if let Some(number) = number {
        let shown: String = number.chars().take(40).collect();
        return Some(format!(
            "the number {shown} would not be kept as it stands; write it in quotes, as text"
        ));
    }
    let unique = walk(text, &mut Names);
    unique.err().map(|fault| fault.to_string())
}

/// The numbers of a JSON text, as they stand in it.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let (mut is_in_text, mut is_escaped) = (false, false);
    let is_between = move |letter: char| {
        if is_in_text {
            is_in_text = is_escaped || letter != '"';
            is_escaped = !is_escaped && letter == '\\';
            return true;
        }
        is_in_text = letter == '"';
        !(letter.is_ascii_digit() || matches!(letter, '-' | '+' | '.' | 'e' | 'E'))
    };
    // `true` and `false` leave an `e` behind.
    text.split(is_between)
        .filter(|number| number.contains(|letter: char| letter.is_ascii_digit()))
}

fn is_kept(number: &str) -> bool {
    let kept = serde_json::from_str::<Value>(number);
    kept.is_ok_and(|kept| digits(&kept.to_string()) == digits(number))
}

/// The digits that matter, and where the point stands before them: alike for the same number, however it is written.
fn digits(number: &str) -> (String, i64) {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [whole.trim_start_matches('-'), part].concat();
    let behind = all.trim_start_matches('0');
    let exponent: i64 = exponent.parse().unwrap_or(i64::MAX);
    let point =
        exponent.saturating_add(i64::try_from(behind.len()).unwrap_or(0) - i64::try_from(part.len()).unwrap_or(0));
    match behind.trim_end_matches('0') {
        "" => (String::new(), 0),
        digits => (digits.to_owned(), point),
    }
}

/// Refuses an object that has a name twice.
struct Names;

impl Walker for Names {
    fn object<'de, A: MapAccess<'de>>(&mut self, mut fields: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = fields.next_key::<String>()? {
            fields.next_value_seed(Walk(self))?;
            if let Some(name) = names.replace(name) {
                let fault =
                    format!("the name {name:?} stands twice in one object, and only one would be kept; leave one out");
                return Err(A::Error::custom(fault));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_kept_as_it_stands_has_no_fault() {
        for text in [
            "0",
            "-0",
            "1.5",
            "1.50",
            "1e2",
            "100",
            "1.0e2",
            "-12E-3",
            "18446744073709551615",
            "-9223372036854775808",
            "0.1",
            "1e400x",
            "1e22",
            r#"{"a":[1,2,{"a":true}],"b":{"a":false}}"#,
            r#""1e400""#,
            r#""a \"1e400 \\""#,
            "[]",
            "null",
            "{",
            r#"{"e":"-","\"":1}"#,
        ] {
            assert_eq!(fault(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_that_64_bits_do_not_hold_are_named() {
        for number in [
            "1e400",
            "-1e400",
            "1e-400",
            "12345678901234567890123",
            "18446744073709551616",
            "0.12345678901234567890",
            "9007199254740993.0",
        ] {
            let said = fault(&format!(r#"{{"a":["x",{number}]}}"#)).unwrap_or_default();
            assert!(
                said.starts_with(&format!("the number {number} would not be kept")),
                "{number}: {said}"
            );
        }
    }

    #[test]
    fn a_name_that_stands_twice_is_named_however_it_is_written() {
        for text in [r#"{"a":1,"b":2,"a":1}"#, r#"[{"x":{"a":1,"\u0061":2}}]"#] {
            let said = fault(text).unwrap_or_default();
            assert!(said.contains("\"a\" stands twice"), "{text}: {said}");
        }
    }

    proptest! {
        #[test]
        fn all_that_numbers_of_64_bits_are_printed_as_is_kept(whole in any::<i64>(), part in any::<f64>()) {
            prop_assert_eq!(fault(&whole.to_string()), None);
            if let Some(number) = serde_json::Number::from_f64(part) {
                prop_assert_eq!(fault(&number.to_string()), None);
            }
        }
    }
}
