"""Try defences on a system, attack each result from scratch on the same rows, and keep the one that pays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from temper.core.budget import Budget
from temper.core.data import Array, Data
from temper.core.defence import Defence, Effect
from temper.core.errors import TemperError, Unsupported
from temper.core.event import Event, Listener, silent
from temper.core.requirement import Policy
from temper.core.room import Room
from temper.core.run import Skipped
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.core.target import Recipe, ScoreKind, Target
from temper.engine.behind import behind, draws
from temper.engine.effect import Evaluation, Tolerance, effects, price, rates, within
from temper.engine.task import clock
from temper.kernels.loss import flagged_score
from temper.kernels.several import holm

DEFENCES = Room("temper.hardening")
ANY = "evasion.any.success_rate"
_FILE = "validation.artifact"
_LEVEL = 0.05
_LADDERS = 2

Evaluate = Callable[[Target, float | None], Evaluation]
"""`evaluate(target, threshold)`: every evasion run anew, on the same rows, with the same budget and seed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """One defence, tried: the hardened target, its threshold, and what changed. `defence` carries the settings that
    differ from its own. `p_holm` is the p-value of the gated metric, corrected for everything that was tried. `outcome`
    says in words why it was taken or left. `confirmed`: the gated metric on rows that were no part of the choice.
    `defend` fits a model behind the defence, `train` are the training rows that a defence of the data leaves.
    """

    defence: str
    target: Target
    threshold: float | None
    effects: tuple[Effect, ...]
    evaluation: Evaluation | None = None
    defend: Callable[[Data, Recipe], Target] | None = None
    train: Data | None = None
    p_holm: float = 1.0
    outcome: str = ""
    confirmed: Effect | None = None
    seconds: float = 0.0

    def effect(self, metric: str) -> Effect | None:
        """The effect on this metric, or None."""
        return next((effect for effect in self.effects if effect.metric == metric), None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hardened:
    """What was tried and what was chosen. `system` carries the chosen target and threshold, or is the one passed in,
    whose target is `was`. `goal` is the kind of attack.
    """

    system: Protected
    was: Target
    trials: tuple[Trial, ...]
    chosen: Trial | None
    skipped: tuple[Skipped, ...] = ()
    goal: str = "evasion"

    @property
    def metric(self) -> str:
        """The figure that decides: what any evasion breaks, else the first that an attack is compared by."""
        return ANY if self.goal == "evasion" else next((trial.effects[0].metric for trial in self.trials), "")

    @property
    def effects(self) -> tuple[Effect, ...]:
        """Every effect of every defence tried, those that did not help included."""
        return tuple(effect for trial in self.trials for effect in trial.effects)

    @property
    def notes(self) -> tuple[str, ...]:
        """The conditions under which the effects hold, to print beneath them."""
        notes = (
            "Every hardened model was attacked from scratch, on the same rows with the same budget, by the attacks "
            "that together broke most of the model as it was; the one that was taken is assessed with all of them.",
            "Thresholds were chosen again at the same alert rate, on training rows against evasion and on "
            "held-out rows against the rest.",
            self._chosen_on(),
        )
        return (*notes, "SIMULATED data.") if self.system.simulated else notes

    def _chosen_on(self) -> str:
        """What the figures of the chosen defence say about rows that did not choose it."""
        if self.chosen is None or self.chosen.confirmed is None:
            return "The choice was made on these rows: confirm it on rows that were not part of it."
        return (
            "The choice was made on these rows, which flatters it: "
            f"believe {100 * self.chosen.confirmed.difference:+.1f} points, {_elsewhere(self.chosen.confirmed)}."
        )


def harden(
    system: Protected,
    *,
    evaluate: Evaluate,
    defences: Sequence[str] | None = None,
    train: Data | None = None,
    inner: Callable[[Target, Data], Data] | None = None,
    confirm: Evaluate | None = None,
    tolerance: Tolerance | None = None,
    seed: int = 0,
    listener: Listener = silent,
) -> Hardened:
    """Fit every applicable defence, attack each result anew, and choose by the policy.

    The defences that reduced most are tried again, milder and stronger (their `ladder`), so that what robustness costs
    in clean quality is seen as a curve. `defences`: names in `temper.hardening` (default all). `train`: rows to fit on
    (default `system.train`). `inner`: the inner attack of adversarial training. Gated are the evasions that the policy
    sets a limit to, or all of them. The threshold of each hardened target is chosen again, at the same alert rate on
    the training rows. `confirm` evaluates on other rows: what was chosen must lower evasion there too, else nothing is
    taken.
    Raises `TemperError` without training rows.
    """
    data = train if train is not None else system.train
    if data is None:
        raise TemperError("hardening fits models again and the system has no training data", fix="set data.train")
    names = tuple(defences) if defences is not None else DEFENCES.names()
    before = _with_union(evaluate(system.target, system.threshold), system.policy)

    def attempt(told: str, name: str, options: dict[str, Any]) -> Trial:
        return _try(system, told, build(system, name, inner, options), data, before, evaluate, seed)

    trials, skipped = attempted([(name, {}) for name in names], attempt, listener)
    steps = [(name, options) for name in _promising(trials) for options in getattr(DEFENCES.get(name), "ladder", ())]
    more, left_out = attempted(steps, attempt, listener, done=len(names))
    trials, skipped = trials + more, skipped + left_out
    judged = judge(trials, tolerance or Tolerance())
    chosen = choose(judged, tolerance or Tolerance())
    if chosen is not None and confirm is not None:
        seen = _confirmed(system, chosen, confirm)
        judged[judged.index(chosen)] = seen
        chosen = seen if seen.confirmed is None or seen.confirmed.difference < 0 else None
    better = hardened(system, chosen) if chosen else system
    return Hardened(
        system=better,
        was=system.target,
        trials=tuple(judged),
        chosen=chosen,
        skipped=tuple(skipped),
    )


def attempted(
    steps: Sequence[tuple[str, dict[str, Any]]],
    attempt: Callable[[str, str, dict[str, Any]], Trial],
    listener: Listener,
    done: int = 0,
) -> tuple[list[Trial], list[Skipped]]:
    """Defences with their options, each tried as `attempt(told, name, options)`; what cannot be tried says why."""
    trials: list[Trial] = []
    skipped: list[Skipped] = []
    total = done + len(steps)
    for at, (name, options) in enumerate(steps, done):
        told = named(name, options)
        listener(Event(kind="started", task=told, room="hardening", done=at, total=total))
        try:
            trials.append(attempt(told, name, options))
        except Unsupported as reason:
            skipped.append(Skipped(name=told, why="; ".join(filter(None, (reason.message, reason.fix)))))
        listener(Event(kind="finished", task=told, room="hardening", done=at + 1, total=total))
    return trials, skipped


def hardened(system: Protected, trial: Trial) -> Protected:
    """The system with what the trial made of its model and of its training rows; the file the model came from is no
    longer the model's.
    """
    options = dict(system.options)
    if (asked := options.get(_FILE, {})).get("file"):
        options[_FILE] = {name: value for name, value in asked.items() if name != "file"} | {"written": True}
    made = replace(system, target=trial.target, threshold=trial.threshold, defend=trial.defend, options=options)
    return made if trial.train is None else replace(made, train=trial.train)


def same_alert_rate(before: Target, threshold: float | None, after: Target, x: Array) -> float | None:
    """The threshold at which `after` alerts on as many of the rows `x` as `before` does; None for other than binary.

    Ties can make the counts differ; then the nearer count is taken, the lower one of two equally near.
    """
    if before.classes != 2:
        return None
    cut = threshold if threshold is not None else (0.0 if before.kind is ScoreKind.MARGIN else 0.5)
    wanted = int((flagged_score(before.scores(x), before.kind) >= cut).sum())
    scores = np.sort(np.asarray(flagged_score(after.scores(x), after.kind), dtype=float))
    values, first = np.unique(scores, return_index=True)
    counts = np.append(len(scores) - first, 0)
    ends = np.append(values, np.nextafter(values[-1], np.inf))
    nearest = len(counts) - 1 - int(np.argmin(np.abs(counts - wanted)[::-1]))
    if nearest == 0 or nearest == len(counts) - 1:
        return float(ends[nearest])
    return float((ends[nearest - 1] + ends[nearest]) / 2)


def gated(policy: Policy, plugins: Sequence[str]) -> tuple[str, ...]:
    """The evasions whose success rate the policy limits; all of them when it limits none."""
    limited = tuple(
        name for name in plugins if any(fnmatchcase(f"{name}.success_rate", r.metric) for r in policy.requirements)
    )
    return limited or tuple(plugins)


def judge(trials: Sequence[Trial], tolerance: Tolerance) -> list[Trial]:
    """The trials with Holm's correction over the defences and the reason why each may be chosen or not."""
    gains = [trial.effect(ANY) for trial in trials]
    corrected = holm([gain.p_value if gain and gain.p_value is not None else 1.0 for gain in gains])
    return [
        replace(trial, p_holm=p, outcome=_outcome(trial, gain, p, tolerance))
        for trial, gain, p in zip(trials, gains, corrected, strict=True)
    ]


def choose(trials: Sequence[Trial], tolerance: Tolerance) -> Trial | None:
    """The cheapest of those that reduce for certain, cost no more than tolerated and reduce as much as the best does,
    give or take one standard error.

    Source: the one-standard-error rule of Breiman et al., "Classification and regression trees", 1984; paired here.
    """
    fit = [trial for trial in trials if _helps(trial.effect(ANY), trial.p_holm) and within(trial.effects, tolerance)]
    best = min(fit, key=_reduction, default=None)
    near = [trial for trial in fit if best is not None and _as_good(trial, best)]
    return min(near, key=lambda trial: (price(trial.effects, tolerance), _reduction(trial)), default=None)


def _try(
    system: Protected, name: str, defence: Defence, data: Data, before: Evaluation, evaluate: Evaluate, seed: int
) -> Trial:
    started = clock()
    target = defence.apply(system.target, data, draws(seed, name))
    threshold = same_alert_rate(system.target, system.threshold, target, data.x)
    after = _with_union(evaluate(target, threshold), system.policy)
    rng = Draws(seed, "hardening.effect").generator()
    found = effects(name, before, after, system.threshold, threshold, target.kind, rng)
    return Trial(
        defence=name,
        target=target,
        threshold=threshold,
        evaluation=after,
        effects=found,
        seconds=clock() - started,
        defend=behind(system.target, None, defence, name),
    )


def _confirmed(system: Protected, chosen: Trial, confirm: Evaluate) -> Trial:
    """The trial with its effect on rows that were no part of the choice."""
    before = _with_union(confirm(system.target, system.threshold), system.policy)
    after = _with_union(confirm(chosen.target, chosen.threshold), system.policy)
    gain = rates(chosen.defence, ANY, before.broken["evasion.any"], after.broken["evasion.any"], "lower")
    held = "" if gain.difference < 0 else "not taken: "
    told = f"{held}{chosen.outcome}; {100 * gain.difference:+.1f} points {_elsewhere(gain)}"
    return replace(chosen, confirmed=gain, outcome=told)


def _elsewhere(gain: Effect) -> str:
    return f"on {gain.n} rows that were no part of the choice ({100 * gain.low:+.0f} to {100 * gain.high:+.0f})"


def build(system: Protected, name: str, inner: Callable[[Target, Data], Data] | None, more: dict[str, Any]) -> Defence:
    """The defence with its options from the system, the fields that are handed in, and `more` over them."""
    known = {f.name for f in fields(DEFENCES.get(name))}
    handed = {
        "schema": system.schema,
        "inner": inner,
        "budget": _budget(system),
        "threshold": system.threshold,
        "accepted": system.accepted,
    }
    options = {field: value for field, value in handed.items() if field in known}
    built: Defence = DEFENCES.build(name, options | system.options.get(f"hardening.{name}", {}) | more)
    return built


def _budget(system: Protected) -> Budget | None:
    """What the first actor with a ball or a price limit may do: that a defence which trains against him trains for."""
    for actor in system.actors:
        if actor.radius is not None:
            return Budget(norm=actor.norm, radius=actor.radius)
        if actor.cost is not None and system.schema.columns:
            return Budget(norm="cost", radius=actor.cost)
    return None if system.schema.columns else Budget(radius=0.03 * (system.schema.high - system.schema.low))


def named(name: str, options: dict[str, Any]) -> str:
    """The defence as a person tells it from its neighbours: "augment (radius 6)"."""
    told = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in options.items())
    return f"{name} ({told})" if told else name


