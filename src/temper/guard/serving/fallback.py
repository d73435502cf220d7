"""Who answers when the model does not: a challenger, rules, what is known of the past, and a safe default."""

from __future__ import annotations

import asyncio
import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from temper.core.errors import ConfigError
from temper.core.expression import Expression, parse
from temper.core.serving import Source

Array = np.ndarray[Any, Any]


class Link(Protocol):
    """One place in a chain that may know scores."""

    @property
    def source(self) -> Source:
        """Where its scores come from, which the answer says."""

    def answer(self, rows: Array) -> Any:
        """Scores (n,) of rows (n, columns), at once or to be awaited; None where it knows of none. It may also raise,
        and where it is awaited, hang.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Degraded:
    """What the chain answered, in whose name, and why every link before it did not; never told as the model's own."""

    scores: Array
    source: Source
    tried: tuple[tuple[Source, str], ...] = ()
    degraded: bool = field(default=True, init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Links in their order; the first that gives finite scores, one a row, answers. After all of them comes `score` in
    the name of `last`, DEFAULT or HUMAN (where a person decides), so there always is an answer.

    No link gets more than `share` of the time that is left, so one that hangs does not take the next one's; a link that
    ignores being cancelled is left behind. Misleads where a link blocks the event loop: nobody can interrupt that.

    >>> chain = Chain(links=(Rules(columns=("amount",), rules=(Rule(when="amount > 500", score=0.9),)),), score=0.5)
    >>> asyncio.run(chain.answer(np.array([[700.0], [3.0]]), 1.0)).source.value  # no rule knows the second row
    'default'
    """

    links: tuple[Link, ...] = ()
    score: float = 0.5
    last: Source = Source.DEFAULT
    share: float = 0.5

    def __post_init__(self) -> None:
        if self.last not in (Source.DEFAULT, Source.HUMAN):
            raise ConfigError(f"a chain cannot end with {self.last}", fix="end it with default or human")
        if not (0 < self.share <= 1 and np.isfinite(self.score)):
            raise ConfigError("a chain of fallbacks needs a share of the time and a score", fix="0 < share <= 1")

    async def answer(self, rows: Array, seconds: float) -> Degraded:
        """The scores that could be had in `seconds`; it never raises but where it is cancelled itself."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        tried: list[tuple[Source, str]] = []
        for link in self.links:
            scores, fault = await _asked(link, rows, (deadline - loop.time()) * self.share)
            if scores is not None:
                return Degraded(scores=scores, source=link.source, tried=tuple(tried))
            tried.append((link.source, fault))
        return Degraded(scores=np.full(len(rows), self.score, np.float32), source=self.last, tried=tuple(tried))


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenger:
    """Another model: `predict` gives scores (n,) of rows."""

    predict: Callable[[Array], Any]
    source: Source = Source.CHALLENGER

    def answer(self, rows: Array) -> Any:
        """What the other model says; `predict` may be a coroutine function."""
        return self.predict(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Rows where the expression `when` holds (is not 0) score this much; a missing value makes a comparison false."""

    when: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The first rule that holds gives a row its score, `otherwise` the rest, where that is given.

    `when` is an expression of the Schema's relations over `columns`, the names of the rows' columns in their order; a
    product of comparisons is "and". Misleads as rules do: nobody checks them against what the model would say.

    >>> rules = Rules(columns=("amount", "age"), rules=(Rule(when="(amount > 500) * (age < 30)", score=0.8),))
    >>> rules.answer(np.array([[700.0, 20.0]]))
    array([0.8], dtype=float32)
    """

    columns: tuple[str, ...]
    rules: tuple[Rule, ...]
    otherwise: float | None = None
    source: Source = Source.RULES
    _parsed: tuple[Expression, ...] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        parsed = tuple(parse(rule.when) for rule in self.rules)
        for one in parsed:
            self._known(one)
        object.__setattr__(self, "_parsed", parsed)

    def answer(self, rows: Array) -> Array | None:
        """Scores of the rows, None where no rule holds for one of them and nothing is said of the rest."""
        named = {name: rows[:, at] for at, name in enumerate(self.columns)}
        scores = np.full(len(rows), np.nan if self.otherwise is None else self.otherwise, np.float32)
        free = np.ones(len(rows), bool)
        with np.errstate(all="ignore"):
            for rule, one in zip(self.rules, self._parsed, strict=True):
                value = one.value(named, named)
                holds = free & (value != 0) & (value == value)
                scores[holds] = rule.score
                free &= ~holds
        return None if np.isnan(scores).any() else scores

    def _known(self, one: Expression) -> None:
        for name in sorted(one.every_name - set(self.columns)):
            near = difflib.get_close_matches(name, self.columns, n=1)
            fix = f"did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"the rule {one.text!r} names the unknown column {name!r}", fix=fix)


@dataclass(slots=True, kw_only=True, eq=False)
class LastKnown:
    """What the model said of rows like these when it was well: of the same row, or of the same segment, which are the
    rows that agree in `columns` (numbers of columns). A segment's score moves by `weight` towards every new one. Rows
    always come in one type.

    At most `most` are kept; those not heard of for longest go first. Misleads where the world has moved since, and a
    client that asks often shapes its segments: leave columns to it that it cannot choose.

    >>> known = LastKnown(columns=(0,), weight=0.5)
    >>> for score in (0.25, 0.75):
    ...     known.learn(np.array([[7.0, 1.0]]), np.array([score]))
    >>> known.answer(np.array([[7.0, 2.0]]))
    array([0.5], dtype=float32)
    """

    columns: tuple[int, ...] = ()
    weight: float = 1.0
    most: int = 100_000
    source: Source = Source.LAST_KNOWN
    _scores: dict[bytes, float] = field(default_factory=dict, init=False, repr=False)

    def learn(self, rows: Array, scores: Array) -> None:
        """Remember what the model said; only its own healthy answers belong here."""
        for key, score in zip(self._keys(rows), scores.tolist(), strict=True):
            before = self._scores.pop(key, score)
            self._scores[key] = before + self.weight * (score - before)
        while len(self._scores) > self.most:
            del self._scores[next(iter(self._scores))]

    def answer(self, rows: Array) -> Array | None:
        """The scores known, None where one row is unknown."""
        found = [self._scores.get(key) for key in self._keys(rows)]
        return None if None in found else np.array(found, np.float32)

    def _keys(self, rows: Array) -> list[bytes]:
        chosen = np.ascontiguousarray(rows[:, self.columns] if self.columns else rows) + 0.0  # minus zero is zero
        return [row.tobytes() for row in chosen]


async def _asked(link: Link, rows: Array, seconds: float) -> tuple[Array | None, str]:
    """A link's scores, or why there are none."""
    if seconds <= 0:
        return None, "no time was left"
    try:
        found = link.answer(rows)
    except Exception as crash:
        return None, type(crash).__name__
    if not inspect.isawaitable(found):
        return _checked(found, len(rows))
    task = asyncio.ensure_future(found)
    try:
        await asyncio.wait((task,), timeout=seconds)
    finally:
        if not task.done():  # and is not waited for: it may ignore being cancelled
            task.add_done_callback(_looked_at)
            task.cancel()
    if not task.done():
        return None, f"no answer in {seconds:.3g} s"
    if task.cancelled():
        return None, "cancelled"
    if fault := task.exception():
        return None, type(fault).__name__
    return _checked(task.result(), len(rows))


def _checked(found: Any, n: int) -> tuple[Array | None, str]:
    if found is None:
        return None, "knows none of it"
    scores = np.asarray(found)
    if scores.shape != (n,) or scores.dtype.kind not in "fiub":
        return None, f"gave {scores.shape} of {scores.dtype} for {n} rows"
    if not np.isfinite(scores).all():
        return None, "gave scores that are not finite"
    return scores, ""


def _looked_at(task: asyncio.Future[Any]) -> None:
    """What a link that was left behind ends with is of no interest, and asked for so that nothing is logged."""
    if not task.cancelled():
        task.exception()
