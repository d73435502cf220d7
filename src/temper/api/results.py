"""What the public functions return: runs, hardenings, attacks, comparisons, registers; a notebook shows each."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from temper.core.comparison import Comparison, compare
from temper.core.data import Array
from temper.core.defence import Effect
from temper.core.errors import TemperError
from temper.core.finding import Finding
from temper.core.measure import Measurement
from temper.core.requirement import Verdict
from temper.core.risk import Register
from temper.core.run import Record
from temper.core.system import Protected
from temper.report import notebook
from temper.report.notebook import Shown, View

if TYPE_CHECKING:
    import pandas as pd

    from temper.engine.harden import Hardened


@dataclass(frozen=True, slots=True, eq=False)
class Run(Shown):
    """One assessment and what can be made of it."""

    record: Record
    before: Record | None = None
    effects: tuple[Effect, ...] = ()
    tried: tuple[Effect, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The verdict of the whole."""
        return self.record.verdict

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """Every figure."""
        return self.record.measurements

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every weakness, the worst first."""
        return self.record.findings

    @property
    def risk(self) -> Risks | None:
        """The risk register as it stood when the run ended."""
        return None if self.record.risk is None else _as(Risks, self.record.risk)

    def report(self, path: str | Path) -> Path:
        """Write a report; the ending says which: .html, .json, .xml (JUnit), .sarif."""
        from temper.report import render

        path = Path(path)
        formats = {".html": "html", ".json": "json", ".xml": "junit", ".sarif": "sarif"}
        if path.suffix not in formats:
            raise TemperError(f"no report format ends in {path.suffix!r}", fix=f"use one of {', '.join(formats)}")
        content = render(self.record, formats[path.suffix], before=self.before, effects=self.effects, tried=self.tried)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    def to_frame(self) -> pd.DataFrame:
        """The figures as a table: plugin, metric, value, low, high, n, unit, status, slice, queries, seconds."""
        import pandas as pd

        names = ("plugin", "metric", "value", "low", "high", "n", "unit", "status", "slice", "queries", "seconds")
        rows = [{name: getattr(m, name) for name in names} | {"status": m.status.value} for m in self.measurements]
        return pd.DataFrame(rows, columns=list(names))

    def view(self) -> View:
        """The verdict, every requirement, the worst findings."""
        return notebook.of_run(self.record)


@dataclass(frozen=True, slots=True, eq=False)
class Hardening(Shown):
    """A hardened system, the runs before and after, and what each defence did, one result per kind of attack."""

    system: Protected
    before: Run
    after: Run
    results: tuple[Hardened, ...]

    @property
    def taken(self) -> tuple[str, ...]:
        """The defences that were taken, in the order in which they lie over the model."""
        return tuple(result.chosen.defence for result in self.results if result.chosen is not None)

    def table(self) -> pd.DataFrame:
        """One row per defence and metric: before, after, paired difference with interval, n, verdict."""
        import pandas as pd

        names = ("defence", "metric", "before", "after", "difference", "low", "high", "n", "p_value", "verdict")
        rows = [{name: getattr(effect, name) for name in names} for effect in self._effects()]
        return pd.DataFrame(rows, columns=list(names))

    def view(self) -> View:
        """What was taken, and what every defence that was tried changed."""
        return notebook.of_hardening(self.taken, self._effects(), self.after.record)

    def _effects(self) -> list[Effect]:
        return [effect for result in self.results for effect in result.effects]


@dataclass(frozen=True, slots=True, eq=False)
class AttackResult(Shown):
    """Per row: verdict, adversarial row, distance, queries; the success rate over the rows judged rightly before.

    `checks` is what speaks against the attack's silence, `notes` what the attack said of its work, a number per row
    under a name ("survives": share of other views in which a sticker still works).
    """

    verdicts: np.ndarray[Any, Any]
    x_adv: Array
    distance: np.ndarray[Any, Any]
    queries: np.ndarray[Any, Any]
    success_rate: Measurement
    checks: tuple[str, ...]
    notes: dict[str, np.ndarray[Any, Any]]

    def view(self) -> View:
        """The success rate with interval, n and baseline; the rows by verdict; the checks."""
        return notebook.of_attack(self.success_rate, self.verdicts, self.checks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared(Comparison, Shown):
    """What changed from the run `was` to the run `now`."""

    was: Record
    now: Record

    def view(self) -> View:
        """Figures that changed, and findings that are new, fixed or not looked for again."""
        return notebook.of_comparison(self.was, self.now, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Risks(Register, Shown):
    """The risk register of a run: `risks`, the largest first, `total` and `total_before` anything was measured."""

    def view(self) -> View:
        """Every risk with its chance and what a year may cost."""
        return notebook.of_risks(self)


_Kind = TypeVar("_Kind")


def _as(kind: type[_Kind], plain: Any, **more: Any) -> _Kind:
    """The same fields as another kind of the same thing."""
    return kind(**{field.name: getattr(plain, field.name) for field in fields(plain)}, **more)


def compared(old: Record, new: Record) -> Compared:
    """What changed between two runs."""
    return _as(Compared, compare(old, new), was=old, now=new)
