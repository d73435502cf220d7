"""The other side of a campaign: what the guard's trails and the monitor's windows would have seen of it, and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.campaign import DAY
from temper.core.evidence import CAMPAIGN
from temper.core.incident import Phase
from temper.core.measure import Better, Measurement
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.core.waged import Turn
from temper.core.watch import Watch, Watched
from temper.engine.campaign.door import Told
from temper.engine.campaign.figures import Fought
from temper.kernels.rate import measure_rate
from temper.monitoring.assessed import threshold
from temper.monitoring.judged import judged
from temper.monitoring.kinds import explained
from temper.monitoring.opening import symptoms
from temper.monitoring.reference import Reference, Window
from temper.response.playbook import playbook
from temper.targets.served import Served

Rows = np.ndarray[Any, Any]
TRAILS = ("extraction",)
"""Stages that look at the trail of a client: what they object to is somebody, and not a strange row."""
DUE = 3_600.0
_HONEST, _FEWEST = 5_000, 200
_STRANGERS, _NAMED = 1_000_000, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What alarmed: rows from `start` on, told at `at`, with its playbook; `by` is the technique where it is known."""

    start: float
    at: float
    name: str
    playbook: str
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Watchers:
    """The monitor over windows of the campaign's traffic mixed with honest rows, and how long people need to act.

    Half of the held-out rows is the reference, the other half honest traffic (SIMULATED: as many in every window as
    there are, 5,000 at most). A window counts where it alarms and the same one without the campaign does not.
    """

    system: Protected
    model: Served
    watch: Watch
    due: float = DUE
    seed: int = 0

    def over(self, fought: Fought) -> tuple[tuple[Turn, ...], tuple[int, int]]:
        """The turns with when they were seen and contained; how many windows there were, and of how many honest twins
        alarmed.
        """
        followed = list(trails(fought.ground.told))
        alarms, counts = self._windows(fought.ground.told)
        turns = []
        for turn in fought.course.turns:
            seen = [one for one in followed if turn.begun < one.at <= turn.ended and one.by == turn.technique]
            seen += [one for one in alarms if turn.ended > one.start and turn.begun < one.at]
            turns.append(self._seen(turn, min(seen, default=None, key=lambda one: one.at)))
        return tuple(turns), counts

    def _seen(self, turn: Turn, first: Seen | None) -> Turn:
        """People act by the playbook for what was seen, within the time they have; where that does not contain it, or
        there is none, nothing does.
        """
        if first is None or not turn.asked:
            return turn
        at, plan = max(first.at, turn.begun), first.playbook
        holds = bool(plan) and playbook(plan).reaches is Phase.CONTAINED
        name = first.name + (f"; playbook {plan}" if plan else "")
        return replace(turn, seen=name, detected=at, contained=at + self.due if holds else None)

    def _windows(self, told: Sequence[tuple[Rows, Told, str, str]]) -> tuple[list[Seen], tuple[int, int]]:
        sent = [(row, one.at, account) for row, one, account, _ in told if one.status == 200]
        reference, honest = self._split()
        if reference is None or not sent:
            return [], (0, 0)
        at, found, false = np.array([one[1] for one in sent]), [], 0
        names = {name: place for place, name in enumerate(dict.fromkeys(one[2] for one in sent))}
        before: tuple[Watched | None, Watched | None] = (None, None)
        starts = np.arange(0.0, at.max() + 1e-9, self.watch.window)
        for number, start in enumerate(starts):
            inside = [sent[place] for place in np.flatnonzero((at > start) & (at <= start + self.watch.window))]
            quiet = self._honest(honest, number, float(start))
            rows, when, clients = _mixed(quiet, inside, names, self.model)
            alone = self._judged(reference, *quiet, float(start), before[0])
            mixed = self._judged(reference, rows, when, clients, float(start), before[1])
            before, false = (alone, mixed), false + bool(alone.alarms)
            new = {one.comparison for one in mixed.alarms} - {one.comparison for one in alone.alarms}
            if new:
                ends = float(start) + self.watch.window + self.watch.grace
                found.append(Seen(start=float(start), at=ends, name=_named(mixed, new), playbook=_playbook(mixed)))
        return found, (len(starts), false)

    def _split(self) -> tuple[Reference | None, Rows]:
        x = np.asarray(self.system.data.x, dtype=np.float64)
        order = Draws(self.seed, "campaign.purple").generator().permutation(len(x))
        half = len(x) // 2
        if half < _FEWEST:
            return None, x[:0]
        scored = np.column_stack([x, self.model.score(np.ascontiguousarray(x))])
        known = scored[order[:half]]
        return Reference.fit(known, self.system.schema, ("score",), None, threshold(self.system)), scored[order[half:]]

    def _honest(self, rows: Rows, number: int, start: float) -> tuple[Rows, Rows, Rows]:
        rng = Draws(self.seed, "campaign.honest").generator(number)
        taken = rng.permutation(len(rows))[: min(_HONEST, len(rows))]
        when = np.sort(start + self.watch.window * rng.random(len(taken)))
        return rows[taken], when, _STRANGERS + taken

    def _judged(
        self, reference: Reference, rows: Rows, when: Rows, clients: Rows, start: float, before: Watched | None
    ) -> Watched:
        ids = np.arange(len(rows)) + int(start) * _STRANGERS
        window = Window.of(reference, rows, ids, when, clients)
        found = judged(window, self.watch, start, start + self.watch.window, before=before)
        return explained(found, window, self.system.schema, before)


