"""The other side of a campaign: who sees it and acts while it goes on, and what became of it by that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from temper.config.serving import Serving
from temper.core.alert import Alerting
from temper.core.campaign import DAY, Campaign
from temper.core.count import counted
from temper.core.evidence import CAMPAIGN
from temper.core.measure import Better, Measurement
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.core.waged import Attempted, Defended, Turn
from temper.core.watch import Watch
from temper.engine.campaign.door import Door
from temper.engine.campaign.figures import UNANSWERED, Fought
from temper.engine.campaign.ground import Ground
from temper.engine.campaign.inside import Inside
from temper.engine.campaign.manned import Manned
from temper.engine.campaign.people import People
from temper.engine.campaign.windows import Windows
from temper.guard.serving import parts
from temper.kernels.rate import measure_rate
from temper.store.control import Control
from temper.targets.served import Served

DUE, HONEST = 3_600.0, 200
"""Seconds until somebody takes an incident where nobody has said; honest requests that tell what containing costs."""
_PACE, _LOOKED = 60.0, 20_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """What a system has against a campaign: its guard, its monitor, its playbooks, and people for them.

    They change what is in this process; a gateway only by `rules: contain`, and it is put back when the campaign ends.
    Otherwise they stand beside it: what they would set is set in a store that nobody follows.
    """

    system: Protected
    model: Served
    campaign: Campaign
    serving: Serving
    watch: Watch
    alerting: Alerting
    seed: int
    run: str
    wall: Callable[[], float]

    @property
    def takes(self) -> float:
        """Seconds until somebody takes an incident."""
        options = parts.options_of(self.serving)
        due = float(parts.people(options)["due"]) if "people" in options else DUE
        return due if self.campaign.team.takes is None else self.campaign.team.takes

    def manned(self, door: Door) -> Manned:
        """This door with people behind it."""
        held, real = ExitStack(), not door.simulated and self.campaign.rules.contain
        serving = self.serving if real else self._aside(held)
        control = Control.open(serving.control)
        held.callback(control.close)
        people = People(
            control=control,
            serving=serving,
            team=self.campaign.team,
            takes=self.takes,
            threshold=self.system.threshold,
            run=f"{self.run}-{self.seed}",
            follow=door.follow if isinstance(door, Inside) else _nobody,
            stricter=self._stricter,
            wall=(lambda at: self.wall()) if real else float,
        )
        if real:
            held.callback(people.take_back, 0.0)
        windows = Windows(system=self.system, model=self.model, watch=self.watch, seed=self.seed)
        acts = real or door.simulated
        return Manned(door=door, windows=windows, people=people, alerting=self.alerting, acts=acts, held=held)

    def defended(self, manned: Manned, ground: Ground, alone: Ground | None, fresh: Callable[[], Inside]) -> Defended:
        """What the other side did, and what it was worth. `fresh` gives the guard as it was when the campaign began."""
        people, at = manned.people, manned.contained
        return Defended(
            team=f"SIMULATED people: {_span(self.takes)} until an incident is taken, "
            f"{_span(self.campaign.team.step)} for each step of its playbook",
            beside="rules: contain is not set, so the playbooks stood beside the gateway" if not manned.acts else "",
            contained=at,
            answered=tuple(people.answered),
            attempts=_tried(ground, at, alone),
            alerts=tuple(manned.told.items()),
            windows=len(manned.windows.alone.told) if manned.windows.several else 0,
            false=manned.false,
            honest=self._honest(people.control, fresh) if manned.simulated else (0, 0, 0),
        )

    def _aside(self, held: ExitStack) -> Serving:
        """A store of the campaign's own, gone when it ends."""
        folder = Path(held.enter_context(TemporaryDirectory(prefix="temper-purple-")))
        return replace(self.serving, control=str(folder / "control.db"), audit=str(folder / "audit"))

    def _stricter(self, turn: int) -> float | None:
        """The threshold at which for each row that passes twice as many are flagged as now, and so on by each turn."""
        if self.system.threshold is None:
            return None
        scores = np.asarray(self.model.score(np.ascontiguousarray(self.system.data.x[:_LOOKED], dtype=np.float64)))
        flagged = 2.0**turn * float((scores >= self.system.threshold).sum())
        passing = float((scores < self.system.threshold).sum())
        return min(float(np.quantile(scores, passing / max(passing + flagged, 1.0))), self.system.threshold)

    def _honest(self, control: Control, fresh: Callable[[], Inside]) -> tuple[int, int, int]:
        """Honest requests, each of another client, and how many of them were stopped before and are since."""
        held = np.flatnonzero(np.asarray(self.system.data.y) == 0)
        taken = Draws(self.seed, "campaign.cost").generator().permutation(held)[:HONEST]
        stopped = []
        for followed in (False, True):
            with closing(fresh()) as door:
                if followed:
                    door.follow(control)
                told = [door.ask(row, f"honest-{at}", _PACE) for at, row in enumerate(self.system.data.x[taken])]
            stopped.append(sum(one.status != 200 or one.flagged for one in told))
        return len(taken), stopped[0], stopped[1]


def _nobody(control: Control) -> None:
    """A gateway follows its store by itself, and what is beside it nobody."""


def attributed(turns: Sequence[Turn], manned: Manned) -> tuple[Turn, ...]:
    """The turns with what saw them first, when, and when the playbook for it was through."""
    return tuple(_attributed(turn, manned) for turn in turns)


