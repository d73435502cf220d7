"""Windows of predictions whose labels have matured, held against what the policy promises, until that is decided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from temper.core.cost import CostMatrix
from temper.core.outcome import Outcome, Truth
from temper.core.requirement import Judgement, Policy, Verdict
from temper.core.schema import Schema
from temper.core.watch import Seen, Watch, Watched
from temper.kernels.cbpe import Calibrator
from temper.monitoring.contract import ACCURACY, kept, measured
from temper.monitoring.feed import arrived, labels_of
from temper.monitoring.labels import NOT_KNOWN, Cohort, Labels, joined
from temper.store.control.windows import Windows

Array = np.ndarray[Any, Any]
EXPECTED = "cbpe"
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
    windows: Windows

    @property
    def kept_as(self) -> str:
        """The feed under which decided windows are kept; labels may lie in the tables of the predictions."""
        return f"{self.truth.labels}#{self.truth.label}"

    def look(self, now: float) -> list[Outcome]:
        """Every window that is old enough and was not decided before; what is decided now is kept, and so told once.

        The ends of the figures hold at every look, so one may look until they decide.
        """
        width = self.watch.window
        decided = self.windows.known(self.kept_as, self.digest, width)
        rows, unscored = self._rows(now)
        starts = np.floor(rows.at / width) * width
        labels, notes = labels_of(self.truth, self.watch, self.classes)
        strangers = int((~np.isin(labels.ids, rows.ids)).sum()) if len(rows) else 0
        notes = (*notes, *([f"{unscored:,} predictions have no score"] if unscored else []))
        notes += (f"{strangers:,} labels belong to none of the predictions",) if strangers else ()
        old = starts[self._matures(starts) <= now]
        first = old.max(initial=-np.inf) - _OPEN * width
        found = [
            self._outcome(rows.take(np.flatnonzero(starts == start)), labels, start, notes, now)
            for start in np.unique(old).tolist()
            if start > first and start not in decided
        ]
        sure = [_watched(one) for one in found if one.decided]
        self.windows.keep(self.kept_as, self.digest, sure, now)
        known = [*found, *self._young(rows, starts, now)]
        self.windows.learn(self.watch.feed, self.kept_as, self.digest, known, now)
        return found

    def _young(self, rows: Cohort, starts: Array, now: float) -> Iterator[Outcome]:
        """Windows that are over and whose labels do not count yet: what is expected of them, which decides nothing."""
        over = starts + self.watch.window + self.watch.grace <= now
        young = over & (self._matures(starts) > now)
        for start in np.unique(starts[young]).tolist()[-_OPEN:]:
            cohort = rows.take(np.flatnonzero(starts == start))
            yield Outcome(
                start=start,
                ends=start + self.watch.window,
                rows=len(cohort),
                labelled=0,
                seen=Seen.INCONCLUSIVE,
                figures=ACCURACY.build(EXPECTED).measure(cohort),
                told=("labels do not count yet",),
                matures=self._matures(start),
            )

    def _matures(self, starts: Any) -> Any:
        """When the labels of windows count that begin then."""
        return starts + self.watch.window + self.watch.grace + self.truth.maturity

    def _rows(self, now: float) -> tuple[Cohort, int]:
        """The predictions of the feed until now, each id once, and how many had no score."""
        parts = [part for part in arrived(self.watch, self.schema) if len(part.ids)]
        wide = len(self.schema.columns) + 1
        x = np.concatenate([np.zeros((0, wide)), *(part.x for part in parts)])
        ids = np.concatenate([np.zeros(0, np.int64), *(part.ids for part in parts)])
        at = np.concatenate([np.zeros(0), *(part.at for part in parts)])
        scored = np.isfinite(x[:, -1]) & (at <= now)
        _, first = np.unique(ids[scored], return_index=True)
        kept_ = np.flatnonzero(scored)[first]
        score = x[kept_, -1]
        rows = Cohort(
            ids=ids[kept_],
            x=x[kept_, :-1],
            score=score,
            flagged=score >= self.edge,
            at=at[kept_],
            y=np.full(len(kept_), NOT_KNOWN),
            schema=self.schema,
            cost=self.cost,
            calibrator=self.calibrator,
        )
        return rows, int((~np.isfinite(x[:, -1])).sum())

    def _outcome(self, rows: Cohort, labels: Labels, start: float, notes: tuple[str, ...], now: float) -> Outcome:
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
            matures=self._matures(start),
        )


def _seen(judgements: Sequence[Judgement]) -> Seen:
    """The worst of what nobody waived; INCONCLUSIVE without any."""
    verdicts = {one.verdict for one in judgements} - {Verdict.WAIVED}
    if Verdict.FAIL in verdicts:
        return Seen.FAIL
    return Seen.PASS if verdicts == {Verdict.PASS} else Seen.INCONCLUSIVE


def _watched(one: Outcome) -> Watched:
    """As it is kept."""
    broken = tuple(f"{j.measured}: {j.explanation}" for j in one.judgements if j.verdict is Verdict.FAIL)
    return Watched(
        start=one.start,
        ends=one.ends,
        rows=one.rows,
        seen=one.seen,
        tests=len(one.judgements),
        needed=None,
        troubles=broken,
        notes=one.told,
    )
