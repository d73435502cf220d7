"""One scenario's risk: attempts a year, probability of success and loss, each a table of quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.risk import (
    ATTEMPTS,
    LOSSES,
    Ceiling,
    Known,
    Line,
    Range,
    Sightings,
    Stakes,
    Standing,
    Stopping,
    Trials,
)
from temper.core.threat import Scenario
from temper.kernels.annual_loss import at_least, beta, pert, posterior

Vector = np.ndarray[Any, Any]

_STRENGTH = 4.0
_SUCCESS = {"realized": 0.5, "feasible": 0.25}
_DEMONSTRATED = 0.375
_BY_RATING = dict(zip(("low", "medium", "high", "critical"), LOSSES, strict=True))
_TALKS = ("prompt", "outside text")
_EDGES = ((0.01, "very low"), (0.1, "low"), (0.5, "medium"), (1.0, "high"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Odds:
    """The probability that an attempt succeeds, as a table of quantiles, with what it stands on, in words as well.
    `floor` is the table as if all that was not seen to succeed had failed.
    """

    table: Vector
    floor: Vector
    standing: Standing
    because: tuple[str, ...]
    trials: Trials | None = None

    @property
    def leaves(self) -> float:
        """How likely a success is as far as it is sure: what was not measured soundly leaves what it saw succeed."""
        mean = float(self.table.mean())
        if self.standing is Standing.MEASURED:
            return mean
        return min(mean, self.trials.successes / self.trials.n) if self.trials is not None and self.trials.n else 0.0


def prior(scenario: Scenario, success: float | None) -> tuple[float, float]:
    """A weak Beta distribution, worth four trials: an expert's probability, else what ATLAS knows of the technique.

    >>> from temper.core.target import Access
    >>> from temper.core.threat import Actor, Threat
    >>> threat = Threat(id="t", title="", goal="", asset="", access=Access.NONE, plugins=(), maturity="realized")
    >>> prior(Scenario(threat=threat, actor=Actor(name="a")), None)
    (2.0, 2.0)
    """
    mean = _SUCCESS.get(scenario.threat.maturity, _DEMONSTRATED) if success is None else success
    return _STRENGTH * mean, _STRENGTH * (1 - mean)


def odds(start: tuple[float, float], known: Known, weight: float, stopping: Sequence[Stopping] = ()) -> Odds:
    """What is known of the probability of success: the prior, what attacks found, what certificates exclude, and what
    guards stopped of attacks that knew them. `weight` is the relevance of the trials, with their age.
    """
    before = beta(*start)
    table, standing, because = _tried(start, before, known.trials, weight)
    if known.ceiling is not None and known.ceiling.possible < known.ceiling.n:
        table = np.minimum(table, beta(known.ceiling.possible + 1, known.ceiling.n - known.ceiling.possible))
        because += (_bounded(known.ceiling),)
        standing = Standing.MEASURED if standing is Standing.UNTESTED else standing
    for one in stopping:
        table = table * (1 - beta(one.stopped, one.tried - one.stopped + 1)[::-1])
        because += (f"the guard stopped {one.stopped} of {one.tried} attempts that knew it ({one.how})",)
    floor = np.minimum(table, _floor(start, known.trials, weight))
    return Odds(table=table, floor=floor, standing=standing, because=because, trials=known.trials)


def worst(found: Sequence[Odds]) -> Odds:
    """Of all that speaks of the same threat the one that leaves most: whoever attacks chooses. One that was not
    measured soundly raises one that was to what it saw succeed, and no further. What the others say stands beside it.
    """
    first = max(found, key=_leaves)
    sound = [one for one in found if one.standing is Standing.MEASURED]
    table = first.table if first in sound or not sound else np.maximum(first.floor, max(sound, key=_leaves).table)
    beside = tuple(f"beside it: {line}" for one in found if one is not first for line in one.because)
    return replace(first, table=table, because=(*first.because, *beside))


def _leaves(one: Odds) -> float:
    return one.leaves


def _floor(start: tuple[float, float], trials: Trials | None, weight: float) -> Vector:
    if trials is None or not trials.n:
        return beta(*start)
    return beta(*posterior(start, trials.successes, trials.n - trials.successes, 0.0, weight))


def _tried(
    start: tuple[float, float], before: Vector, trials: Trials | None, weight: float
) -> tuple[Vector, Standing, tuple[str, ...]]:
    """The table after the trials. Stale ones keep what they raised and lose what they lowered."""
    if trials is None or not trials.n:
        return before, Standing.UNTESTED, (trials.doubt,) if trials and trials.doubt else ()
    after = beta(*posterior(start, trials.successes, trials.failures, trials.unknown, weight))
    words = (_found(trials),)
    if trials.stale:
        return np.maximum(before, after), Standing.STALE, (*words, f"stale: {trials.stale}")
    if trials.doubt and not trials.failures:
        lost = "what did not succeed" if trials.successes else "it"
        return after, Standing.INCONCLUSIVE, (*words, f"{lost} counts for nothing: {trials.doubt}")
    if not trials.successes + trials.failures:
        return after, Standing.INCONCLUSIVE, words
    return after, Standing.MEASURED, words


def _found(trials: Trials) -> str:
    said = f"{trials.plugin}, run {trials.run}: {trials.successes:g} of {trials.n:g} {trials.counts}"
    said += f", {trials.unknown:g} of them not known" if trials.unknown and not trials.doubt else ""
    return said + (", behind the guard" if trials.guarded else "") + (f" ({trials.note})" if trials.note else "")


def _bounded(ceiling: Ceiling) -> str:
    return (
        f"proven, run {ceiling.run}: no attack within the budget can break more than {ceiling.possible} of {ceiling.n}"
    )


def attempts(told: Range, sightings: Sightings | None) -> Vector:
    """Attempts a year; what was seen in service can raise them and never lowers them."""
    table = pert(told.low, told.likely, told.high)
    if sightings is None:
        return table
    return np.maximum(table, at_least(sightings.events, sightings.years))


def line(scenario: Scenario, stakes: Stakes, matches: Sequence[Line]) -> tuple[Range, Range, float | None, float]:
    """(attempts, loss, expert's probability, relevance) of a scenario: what its lines say, the later over the earlier,
    else what is said of all, else what is assumed for its kind.
    """
    tries, loss, success, relevance = stakes.attempts, stakes.loss, None, 1.0
    for one in matches:
        tries = one.attempts or tries
        loss = one.loss or loss
        success = success if one.success is None else one.success
        relevance = relevance if one.relevance is None else one.relevance
    assumed = replace(LOSSES[_BY_RATING[scenario.rating]], assumed=True)
    return tries or _usual(scenario), loss or assumed, success, relevance


def _usual(scenario: Scenario) -> Range:
    """Whoever has a budget of questions, or talks to an assistant, tries monthly; accidents and insiders come once a
    year; suppliers rarely.
    """
    actor = scenario.actor
    if scenario.threat.goal == "supply chain":
        word = "rare"
    else:
        asks = actor.queries and actor.knowledge != "white-box"
        word = "monthly" if asks or set(_TALKS) & set(actor.writes) else "yearly"
    return replace(ATTEMPTS[word], assumed=True)


def rating(p90: float, appetite: float) -> str:
    """Five bands, by the annual loss of one year in ten as a share of the appetite.

    >>> rating(600.0, 1000.0), rating(2.0, 1000.0)
    ('high', 'very low')
    """
    share = p90 / appetite
    return next((word for edge, word in _EDGES if share <= edge), "critical")
