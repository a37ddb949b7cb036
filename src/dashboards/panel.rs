//! Panels: what is drawn, and how.

use super::json::{Json, list, object};
use super::query::Query;

/// How a panel draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Stat,
    Lines,
    Stack,
    Bars,
    Table,
    Heatmap,
    States,
}

/// What a value is a number of, in Grafana's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Count,
    PerSecond,
    Seconds,
    Bytes,
    BytesPerSecond,
    Share,
    Moment,
    Factor,
}

/// Colours that mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Green,
    Yellow,
    Red,
    Blue,
    Grey,
}

/// From which value on which colour holds; the first step's value is not looked at.
pub(super) type Steps = &'static [(f64, Colour)];

/// Words in place of values.
pub(super) type Words = &'static [(u32, &'static str, Colour)];

/// Nothing to worry about, whatever the value.
pub(super) const PLAIN: Steps = &[(0.0, Colour::Blue)];

/// A panel of a board.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    pub shape: Shape,
    pub title: &'static str,
    pub description: &'static str,
    pub unit: Unit,
    /// Columns of 24.
    pub width: u32,
    pub height: u32,
    pub queries: Vec<Query>,
    pub steps: Steps,
    pub words: Words,
    /// The columns of a table, in the order of its queries: after the label whose values the rows are.
    pub columns: &'static [&'static str],
}

/// Where a panel lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub x: u32,
    pub y: u32,
}

impl Panel {
    fn new(shape: Shape, title: &'static str, description: &'static str, unit: Unit, queries: Vec<Query>) -> Self {
        let (width, height) = match shape {
            Shape::Stat => (3, 4),
            Shape::Table => (24, 9),
            _ => (8, 8),
        };
        Self {
            shape,
            title,
            description,
            unit,
            width,
            height,
            queries,
            steps: PLAIN,
            words: &[],
            columns: &[],
        }
    }

    /// One coloured number.
    pub(super) fn stat(title: &'static str, description: &'static str, unit: Unit, query: Query, steps: Steps) -> Self {
        Self {
            steps,
            ..Self::new(Shape::Stat, title, description, unit, vec![query])
        }
    }

    /// Lines over time.
    pub(super) fn lines(title: &'static str, description: &'static str, unit: Unit, queries: Vec<Query>) -> Self {
        Self::new(Shape::Lines, title, description, unit, queries)
    }

    /// Lines over time, one upon the other.
    pub(super) fn stack(title: &'static str, description: &'static str, unit: Unit, query: Query) -> Self {
        Self::new(Shape::Stack, title, description, unit, vec![query])
    }

    /// Values of now, as bars.
    pub(super) fn bars(title: &'static str, description: &'static str, unit: Unit, query: Query, steps: Steps) -> Self {
        Self {
            steps,
            ..Self::new(Shape::Bars, title, description, unit, vec![query])
        }
    }