def trails(told: Sequence[tuple[Rows, Told, str, str]]) -> Iterator[Seen]:
    """What stages said that look at the trail of a client; one in shadow is written down, for whoever reads it."""
    for _, one, _, by in told:
        for stage in one.why:
            if stage.startswith(TRAILS):
                yield Seen(start=one.at, at=one.at, name=f"guard: {stage}", playbook="extraction", by=by)


def _playbook(window: Watched) -> str:
    """The playbook of the incident that this window opens."""
    opened = (one for one in symptoms([window], _STRANGERS, "campaign") if not one.over)
    return next((one.playbook for one in opened if one.playbook), "")


def _mixed(
    quiet: tuple[Rows, Rows, Rows], sent: Sequence[tuple[Rows, float, str]], names: dict[str, int], model: Served
) -> tuple[Rows, Rows, Rows]:
    if not sent:
        return quiet
    x = np.array([row for row, _, _ in sent])
    rows = np.column_stack([x, model.score(np.ascontiguousarray(x))])
    when, clients = np.array([at for _, at, _ in sent]), np.array([names[who] for _, _, who in sent])
    order = np.argsort(np.concatenate([quiet[1], when]), kind="stable")
    return tuple(np.concatenate([old, new])[order] for old, new in zip(quiet, (rows, when, clients), strict=True))  # type: ignore[return-value]


def _named(window: Watched, new: set[str]) -> str:
    kind = f" ({window.kind.value})" if window.kind is not None else ""
    names = sorted(new)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"monitor: {', '.join(names[:_NAMED])}{more}{kind}"


def gaps(turns: Sequence[Turn], counts: tuple[int, int]) -> tuple[str, ...]:
    """What nobody saw, technique by technique, and what the alarms are worth."""
    found: dict[tuple[str, str], list[Turn]] = {}
    for turn in turns:
        if turn.detected is None and turn.asked:
            found.setdefault((turn.technique, turn.tactic), []).append(turn)
    lines = [
        f"{name} ({tactic}): {len(unseen)} turns with {sum(one.asked for one in unseen):,} rows were seen by no trail "
        f"of the guard and no window of the monitor; {sum(one.passed for one in unseen):,} rows got through in them"
        for (name, tactic), unseen in found.items()
    ]
    windows, false = counts
    if not windows:
        lines.append("the monitor was not asked: too few held-out rows for a reference")
    elif false:
        lines.append(f"{false} of {windows} windows alarmed without the campaign too: those alarms count for nothing")
    return tuple(lines)


def watched(fought: Sequence[Fought]) -> tuple[Measurement, ...]:
    """How many turns were seen, how soon, and what got through before anybody could have acted."""
    turns = [turn for one in fought for turn in one.course.turns if turn.asked]
    seen = [turn for turn in turns if turn.detected is not None]
    rate = measure_rate(CAMPAIGN, "detected", len(seen), len(turns), better=Better.HIGHER, counts="turns")
    got = [(one, each) for one in fought for each in one.ground.got]
    early = sum(each.at <= _contained(one) for one, each in got)
    found = [rate]
    if got:
        found.append(measure_rate(CAMPAIGN, "passed_uncontained", early, len(got), counts="rows that passed"))
    if seen:
        took = sorted(float(turn.detected or 0.0) - turn.begun for turn in seen)
        found.append(
            Measurement(
                plugin=CAMPAIGN,
                metric="time_to_detect",
                value=took[len(took) // 2],
                low=took[0],
                high=took[-1],
                n=len(took),
                unit="s",
                better=Better.LOWER,
                method="median of the turns that were seen, from the first to the last",
                counts="turns",
            )
        )
    return tuple(found)


def _contained(fought: Fought) -> float:
    """When somebody would first have acted on it; never, where nothing was seen."""
    return min((turn.contained for turn in fought.course.turns if turn.contained is not None), default=np.inf)


def usual() -> Watch:
    """A day's windows, as `temper monitor` has them where nobody says otherwise."""
    return Watch(feed="campaign", time="at", score="score", client="client", window=DAY)
