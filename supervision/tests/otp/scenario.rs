//! What is played: drawn from a seed, and written as Erlang reads it.

use std::fmt;

use triarch_supervision::clock::Seeded;

/// What one `start` comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok,
    Ignore,
    Fail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Permanent,
    Transient,
    Temporary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    OneForOne,
    OneForAll,
    RestForOne,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auto {
    Never,
    AnySignificant,
    AllSignificant,
}

#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) keep: Keep,
    pub(crate) is_significant: bool,
    pub(crate) is_brutal: bool,
    /// Of its first starts; the last stands for all that follow.
    pub(crate) starts: Vec<Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Normal,
    Error,
    Kill,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    End(String, End),
    Terminate(String),
    Restart(String),
    Delete(String),
    Add(Part),
}

#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// How many restarts of the supervisor its own supervisor bears, and when it is restarted.
    pub(crate) above: u32,
    pub(crate) keep: Keep,
    pub(crate) order: Order,
    pub(crate) restarts: u32,
    pub(crate) auto: Auto,
    pub(crate) parts: Vec<Part>,
    pub(crate) steps: Vec<Step>,
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

struct Draw(Seeded);

impl Draw {
    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.0.below(all.len() as u64)).unwrap()]
    }

    fn is(&mut self, one_in: u64) -> bool {
        self.0.below(one_in) == 0
    }

    fn part(&mut self, name: &str, auto: Auto) -> Part {
        use Keep::{Permanent, Temporary, Transient};
        let keep = self.of(&[Permanent, Permanent, Transient, Transient, Temporary]);
        let starts = match self.0.below(6) {
            0 => (0..4)
                .map(|_| self.of(&[Outcome::Ok, Outcome::Ok, Outcome::Fail, Outcome::Ignore]))
                .collect(),
            1 => vec![Outcome::Ok, Outcome::Fail, Outcome::Ok],
            _ => vec![Outcome::Ok],
        };
        Part {
            name: name.to_owned(),
            keep,
            is_significant: auto != Auto::Never && keep != Permanent && self.is(2),
            is_brutal: self.is(5),
            starts,
        }
    }

    fn step(&mut self, names: &[&str], auto: Auto) -> Step {
        let name = self.of(names).to_owned();
        match self.0.below(12) {
            0..=5 => Step::End(name, self.of(&[End::Normal, End::Error, End::Error, End::Kill])),
            6 | 7 => Step::Terminate(name),
            8 | 9 => Step::Restart(name),
            10 => Step::Delete(name),
            _ => Step::Add(self.part(&name, auto)),
        }
    }
}

impl Scenario {
    pub(crate) fn of(seed: u64) -> Self {
        let mut draw = Draw(Seeded::new(seed));
        let auto = draw.of(&[Auto::Never, Auto::Never, Auto::AnySignificant, Auto::AllSignificant]);
        let order = draw.of(&[Order::OneForOne, Order::OneForAll, Order::RestForOne]);
        let count = draw.of(&[1, 2, 3, 3, 4, 4]);
        Self {
            above: draw.of(&[0, 1, 2]),
            keep: draw.of(&[Keep::Permanent, Keep::Temporary]),
            order,
            restarts: draw.of(&[0, 1, 2, 3, 5]),
            auto,
            parts: NAMES[..count].iter().map(|name| draw.part(name, auto)).collect(),
            steps: (0..12).map(|_| draw.step(&NAMES[..=count], auto)).collect(),
        }
    }
}

/// A list of Erlang.
struct List<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        write!(f, "[{}]", items.join(","))
    }
}

/// Writes variants as atoms.
macro_rules! atoms {
    ($($type:ident { $($variant:ident => $atom:literal),+ })+) => {
        $(impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $atom),+ })
            }
        })+
    };
}

atoms! {
    Outcome { Ok => "ok", Ignore => "ignore", Fail => "fail" }
    Keep { Permanent => "permanent", Transient => "transient", Temporary => "temporary" }
    Order { OneForOne => "one_for_one", OneForAll => "one_for_all", RestForOne => "rest_for_one" }
    Auto { Never => "never", AnySignificant => "any_significant", AllSignificant => "all_significant" }
    End { Normal => "normal", Error => "error", Kill => "kill" }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            keep,
            is_significant,
            is_brutal,
            starts,
        } = self;
        write!(f, "{{{name},{keep},{is_significant},{is_brutal},{}}}", List(starts))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End(name, end) => write!(f, "{{'end',{name},{end}}}"),
            Self::Terminate(name) => write!(f, "{{terminate,{name}}}"),
            Self::Restart(name) => write!(f, "{{restart,{name}}}"),
            Self::Delete(name) => write!(f, "{{delete,{name}}}"),
            Self::Add(part) => write!(f, "{{add,{part}}}"),
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            above,
            keep,
            order,
            restarts,
            auto,
            ..
        } = self;
        let (parts, steps) = (List(&self.parts), List(&self.steps));
        write!(f, "{{{above},{keep},{order},{restarts},{auto},{parts},{steps}}}.")
    }
}
