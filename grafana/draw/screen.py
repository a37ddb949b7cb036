#!/usr/bin/env python3
"""Draws a terminal's screen, given with its colours on standard input (as `tmux capture-pane -e -p` prints it), as SVG."""

import re
import sys
from pathlib import Path
from xml.sax.saxutils import escape

from svg import CANVAS, FAINT, TEXT, box, document, number, text

MONO = "'JetBrains Mono', 'DejaVu Sans Mono', Menlo, Consolas, monospace"
SIZE, CELL, LINE = 13, 7.83, 18
EDGE, HEAD = 16, 38
CODES = re.compile(r"\x1b\[([0-9;]*)m")
BASIC = ["#3b3e46", "#f2495c", "#73bf69", "#f2cc0c", "#6e9fff", "#b877d9", "#56d0c0", "#d5d6de"]
BRIGHT = ["#8e9099", "#ff7383", "#96d98d", "#ffe14d", "#8ab8ff", "#ca95e5", "#7be3d5", "#ffffff"]


class Pen:
    """How what follows is written."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.fill, self.ground = TEXT, None
        self.is_bold = self.is_faint = self.is_swapped = False

    def turn(self, codes):
        codes = [int(code or 0) for code in codes.split(";")]
        while codes:
            self.take(codes.pop(0), codes)

    def take(self, code, rest):
        if code == 0:
            self.reset()
        elif code == 22:
            self.is_bold = self.is_faint = False
        elif code == 1:
            self.is_bold = True
        elif code == 2:
            self.is_faint = True
        elif code in (7, 27):
            self.is_swapped = code == 7
        elif 30 <= code <= 37 or 90 <= code <= 97:
            self.fill = (BASIC if code < 90 else BRIGHT)[code % 10]
        elif 40 <= code <= 47 or 100 <= code <= 107:
            self.ground = (BASIC if code < 100 else BRIGHT)[code % 10]
        elif code in (38, 48):
            chosen = of_many(rest)
            if code == 38:
                self.fill = chosen
            else:
                self.ground = chosen
        elif code == 39:
            self.fill = TEXT
        elif code == 49:
            self.ground = None

    def colours(self):
        fill = FAINT if self.is_faint else self.fill
        return (self.ground or CANVAS, fill) if self.is_swapped else (fill, self.ground)


def of_many(rest):
    """A colour of 256, or of all there are."""
    if rest.pop(0) == 2:
        return "#{:02x}{:02x}{:02x}".format(*(rest.pop(0) for _ in range(3)))
    index = rest.pop(0)
    if index < 16:
        return (BASIC + BRIGHT)[index]
    if index >= 232:
        return "#" + f"{8 + 10 * (index - 232):02x}" * 3
    steps = (0, 95, 135, 175, 215, 255)
    return "#" + "".join(f"{steps[(index - 16) // place % 6]:02x}" for place in (36, 6, 1))


def pieces(line, pen):
    """Texts of one look, each with the column it begins at."""
    column, at = 0, 0
    for match in [*CODES.finditer(line), None]:
        words = line[at : match.start() if match else len(line)]
        if words:
            yield column, words, pen.colours(), pen.is_bold
            column += len(words)
        if match:
            pen.turn(match.group(1))
            at = match.end()


def main():
    picture, title = Path(sys.argv[1]), sys.argv[2]
    lines = sys.stdin.read().rstrip("\n").split("\n")
    columns = max(len(CODES.sub("", line)) for line in lines)
    width, height = 2 * EDGE + columns * CELL, HEAD + len(lines) * LINE + EDGE
    dots = [f'<circle cx="{EDGE + 6 + 20 * i}" cy="20" r="6" fill="{c}"/>' for i, c in enumerate(("#f2495c", "#f2cc0c", "#73bf69"))]
    parts = [box(0, 0, width, height, CANVAS, 8), *dots, text(width / 2, 24, title, 13, FAINT, "middle")]
    parts.append(f'<g font-family="{MONO}" font-size="{SIZE}" xml:space="preserve">')
    pen = Pen()
    for row, line in enumerate(lines):
        y = HEAD + LINE * row
        for column, words, (fill, ground), is_bold in pieces(line, pen):
            x, wide = EDGE + column * CELL, len(words) * CELL
            if ground:
                parts.append(box(x, y, wide, LINE, ground))
            if words.strip():
                weight = ' font-weight="700"' if is_bold else ""
                parts.append(
                    f'<text x="{number(x)}" y="{number(y + 13)}" fill="{fill}" textLength="{number(wide)}"{weight}>'
                    f"{escape(words)}</text>"
                )
    picture.write_text(document(width, height, title, [*parts, "</g>"]))


if __name__ == "__main__":
    main()
