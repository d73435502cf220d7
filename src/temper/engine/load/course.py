"""The course of a load test: one plan, or the search for the knee and what lies beyond it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from temper.core.errors import TemperError
from temper.core.load import Knee, Limit, Loaded, Recovery, Trial
from temper.core.seed import Draws
from temper.traffic.address import within_caps
from temper.traffic.arrivals import Phase, constant, due
from temper.traffic.chat import WORDS
from temper.traffic.knee import Search, bracketed
from temper.traffic.memory import growth
from temper.traffic.overload import MULTIPLES, phases, recovery
from temper.traffic.processes import Capped, Generators
from temper.traffic.scaling import scaling
from temper.traffic.trial import Late, timeline, weighed

Array = np.ndarray[Any, Any]
_LONGEST = 20.0
"""Seconds of the longest run of a search."""
_REST, _RESTS = 0.5, 20
_WARM = 1.0
_ANSWERS = 3.0
"""Answers of a chat that a run lasts at least: in less, those that overlap are not yet as many as they will be."""
_TRIES = 2
_MANY = 100.0
"""Requests a second that are told without a decimal."""
SAME_MACHINE = "the generator and the service share this machine's processors: alone, the service may bear more"


@dataclass(slots=True, kw_only=True, eq=False)
class Course:
    """One load test of one service. `told` hears in a line what has been found so far. A run of a search has at least
    `enough` requests where its longest time allows; between runs it is asked `gently`, requests a second.
    """

    generators: Generators
    requests: Sequence[bytes]
    limit: Limit
    first: float = 50.0
    most: float = 5_000.0
    seconds: float = 3.0
    seed: int = 0
    enough: int = 300
    gently: float = 10.0
    told: Callable[[str], None] = lambda line: None
    _runs: int = field(default=0, init=False)
    _ungraded: list[str] = field(default_factory=list, init=False)
    _capped: bool = field(default=False, init=False)

    def planned(self, plan: Sequence[Phase], words: str, started: str, samples: list[tuple[float, int]]) -> Loaded:
        """One run, as planned; `samples` are of the memory of the service, as far as anybody looks at it."""
        seconds = sum(phase.seconds for phase in plan)
        return self.timed(self._due(plan), seconds, words, started, samples)

    def timed(self, times: Array, seconds: float, words: str, started: str, samples: list[tuple[float, int]]) -> Loaded:
        """One run at these times."""
        within_caps(_fastest(times), seconds, len(times))
        played = self.generators.play(self.requests, times)
        return replace(
            self._loaded(words, started),
            trials=(weighed(played, seconds, self.limit),),
            timeline=timeline(played, seconds, self.limit, max(0.25, seconds / 400)),
            growth=growth(samples),
        )

    def searched(self, started: str, searches: int = 3, watched: float = 10.0) -> Loaded:
        """The knee, runs at multiples of it, and a recovery; without a knee there is nothing beyond it."""
        within_caps(4 * self.most, _LONGEST, 4 * self.most * self.seconds)
        self._warm()
        search = Search(ask=self._asked, limit=self.limit, first=self.first, most=self.most, searches=searches)
        knee = self._knee(search)
        found = replace(
            self._loaded("search for the knee: a ramp, then bisections", started),
            trials=tuple(search.trials),
            knee=knee,
            scaling=scaling(search.trials),
        )
        if not knee.value or knee.high is None or self._capped:
            return replace(found, caveats=(*found.caveats, *self._ungraded))
        ends = f"[{knee.low:,.3g}, {knee.high:,.3g}]" if knee.value < _MANY else f"[{knee.low:,.0f}, {knee.high:,.0f}]"
        self.told(f"knee {knee.value:,.{0 if knee.value >= _MANY else 1}f} a second {ends}; now beyond it")
        overload = tuple(self._beyond(knee))
        back = self._recovered(knee, watched)
        return replace(found, overload=overload, recovery=back, caveats=(*found.caveats, *self._ungraded))

    def _knee(self, search: Search) -> Knee:
        """The knee; where the cap on requests ended the search, what its runs say."""
        try:
            return search.knee()
        except Capped as capped:
            if not search.trials:
                raise
            self._capped = True
            self._ungraded.append(f"the search ended early: {capped.message}")
        return bracketed(search.trials, self.limit)

    def _loaded(self, words: str, started: str) -> Loaded:
        address = self.generators.address
        return Loaded(
            url=address.url,
            limit=self.limit,
            plan=words,
            generators=self.generators.many,
            started=started,
            caveats=(SAME_MACHINE,) if address.own else (),
        )

    def _beyond(self, knee: Knee) -> Iterator[tuple[float, Trial]]:
        """Runs at multiples of the knee. The knee stands where the generator cannot keep up beyond it."""
        for times in MULTIPLES:
            try:
                yield times, self._asked(times * knee.value)
            except (Late, Capped) as trouble:
                self._ungraded.append(f"{times:g} times the knee was not graded: {trouble.message}")

    def _recovered(self, knee: Knee, watched: float) -> Recovery | None:
        plan = phases(knee.value, self.seconds, watched)
        self.told(f"four times the knee for {self.seconds:g} s, then half of it: how soon is it well again?")
        for _ in range(_TRIES):
            try:
                played = self.generators.play(self.requests, self._due(plan))
            except Capped as capped:
                self._ungraded.append(f"recovery was not looked for: {capped.message}")
                return None
            if played.trusted(self.limit.seconds):
                return recovery(played, plan, self.limit)
            self._rest(knee.value)
        self._ungraded.append(f"recovery was not graded: {Late(played, 4 * knee.value, self.limit).message}")
        return None

    def _due(self, plan: Sequence[Phase]) -> Array:
        """Times at random, others for every run."""
        self._runs += 1
        return due(plan, Draws(self.seed, f"load.{self._runs}").generator())

    def _warm(self) -> None:
        """What is loaded on first use is no limit. What nobody answers well is no service to be searched."""
        played = self.generators.play(self.requests, self._due(constant(self.gently, _WARM)))
        wrong = played.status[played.status != 200]
        if len(wrong) > len(played.due) / 2:
            told = f"status {np.bincount(wrong).argmax()}" if wrong.any() else WORDS[int(played.marks.max())]
            raise TemperError(
                f"{self.generators.address.url} answers {told} to {len(wrong)} of {len(played.due)} requests",
                fix="send one by hand first: is it the right path, key and body?",
            )
        if played.talk is not None:
            whole = float(np.nanmedian(played.talk.ended - played.due))
            self.seconds = min(max(self.seconds, _ANSWERS * whole), _LONGEST)
            self.told(f"an answer takes {whole:.1f} s; runs last {self.seconds:.1f} s or more")

    def _asked(self, rate: float) -> Trial:
        """One run, after which the service comes to rest. A run that the generator was late in is tried once more."""
        seconds = min(max(self.seconds, self.enough / rate), _LONGEST)
        for left in reversed(range(_TRIES)):
            try:
                trial = self._once(rate, seconds)
            except Late:
                self._rest(rate)
                if not left:
                    raise
            else:
                break
        p99 = "never" if trial.p99 is None else f"{1e3 * trial.p99:,.1f} ms"
        holds = trial.holds(self.limit)
        asked, well = (f"{one:8,.{0 if rate >= _MANY else 1}f}" for one in (rate, trial.goodput))
        self.told(f"{asked} a second: {well} in time, p99 {p99}, {'holds' if holds else 'breaks'}")
        if not holds:
            self._rest(rate)
        return trial

    def _once(self, rate: float, seconds: float) -> Trial:
        return weighed(self.generators.play(self.requests, self._due(constant(rate, seconds))), seconds, self.limit)

    def _rest(self, rate: float) -> None:
        """Ask gently until everybody is answered in time again, so that one run does not pay for the one before."""
        for _ in range(_RESTS):
            try:
                played = self.generators.play(self.requests, self._due(constant(max(self.gently, 1 / _REST), _REST)))
            except Capped:
                return
            except TemperError as trouble:
                raise TemperError(
                    f"the service was gone after {rate:,.0f} requests a second: {trouble.message}",
                    fix="start it again, look into its log, and ask for less with --most",
                ) from None
            if played.good(self.limit.seconds).all():
                return


def _fastest(times: Array) -> float:
    """The most requests in any second."""
    ends = np.searchsorted(times, times + 1.0)
    return float((ends - np.arange(len(times))).max()) if len(times) else 0.0
