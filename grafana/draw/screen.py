#!/usr/bin/env python3
"""Draws a terminal's screen as SVG, from what `tmux capture-pane -e -p` prints: its lines with their colours."""

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


LOOKS = {
    1: ("is_bold", True),
    2: ("is_faint", True),
    7: ("is_swapped", True),
    27: ("is_swapped", False),
    39: ("fill", TEXT),
    49: ("ground", None),
    **{30 + index: ("fill", colour) for index, colour in enumerate(BASIC)},
    **{40 + index: ("ground", colour) for index, colour in enumerate(BASIC)},
    **{90 + index: ("fill", colour) for index, colour in enumerate(BRIGHT)},
    **{100 + index: ("ground", colour) for index, colour in enumerate(BRIGHT)},
}
DOTS = [BASIC[1], BASIC[3], BASIC[2]]
PLAIN, NEITHER_BOLD_NOR_FAINT = 0, 22
OF_MANY = {38: "fill", 48: "ground"}
TRUE_COLOUR = 2


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
            code = codes.pop(0)
            if code == PLAIN:
                self.reset()
            elif code == NEITHER_BOLD_NOR_FAINT:
                self.is_bold = self.is_faint = False
            elif code in OF_MANY:
                setattr(self, OF_MANY[code], of_many(codes))
            elif code in LOOKS:
                setattr(self, *LOOKS[code])

    def colours(self):
        fill = FAINT if self.is_faint else self.fill
        return (self.ground or CANVAS, fill) if self.is_swapped else (fill, self.ground)


def of_many(rest):
    """A colour of 256, or of all there are."""
    if rest.pop(0) == TRUE_COLOUR:
        return "#" + "".join(f"{rest.pop(0):02x}" for _ in range(3))
    index = rest.pop(0)
    basic = BASIC + BRIGHT
    greys = 24
    if index < len(basic):
        return basic[index]
    if index >= 256 - greys:
        return "#" + f"{8 + 10 * (index - 256 + greys):02x}" * 3
    steps = (0, 95, 135, 175, 215, 255)
    return "#" + "".join(f"{steps[(index - len(basic)) // place % 6]:02x}" for place in (36, 6, 1))


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
    dots = [f'<circle cx="{EDGE + 6 + 20 * index}" cy="20" r="6" fill="{DOTS[index]}"/>' for index in range(3)]
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
