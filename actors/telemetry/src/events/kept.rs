//! What is kept of events whose file makes way for good: the last of each subject that is still there.

use std::collections::HashMap;

use super::line::Line;

/// So many lines are kept of each.
pub(super) const OF_EACH: usize = 100;

/// Of `lines`, oldest first, the last [`OF_EACH`] of each subject that `is_there`; fewer of each where that is more than so many
/// bytes, and the newest where that does not help.
pub(super) fn distilled(lines: &[u8], bytes_max: usize, is_there: impl Fn(&str) -> bool) -> Vec<u8> {
    let (mut of_each, mut ranked) = (OF_EACH, ranked(lines, is_there));
    loop {
        ranked.retain(|line| line.rank < of_each);
        if of_each == 1 || ranked.iter().map(|line| line.text.len()).sum::<usize>() <= bytes_max {
            break;
        }
        of_each /= 2;
    }
    let mut bytes = 0;
    let newest = ranked.iter().take_while(|line| {
        bytes += line.text.len();
        bytes <= bytes_max
    });
    let mut kept: Vec<_> = newest.map(|line| line.text).collect();
    kept.reverse();
    kept.concat()
}

struct Ranked<'a> {
    text: &'a [u8],
    /// How many newer ones there are of the same subject.
    rank: usize,
}

/// The lines of those who are there, newest first.
fn ranked(lines: &[u8], is_there: impl Fn(&str) -> bool) -> Vec<Ranked<'_>> {
    let mut seen: HashMap<String, Option<usize>> = HashMap::new();
    let lines = lines.split_inclusive(|byte| *byte == b'\n').rev();
    lines
        .filter_map(|text| {
            let subject = Line::read(text)?.subject.into_owned();
            let count = seen.entry(subject);
            let count = count
                .or_insert_with_key(|subject| is_there(subject).then_some(0))
                .as_mut()?;
            *count += 1;
            Some(Ranked { text, rank: *count - 1 })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(subject: &str, number: usize) -> String {
        format!("{{\"time\":\"{number:04}\",\"runtime\":1,\"subject\":\"{subject}\"}}\n")
    }

    fn told(lines: &[u8], subject: &str) -> Vec<usize> {
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let read = lines.map(|line| serde_json::from_slice::<serde_json::Value>(line).unwrap());
        let of_subject = read.filter(|line| line["subject"] == subject);
        of_subject
            .map(|line| line["time"].as_str().unwrap().parse().unwrap())
            .collect()
    }

    #[test]
    fn a_storm_of_one_pushes_out_nothing_of_another() {
        let quiet = (0..3).map(|number| line("team/quiet", number));
        let loud = (3..1000).map(|number| line("team/loud", number));
        let all: String = quiet.chain(loud).collect();
        let kept = distilled(all.as_bytes(), all.len(), |_| true);
        assert_eq!(told(&kept, "team/quiet"), [0, 1, 2]);
        assert_eq!(told(&kept, "team/loud"), (900..1000).collect::<Vec<_>>());
        assert_eq!(distilled(&kept, all.len(), |_| true), kept, "once more changes nothing");
    }

    #[test]
    fn who_is_not_there_any_more_is_forgotten_and_so_is_what_is_no_event() {
        let all = line("team/a", 1) + "{\"time\":\"half\n{\"missed\":1}\n" + &line("team/b", 2);
        let kept = distilled(all.as_bytes(), all.len(), |subject| subject == "team/b");
        assert_eq!(String::from_utf8(kept).unwrap(), line("team/b", 2));
    }

    #[test]
    fn where_there_is_little_room_the_loud_have_less_of_it_and_the_quiet_stay() {
        let quiet = (0..3).map(|number| line("team/quiet", number));
        let loud = (3..1000).map(|number| line("team/loud", number));
        let all: String = quiet.chain(loud).collect();
        let kept = distilled(all.as_bytes(), 40 * line("team/quiet", 0).len(), |_| true);
        assert_eq!(told(&kept, "team/quiet"), [0, 1, 2]);
        assert_eq!(told(&kept, "team/loud"), (975..1000).collect::<Vec<_>>());
    }

    #[test]
    fn where_there_is_no_room_for_all_the_newest_stay() {
        let all: String = (0..50).map(|number| line(&format!("team/{number}"), number)).collect();
        let kept = distilled(all.as_bytes(), 10 * line("team/10", 10).len(), |_| true);
        assert!(all.ends_with(std::str::from_utf8(&kept).unwrap()));
        assert_eq!(kept.split(|byte| *byte == b'\n').count(), 11);
    }
}
