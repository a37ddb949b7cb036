"""Panels of a board, each drawn from what its queries bring."""

import itertools
import math
import time

import svg
from asked import called
from svg import box, fitted, number, rule, text, width_of
from values import said, shown, steps_to

HEAD = 30
# Rates are told from samples, so what is about 0 is 0.
NOBODY = 0.01
ORANGES = ["#2a1c14", "#4d2a14", "#7a3c12", "#ad5310", "#de7116", "#f7954b", "#fdc48f"]


class Area:
    """A rectangle that something is drawn into."""

    def __init__(self, x, y, width, height):
        self.x, self.y, self.width, self.height = x, y, width, height
        self.right, self.bottom = x + width, y + height


class Plot(Area):
    """An area with time from left to right, and values from 0 at the bottom to `top`."""

    def __init__(self, corner, size, prometheus, top=1):
        super().__init__(*corner, *size)
        self.begin, self.end, self.step = prometheus.end - prometheus.span, prometheus.end, prometheus.step
        self.top = top

    def across(self, at):
        return self.x + self.width * (at - self.begin) / (self.end - self.begin)

    def place(self, at, value):
        return self.across(at), self.bottom - self.height * value / self.top


def draw(panel, area, prometheus):
    """All of a panel: frame, title and what is in it."""
    kinds = {
        "stat": stat,
        "timeseries": lines,
        "bargauge": bars,
        "table": table,
        "heatmap": heatmap,
        "state-timeline": states,
    }
    inner = Area(area.x + 10, area.y + HEAD, area.width - 20, area.height - HEAD - 8)
    title = text(area.x + 10, area.y + 20, fitted(panel["title"], 13, area.width - 20), 13, weight=500)
    frame = box(area.x, area.y, area.width, area.height, svg.PANEL, 3, svg.BORDER)
    return [frame, title, *kinds[panel["type"]](panel, inner, prometheus)]


def stat(panel, area, prometheus):
    found = [value for target in panel["targets"] for _, value in prometheus.now(target["expr"])]
    words, fill = said(panel["fieldConfig"]["defaults"], found[-1] if found else None)
    size = min(area.height * 0.55, 46, 0.86 * area.width / max(width_of(words, 1), 1))
    middle = area.y + area.height / 2
    return [
        box(area.x - 6, area.y - 2, area.width + 12, area.height + 6, fill, 3),
        text(area.x + area.width / 2, middle + size * 0.36 + 1, words, size, "#ffffff", "middle", 600),
    ]


def moved(panel, prometheus):
    """Names and points of all series of a panel."""
    found = []
    for target in panel["targets"]:
        for labels, points in prometheus.over_time(target["expr"]):
            if points:
                found.append((called(target["legendFormat"], labels), points))
    return sorted(found) if len(panel["targets"]) == 1 else found


def lines(panel, area, prometheus):
    defaults = panel["fieldConfig"]["defaults"]
    is_stack = defaults["custom"]["stacking"]["mode"] == "normal"
    series = moved(panel, prometheus)
    if not series:
        return nothing(area)
    key, height = legend([name for name, _ in series], area)
    drawn = stacked(series) if is_stack else [(points, None) for _, points in series]
    ticks = steps_to(max(value for points, _ in drawn for _, value in points), defaults["unit"])
    plot = Plot((area.x + 52, area.y + 4), (area.width - 56, area.height - height - 26), prometheus, ticks[-1])
    parts = [*scale(plot, ticks, defaults["unit"]), *clock(plot)]
    curves = [curve(plot, points, floor, line_colour(index)) for index, (points, floor) in enumerate(drawn)]
    # What is named first lies on top where lines are, and below where they are stacked.
    return [*parts, *(part for one in reversed(curves) for part in one), *key]


def stacked(series):
    """The points of the series, each upon those before it, and what they stand on."""
    below, found = {}, []
    for _, points in series:
        floor = [(at, below.get(at, 0)) for at, _ in points]
        for at, value in points:
            below[at] = below.get(at, 0) + value
        found.append(([(at, below[at]) for at, _ in points], floor))
    return found


def line_colour(index):
    return svg.LINES[index % len(svg.LINES)]


def curve(plot, points, floor, stroke):
    """A line for each run of points, and what it covers, down to the floor that it stands on."""
    parts = []
    for run in runs(points, plot.step):
        path = svg.path_of([plot.place(at, value) for at, value in run])
        (first, _), (last, _) = run[0], run[-1]
        base = [(at, value) for at, value in floor or [(first, 0), (last, 0)] if first <= at <= last]
        under = svg.without_needless([plot.place(at, value) for at, value in base])
        back = " ".join(f"{number(x)} {number(y)}" for x, y in reversed(under))
        parts.append(f'<path d="{path}L{back}z" fill="{stroke}" opacity="{0.35 if floor else 0.07}"/>')
        parts.append(f'<path d="{path}" fill="none" stroke="{stroke}" stroke-width="1.4" stroke-linejoin="round"/>')
    return parts


