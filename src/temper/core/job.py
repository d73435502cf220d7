"""What somebody or something wants to be assessed again, and how far that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from temper.core.depth import Limits

VERDICTS = (0, 1, 3)
"""Exit codes of an assessment that came to its end: pass, fail, inconclusive."""
USAGE = 2
"""The exit code of an order that nobody can carry out as it is written: trying again changes nothing."""


class JobState(StrEnum):
    """WAITING for a worker, RUNNING at one, DONE with a verdict (whichever), FAILED for good."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An assessment to be made of the model that answers. `key` says what for, and the same key is ordered once; `why`
    says it in words. `only` are families or plugins, all without any. With `labelled` it is made on rows of the feed
    from this time on whose labels have matured, else on the rows of `config`, a temper.yaml. With `finding` nothing is
    assessed: the finding of this id is shown again, and the verdict is `fail` while it is there; with `probe` the probe
    of this number is handed to the machine, which does what `hand` says; with `depth` the layers of the guard are
    weighed against these limits.
    """

    key: str
    why: str
    config: str
    suite: str = "standard"
    only: tuple[str, ...] = ()
    seed: int = 0
    engine: str = "processes"
    labelled: float | None = None
    finding: str = ""
    probe: int = 0
    hand: str = ""
    depth: Limits | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An order and what became of it. `attempts` were begun, this one included; `worker` has it or had it last; `due`
    is when it may be begun, or when a worker that says nothing loses it. `result` names the run, or the measured depth,
    and its verdict, or what a replay found, `log` is the end of what was printed.
    """

    id: int
    order: Order
    by: str
    state: JobState
    attempts: int
    due: float
    worker: str
    progress: str
    made: float
    begun: float | None
    ended: float | None
    code: int | None
    result: Mapping[str, Any] = field(default_factory=dict)
    log: str = ""
