"""From a contained incident to a test that stays: the payments that passed, asked of both models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from temper import api
from temper.config.recurrences import read
from temper.config.system import load_system
from temper.core.errors import TemperError
from temper.core.system import Protected
from temper.demos.day.caller import FEED, LABELS
from temper.engine.plan import decisions
from temper.engine.recurrence.command import Sources, make
from temper.store.control import Control

_MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """The test of an incident at `path`, of `many` payments; of these each model decides `old` and `new` wrongly."""

    path: Path
    many: int
    old: int
    new: int

    @property
    def right(self) -> bool:
        """Whether it fails on the old model and passes on the new one."""
        return self.old > 0 and self.new == 0


def missed(folder: Path, hours: Sequence[int], low: float, threshold: float) -> Any:
    """The payments of these hours, a frame, that are fraud by their labels and had a score from `low` to `threshold`.

    Without labels nobody knows, and none is in it.
    """
    import pandas as pd

    parts = []
    for hour in hours:
        log, labels = (folder / name / f"{hour:02d}.parquet" for name in (FEED, LABELS))
        if labels.exists():
            parts.append(pd.read_parquet(log).merge(pd.read_parquet(labels), on="request"))
    if not parts:
        raise TemperError(
            "no label has come yet of what passed", fix="wait for them: an incident is not known by scores"
        )
    frame = pd.concat(parts, ignore_index=True)
    below = (frame["score"] >= np.float32(low)) & (frame["score"] < np.float32(threshold))
    return frame[below & (frame["is_fraud"] == 1)].reset_index(drop=True)


def regression(
    system: Protected, control: Control, incident: int, frame: Any, hardened: Path, by: str, clock: Callable[[], float]
) -> Regression:
    """Write the test of this incident, as `temper incidents test N --rows missed.parquet` does, and ask both models."""
    base = Path(system.source).absolute().parent
    table = base / "missed.parquet"
    frame.to_parquet(table)
    sources = Sources(tables=(table,))
    for _ in make(system, control, incident, sources, lambda: api.open_store(None, system), None, _MOST, by, clock()):
        pass  # it says what the day says in its own words
    folder = base / "regressions" / f"incident-{incident}"
    cases = read(folder / "cases.json", system.schema)
    x, expected = np.array([one.row for one in cases]), np.array([one.expected for one in cases])
    old, new = (int((decisions(one, x) != expected).sum()) for one in (system, load_system(hardened)))
    return Regression(path=folder / f"test_incident_{incident}.py", many=len(cases), old=old, new=new)
