"""Panels of a board, each drawn from what its queries bring."""

import math
import time

import svg
from asked import called
from svg import box, fitted, number, rule, text, width_of
from values import said, shown, step_colour, steps_to

HEAD = 30
ORANGES = ["#2a1c14", "#4d2a14", "#7a3c12", "#ad5310", "#de7116", "#f7954b", "#fdc48f"]


class Area:
    """A rectangle that something is drawn into."""

    def __init__(self, x, y, width, height):
        self.x, self.y, self.width, self.height = x, y, width, height
        self.right, self.bottom = x + width, y + height


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
    plot = Area(area.x + 52, area.y + 4, area.width - 56, area.height - height - 26)
    drawn = stacked(series) if is_stack else [(name, points, None) for name, points in series]
    most = max(value for _, points, _ in drawn for _, value in points)
    ticks = steps_to(most, defaults["unit"])
    parts = [*scale(plot, ticks, defaults["unit"]), *clock(plot, prometheus)]
    curves = []
    for index, (_, points, floor) in enumerate(drawn):
        curves.append(curve(plot, points, floor, ticks[-1], svg.LINES[index % len(svg.LINES)], prometheus, is_stack))
    # What is named first lies on top where lines are, and below where they are stacked.
    return [*parts, *(part for one in reversed(curves) for part in one), *key]


def stacked(series):
    """The series, each upon those before it."""
    below, found = {}, []
    for name, points in series:
        floor = [(at, below.get(at, 0)) for at, _ in points]
        for at, value in points:
            below[at] = below.get(at, 0) + value
        found.append((name, [(at, below[at]) for at, _ in points], floor))
    return found


def curve(plot, points, floor, top, stroke, prometheus, is_stack):
    def place(at, value):
        x = plot.x + plot.width * (1 - (prometheus.end - at) / prometheus.span)
        return x, plot.bottom - plot.height * value / top

    parts = []
    for run in runs(points, prometheus.step):
        path = svg.path_of([place(at, value) for at, value in run])
        base = [(at, value) for at, value in floor or [] if run[0][0] <= at <= run[-1][0]]
        under = [place(at, value) for at, value in (base or [(run[0][0], 0), (run[-1][0], 0)])]
        area = path + "L" + " ".join(f"{number(x)} {number(y)}" for x, y in reversed(svg.without_needless(under))) + "z"
        parts.append(f'<path d="{area}" fill="{stroke}" opacity="{0.35 if is_stack else 0.07}"/>')
        parts.append(f'<path d="{path}" fill="none" stroke="{stroke}" stroke-width="1.4" stroke-linejoin="round"/>')
    return parts


def runs(points, step):
    """The points without a gap between them."""
    found = [[points[0]]]
    for before, point in zip(points, points[1:]):
        if point[0] - before[0] > step * 1.5:
            found.append([])
        found[-1].append(point)
    return found


def scale(plot, ticks, unit):
    parts = []
    for tick in ticks:
        y = plot.bottom - plot.height * tick / ticks[-1]
        parts += [rule(plot.x, y, plot.right, y), text(plot.x - 6, y + 3.5, shown(tick, unit), 10.5, svg.FAINT, "end")]
    return parts


def clock(plot, prometheus):
    """Times below, on whole minutes."""
    room = max(2, int(plot.width / 80))
    every = next((step for step in (60, 120, 300, 600, 900, 1800, 3600) if prometheus.span / step <= room), 7200)
    at = math.ceil((prometheus.end - prometheus.span) / every) * every
    parts = []
    while at <= prometheus.end:
        x = plot.x + plot.width * (1 - (prometheus.end - at) / prometheus.span)
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
            parts.append(box(area.x + x, y - 5, 14, 3, svg.LINES[index % len(svg.LINES)], 1))
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
    if not most:
        return nothing(area)
    plot = Area(area.x + 52, area.y + 2, area.width - 56, area.height - 24)
    high = plot.height / len(bands)
    wide = plot.width * prometheus.step / prometheus.span
    cells = {}
    for line, (_, counts) in enumerate(bands):
        y = plot.bottom - high * (line + 1)
        for at, count in counts.items():
            x = plot.x + plot.width * (1 - (prometheus.end - at) / prometheus.span) - wide
            shade = min(int(math.sqrt(max(count, 0) / most) * len(ORANGES)), len(ORANGES) - 1)
            if count > 0.01 and x >= plot.x - 0.1:
                cell = f"M{number(x)} {number(y + 0.5)}h{number(wide - 0.5)}v{number(high - 1)}h-{number(wide - 0.5)}z"
                cells.setdefault(ORANGES[shade], []).append(cell)
    parts = [f'<path d="{"".join(drawn)}" fill="{fill}"/>' for fill, drawn in cells.items()]
    for line, (edge, _) in enumerate(bands):
        words = "more" if math.isinf(edge) else shown(edge, "s")
        parts.append(text(plot.x - 6, plot.bottom - high * (line + 0.5) + 3.5, words, 10, svg.FAINT, "end"))
    return [*parts, *clock(plot, prometheus)]


def bands_of(found):
    """How many fell between each edge and the one below it, over time; without empty bands at either end."""
    buckets = sorted((float(labels["le"]), dict(points)) for labels, points in found)
    bands, below = [], {}
    for edge, counts in buckets:
        bands.append((edge, {at: count - below.get(at, 0) for at, count in counts.items()}))
        below = counts
    filled = [index for index, (_, counts) in enumerate(bands) if max(counts.values(), default=0) > 0.01]
    return bands[filled[0] : filled[-1] + 1] if filled else []


def states(panel, area, prometheus):
    defaults = panel["fieldConfig"]["defaults"]
    series = moved(panel, prometheus)
    if not series:
        return nothing(area)
    names = min(max(width_of(name, 11.5) for name, _ in series) + 12, area.width * 0.35)
    plot = Area(area.x + names, area.y, area.width - names, area.height - 22)
    room = plot.height / len(series)
    parts = [*clock(plot, prometheus)]
    for line, (name, points) in enumerate(series):
        y, high = plot.y + room * line + 1, min(room - 3, 40)
        parts.append(text(plot.x - 8, y + high / 2 + 4, fitted(name, 11.5, names - 8), 11.5, svg.TEXT, "end"))
        for begin, end, value in spans(points, prometheus.step):
            x1, x2 = (plot.x + plot.width * (1 - (prometheus.end - at) / prometheus.span) for at in (begin, end))
            words, fill = said(defaults, value)
            x1, x2 = max(x1, plot.x), min(x2, plot.right)
            parts.append(box(x1, y, x2 - x1, high, fill))
            if x2 - x1 > width_of(words, 11) + 8 and high > 11:
                parts.append(text(x1 + 5, y + high / 2 + 4, words, 11, "#ffffff", weight=500))
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
