"""Windows of predictions whose labels have matured, held against what the policy promises, until that is decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from temper.core.cost import CostMatrix
from temper.core.outcome import Outcome, Truth
from temper.core.requirement import Judgement, Policy, Verdict
from temper.core.schema import Schema
from temper.core.watch import Seen, Watch
from temper.kernels.cbpe import Calibrator
from temper.monitoring.arrived import Arrived
from temper.monitoring.contract import kept, measured
from temper.monitoring.feed import labels_of
from temper.monitoring.labels import NOT_KNOWN, Cohort, Labels, joined
from temper.store.control.outcomes import Outcomes

Array = np.ndarray[Any, Any]
_OPEN = 30
"""Windows in which more labels are waited for; what nothing decided until then stays open, and is not told again."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matured:
    """The labels of a feed, and what is promised of them. A row is flagged from a score of `edge` on."""

    truth: Truth
    watch: Watch
    schema: Schema
    classes: tuple[str, ...]
    edge: float
    policy: Policy
    cost: CostMatrix | None
    calibrator: Calibrator
    digest: str
    outcomes: Outcomes

    def begin(self, known: Mapping[float, int], now: float) -> Looking:
        """A look at the labels that have come; `known` are the windows that rows came in before, and how many."""
        width = self.watch.window
        decided = self.outcomes.decided(self.truth.kept_as, self.digest, width)
        old = [start for start, rows in known.items() if rows and self.old(start, now)]
        newest = max(old, default=-np.inf)
        labels, notes = labels_of(self.truth, self.watch, self.classes)
        return Looking(
            matured=self,
            now=now,
            labels=labels,
            notes=notes,
            decided=decided,
            newest=newest,
            needed=frozenset(at for at in old if at > newest - _OPEN * width and at not in decided),
        )

    def old(self, starts: Any, now: float) -> Any:
        """Whether all labels of windows that begin there should have come."""
        return starts + self.watch.window + self.watch.grace + self.truth.maturity <= now

    def cohort(self, x: Array, ids: Array, at: Array) -> Cohort:
        """Rows with a score as their last column, each id once."""
        _, first = np.unique(ids, return_index=True)
        score = x[first, -1]
        return Cohort(
            ids=ids[first],
            x=x[first, :-1],
            score=score,
            flagged=score >= self.edge,
            at=at[first],
            y=np.full(len(first), NOT_KNOWN),
            schema=self.schema,
            cost=self.cost,
            calibrator=self.calibrator,
        )

    def outcome(self, rows: Cohort, labels: Labels, start: float, notes: tuple[str, ...], now: float) -> Outcome:
        """What labels say of the rows of one window."""
        mine = labels.take(np.isin(labels.ids, rows.ids))
        cohort, met = joined(rows, mine, self.truth.maturity, now)
        figures = measured(cohort)
        judgements = kept(self.policy, figures, datetime.fromtimestamp(now, UTC).date())
        silent = () if judgements else ("the policy promises nothing that labels show",)
        return Outcome(
            start=start,
            ends=start + self.watch.window,
            rows=len(cohort),
            labelled=met.labelled,
            seen=_seen(judgements),
            judgements=judgements,
            figures=figures,
            told=(*met.told(now), *silent, *notes),
        )


@dataclass(slots=True, kw_only=True, eq=False)
class Looking:
    """One look at labels, while the rows of the feed go by: those of windows that are old enough and not `decided` are
    kept. Rows of the windows that are `needed` have to be among them, though something was said of those before;
    `newest` is the latest window before this look that was old enough.
    """

    matured: Matured
    now: float
    labels: Labels
    notes: tuple[str, ...]
    decided: frozenset[float]
    newest: float
    needed: frozenset[float]
    rows: list[tuple[Array, Array, Array]] = field(default_factory=list)
    ids: list[Array] = field(default_factory=list)

    def add(self, part: Arrived, starts: Array) -> None:
        """Rows of the feed, and the window of each."""
        mine = self.matured.old(starts, self.now) & ~np.isin(starts, list(self.decided))
        self.rows.append((part.x[mine], part.ids[mine], part.at[mine]))
        self.ids.append(part.ids)

    def outcomes(self, whole: bool) -> list[Outcome]:
        """What the labels say of every window by now. What is decided is kept, and so told once.

        The ends of the figures hold at every look, so one may look until they decide. Only where the `whole` feed went
        by it is known which labels belong to none of its rows.
        """
        if not self.rows:
            return []
        x, ids, at = map(np.concatenate, zip(*self.rows, strict=True))
        scored = np.isfinite(x[:, -1])
        rows = self.matured.cohort(x[scored], ids[scored], at[scored])
        width = self.matured.watch.window
        starts = np.floor(rows.at / width) * width
        first = max(self.newest, starts.max(initial=-np.inf)) - _OPEN * width
        notes = self._notes(int((~scored).sum()), whole)
        found = [
            self.matured.outcome(rows.take(np.flatnonzero(starts == start)), self.labels, start, notes, self.now)
            for start in np.unique(starts).tolist()
            if start > first
        ]
        self.matured.outcomes.keep(self.matured.truth.kept_as, self.matured.digest, found, self.now)
        return found

    def _notes(self, unscored: int, whole: bool) -> tuple[str, ...]:
        known = np.concatenate(self.ids)
        strangers = int((~np.isin(self.labels.ids, known)).sum()) if whole and len(known) else 0
        more = ((unscored, "predictions have no score"), (strangers, "labels belong to none of the predictions"))
        return (*self.notes, *(f"{many:,} {what}" for many, what in more if many))


def _seen(judgements: Sequence[Judgement]) -> Seen:
    """The worst of what nobody waived; INCONCLUSIVE without any."""
    verdicts = {one.verdict for one in judgements} - {Verdict.WAIVED}
    if Verdict.FAIL in verdicts:
        return Seen.FAIL
    return Seen.PASS if verdicts == {Verdict.PASS} else Seen.INCONCLUSIVE
