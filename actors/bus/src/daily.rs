//! Times of day, at which something is published again and again.
//!
//! ```text
//! 06:30                          each day, UTC
//! 06:30,18:00 mon-fri            on some days
//! 06:30 sat,sun +02:00           by another offset from UTC
//! ```
//!
//! An offset is fixed: there is no summer time in it, so that each day has each time once, and no table of zones is needed that
//! somebody would have to keep up to date. Crates for cron bring such tables with them, seconds, and texts that few can read.

use std::fmt;
use std::str::FromStr;

use crate::envelope::Timestamp;

const MINUTES_A_DAY: i64 = 24 * 60;
const MICROS_A_MINUTE: i64 = 60_000_000;
/// The first of January 1970 was a Thursday; weeks begin with Monday.
const FIRST_WEEKDAY: i64 = 3;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// The largest offset from UTC, in minutes.
const OFFSET_MAX: i64 = 14 * 60;
/// The longest text.
const LENGTH_MAX: usize = 512;

/// Times of day, on days of the week, by an offset from UTC. It is read from a text, and printed as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daily {
    /// Minutes of a day, rising; at least one.
    minutes: Vec<i64>,
    /// From Monday; at least one.
    days: [bool; 7],
    /// Minutes that clocks there are ahead of UTC.
    offset: i64,
}

/// A text that says no times of day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} says no times of day: {fault}; write them as in \"06:30,18:00 mon-fri +02:00\"")]
pub struct DailyError {
    /// The text, shortened where it is long.
    pub text: String,
    /// What is wrong.
    pub fault: &'static str,
}

impl Daily {
    /// Reads times of day.
    pub fn new(text: &str) -> Result<Self, DailyError> {
        read(text).map_err(|fault| DailyError {
            text: text.chars().take(64).collect(),
            fault,
        })
    }

    /// The first such time after `time`.
    pub fn after(&self, time: Timestamp) -> Timestamp {
        let micros = i64::try_from(time.0).unwrap_or(i64::MAX / 2);
        // Of the minute that has begun all that comes after it is later.
        let minute = micros.div_euclid(MICROS_A_MINUTE) + self.offset;
        let today = minute.div_euclid(MINUTES_A_DAY);
        let later = (today..today + 8)
            .filter(|day| self.has_day(*day))
            .flat_map(|day| self.minutes.iter().map(move |minute| day * MINUTES_A_DAY + minute))
            .find(|candidate| *candidate > minute)
            .unwrap_or(minute + 7 * MINUTES_A_DAY);
        let micros = (later - self.offset).saturating_mul(MICROS_A_MINUTE);
        Timestamp(u64::try_from(micros).unwrap_or_default())
    }

    fn has_day(&self, day: i64) -> bool {
        let weekday = (day + FIRST_WEEKDAY).rem_euclid(7);
        usize::try_from(weekday).is_ok_and(|weekday| self.days.get(weekday).copied().unwrap_or(false))
    }
}

fn read(text: &str) -> Result<Daily, &'static str> {
    if text.len() > LENGTH_MAX {
        return Err("it has more than 512 bytes");
    }
    let mut words = text.split_whitespace();
    let times = words.next().ok_or("it is empty")?;
    let minutes: Result<Vec<_>, _> = times.split(',').map(clock).collect();
    let mut minutes = minutes?;
    minutes.sort_unstable();
    minutes.dedup();
    let mut daily = Daily {
        minutes,
        days: [true; 7],
        offset: 0,
    };
    let mut word = words.next();
    if let Some(days) = word.filter(|word| word.starts_with(|first: char| first.is_ascii_lowercase())) {
        daily.days = read_days(days)?;
        word = words.next();
    }
    if let Some(offset) = word {
        daily.offset = read_offset(offset)?;
    }
    match words.next() {
        Some(_) => Err("something follows the offset"),
        None => Ok(daily),
    }
}

fn clock(text: &str) -> Result<i64, &'static str> {
    let wrong = "a time is not two digits, a colon and two digits from 00:00 to 23:59";
    let minutes = minutes(text).ok_or(wrong)?;
    if minutes < MINUTES_A_DAY {
        Ok(minutes)
    } else {
        Err(wrong)
    }
}

/// `hh:mm` in minutes.
fn minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| {
        let is_two_digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_two_digits.then(|| text.parse::<i64>().ok()).flatten()
    };
    let minutes = number(minutes).filter(|minutes| *minutes < 60)?;
    Some(number(hours)? * 60 + minutes)
}

fn read_days(text: &str) -> Result<[bool; 7], &'static str> {
    let mut days = [false; 7];
    let place = |word: &str| DAYS.iter().position(|day| *day == word);
    for part in text.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (Some(from), Some(to)) = (place(from), place(to)) else {
            return Err("a day is none of mon, tue, wed, thu, fri, sat and sun");
        };
        // From Friday to Monday is over the weekend.
        let count = (to + 7 - from) % 7;
        for day in from..=from + count {
            if let Some(day) = days.get_mut(day % 7) {
                *day = true;
            }
        }
    }
    Ok(days)
}

fn read_offset(text: &str) -> Result<i64, &'static str> {
    let wrong = "an offset is not Z, or + or - and hours and minutes up to 14:00";
    if text == "Z" {
        return Ok(0);
    }
    let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(rest), _) => (1, rest),
        (_, Some(rest)) => (-1, rest),
        _ => return Err(wrong),
    };
    let offset = minutes(rest).filter(|minutes| *minutes <= OFFSET_MAX);
    offset.map(|minutes| sign * minutes).ok_or(wrong)
}