def runs(points, step):
    """The points without a gap between them."""
    found = [[points[0]]]
    for before, point in itertools.pairwise(points):
        if point[0] - before[0] > step * 1.5:
            found.append([])
        found[-1].append(point)
    return found


def scale(plot, ticks, unit):
    parts = []
    for tick in ticks:
        _, y = plot.place(plot.end, tick)
        parts += [rule(plot.x, y, plot.right, y), text(plot.x - 6, y + 3.5, shown(tick, unit), 10.5, svg.FAINT, "end")]
    return parts


def clock(plot):
    """Times below, on whole minutes."""
    room = max(2, int(plot.width / 80))
    span = plot.end - plot.begin
    every = next((step for step in (60, 120, 300, 600, 900, 1800, 3600) if span / step <= room), 7200)
    at = math.ceil(plot.begin / every) * every
    parts = []
    while at <= plot.end:
        x = plot.across(at)
        parts.append(rule(x, plot.y, x, plot.bottom))
        if plot.x + 14 < x < plot.right - 12:
            words = time.strftime("%H:%M", time.gmtime(at))
            parts.append(text(x, plot.bottom + 15, words, 10.5, svg.FAINT, "middle"))
        at += every
    return parts


def legend(names, area):
    """Names with their colours at the bottom, in as many lines as they need, three at most; and their height."""
    rows, x = [[]], 0
    for index, name in enumerate(names):
        words = fitted(name, 11, area.width - 24)
        wide = width_of(words, 11) + 30
        if x + wide > area.width and rows[-1]:
            rows.append([])
            x = 0
        rows[-1].append((x, index, words))
        x += wide
    left = sum(len(row) for row in rows[3:])
    parts = []
    for line, row in enumerate(rows[:3]):
        y = area.bottom - 15 * (min(len(rows), 3) - line) + 11
        for x, index, words in row:
            parts.append(box(area.x + x, y - 5, 14, 3, line_colour(index), 1))
            parts.append(text(area.x + x + 19, y, words, 11, svg.TEXT))
    if left:
        parts.append(text(area.right, area.y - 12, f"{left} more names", 10.5, svg.FAINT, "end"))
    return parts, 15 * min(len(rows), 3)


def bars(panel, area, prometheus):
    defaults = panel["fieldConfig"]["defaults"]
    target = panel["targets"][0]
    found = [(called(target["legendFormat"], labels), value) for labels, value in prometheus.now(target["expr"])]
    if not found:
        return nothing(area)
    known = [value for _, value in found if not math.isnan(value)]
    top = defaults.get("max") or max([*known, 1e-9])
    room = min(area.height / len(found), 44)
    names = min(max(width_of(name, 11.5) for name, _ in found) + 10, area.width * 0.45)
    amounts = max(width_of(said(defaults, value)[0], 13) for _, value in found) + 12
    parts = []
    for index, (name, value) in enumerate(found):
        y, high = area.y + room * index + 2, room - 6
        words, fill = said(defaults, value)
        wide = area.width - names - amounts
        share = 0 if math.isnan(value) else min(value / top, 1)
        parts += [
            text(area.x + names - 8, y + high / 2 + 4, fitted(name, 11.5, names - 8), 11.5, svg.TEXT, "end"),
            box(area.x + names, y, wide, high, "#212429", 2),
            box(area.x + names, y, max(wide * share, 1), high, fill, 2),
            text(area.right, y + high / 2 + 4.5, words, 13, fill, "end", 600),
        ]
    return parts


