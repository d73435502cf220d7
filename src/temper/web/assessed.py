"""What is assessed: a temper.yaml, the store of its runs, and what of their evidence still speaks of what answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from temper.config.keeping import kept_of
from temper.config.policy import policy_at
from temper.config.reading import read
from temper.core.errors import TemperError
from temper.core.evidence import Evidence, Stale
from temper.core.outline import Outline
from temper.core.requirement import Policy, Verdict
from temper.core.run import Record
from temper.monitoring.triggers import Validation, unloaded
from temper.report._figure import SYMBOLS
from temper.report.history import document
from temper.store.codec import from_json, unwrap
from temper.store.control import Control
from temper.store.database import Store
from temper.web import moments

if TYPE_CHECKING:
    from temper.web.visit import Visit

TABS = (("/runs", "Runs"), ("/jobs", "Jobs"), ("/hardening", "Hardening"))
EVIDENCE = (("/evidence", "Ledger"), ("/approvals", "Approvals"), ("/waivers", "Waivers"))
KEPT = 24
"""Documents of runs that are kept as they were read: reading one takes a tenth of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """The system of a temper.yaml, and the runs there are of it and of what was made from it."""

    config: Path
    system: str
    store: Store

    @classmethod
    def of(cls, config: Path) -> Assessed:
        """What this temper.yaml describes; the store is beside it, or where it says. No page waits for a server."""
        base = config.absolute().parent
        document = read(config)
        name, store = document.section("system").text("name", base.name), Store.near(base, *kept_of(document))
        return cls(config=config.absolute(), system=name, store=replace(store, patience=0.0))

    def record(self, run: str) -> Record:
        """The run of this whole id; a document that is as it was is not read again."""
        return _read(self.store.document(run))

    def newest(self) -> Record | None:
        """The newest finished run of this system."""
        found = self.store.outlines(1, system=self.system, state="finished")
        return self.record(found[0].run) if found else None

    @property
    def policy(self) -> Policy | None:
        """Its policy, as it is written now; None where it cannot be read, which takes no page away."""
        try:
            return policy_at(self.config)
        except TemperError:
            return None

    @property
    def faults(self) -> list[str]:
        """What was found changed in its evidence, which is read-only from then on; empty while nothing was."""
        return self.store.evidence.faults()

    def validation(self, control: Control) -> Validation:
        """Its evidence, and what that is held against."""
        return unloaded(self.config, control, self.store)


@lru_cache(maxsize=KEPT)
def _read(document: str) -> Record:
    return unwrap("temper.run", Record, from_json(document))


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The evidence there is, by part, and what of it is stale; `trouble` says why that cannot be told."""

    known: Mapping[str, Evidence]
    stale: Sequence[Stale]
    trouble: str = ""


def standing(visit: Visit) -> Standing:
    """How the evidence stands now. A temper.yaml that cannot be read takes no page away."""
    try:
        known, stale = visit.assessed.validation(visit.control).stale(visit.now)
    except TemperError as error:
        return Standing(known={}, stale=(), trouble=error.message)
    return Standing(known=known, stale=stale)


def renewals(found: Standing) -> list[dict[str, Any]]:
    """What is stale, a line for each part with every reason once, and where its renewal is ordered."""
    parts: dict[str, dict[str, str]] = {}
    for one in found.stale:
        parts.setdefault(one.part, {})[one.why] = one.run
    return [
        {
            "part": part or "everything",
            "why": "; ".join(reasons),
            "run": next(iter(reasons.values())),
            "href": f"/jobs?{urlencode({'part': part} if part else {})}#order",
        }
        for part, reasons in parts.items()
    ]


def badge(verdict: Verdict) -> dict[str, str]:
    """A verdict as a badge shows it."""
    return {"tone": verdict.value, "mark": SYMBOLS[verdict], "word": verdict.name}


def line(run: Outline, found: Standing, system: str) -> dict[str, Any]:
    """What a list shows of a run. Evidence is that of the system of this console."""
    told = document(run, found.known, found.stale) if run.system == system else {"current": [], "stale": []}
    return {
        "id": run.run,
        "href": f"/runs/{run.run}",
        "system": run.system,
        "suite": run.suite,
        "at": moments.clock(run.began),
        "verdict": badge(run.kind),
        "state": "" if run.state == "finished" else run.state,
        "judged": run.judged,
        "figures": f"{run.figures:,}",
        "findings": run.findings,
        "model": model(run.model),
        "simulated": run.simulated,
        "current": told["current"],
        "stale": told["stale"],
    }


def model(digest: str) -> str:
    """A model as people tell it from others."""
    return digest[:10] if digest and not digest.startswith("none") else "–"
