"""Values as Grafana shows them: units, words in place of values, colours from thresholds."""

import math
import time

from svg import colour

SHORT = [(1e9, "B"), (1e6, "M"), (1e3, "K")]
BYTES = [(2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B")]
BYTES_UNITS = {"bytes": "", "binBps": "/s"}
TIMES = [(86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "µs")]


def digits(value, places=None):
    """Three digits that say something, or as many places as are asked for."""
    if places is None:
        places = 0 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
        return f"{value:.{min(places, 3)}f}".rstrip("0").rstrip(".") if places else f"{value:.0f}"
    return f"{value:.{places}f}"


def scaled(value, scales, places):
    for scale, word in scales:
        if abs(value) >= scale * 0.9999:
            return digits(value / scale, places), word
    return digits(value, places), ""


def shown(value, unit, places=None):
    """A number with its unit."""
    if unit == "percentunit":
        return digits(value * 100, places) + "%"
    if unit == "s":
        amount, word = scaled(value, TIMES, places)
        return f"{amount} {word or 's'}"
    if unit in BYTES_UNITS:
        amount, word = scaled(value, BYTES, places)
        return f"{amount} {word or 'B'}{BYTES_UNITS[unit]}"
    if unit == "dateTimeFromNow":
        minutes = (time.time() - value / 1000) / 60
        return f"{minutes:.0f} minutes ago" if minutes < 120 else f"{minutes / 60:.0f} hours ago"
    amount, word = scaled(value, SHORT, places)
    return f"{amount}{' ' + word if word else ''}" + (" c/s" if unit == "cps" else "")


def step_colour(defaults, value):
    """The colour of the last threshold that the value reaches."""
    found = None
    for step in defaults["thresholds"]["steps"]:
        if step["value"] is None or value >= step["value"]:
            found = step["color"]
    return colour(found)


def said(defaults, value):
    """What stands for a value, and its colour."""
    if value is None or math.isnan(value):
        return "no data", "#55575e"
    for mapping in defaults["mappings"]:
        options = mapping["options"]
        if mapping["type"] == "range" and options["from"] <= value <= options["to"]:
            return options["result"]["text"], colour(options["result"]["color"])
    return shown(value, defaults["unit"]), step_colour(defaults, value)


def steps_to(most, unit):
    """Round values from 0 to beyond `most`, about four of them."""
    if most <= 0 or not math.isfinite(most):
        most = 1
    scale = 1
    if unit == "s":
        scale = next((scale for scale, _ in TIMES if most >= scale), 1e-6)
    if unit in BYTES_UNITS:
        scale = next((scale for scale, _ in BYTES if most >= scale), 1)
    rough = most / scale / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(nice * power for nice in (1, 2, 2.5, 5, 10) if nice * power >= rough) * scale
    return [index * step for index in range(math.ceil(most / step - 1e-9) + 1)]