    /// A row for each value of a label, a column for each query.
    pub(super) fn table(
        title: &'static str,
        description: &'static str,
        columns: &'static [&'static str],
        queries: Vec<Query>,
    ) -> Self {
        Self {
            columns,
            ..Self::new(Shape::Table, title, description, Unit::Count, queries)
        }
    }

    /// How many fell into which bucket, over time.
    pub(super) fn heatmap(title: &'static str, description: &'static str, query: Query) -> Self {
        Self::new(Shape::Heatmap, title, description, Unit::Seconds, vec![query])
    }

    /// Which state held when.
    pub(super) fn states(
        title: &'static str,
        description: &'static str,
        query: Query,
        words: Words,
        steps: Steps,
    ) -> Self {
        Self {
            steps,
            words,
            ..Self::new(Shape::States, title, description, Unit::Count, vec![query])
        }
    }

    /// The same, in another size.
    pub(super) fn sized(self, width: u32, height: u32) -> Self {
        Self { width, height, ..self }
    }

    /// The same, with words in place of values.
    pub(super) fn worded(self, words: Words) -> Self {
        Self { words, ..self }
    }

    /// As Grafana reads it.
    pub(super) fn json(&self, id: u32, place: Place) -> Json {
        object([
            ("id", id.into()),
            ("type", self.shape.kind().into()),
            ("title", self.title.into()),
            ("description", self.description.into()),
            ("datasource", datasource()),
            ("gridPos", grid(place, self.width, self.height)),
            ("fieldConfig", self.fields()),
            ("options", self.options()),
            ("targets", list(self.targets())),
            ("transformations", self.transformations()),
        ])
    }

    fn targets(&self) -> impl Iterator<Item = Json> + '_ {
        let instant = matches!(self.shape, Shape::Stat | Shape::Bars | Shape::Table);
        let format = match self.shape {
            Shape::Table => "table",
            Shape::Heatmap => "heatmap",
            _ => "time_series",
        };
        self.queries.iter().zip('A'..='Z').map(move |(query, letter)| {
            object([
                ("refId", letter.to_string().into()),
                ("datasource", datasource()),
                ("editorMode", "code".into()),
                ("expr", query.expr.as_str().into()),
                ("legendFormat", query.legend.into()),
                ("format", format.into()),
                ("instant", instant.into()),
                ("range", (!instant).into()),
            ])
        })
    }

    fn fields(&self) -> Json {
        let mode = match self.shape {
            Shape::Lines | Shape::Stack => "palette-classic",
            _ => "thresholds",
        };
        let mut defaults = vec![
            ("unit", self.unit.word().into()),
            ("noValue", "no data".into()),
            ("color", object([("mode", mode.into())])),
            ("custom", self.drawing()),
            ("thresholds", thresholds(self.steps)),
            ("mappings", mappings(self.words)),
        ];
        if !matches!(self.unit, Unit::Moment) {
            defaults.push(("min", 0_u32.into()));
        }
        if self.unit == Unit::Share && self.shape == Shape::Bars {
            defaults.push(("max", 1_u32.into()));
        }
        object([
            ("defaults", Json::Object(defaults)),
            ("overrides", list(self.overrides())),
        ])
    }

    // The columns of a table are of several units, which their names tell.
    fn overrides(&self) -> impl Iterator<Item = Json> + '_ {
        let unit_of = |column: &str| {
            if column.ends_with("(s)") {
                Unit::Seconds
            } else {
                Unit::Count
            }
        };
        self.columns.iter().skip(1).map(move |column| {
            object([
                (
                    "matcher",
                    object([("id", "byName".into()), ("options", (*column).into())]),
                ),
                (
                    "properties",
                    list([object([
                        ("id", "unit".into()),
                        ("value", unit_of(column).word().into()),
                    ])]),
                ),
            ])
        })
    }

    fn drawing(&self) -> Json {
        match self.shape {
            Shape::Lines | Shape::Stack => {
                let is_stack = self.shape == Shape::Stack;
                let (fill, mode) = if is_stack { (30_u32, "normal") } else { (8, "none") };
                object([
                    ("drawStyle", "line".into()),
                    ("lineWidth", 1_u32.into()),
                    ("fillOpacity", fill.into()),
                    ("showPoints", "never".into()),
                    ("spanNulls", false.into()),
                    ("stacking", object([("group", "A".into()), ("mode", mode.into())])),
                ])
            }
            Shape::States => object([("lineWidth", 0_u32.into()), ("fillOpacity", 80_u32.into())]),
            _ => object([]),
        }
    }

    fn options(&self) -> Json {
        match self.shape {
            Shape::Stat => object([
                ("colorMode", "background".into()),
                ("graphMode", "none".into()),
                ("textMode", "value".into()),
                ("reduceOptions", last()),
            ]),
            Shape::Lines | Shape::Stack => object([
                (
                    "legend",
                    object([
                        ("displayMode", "list".into()),
                        ("placement", "bottom".into()),
                        ("showLegend", true.into()),
                        ("calcs", list([])),
                    ]),
                ),
                ("tooltip", object([("mode", "multi".into()), ("sort", "desc".into())])),
            ]),
            Shape::Bars => object([
                ("displayMode", "basic".into()),
                ("orientation", "horizontal".into()),
                ("showUnfilled", true.into()),
                ("reduceOptions", last()),
            ]),
            Shape::Table => object([("showHeader", true.into()), ("cellHeight", "sm".into())]),
            Shape::Heatmap => object([
                ("calculate", false.into()),
                (
                    "color",
                    object([
                        ("mode", "scheme".into()),
                        ("scheme", "Oranges".into()),
                        ("exponent", 0.5.into()),
                        ("steps", 64_u32.into()),
                    ]),
                ),
                (
                    "yAxis",
                    object([("unit", "s".into()), ("axisPlacement", "left".into())]),
                ),
                ("cellGap", 1_u32.into()),
                (
                    "tooltip",
                    object([("mode", "single".into()), ("yHistogram", true.into())]),
                ),
            ]),
            Shape::States => object([
                ("mergeValues", true.into()),
                ("showValue", "auto".into()),
                ("rowHeight", 0.9.into()),
                ("legend", object([("showLegend", false.into())])),
            ]),
        }
    }

    // Each query of a table brings a column called Value; joined by their label, they get the names of the columns.
    fn transformations(&self) -> Json {
        let Some(key) = self.columns.first() else {
            return list([]);
        };
        let columns = self.columns.iter().skip(1).zip(VALUES);
        let names = columns.map(|(column, value)| (value, (*column).into())).collect();
        list([
            object([
                ("id", "joinByField".into()),
                (
                    "options",
                    object([("byField", (*key).into()), ("mode", "outer".into())]),
                ),
            ]),
            object([
                ("id", "filterFieldsByName".into()),
                (
                    "options",
                    object([("include", object([("pattern", format!("^({key}|Value.*)$").into())]))]),
                ),
            ]),
            object([
                ("id", "organize".into()),
                (
                    "options",
                    object([
                        ("excludeByName", object([])),
                        ("indexByName", object([])),
                        ("renameByName", Json::Object(names)),
                    ]),
                ),
            ]),
        ])
    }
}

