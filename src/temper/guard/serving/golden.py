"""Rows whose scores are known, asked again and again: a model that answers quickly and wrongly is found out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from temper.core.errors import ConfigError
from temper.guard.serving.breaker import Breaker

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Probes:
    """Known rows (k, columns) and what the model scores them, `expected` (k,), give or take `tolerance`.

    Their scores lie more than 4 tolerances apart, so that two that change places are noticed. They belong to one
    version of a model. Misleads about columns that change none of their scores.

    >>> probes = Probes(rows=np.array([[1.0], [2.0], [3.0]]), expected=np.array([0.1, 0.5, 0.8]))
    >>> probes.fault(np.array([0.1, 0.5, 0.8])), probes.fault(np.array([0.5, 0.1, 0.8]))
    ('', 'the scores of known rows are in another order')
    """

    rows: Array
    expected: Array
    tolerance: float = 1e-4

    def __post_init__(self) -> None:
        apart = np.diff(np.sort(self.expected))
        if len(self.rows) != len(self.expected) or not np.isfinite(self.expected).all():
            raise ConfigError("known rows and their scores do not fit", fix="one finite score for each row")
        if len(self.rows) < 2 or not (apart > 4 * self.tolerance).all():
            raise ConfigError(
                "known rows that score the same show nothing", fix="two or more, each further than 4 tolerances apart"
            )

    @classmethod
    def choose(cls, rows: Array, scores: Array, *, many: int = 8, tolerance: float = 1e-4) -> Probes:
        """Rows of a sample whose scores are spread from its lowest to its highest."""
        order = np.argsort(scores, kind="stable")
        kept = order[:1].tolist()
        for at in order[1:]:
            if scores[at] - scores[kept[-1]] > 4 * tolerance:
                kept.append(int(at))
        chosen = np.array(kept)[np.unique(np.linspace(0, len(kept) - 1, many).round().astype(int))]
        return cls(rows=rows[chosen].copy(), expected=scores[chosen].copy(), tolerance=tolerance)

    def fault(self, scores: Array) -> str:
        """What is wrong with the answer to these rows, nothing where it is right."""
        scores = np.asarray(scores)
        if scores.shape != self.expected.shape:
            return f"{len(self.expected)} known rows have scores of shape {scores.shape}"
        off = scores - self.expected
        if (np.abs(off) <= self.tolerance).all():
            return ""
        if not np.isfinite(scores).all():
            return "known rows have scores that are not finite"
        if np.ptp(scores) <= self.tolerance:
            return f"all known rows score {scores[0]:.4g}"
        if (np.abs(np.sort(scores) - np.sort(self.expected)) <= self.tolerance).all():
            return "the scores of known rows are in another order"
        if np.ptp(off) <= 2 * self.tolerance:
            return f"the scores of all known rows are off by {off.mean():+.4g}"
        worst = int(np.argmax(np.abs(off)))
        return f"known row {worst} scores {scores[worst]:.4g}, {self.expected[worst]:.4g} is right"


@dataclass(slots=True, kw_only=True, eq=False)
class Golden:
    """When to ask the known rows, and what becomes of the answer: every `period` seconds, and at once when `suspicious`
    answers in a row were the same score. A wrong answer opens the breaker for two periods, a right one after that lets
    calls through again; ask past the breaker, or nobody finds out that the model is well.

    That a score repeats proves nothing by itself (most rows of a fraud model may end in one leaf), so it only asks. A
    suspicion that was none makes the next one wait twice as long, up to `most` answers. Misleads where the model
    behind tells known rows from others.

    >>> probes = Probes(rows=np.array([[1.0], [2.0]]), expected=np.array([0.1, 0.5]))
    >>> golden, breaker = Golden(probes=probes), Breaker()
    >>> golden.due(0.0)
    True
    >>> golden.check(np.array([0.3, 0.3]), breaker, 0.0), breaker.state.value
    ('all known rows score 0.3', 'open')
    """

    probes: Probes
    period: float = 5.0
    suspicious: int = 50
    most: int = 200
    asked: int = field(default=0, init=False)
    failed: int = field(default=0, init=False)
    wrong: str = field(default="", init=False)
    """What was wrong with the latest answer that came."""
    _next: float = field(default=-np.inf, init=False, repr=False)
    _last: float = field(default=np.nan, init=False, repr=False)
    _run: int = field(default=0, init=False, repr=False)
    _enough: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if not (self.period > 0 and 2 <= self.suspicious <= self.most):
            raise ConfigError("known rows are asked at no time", fix="period above 0, 2 <= suspicious <= most")
        self._enough = self.suspicious

    def watch(self, scores: Array) -> None:
        """Take note of what clients were answered."""
        for score in scores.tolist():
            if score == self._last:
                self._run += 1
            else:
                self._last, self._run = score, 1

    def due(self, now: float) -> bool:
        """Whether to ask the known rows now."""
        return now >= self._next or self._run >= self._enough

    def check(self, scores: Array | None, breaker: Breaker | None, now: float) -> str:
        """What is wrong with the answer; None is no answer, which says nothing about scores: that calls fail is the
        breaker's own to see. Without a breaker nothing is opened.
        """
        self.asked += 1
        suspected, self._run, self._next = self._run >= self._enough, 0, now + self.period
        if scores is None:
            return ""
        if fault := self.probes.fault(scores):
            self.failed += 1
            self.wrong, self._enough = fault, self.suspicious
            if breaker is not None:
                breaker.trip(now, fault, 2 * self.period)
            return fault
        if suspected:
            self._enough = min(self.most, 2 * self._enough)
        if self.wrong and breaker is not None:
            breaker.trip(now, "known rows have their scores again", 0.0)
        self.wrong = ""
        return ""
