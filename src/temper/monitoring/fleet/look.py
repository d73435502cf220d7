"""What is known of systems is read: runs in short, windows, what was deployed; never a model, a table or a document of
a run. Systems whose people and monitors share a control store are read of it together, by as many queries as one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from temper.config.keeping import kept_of
from temper.config.monitor import truth_of, watch_of
from temper.config.reading import read
from temper.config.serving import control_of
from temper.config.triggers import triggers_of
from temper.core.errors import TemperError
from temper.core.evidence import Evidence, Present, Triggers
from temper.core.fleet import Attempt, Entry
from temper.core.outcome import Outcome
from temper.core.watch import Watch, Watched
from temper.monitoring.evidence import evidence, lasting
from temper.monitoring.fleet.stands import Known, Window
from temper.monitoring.triggers import reference_of
from temper.store.attacks import attacks_digest
from temper.store.control import Control
from temper.store.control.database import Unreachable
from temper.store.control.deployed import folded, own, put
from temper.store.control.outcomes import Wanted
from temper.store.database import STORE, Store

CONTROL = "TEMPER_CONTROL"
_LATEST = 5
_AT_ONCE = 8
"""Servers that are asked at the same time: one that is away is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a temper.yaml says of where to look: its store (None: nothing was ever kept), its control store, the feed
    that is watched, the labels and the reference it is compared with.
    """

    known: Known
    store: Store | None = None
    control: str = ""
    watch: Watch | None = None
    labels: str = ""
    reference: str = ""

    @property
    def place(self) -> str:
        """Its control store where there may be one: whether a server has it, only that knows."""
        there = "://" in self.control or (self.control and Path(self.control).exists())
        return self.control if there else ""

    def wanted(self, after: float) -> Wanted:
        """The windows that were judged after this time."""
        watch = self.watch
        return Wanted(watch.feed if watch else "", self.reference, watch.window if watch else 0.0, after, self.labels)


@dataclass(slots=True)
class Looking:
    """One look: at this time, in the store that all share or in each one's own. A server that did not answer is not
    asked again. With the digest of temper.yaml's `model`, which only who opened it knows, evidence of another one is
    stale.
    """

    now: float
    shared: Store | None = None
    model: str = ""
    _away: dict[str, str] = field(default_factory=dict)

    def subject(self, entry: Entry, turn: Attempt | None = None) -> Subject:
        """Where to look for a system. What cannot be read is its `trouble`, so that it stops no other."""
        config = Path(entry.config)
        base = config.absolute().parent
        known = Known(turn=turn, rules=Triggers(age=entry.tier.age, suite=entry.tier.suite))
        try:
            document = read(config)
            known = replace(known, system=document.section("system").text("name", base.name))
            truth = truth_of(document, base)
            return Subject(
                known=replace(known, rules=triggers_of(document) or known.rules),
                store=self.shared or self._own(base, *kept_of(document)),
                control=os.environ.get(CONTROL, "") or control_of(document, base),
                watch=watch_of(document, base),
                labels=truth.kept_as if truth else "",
                reference=reference_of(base),
            )
        except TemperError as error:
            return Subject(known=replace(known, trouble=error.message))

    def known(self, subjects: Sequence[Subject]) -> list[Known]:
        """What is known of them, in their order."""
        found = {id(one): one.known for one in subjects}
        groups: dict[str, list[Subject]] = {}
        for one in subjects:
            if not one.known.trouble:
                groups.setdefault(one.place, []).append(one)
        far = [place for place in groups if "://" in place]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            answers = dict(zip(far, pool.map(lambda place: self._of(place, groups[place]), far), strict=True))
        for place, group in groups.items():
            known = answers[place] if place in answers else self._of(place, group)
            found |= {id(one): each for one, each in zip(group, known, strict=True)}
        return [found[id(one)] for one in subjects]

    def _of(self, place: str, group: Sequence[Subject]) -> list[Known]:
        """What is known of systems that share a control store. One that is away takes away what only it knows."""
        if not place:
            return [self._told(one, *self._assessed(one, "")) for one in group]
        try:
            with closing(Control.open(place)) as control:
                return self._followed(control, group)
        except TemperError as error:
            known = [self._told(one, *self._assessed(one, "")) for one in group]
            return [replace(one, trouble=one.trouble or error.message) for one in known]

    def _followed(self, control: Control, group: Sequence[Subject]) -> list[Known]:
        """The same, with what was deployed and what windows and labels say."""
        models = put(control)
        lives = [folded(own(models, one.known.system)).live or {} for one in group]
        stands = [
            self._assessed(one, str(live.get("digest", "")), alone=len(group) == 1 or "system" in live)
            for one, live in zip(group, lives, strict=True)
        ]
        wanted = [
            one.wanted(min((each.rows for each in parts.values()), default=self.now))
            for one, (_, parts, _) in zip(group, stands, strict=True)
        ]
        windows, outcomes = control.windows.since(wanted), control.windows.outcomes.since(wanted)
        return [
            self._told(one, *stand, seen, [(at, each) for at, each in seen if at > asked.after], labelled)
            for one, stand, asked, seen, labelled in zip(group, stands, wanted, windows, outcomes, strict=True)
        ]

    def _assessed(self, one: Subject, live: str, *, alone: bool = True) -> tuple[Known, Mapping[str, Evidence], str]:
        """With its newest run, its evidence, and the model that this is held against: the one that was deployed, which
        in a store of several systems, where its record names none, is that of those it was ever measured of.
        """
        if one.store is None:
            return one.known, {}, live if alone else ""
        try:
            self._asked(one.store.url)
            latest, measured = one.store.standing(one.known.system, live or self.model, _LATEST)
        except TemperError as error:
            self._noted(one.store.url, error)
            return replace(one.known, trouble=error.message), {}, ""
        mine = alone or any(each.model == live for each in measured)
        model = (live if mine else "") or self.model
        parts = evidence(measured, model)
        seconds = max((each.seconds for each in latest), default=0.0)
        known = replace(one.known, newest=latest[0] if latest else None, seconds=seconds, evidence=parts)
        return known, parts, model

    def _told(
        self,
        one: Subject,
        known: Known,
        parts: Mapping[str, Evidence],
        model: str,
        seen: Sequence[tuple[float, Watched]] = (),
        after: Sequence[tuple[float, Watched]] = (),
        outcomes: Sequence[tuple[float, Outcome]] = (),
    ) -> Known:
        """With what of it is stale, and its newest window."""
        present = Present(
            now=self.now,
            model=model,
            reference=one.reference if one.place else "",
            attacks=attacks_digest(),
            windows=tuple(after),
            outcomes=tuple(outcomes),
        )
        window = Window.of(seen[-1][1]) if seen else None
        return replace(known, lasting=tuple(lasting(parts, present, known.rules)), window=window)

    def _own(self, base: Path, url: str, bucket: str) -> Store | None:
        """The store of one temper.yaml."""
        place = os.environ.get(STORE, "") or url
        self._asked(place)
        try:
            return Store.there(base, url, bucket)
        except TemperError as error:
            self._noted(place, error)
            raise

    def _asked(self, url: str) -> None:
        if url in self._away:
            raise Unreachable(self._away[url])

    def _noted(self, url: str, error: TemperError) -> None:
        if url and isinstance(error, Unreachable):
            self._away[url] = error.message


def look(entry: Entry, now: float, turn: Attempt | None = None, store: Store | None = None, model: str = "") -> Known:
    """What is known of one system, in the store beside its temper.yaml or in `store`, which several share. Nothing is
    made: without a store nothing was assessed.
    """
    looking = Looking(now, store, model)
    return looking.known([looking.subject(entry, turn)])[0]
