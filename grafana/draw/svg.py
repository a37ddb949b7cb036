"""Pieces of SVG, as text."""

from xml.sax.saxutils import escape

FONT = "Inter, Roboto, 'Helvetica Neue', Arial, sans-serif"
CANVAS = "#111217"
PANEL = "#181b1f"
BORDER = "#25282e"
GRID = "#24272d"
TEXT = "#d5d6de"
FAINT = "#8e9099"

NAMED = {"green": "#5cad58", "yellow": "#e5b81c", "red": "#dd4763", "blue": "#4a86e0"}
LINES = [
    "#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#56d0c0",
    "#e0a6f2", "#c8f2c2", "#ffa6b0", "#c69b06", "#3274d9", "#96d98d", "#a16d5d",
]  # fmt: skip


def colour(word):
    return NAMED.get(word, word)


def width_of(words, size):
    """About how wide a text is."""
    narrow = sum(c in "iljtf.,:;|'!()[] " for c in words)
    wide = sum(c in "mwMW%@" or c.isupper() for c in words)
    return size * (0.56 * len(words) - 0.24 * narrow + 0.16 * wide)


def fitted(words, size, room):
    """The text, cut where it does not fit."""
    if width_of(words, size) <= room:
        return words
    while words and width_of(words + "…", size) > room:
        words = words[:-1]
    return words + "…"


def number(value):
    return f"{value:.1f}".removesuffix(".0")


def text(x, y, words, size=12, fill=TEXT, anchor="start", weight=400):
    more = "" if anchor == "start" else f' text-anchor="{anchor}"'
    more += "" if weight == 400 else f' font-weight="{weight}"'
    return (
        f'<text x="{number(x)}" y="{number(y)}" font-size="{number(size)}" fill="{fill}"{more}>{escape(words)}</text>'
    )


def box(x, y, width, height, fill, radius=0, stroke=None):
    more = f' rx="{radius}"' if radius else ""
    more += f' stroke="{stroke}"' if stroke else ""
    return (
        f'<rect x="{number(x)}" y="{number(y)}" width="{number(max(width, 0))}" '
        f'height="{number(max(height, 0))}" fill="{fill}"{more}/>'
    )


def rule(x1, y1, x2, y2, stroke=GRID):
    return f'<path d="M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}" stroke="{stroke}"/>'


def without_needless(points):
    """Without points that lie between two of the same height."""
    kept = points[:1]
    for (_, before), (x, y), (_, after) in zip(points, points[1:], points[2:], strict=False):
        if round(before, 1) != round(y, 1) or round(y, 1) != round(after, 1):
            kept.append((x, y))
    return kept + points[1:][-1:]


def path_of(points):
    """A line through points, each as far from the one before as it is."""
    parts, before = [], None
    for point in without_needless(points):
        here = [round(side, 1) for side in point]
        if before is None:
            parts.append(f"M{number(here[0])} {number(here[1])}l")
        else:
            parts.append(f"{number(here[0] - before[0])} {number(here[1] - before[1])} ")
        before = here
    return "".join(parts).rstrip()


def document(width, height, title, parts):
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(width)} {number(height)}" '
        f'width="{number(width)}" height="{number(height)}" font-family="{FONT}" role="img">'
    )
    return "\n".join([head, f"<title>{escape(title)}</title>", *parts, "</svg>", ""])