def _promising(trials: Sequence[Trial]) -> list[str]:
    """The defences worth trying at other strengths: the two that let the fewest rows through, if they did anything."""
    better = [trial for trial in trials if _reduction(trial) < 0]
    return [trial.defence for trial in sorted(better, key=_reduction)[:_LADDERS]]


def _with_union(evaluation: Evaluation, policy: Policy) -> Evaluation:
    """The evaluation with "evasion.any": rows that some gated evasion breaks."""
    names = gated(policy, tuple(evaluation.broken))
    if not names:
        raise TemperError("the evaluation has no evasion to compare", fix="evaluate one evasion at least")
    union = np.logical_or.reduce([np.asarray(evaluation.broken[name], dtype=bool) for name in names])
    return replace(evaluation, broken={**evaluation.broken, "evasion.any": union})


def _helps(gain: Effect | None, p: float) -> bool:
    return gain is not None and gain.difference < 0 and p < _LEVEL


def _as_good(trial: Trial, best: Trial) -> bool:
    """Whether it lets no more rows through that the best stops than the other way round, give or take their square
    root: McNemar's statistic is one at most.
    """
    own, other = (_broken(one) for one in (trial, best))
    worse, better = int((own & ~other).sum()), int((other & ~own).sum())
    return worse - better <= math.sqrt(worse + better)


def _broken(trial: Trial) -> np.ndarray[Any, Any]:
    return np.asarray(trial.evaluation.broken["evasion.any"] if trial.evaluation else [], dtype=bool)


def _reduction(trial: Trial) -> float:
    gain = trial.effect(ANY)
    return gain.difference if gain else 0.0


def _outcome(trial: Trial, gain: Effect | None, p: float, tolerance: Tolerance) -> str:
    if gain is None or not _helps(gain, p):
        return f"no sure reduction of evasion (p {p:.2g} after correction for the defences tried)"
    if not within(trial.effects, tolerance):
        return "holds better, but costs more clean quality or more alerts than tolerated"
    points = f"{-100 * gain.difference:.1f} points fewer rows evade"
    alerts = trial.effect("alert_rate")
    more = f", alerts {alerts.after / alerts.before - 1:+.0%}" if alerts and alerts.before else ""
    return f"holds better: {points} (p {p:.1g}), clean loss within tolerance{more}"
