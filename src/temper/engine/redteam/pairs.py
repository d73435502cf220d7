"""Two red team runs attempt by attempt: what each did with the same injections, tasks and twins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from temper.core.measure import Better
from temper.core.run import Record
from temper.engine.redteam.campaign import TEMPLATES
from temper.engine.redteam.kept import TASK, TWIN, Tried, attempts
from temper.kernels.clustered import paired_means
from temper.kernels.rate import paired_rates
from temper.store.database import Store

ENOUGH = 10
"""Pairs of prompts without which a goal is not compared by itself."""
_NAMED = 3
_SUCCESS = f"{TEMPLATES}.success_rate"
Marks = Callable[[Tried], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """One share in both runs over the same trials: `n` of `prompts` prompts (or tasks), the difference after - before
    with its interval at `confidence`, and what that says: better | worse | no clear change.
    """

    name: str
    slice: str
    before: float
    after: float
    difference: float
    low: float
    high: float
    n: int
    prompts: int
    change: str
    confidence: float = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """How much only one of the runs has of what a strategy (or "twin", "task") tried, and some of it by name."""

    by: str
    before: int
    after: int
    named: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Figures over what both runs tried, what only one tried, and what speaks against the comparison."""

    figures: tuple[Paired, ...]
    alone: tuple[Alone, ...]
    notes: tuple[str, ...] = ()


def pairs(store: Store, before: Record, after: Record) -> Pairs | None:
    """The comparison of two red team runs; None where either kept no attempts.

    Attempts are the same when the injection is (goal, wrapper, carrier, place, codes, words, turns) and the trial is.
    Templates try the same whatever they meet. A search goes where it succeeds, so what two runs of it share is mostly
    how they begin; it has a line of its own. Misleads where the runs have few attempts in common: see what is alone.
    """
    kept = [attempts(store, record.tasks[0]) if record.tasks else () for record in (before, after)]
    if not all(kept):
        return None
    old, new = ({(one.by, one.key): one for one in run} for run in kept)
    both = [(old[key], new[key]) for key in old if key in new]
    figures = [
        _prompts(_SUCCESS, "all", _of(both, TEMPLATES), _hits),
        _trials("assistant.tasks.served", _of(both, TASK), _served, Better.HIGHER),
        _prompts("assistant.under_attack.served", "all", _of(both, TEMPLATES), _served, Better.HIGHER),
        _trials("assistant.twins.blocked", _of(both, TWIN), _blocked),
        _trials("assistant.twins.false_alarms", _of(both, TWIN), _hits),
        *_goals(both),
        *_searches(both),
    ]
    return Pairs(
        figures=tuple(one for one in figures if one is not None),
        alone=_alone(kept[0], kept[1]),
        notes=_notes(before, after, both),
    )


def _goals(both: Sequence[tuple[Tried, Tried]]) -> list[Paired | None]:
    """The templates goal by goal, where there are enough to compare; the intervals hold together at 95 %."""
    templates = _of(both, TEMPLATES)
    parts = [
        [pair for pair in templates if pair[0].goal == goal] for goal in sorted({one.goal for one, _ in templates})
    ]
    parts = [part for part in parts if len(part) >= ENOUGH]
    each = 1 - 0.05 / max(1, len(parts))
    return [_prompts(_SUCCESS, f"goal: {part[0][0].goal}", part, _hits, confidence=each) for part in parts]


def _searches(both: Sequence[tuple[Tried, Tried]]) -> list[Paired | None]:
    names = sorted({one.by for one, _ in both} - {TEMPLATES, TASK, TWIN})
    return [_prompts(f"{name}.success_rate", "all", _of(both, name), _hits) for name in names]


def _hits(one: Tried) -> str:
    return one.hits


def _served(one: Tried) -> str:
    return one.served


def _blocked(one: Tried) -> str:
    return one.blocked


def _of(both: Sequence[tuple[Tried, Tried]], by: str) -> list[tuple[Tried, Tried]]:
    return [pair for pair in both if pair[0].by == by]