impl fmt::Display for Daily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (minute, number) in self.minutes.iter().zip(0..) {
            let comma = if number > 0 { "," } else { "" };
            write!(f, "{comma}{:02}:{:02}", minute / 60, minute % 60)?;
        }
        if self.days != [true; 7] {
            let days = DAYS.iter().zip(self.days).filter(|(_, is_one)| *is_one);
            let days: Vec<_> = days.map(|(day, _)| *day).collect();
            write!(f, " {}", days.join(","))?;
        }
        match self.offset {
            0 => f.write_str(" Z"),
            offset => {
                let sign = if offset < 0 { '-' } else { '+' };
                let ahead = offset.abs();
                write!(f, " {sign}{:02}:{:02}", ahead / 60, ahead % 60)
            }
        }
    }
}

impl FromStr for Daily {
    type Err = DailyError;

    fn from_str(text: &str) -> Result<Self, DailyError> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Minutes since the beginning of 1970.
    fn at(minutes: u64) -> Timestamp {
        Timestamp(minutes * 60_000_000)
    }

    fn daily(text: &str) -> Daily {
        Daily::new(text).unwrap_or_else(|error| panic!("{error}"))
    }

    const DAY: u64 = 24 * 60;
    /// Monday, 5 January 1970.
    const MONDAY: u64 = 4 * DAY;

    #[test]
    fn the_next_time_is_found_over_days_weeks_and_offsets() {
        for (text, after, expected) in [
            ("06:30", MONDAY, MONDAY + 390),
            ("06:30", MONDAY + 389, MONDAY + 390),
            ("06:30", MONDAY + 390, MONDAY + DAY + 390),
            ("18:00,06:30", MONDAY + 390, MONDAY + 1080),
            ("00:00", MONDAY, MONDAY + DAY),
            ("06:30 mon", MONDAY + 390, MONDAY + 7 * DAY + 390),
            ("06:30 wed", MONDAY, MONDAY + 2 * DAY + 390),
            ("06:30 sat-mon", MONDAY + DAY, MONDAY + 5 * DAY + 390),
            ("06:30 mon-fri", MONDAY + 4 * DAY + 391, MONDAY + 7 * DAY + 390),
            ("06:30 +02:00", MONDAY, MONDAY + 270),
            ("01:00 mon +02:00", MONDAY - DAY, MONDAY - 60),
            ("23:00 sun -02:00", MONDAY, MONDAY + 60),
        ] {
            assert_eq!(daily(text).after(at(after)), at(expected), "{text} {after}");
        }
        let almost = Timestamp(at(MONDAY + 390).0 - 1);
        assert_eq!(daily("06:30").after(almost), at(MONDAY + 390));
    }

    #[test]
    fn times_are_read_as_they_are_printed_and_refused_in_words() {
        for (text, printed) in [
            ("18:00,06:30,18:00", "06:30,18:00 Z"),
            ("06:30 mon-wed,sun +00:00", "06:30 mon,tue,wed,sun Z"),
            (" 06:30  fri-mon -05:30 ", "06:30 mon,fri,sat,sun -05:30"),
            ("06:30 mon-sun +14:00", "06:30 mon,tue,wed,thu,fri,sat,sun +14:00"),
        ] {
            let read = daily(text);
            if text.contains("mon-sun") {
                assert_eq!(read.to_string(), "06:30 +14:00", "all days are no days");
            } else {
                assert_eq!(read.to_string(), printed);
            }
            assert_eq!(daily(&read.to_string()), read);
        }
        let times = "a time is not two digits, a colon and two digits from 00:00 to 23:59";
        let day = "a day is none of mon, tue, wed, thu, fri, sat and sun";
        let offset = "an offset is not Z, or + or - and hours and minutes up to 14:00";
        for (text, fault) in [
            ("", "it is empty"),
            ("6:30", times),
            ("24:00", times),
            ("06:60", times),
            ("+6:30", times),
            ("06:30,", times),
            ("06:30 monday", day),
            ("06:30 mon-", day),
            ("06:30 Mon", offset),
            ("06:30 +14:01", offset),
            ("06:30 02:00", offset),
            ("06:30 mon Z Z", "something follows the offset"),
        ] {
            assert_eq!(Daily::new(text).map_err(|error| error.fault), Err(fault), "{text}");
        }
        assert_eq!(Daily::new(&"x".repeat(513)).unwrap_err().text.len(), 64);
    }

    proptest! {
        #[test]
        fn no_such_time_lies_between(
            minutes in prop::collection::vec(0..MINUTES_A_DAY, 1..4),
            days in prop::array::uniform7(any::<bool>()),
            offset in -OFFSET_MAX..=OFFSET_MAX,
            from in 2_000..40_000u64,
        ) {
            prop_assume!(days.contains(&true));
            let mut minutes = minutes;
            minutes.sort_unstable();
            minutes.dedup();
            let daily = Daily { minutes, days, offset };
            let is_one = |minute: u64| {
                let local = i64::try_from(minute).unwrap() + offset;
                let weekday = usize::try_from((local.div_euclid(MINUTES_A_DAY) + 3) % 7).unwrap();
                daily.minutes.contains(&local.rem_euclid(MINUTES_A_DAY)) && daily.days[weekday]
            };
            let expected = (from + 1..=from + 8 * DAY).find(|minute| is_one(*minute)).unwrap();
            prop_assert_eq!(daily.after(at(from)), at(expected));
            prop_assert_eq!(Daily::new(&daily.to_string()).unwrap(), daily);
        }
    }
}
