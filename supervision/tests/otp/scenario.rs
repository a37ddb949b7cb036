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
    Dynamic,
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

const STEPS: u64 = 12;
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

    fn listed(&mut self, auto: Auto) -> (Vec<Part>, Vec<Step>) {
        let count = self.of(&[1, 2, 3, 3, 4, 4]);
        let parts = NAMES[..count].iter().map(|name| self.part(name, auto)).collect();
        let steps = (0..STEPS).map(|_| self.step(&NAMES[..=count], auto));
        (parts, steps.collect())
    }

    fn dynamic(&mut self) -> (Vec<Part>, Vec<Step>) {
        let like = self.part("like", Auto::Never);
        let steps = (0..STEPS).map(|number| self.dynamic_step(&like, number)).collect();
        (vec![like], steps)
    }

    /// What happens to a dynamic supervisor, whose children are all as `like`.
    fn dynamic_step(&mut self, like: &Part, number: u64) -> Step {
        let name = format!("n{}", self.0.below(number + 1));
        match self.0.below(10) {
            0..=3 => Step::Add(Part {
                name: format!("n{number}"),
                starts: self.dynamic_starts(),
                ..like.clone()
            }),
            4..=6 => self.end(name),
            7 | 8 => Step::Terminate(name),
            _ => self.of(&[Step::Restart, Step::Delete])(name),
        }
    }

    /// Nobody declines a restart: of one who does, OTP 25 keeps a child without a process, and crashes when it stops.
    fn dynamic_starts(&mut self) -> Vec<Outcome> {
        let mut starts = self.part("", Auto::Never).starts;
        for later in starts.iter_mut().skip(1).filter(|start| **start == Outcome::Ignore) {
            *later = Outcome::Fail;
        }
        starts
    }

    fn end(&mut self, name: String) -> Step {
        Step::End(name, self.of(&[End::Normal, End::Error, End::Error, End::Kill]))
    }

    fn step(&mut self, names: &[&str], auto: Auto) -> Step {
        let name = self.of(names).to_owned();
        match self.0.below(12) {
            0..=5 => self.end(name),
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
        let order = draw.of(&[Order::OneForOne, Order::OneForAll, Order::RestForOne, Order::Dynamic]);
        let auto = match order {
            Order::Dynamic => Auto::Never,
            _ => draw.of(&[Auto::Never, Auto::Never, Auto::AnySignificant, Auto::AllSignificant]),
        };
        let (parts, steps) = match order {
            Order::Dynamic => draw.dynamic(),
            _ => draw.listed(auto),
        };
        Self {
            above: draw.of(&[0, 1, 2]),
            keep: draw.of(&[Keep::Permanent, Keep::Temporary]),
            order,
            restarts: draw.of(&[0, 1, 2, 3, 5]),
            auto,
            parts,
            steps,
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
    Order { OneForOne => "one_for_one", OneForAll => "one_for_all", RestForOne => "rest_for_one", Dynamic => "simple_one_for_one" }
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