def _judged(pair: tuple[Tried, Tried], marks: Marks) -> list[tuple[int, int]]:
    """The trials of both that can be judged in both."""
    return [(int(a), int(b)) for a, b in zip(marks(pair[0]), marks(pair[1]), strict=False) if "-" not in (a, b)]


def _prompts(
    name: str,
    part: str,
    both: Sequence[tuple[Tried, Tried]],
    marks: Marks,
    better: Better = Better.LOWER,
    confidence: float = 0.95,
) -> Paired | None:
    """Prompts are a sample of others, and trials of one are alike: prompts are counted."""
    judged = [trials for pair in both if (trials := _judged(pair, marks))]
    if not judged:
        return None
    first, second = ([sum(trial[at] for trial in trials) / len(trials) for trials in judged] for at in (0, 1))
    ends = paired_means(first, second, confidence)
    means = sum(first) / len(first), sum(second) / len(second)
    n = sum(map(len, judged))
    return _paired(name, part, means, ends, (n, len(judged)), better, confidence)


def _trials(
    name: str, both: Sequence[tuple[Tried, Tried]], marks: Marks, better: Better = Better.LOWER
) -> Paired | None:
    """Tasks are all there are, and a twin is tried once: trials are counted."""
    flat = [trial for pair in both for trial in _judged(pair, marks)]
    if not flat:
        return None
    first, second = ([bool(trial[at]) for trial in flat] for at in (0, 1))
    means = sum(first) / len(first), sum(second) / len(second)
    return _paired(name, "all", means, paired_rates(first, second), (len(flat), len(both)), better, 0.95)


def _paired(
    name: str,
    part: str,
    means: tuple[float, float],
    ends: tuple[float, float, float],
    sizes: tuple[int, int],
    better: Better,
    confidence: float,
) -> Paired:
    difference, low, high = ends
    change = "no clear change"
    if low > 0 or high < 0:
        change = "better" if (low > 0) == (better is Better.HIGHER) else "worse"
    return Paired(
        name=name,
        slice=part,
        before=means[0],
        after=means[1],
        difference=difference,
        low=low,
        high=high,
        n=sizes[0],
        prompts=sizes[1],
        change=change,
        confidence=confidence,
    )


def _alone(old: Sequence[Tried], new: Sequence[Tried]) -> tuple[Alone, ...]:
    """What only one run tried, by who tried it; the trials that only one has of an injection count as well."""
    found = []
    for by in dict.fromkeys(one.by for one in (*old, *new)):
        mine, theirs = ({one.key: one for one in run if one.by == by} for run in (old, new))
        only = (
            [one for one in mine.values() if one.key not in theirs],
            [one for one in theirs.values() if one.key not in mine],
        )
        if any(only):
            named = tuple(_described(one) for one in (*only[0], *only[1])[:_NAMED])
            found.append(Alone(by=by, before=len(only[0]), after=len(only[1]), named=named))
    return tuple(found)


def _described(one: Tried) -> str:
    """An injection in words.

    >>> _described(Tried(by="injection.tree", key="1", goal="payment", wrapper="ignore", carrier="mail"))
    'payment, ignore in mail'
    """
    if not one.goal:
        return one.key
    codes = f" as {'+'.join(one.codecs)}" if one.codecs else ""
    return f"{one.goal}, {one.wrapper} {f'in {one.carrier}' if one.carrier else 'typed'}{codes}"


def _notes(before: Record, after: Record, both: Sequence[tuple[Tried, Tried]]) -> tuple[str, ...]:
    lost = sum("-" in (a, b) for one, other in both for a, b in zip(one.hits, other.hits, strict=False))
    notes = [f"{lost:,} pairs of trials could not be judged in one of the runs and are left out"] if lost else []
    if before.seed != after.seed:
        notes.append(
            f"the runs have seeds {before.seed} and {after.seed}: the same attacks with other random words, so pairs "
            "are of prompts rather than of questions"
        )
    stopped = [record.id for record in (before, after) if record.state != "finished"]
    notes += [f"run {name} is not complete" for name in stopped]
    return tuple(notes)