def _attributed(turn: Turn, manned: Manned) -> Turn:
    trails = (one for one in manned.trails if turn.begun < one.at <= turn.ended)
    windows = (one for one in manned.windowed if turn.ended > one.start and turn.begun < one.end)
    first = min((*trails, *windows), default=None, key=lambda one: one.at)
    if first is None or not turn.asked:
        return turn
    name = first.name + (f"; playbook {first.playbook}" if first.playbook else "")
    through = manned.through(first)
    detected = max(first.at, turn.begun)
    if through is not None:
        through = turn.begun if through <= turn.begun else max(through, detected)  # nothing is answered unseen
    return replace(turn, seen=name, detected=detected, contained=through)


def _tried(ground: Ground, at: float | None, alone: Ground | None) -> tuple[Attempted, ...]:
    """Attempts of each technique, before and since that time."""
    fields = [one for one in (ground, alone) if one is not None]
    names = dict.fromkeys(by for one in fields for by, _ in one.attempts)
    halves = {name: [_halves(one, name, np.inf if at is None else at) for one in fields] for name in names}
    return tuple(
        Attempted(
            technique=name,
            before=found[0][:2],
            since=found[0][2:],
            **({"alone": found[1]} if alone is not None else {}),
        )
        for name, found in halves.items()
    )


def _halves(ground: Ground, name: str, at: float) -> tuple[int, int, int, int]:
    tried = [when > at for by, when in ground.attempts if by == name]
    passed = [one.at > at for one in ground.got if one.by == name]
    return tried.count(False), passed.count(False), tried.count(True), passed.count(True)


def gaps(turns: Sequence[Turn], defended: Defended) -> tuple[str, ...]:
    """What nobody saw, technique by technique; what was seen and not contained; what alarms are worth."""
    found: dict[tuple[str, str], list[Turn]] = {}
    for turn in turns:
        if turn.detected is None and turn.asked:
            found.setdefault((turn.technique, turn.tactic), []).append(turn)
    lines = [
        f"{name} ({tactic}): of {counted(len(unseen), 'turn')} with {counted(sum(one.asked for one in unseen), 'row')} "
        "no trail of the guard and no window of the monitor saw anything; "
        f"{counted(sum(one.passed for one in unseen), 'row')} got through in them"
        for (name, tactic), unseen in found.items()
    ]
    if defended.beside:
        lines.append(defended.beside)
    if any(turn.detected is not None for turn in turns) and defended.contained is None:
        lines.append("what was seen was contained by no playbook")
    if not defended.windows:
        lines.append("the monitor had no window to judge: the campaign sent nothing, or too few rows are held out")
    elif defended.false:
        lines.append(
            f"{defended.false} of {defended.windows} windows alarm by honest traffic alone: what alarms in both counts "
            "as seen by nobody, and people were sent there all the same"
        )
    return tuple(lines)


def figures(fought: Sequence[Fought]) -> tuple[Measurement, ...]:
    """How many turns were seen and how soon, what got through before and since the system was contained."""
    turns = [turn for one in fought for turn in one.course.turns if turn.asked]
    seen = [turn for turn in turns if turn.detected is not None]
    found = [measure_rate(CAMPAIGN, "detected", len(seen), len(turns), better=Better.HIGHER, counts="turns")]
    found += _passed(fought)
    found += _times("time_to_detect", [float(one.detected or 0.0) - one.begun for one in seen], "were seen")
    contained = [one.contained - one.begun for one in seen if one.contained is not None and one.contained > one.begun]
    found += _times("time_to_contain", contained, "had begun before, and were contained")
    sides = [one.defended for one in fought if one.defended is not None and one.defended.windows]
    if sides:
        windows, false = (sum(getattr(one, name) for one in sides) for name in ("windows", "false"))
        found.append(measure_rate(CAMPAIGN, "false_alarms", false, windows, counts="windows of honest traffic"))
    return tuple(found)


def _passed(fought: Sequence[Fought]) -> list[Measurement]:
    """Of the rows that passed, those that did before anybody had acted; of attempts since then, those that pass."""
    tried = [one for each in fought if each.defended is not None for one in each.defended.attempts]
    early, late = sum(one.before[1] for one in tried), sum(one.since[1] for one in tried)
    found = []
    if early + late:
        found.append(measure_rate(CAMPAIGN, "passed_uncontained", early, early + late, counts="rows that passed"))
    if since := sum(one.since[0] for one in tried):
        alone = [sum(one.alone[place] for one in tried) for place in range(4)]
        twins = (("before", sum(one.before[0] for one in tried), early), (UNANSWERED, alone[2], alone[3]))
        baseline = tuple((name, passed / many) for name, many, passed in twins if many)
        found.append(
            measure_rate(CAMPAIGN, "passed_contained", late, since, counts="attempts since then", baseline=baseline)
        )
    return found


def _times(metric: str, took: Sequence[float], which: str) -> list[Measurement]:
    if not took:
        return []
    took = sorted(took)
    return [
        Measurement(
            plugin=CAMPAIGN,
            metric=metric,
            value=took[len(took) // 2],
            low=took[0],
            high=took[-1],
            n=len(took),
            unit="s",
            better=Better.LOWER,
            method=f"median of the turns that {which}, from the first to the last; people are SIMULATED",
            counts="turns",
        )
    ]


def _span(seconds: float) -> str:
    return f"{seconds / 60.0:g} min" if seconds >= 120.0 else f"{seconds:g} s"


def usual() -> Watch:
    """A day's windows, as `temper monitor` has them where nobody says otherwise."""
    return Watch(feed="campaign", time="at", score="score", client="client", window=DAY)
