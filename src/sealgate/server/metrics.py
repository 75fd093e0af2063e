"""Counts and times of the server, and the Prometheus text exposition (format 0.0.4) of these and the authority's.

Written by hand: an observation costs a fraction of a microsecond, and the labels are a closed set.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Final

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"

LATENCY_BUCKETS_S: Final = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.002,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
)
"""Upper bounds of the decision latency histogram: fine around the bar (0.5 ms, 2 ms), coarse beyond it."""


class Metrics:
    """What the server counts. Lives on the event loop; no locks."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, int], int] = {}
        self.decisions: dict[str, int] = {}
        self.in_flight = 0
        self.connections = 0
        self.connections_refused = 0
        self.bad_http = 0
        self._buckets = [0] * (len(LATENCY_BUCKETS_S) + 1)
        self._latency_sum_s = 0.0

    def count_request(self, route: str, status: int) -> None:
        """Count one answered request by route (never by path: a path names records and agents)."""
        key = (route, status)
        self.requests[key] = self.requests.get(key, 0) + 1

    def count_decision(self, outcome: str, seconds: float) -> None:
        """Count one decision and how long its caller waited inside the authority."""
        self.decisions[outcome] = self.decisions.get(outcome, 0) + 1
        self._buckets[bisect_left(LATENCY_BUCKETS_S, seconds)] += 1
        self._latency_sum_s += seconds

    def exposition(self, authority: Mapping[str, float]) -> bytes:
        """Return everything as Prometheus text."""
        return "".join(f"{line}\n" for line in self._lines(authority)).encode()

    def _lines(self, authority: Mapping[str, float]) -> Iterator[str]:
        yield "# HELP sealgate_http_requests_total Answered requests by route and status."
        yield "# TYPE sealgate_http_requests_total counter"
        for (route, status), number in sorted(self.requests.items()):
            yield f'sealgate_http_requests_total{{route="{_label(route)}",status="{status}"}} {number}'
        yield "# HELP sealgate_decisions_total Decisions answered by outcome."
        yield "# TYPE sealgate_decisions_total counter"
        for outcome, number in sorted(self.decisions.items()):
            yield f'sealgate_decisions_total{{outcome="{_label(outcome)}"}} {number}'
        yield from self._histogram()
        yield from _single("sealgate_http_bad_requests_total", self.bad_http, "Requests that were not HTTP.")
        yield from _single("sealgate_http_connections_refused_total", self.connections_refused, "Over the limit.")
        yield from _single("sealgate_http_connections", self.connections, "Open connections.")
        yield from _single("sealgate_decisions_in_flight", self.in_flight, "Decisions that wait for their record.")
        for name, value in sorted(authority.items()):
            yield from _single(name, value, "")

    def _histogram(self) -> Iterator[str]:
        name = "sealgate_decision_seconds"
        yield f"# HELP {name} From the parsed request to the durable answer."
        yield f"# TYPE {name} histogram"
        total = 0
        for bound, number in zip(LATENCY_BUCKETS_S, self._buckets, strict=False):
            total += number
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        total += self._buckets[-1]
        yield f'{name}_bucket{{le="+Inf"}} {total}'
        yield f"{name}_sum {self._latency_sum_s}"
        yield f"{name}_count {total}"


def _single(name: str, value: float, help_text: str) -> Iterator[str]:
    if help_text:
        yield f"# HELP {name} {help_text}"
    yield f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}"
    yield f"{name} {value}"


def _label(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
