"""From evidence that is stale to jobs that make it again: each cause orders what it makes stale, once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from temper.config.keeping import kept_of
from temper.config.monitor import truth_of, watch_of
from temper.config.reading import read
from temper.config.system import load_system
from temper.config.triggers import triggers_of
from temper.core.evidence import Cause, Evidence, Present, Stale, Triggers
from temper.core.job import Order
from temper.core.outline import Outline
from temper.core.system import Protected
from temper.core.watch import Watch
from temper.monitoring import kept
from temper.monitoring.evidence import evidence, stale
from temper.store.attacks import attacks_digest
from temper.store.control import Control
from temper.store.control.deployed import deployed
from temper.store.database import Store

if TYPE_CHECKING:
    from temper.monitoring.run import Monitor

FILE = Path(".temper") / "reference.npz"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Validation:
    """The evidence of one temper.yaml, and what it is held against. `own` is the digest of the model it names,
    `reference` that of the reference of monitoring, `labels` the feed under which judged labels are kept ("": none).
    With `rules` of None nothing is ordered, and evidence is held against the usual ones.
    """

    config: Path
    system: str
    own: str
    reference: str
    watch: Watch | None
    labels: str
    rules: Triggers | None
    control: Control
    store: Store

    def model(self) -> str:
        """The digest of the model that answers."""
        live = deployed(self.control, self.system).live
        return self.own if live is None else str(live["digest"])

    def runs(self) -> list[Outline]:
        """The runs of this system, the newest first."""
        return self.store.outlines(system=self.system)

    def present(self, now: float, model: str, after: float) -> Present:
        """What is there now, and the windows that were judged after this time."""
        feed = self.watch.feed if self.watch else ""
        return Present(
            now=now,
            model=model,
            reference=self.reference,
            attacks=attacks_digest(),
            windows=tuple(self.control.windows.judged(feed, self.reference, self.width, after)),
            outcomes=tuple(self.control.windows.outcomes.judged(feed, self.labels, self.reference, self.width, after)),
        )

    def stale(self, now: float) -> tuple[dict[str, Evidence], list[Stale]]:
        """The evidence there is, and what of it is stale."""
        model = self.model()
        known = evidence(self.store.measured(self.system, model), model)
        after = min((one.rows for one in known.values()), default=now)
        return known, stale(known, self.present(now, model, after), self.rules or Triggers())

    def put(self, by: str, now: float) -> list[tuple[int, Order]]:
        """Order what is stale; what was ordered before for the same cause is not ordered again."""
        if self.rules is None:
            return []
        known, found = self.stale(now)
        made = [(self.control.jobs.put(one, by, now), one) for one in orders(found, known, self.rules, self.config)]
        return [(number, order) for number, order in made if number is not None]

    @property
    def width(self) -> float:
        """Seconds of a window."""
        return self.watch.window if self.watch else 0.0


def orders(found: Sequence[Stale], known: Mapping[str, Evidence], rules: Triggers, config: Path) -> list[Order]:
    """One order for each cause and event, of all that it made stale."""
    causes: dict[tuple[Cause, str], list[Stale]] = {}
    for one in found:
        causes.setdefault((one.cause, one.event), []).append(one)
    return [_order(cause, event, parts, known, rules, config) for (cause, event), parts in causes.items()]


def _order(
    cause: Cause, event: str, parts: Sequence[Stale], known: Mapping[str, Evidence], rules: Triggers, config: Path
) -> Order:
    names = sorted({one.part for one in parts} - {""})
    place = hashlib.sha256(str(config.absolute()).encode()).hexdigest()[:8]
    return Order(
        key=f"{place}:{cause.name.lower()}:{event[:64]}",
        why=f"{', '.join(names) or 'everything'}: {parts[0].why}",
        config=str(config.absolute()),
        suite=rules.suite,
        only=() if set(names) == set(known) else tuple(names),
        engine=rules.engine,
        labelled=min((one.rows for one in parts if one.rows is not None), default=None),
    )


def validation_of(
    config: Path,
    control: Control,
    *,
    monitor: Monitor | None = None,
    system: Protected | None = None,
    store: Store | None = None,
    trust_pickle: bool = False,
    today: date | None = None,
) -> Validation:
    """The evidence of this temper.yaml, in the store beside it or in `store`. A monitor of it, or the system, saves
    loading the model once more.
    """
    document, base = read(config), config.absolute().parent
    watch, truth = watch_of(document, base), truth_of(document, base)
    if monitor is None:
        system = system or load_system(config, trust_pickle=trust_pickle, today=today)
        name, own, reference = system.name, system.target.digest, reference_of(base)
    else:
        name, own, reference = monitor.system, monitor.model, monitor.digest
    return Validation(
        config=config,
        system=name,
        own=own,
        reference=reference,
        watch=watch,
        labels=truth.kept_as if truth else "",
        rules=triggers_of(document),
        control=control,
        store=store or Store.near(base, *kept_of(document)),
    )


def unloaded(config: Path, control: Control, store: Store) -> Validation:
    """The same without opening the model or the data of this temper.yaml, for pages: whether that file names another
    model by now it cannot say, only whether another one was deployed.
    """
    document, base = read(config), config.absolute().parent
    watch, truth = watch_of(document, base), truth_of(document, base)
    return Validation(
        config=config,
        system=document.section("system").text("name", base.name),
        own="",
        reference=reference_of(base),
        watch=watch,
        labels=truth.kept_as if truth else "",
        rules=triggers_of(document),
        control=control,
        store=store,
    )


def reference_of(base: Path) -> str:
    """The digest of the reference that windows of the temper.yaml in this folder are compared with."""
    path = base / FILE
    return kept.read(path)[1] if path.exists() else ""