const VALUES: [&str; 10] = [
    "Value #A", "Value #B", "Value #C", "Value #D", "Value #E", "Value #F", "Value #G", "Value #H", "Value #I",
    "Value #J",
];

/// The data source that the reader chose.
pub(super) fn datasource() -> Json {
    object([("type", "prometheus".into()), ("uid", "${datasource}".into())])
}

/// A place with its extent.
pub(super) fn grid(Place { x, y }: Place, width: u32, height: u32) -> Json {
    object([
        ("x", x.into()),
        ("y", y.into()),
        ("w", width.into()),
        ("h", height.into()),
    ])
}

fn last() -> Json {
    object([
        ("calcs", list(["lastNotNull".into()])),
        ("fields", "".into()),
        ("values", false.into()),
    ])
}

fn thresholds(steps: Steps) -> Json {
    let step = |(index, (value, colour)): (usize, &(f64, Colour))| {
        let value = if index == 0 { Json::Null } else { (*value).into() };
        object([("color", colour.word().into()), ("value", value)])
    };
    object([
        ("mode", "absolute".into()),
        ("steps", list(steps.iter().enumerate().map(step))),
    ])
}

/// Without it, what is unknown would have the colour of the first step, which is often green.
fn unknown() -> Json {
    let shown = object([("text", "no data".into()), ("color", Colour::Grey.word().into())]);
    let options = object([("match", "null+nan".into()), ("result", shown)]);
    object([("type", "special".into()), ("options", options)])
}

fn mappings(words: Words) -> Json {
    let word = |(value, word, colour): &(u32, &str, Colour)| {
        let shown = object([("text", (*word).into()), ("color", colour.word().into())]);
        let range = object([("from", (*value).into()), ("to", (*value).into()), ("result", shown)]);
        object([("type", "range".into()), ("options", range)])
    };
    list(words.iter().map(word).chain([unknown()]))
}

impl Shape {
    const fn kind(self) -> &'static str {
        match self {
            Self::Stat => "stat",
            Self::Lines | Self::Stack => "timeseries",
            Self::Bars => "bargauge",
            Self::Table => "table",
            Self::Heatmap => "heatmap",
            Self::States => "state-timeline",
        }
    }
}

impl Unit {
    const fn word(self) -> &'static str {
        match self {
            Self::Count => "short",
            Self::PerSecond => "cps",
            Self::Seconds => "s",
            Self::Bytes => "bytes",
            Self::BytesPerSecond => "binBps",
            Self::Share => "percentunit",
            Self::Moment => "dateTimeFromNow",
            Self::Factor => "none",
        }
    }
}

impl Colour {
    const fn word(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Red => "red",
            Self::Blue => "blue",
            Self::Grey => "#808080",
        }
    }
}
