"""What Prometheus answers to the queries of a board, its variables filled in as Grafana does."""

import json
import math
import urllib.parse
import urllib.request


class Prometheus:
    def __init__(self, address, chosen, span, scrape, points):
        self.address, self.chosen, self.span = address, chosen, span
        self.end = float(self.get("query", query="time()")["result"][0])
        # The end stands on a step, so that drawing the same again draws the same.
        self.step = max(scrape, round(span / points))
        self.end -= self.end % self.step
        self.rate = max(4 * scrape, self.step + scrape)

    def get(self, what, **parameters):
        address = f"{self.address}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            return json.load(answer)["data"]

    def filled_in(self, query):
        values = {"$__rate_interval": f"{self.rate}s", "$__range": f"{self.span}s", **self.chosen}
        for name, value in values.items():
            query = query.replace(name, value)
        return query

    def now(self, query):
        """Labels and value of each series."""
        found = self.get("query", query=self.filled_in(query), time=self.end)["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]

    def over_time(self, query):
        """Labels and points of each series; a point is a time and a value."""
        times = {"start": self.end - self.span, "end": self.end, "step": self.step}
        found = self.get("query_range", query=self.filled_in(query), **times)["result"]
        return [(one["metric"], numbers(one["values"])) for one in found]


def numbers(values):
    points = [(float(at), float(value)) for at, value in values]
    return [(at, value) for at, value in points if not math.isnan(value)]


def called(legend, labels):
    """The name of a series."""
    for name, value in labels.items():
        legend = legend.replace("{{" + name + "}}", value)
    return legend or labels.get("__name__", "value")
