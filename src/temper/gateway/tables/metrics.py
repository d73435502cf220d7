"""What Prometheus reads of a gateway: what it has counted, and which policy and model answer now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from temper.gateway.tables.counted import Counted, Labels, shown


@dataclass(slots=True, kw_only=True, eq=False)
class Metrics(Counted):
    """Counters and gauges, with the labels of what is live.

    >>> metrics = Metrics(help={}, live=lambda: (("policy", "ab12"),))
    >>> metrics.text().splitlines()[2]
    'temper_live_info{policy="ab12"} 1'
    """

    live: Callable[[], Labels] = lambda: ()

    def text(self) -> str:
        """Everything in Prometheus' text format."""
        return "\n".join((*self._live(), *self._lines())) + "\n"

    def _live(self) -> Iterator[str]:
        yield "# HELP temper_live_info The policy and the model that answer now."
        yield "# TYPE temper_live_info gauge"
        yield f"temper_live_info{shown(self.live())} 1"
