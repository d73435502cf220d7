"""What a gateway counts, and how Prometheus reads it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from temper.core.served import BUCKETS, ENDS
from temper.report.prometheus import Labels, head, shown


@dataclass(slots=True, kw_only=True, eq=False)
class Histogram:
    """How often a number of seconds fell into each bar.

    >>> seen = Histogram()
    >>> seen.add(0.003)
    >>> seen.bars[3], seen.total
    (1, 0.003)
    """

    bars: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.bars)

    def add(self, seconds: float) -> None:
        """One more."""
        self.bars[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds


@dataclass(slots=True, kw_only=True, eq=False)
class Counted:
    """Counters by name and labels, a histogram of whole requests, one of how long those that were answered waited once
    they had come, and gauges that are asked when somebody looks.

    Names and labels come from this program, never from a client, so their number stays small.

    >>> counted = Counted(help={"answers_total": "Answers given."})
    >>> counted.add("answers_total", (("source", "primary"),))
    >>> print(counted.text().splitlines()[2])
    temper_answers_total{source="primary"} 1
    """

    help: Mapping[str, str]
    gauges: dict[str, tuple[str, Callable[[], float]]] = field(default_factory=dict)
    seconds: Histogram = field(default_factory=Histogram)
    answered: Histogram = field(default_factory=Histogram)
    cells: dict[tuple[str, Labels], int] = field(default_factory=dict)

    def add(self, name: str, labels: Labels = (), many: int = 1) -> None:
        """Count `many` more."""
        key = (name, labels)
        self.cells[key] = self.cells.get(key, 0) + many

    def text(self) -> str:
        """Everything in Prometheus' text format."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        by_name: dict[str, list[tuple[Labels, int]]] = {}
        for (name, labels), value in self.cells.items():
            by_name.setdefault(name, []).append((labels, value))
        for name, rows in sorted(by_name.items()):
            yield from head(name, self.help.get(name, ""), "counter")
            yield from (f"temper_{name}{shown(labels)} {value}" for labels, value in sorted(rows))
        for name, (about, ask) in sorted(self.gauges.items()):
            yield from head(name, about, "gauge")
            yield f"temper_{name} {ask():.15g}"
        yield from head("request_seconds", "How long requests took, from their last byte to the answer.", "histogram")
        seen = 0
        for bar, end in zip(self.seconds.bars, ENDS, strict=True):
            seen += bar
            yield f'temper_request_seconds_bucket{{le="{end}"}} {seen}'
        yield f"temper_request_seconds_sum {self.seconds.total:.6f}"
        yield f"temper_request_seconds_count {seen}"
