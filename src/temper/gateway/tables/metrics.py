"""What Prometheus reads of a gateway: what it has counted, in all its processes, and which policy and model answer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper.gateway.tables.counted import Counted, Histogram
from temper.report.prometheus import Labels, shown

ONE = (
    "breaker",
    "stopped",
    "policy_since",
    "policy_refused",
    "control_failing",
    "shadow_largest",
    "keys",
    "workers",
    "quota_alone",
)
"""Gauges of which the largest counts; all others are added up."""

HELP = {
    "requests_total": "Requests for scores, and to nowhere, by the status of their answer.",
    "probes_total": "Requests for health, figures and descriptions, by the status of their answer.",
    "rows_total": "Rows that were answered, by who answered them.",
    "stage_decisions_total": "What stages decided, but for ALLOW.",
}
"""What is counted, in words."""


@dataclass(slots=True, kw_only=True, eq=False)
class Metrics(Counted):
    """Counters and gauges, with the labels of what is live. Of several processes each keeps its own in a small file,
    and whoever is asked adds up all of them; those of the others are a second old.

    Misleads where a process was restarted: its counters begin again, as Prometheus expects of a counter.

    >>> metrics = Metrics(help={}, live=lambda: (("policy", "ab12"),))
    >>> metrics.text().splitlines()[2]
    'temper_live_info{policy="ab12"} 1'
    """

    live: Callable[[], Labels] = lambda: ()
    own: Path | None = None
    others: tuple[Path, ...] = ()

    def text(self) -> str:
        """Everything in Prometheus' text format."""
        return "\n".join((*self._live(), *self._all()._lines())) + "\n"

    def save(self) -> None:
        """Let the other processes see what this one has counted."""
        if self.own is not None:
            beside = self.own.with_suffix(".part")
            beside.write_text(json.dumps(self._document()), encoding="utf-8")
            os.replace(beside, self.own)

    def _document(self) -> dict[str, Any]:
        return {
            "cells": [[name, labels, value] for (name, labels), value in self.cells.copy().items()],
            "gauges": {name: ask() for name, (_, ask) in self.gauges.items()},
            "bars": self.seconds.bars,
            "total": self.seconds.total,
        }

    def _all(self) -> Counted:
        """This process and the others as one."""
        if not self.others:
            return self
        documents = [self._document(), *filter(None, map(_read, self.others))]
        found = Counted(help=self.help)
        for one in documents:
            for name, labels, value in one["cells"]:
                found.add(name, tuple((key, word) for key, word in labels), value)
        bars = [sum(column) for column in zip(*(one["bars"] for one in documents), strict=True)]
        found.seconds = Histogram(bars=bars, total=sum(one["total"] for one in documents))
        for name, (about, _) in self.gauges.items():
            values = [one["gauges"][name] for one in documents]
            found.gauges[name] = about, _constant(max(values) if name in ONE else sum(values))
        found.gauges["processes"] = "Processes that answer.", _constant(len(documents))
        return found

    def _live(self) -> Iterator[str]:
        yield "# HELP temper_live_info The policy and the model that answer now."
        yield "# TYPE temper_live_info gauge"
        yield f"temper_live_info{shown(self.live())} 1"


def _constant(value: float) -> Callable[[], float]:
    return lambda: value


def _read(path: Path) -> Mapping[str, Any] | None:
    """What another process keeps; None where there is nothing yet."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]
    except (OSError, ValueError):
        return None
