#!/usr/bin/env python3
"""Draws a dashboard of grafana/dashboards from what a running Prometheus answers, as SVG.

It reads the file that Grafana reads and asks what Grafana asks; how the panels look is its own, in Grafana's manner.
"""

import argparse
import json
from pathlib import Path

import svg
from asked import Prometheus
from panels import Area, draw
from svg import box, text

WIDTH = 1480
EDGE = 12
GAP = 8
CELL = 30
TOP = 58
FOOT = 34
COLUMN = (WIDTH - 2 * EDGE + GAP) / 24


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("board", type=Path, help="the file of the dashboard")
    parser.add_argument("picture", type=Path, help="the file to write")
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", help="where Prometheus answers")
    parser.add_argument("--minutes", type=int, default=15, help="how much time is looked at")
    parser.add_argument("--scrape", type=int, default=5, help="the seconds from one scrape to the next")
    parser.add_argument("--instance", default=".*", help="the runtimes that are looked at")
    parser.add_argument("--open", nargs="*", default=[], help="rows that are drawn open though they begin closed")
    parser.add_argument("--without", nargs="*", default=[], help="rows that are left out")
    return parser.parse_args()


def laid_out(board, opened, without):
    """Rows and panels with the grid's lines they begin at, closed rows opened where they are to be."""
    shown, is_left_out, added = [], False, 0
    for panel in board["panels"]:
        y = panel["gridPos"]["y"]
        if panel["type"] == "row":
            is_left_out = panel["title"] in without
        if is_left_out:
            continue
        shown.append((panel, y + added))
        if panel["type"] == "row" and panel["collapsed"] and panel["title"] in opened:
            inner = panel["panels"]
            begin = min(one["gridPos"]["y"] for one in inner)
            shown += [(one, one["gridPos"]["y"] - begin + y + added + 1) for one in inner]
            added += max(one["gridPos"]["y"] + one["gridPos"]["h"] for one in inner) - begin
    return closed_up(shown)


def closed_up(shown):
    """The same, without grid lines that nobody uses."""
    used = sorted({line for panel, y in shown for line in range(y, y + panel["gridPos"]["h"])})
    place = {line: index for index, line in enumerate(used)}
    return [(panel, place[y]) for panel, y in shown]


def row(panel, area, is_open):
    mark = "M0 0l5 5l5 -5" if is_open else "M0 0l5 5l-5 5"
    x, y = area.x + 4, area.y + area.height / 2 - (3 if is_open else 5)
    count = len(panel["panels"])
    more = "" if is_open else f"({count} panel{'s' if count != 1 else ''})"
    middle = area.y + area.height / 2 + 5
    end = area.x + 34 + svg.width_of(panel["title"], 14.5) * 1.06
    return [
        f'<path d="{mark}" transform="translate({svg.number(x)} {svg.number(y)})" fill="none" stroke="{svg.TEXT}"/>',
        text(area.x + 22, middle, panel["title"], 14.5, weight=600),
        text(end, middle, more, 12, svg.FAINT),
    ]


def main():
    asked = options()
    board = json.loads(asked.board.read_text())
    chosen = {"$job": ".*", "$instance": asked.instance, "$team": ".*"}
    prometheus = Prometheus(asked.prometheus, chosen, asked.minutes * 60, asked.scrape, 150)
    shown = laid_out(board, asked.open, asked.without)
    bottom = max(y + panel["gridPos"]["h"] for panel, y in shown)
    height = TOP + bottom * (CELL + GAP) + FOOT
    parts = [box(0, 0, WIDTH, height, svg.CANVAS), *head(board, asked.minutes)]
    for panel, y in shown:
        grid = panel["gridPos"]
        area = Area(
            EDGE + grid["x"] * COLUMN,
            TOP + y * (CELL + GAP),
            grid["w"] * COLUMN - GAP,
            grid["h"] * (CELL + GAP) - GAP,
        )
        if panel["type"] == "row":
            parts += row(panel, area, not panel["collapsed"] or panel["title"] in asked.open)
        else:
            parts += draw(panel, area, prometheus)
    words = "Drawn from live data by grafana/draw; not a picture of Grafana itself."
    parts.append(text(WIDTH - EDGE, height - 13, words, 11, svg.FAINT, "end"))
    asked.picture.parent.mkdir(parents=True, exist_ok=True)
    asked.picture.write_text(svg.document(WIDTH, height, board["title"], parts))


def head(board, minutes):
    size = 20
    return [
        text(EDGE + 2, 36, board["title"], size, "#ffffff", weight=600),
        text(EDGE + 16 + svg.width_of(board["title"], size) * 1.04, 36, board["description"], 13, svg.FAINT),
        text(WIDTH - EDGE - 2, 36, f"Last {minutes} minutes, UTC", 13, svg.TEXT, "end"),
    ]


if __name__ == "__main__":
    main()