def table(panel, area, prometheus):
    key, columns, units = table_columns(panel)
    rows = {}
    for index, target in enumerate(panel["targets"]):
        for labels, value in prometheus.now(target["expr"]):
            rows.setdefault(labels.get(key, ""), {})[index] = value
    first = area.width * 0.22
    wide = (area.width - first) / len(columns)
    fits = int((area.height - 24) / 22)
    parts = [text(area.x, area.y + 12, key, 11.5, "#6e9fff", weight=600)]
    for index, column in enumerate(columns):
        parts.append(text(area.x + first + wide * (index + 1) - 10, area.y + 12, column, 11.5, "#6e9fff", "end", 600))
    for line, name in enumerate(sorted(rows)[:fits]):
        y = area.y + 24 + 22 * line
        parts += [rule(area.x, y - 3, area.right, y - 3), text(area.x, y + 12, fitted(name, 12, first), 12)]
        for index, column in enumerate(columns):
            value = rows[name].get(index)
            words = "" if value is None else shown(value, units.get(column, "short"))
            parts.append(text(area.x + first + wide * (index + 1) - 10, y + 12, words, 12, svg.TEXT, "end"))
    if len(rows) > fits:
        words = f"{len(rows) - fits} more rows"
        parts.append(text(area.right, area.y - 12, words, 10.5, svg.FAINT, "end"))
    return parts


def table_columns(panel):
    """The label that rows are told apart by, the columns, and the units that some of them have."""
    options = {change["id"]: change["options"] for change in panel["transformations"]}
    overrides = panel["fieldConfig"]["overrides"]
    units = {one["matcher"]["options"]: one["properties"][0]["value"] for one in overrides}
    return options["joinByField"]["byField"], list(options["organize"]["renameByName"].values()), units


def heatmap(panel, area, prometheus):
    bands = bands_of(prometheus.over_time(panel["targets"][0]["expr"]))
    most = max((count for _, counts in bands for count in counts.values()), default=0)
    if most < NOBODY:
        return nothing(area)
    plot = Plot((area.x + 52, area.y + 2), (area.width - 56, area.height - 24), prometheus, len(bands))
    wide, high = plot.width * plot.step / (plot.end - plot.begin), plot.height / len(bands)
    cells, parts = {}, []
    for line, (edge, counts) in enumerate(bands):
        for at, count in counts.items():
            if count > NOBODY and at > plot.begin:
                shade = min(int(math.sqrt(count / most) * len(ORANGES)), len(ORANGES) - 1)
                x, y = plot.place(at - plot.step, line + 1)
                cells.setdefault(ORANGES[shade], []).append(cell(x, y, wide, high))
        words = "more" if math.isinf(edge) else shown(edge, "s")
        _, y = plot.place(plot.end, line + 0.5)
        parts.append(text(plot.x - 6, y + 3.5, words, 10, svg.FAINT, "end"))
    filled = [f'<path d="{"".join(drawn)}" fill="{fill}"/>' for fill, drawn in cells.items()]
    return [*filled, *parts, *clock(plot)]


def cell(x, y, wide, high):
    return f"M{number(x)} {number(y + 0.5)}h{number(wide - 0.5)}v{number(high - 1)}h-{number(wide - 0.5)}z"


def bands_of(found):
    """How many fell between each edge and the one below it, over time; without empty bands at either end."""
    buckets = sorted((float(labels["le"]), dict(points)) for labels, points in found)
    bands, below = [], {}
    for edge, counts in buckets:
        bands.append((edge, {at: count - below.get(at, 0) for at, count in counts.items()}))
        below = counts
    filled = [index for index, (_, counts) in enumerate(bands) if max(counts.values(), default=0) > NOBODY]
    return bands[filled[0] : filled[-1] + 1] if filled else []


def states(panel, area, prometheus):
    defaults = panel["fieldConfig"]["defaults"]
    series = moved(panel, prometheus)
    if not series:
        return nothing(area)
    names = min(max(width_of(name, 11.5) for name, _ in series) + 12, area.width * 0.35)
    plot = Plot((area.x + names, area.y), (area.width - names, area.height - 22), prometheus)
    room = plot.height / len(series)
    parts = [*clock(plot)]
    for line, (name, points) in enumerate(series):
        y, high = plot.y + room * line + 1, min(room - 3, 40)
        parts.append(text(plot.x - 8, y + high / 2 + 4, fitted(name, 11.5, names - 8), 11.5, svg.TEXT, "end"))
        for begin, end, value in spans(points, plot.step):
            words, fill = said(defaults, value)
            x, right = plot.across(begin), min(plot.across(end), plot.right)
            parts.append(box(x, y, right - x, high, fill))
            if right - x > width_of(words, 11) + 8:
                parts.append(text(x + 5, y + high / 2 + 4, words, 11, "#ffffff", weight=500))
    return parts


def spans(points, step):
    """From when to when which value held."""
    found = []
    for at, value in points:
        if found and found[-1][2] == value and at - found[-1][1] < step * 0.5:
            found[-1][1] = at + step
        else:
            found.append([at, at + step, value])
    return found


def nothing(area):
    return [text(area.x + area.width / 2, area.y + area.height / 2, "no data", 13, svg.FAINT, "middle")]
