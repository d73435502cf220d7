"""Laws of stressors: the same stress for the same seed, more of it at a higher severity, and clean rows stay clean."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.testing.law import LawBroken, only_reads, require, sealed
from temper.testing.scenes import schema, table

SEVERITIES = (1, 2, 3, 4, 5)
_ROWS = 1_500


def law_same_seed_same_bytes(stressor: type[Any]) -> None:
    """A stressed batch can be made again to the byte."""
    one, two = (_apply(stressor, 4, seed=1) for _ in range(2))
    require(one.tobytes() == two.tobytes(), "gives other rows when run again with the same seed")


def law_other_seed_other_rows(stressor: type[Any]) -> None:
    """The seed reaches the numbers."""
    one, two = (_apply(stressor, 4, seed=seed) for seed in (1, 2))
    require(one.tobytes() != two.tobytes(), "gives the same rows with another seed")


def law_leaves_inputs_alone(stressor: type[Any]) -> None:
    """The rows it is given are as before, and what comes back is not a view of them."""
    x = table(50)
    before = x.tobytes()
    for given in (x, sealed(x)):
        with only_reads(stressor.__name__):
            out = _made(stressor).apply(given, 5, _draws(0, 50))
        require(given.tobytes() == before, "writes to the rows it is given")
        require(not np.shares_memory(out, given), "gives back the very rows it was given")


def law_keeps_the_shape(stressor: type[Any]) -> None:
    """A stressed row stands where the clean row stood; no row and one row are rows too."""
    for n in (0, 1, 50):
        out = _made(stressor).apply(table(50)[:n], 3, _draws(0, n))
        require(out.shape == (n, len(schema().columns)), f"gives {out.shape} for {n} rows")


def law_severity_rises(stressor: type[Any]) -> None:
    """A higher severity touches no fewer values, and the highest does clearly more than the lowest."""
    clean = table(_ROWS)
    stressed = [_apply(stressor, severity) for severity in SEVERITIES]
    touched = [int(_changed(out, clean).sum()) for out in stressed]
    require(touched == sorted(touched), f"touches {touched} values at severities 1 to 5")
    require(touched[0] > 0, "touches nothing at severity 1")
    far = [_far(out, clean) for out in stressed]
    require(far[-1] > far[0], f"moves values by {far[0]:g} at severity 1 and by {far[-1]:g} at severity 5")


def law_other_severities_are_refused(stressor: type[Any]) -> None:
    """Severity is 1 to 5; anything else is a mistake that is told."""
    for severity in (0, 6, -1):
        try:
            _apply(stressor, severity)
        except TemperError:
            continue
        raise LawBroken(f"accepts severity {severity}")


def _made(stressor: type[Any]) -> Any:
    known = {field.name for field in fields(stressor)}
    return stressor(schema=schema()) if "schema" in known else stressor()


def _apply(stressor: type[Any], severity: int, seed: int = 0) -> Array:
    return np.asarray(_made(stressor).apply(table(_ROWS), severity, _draws(seed, _ROWS)))


def _draws(seed: int, rows: int) -> Draws:
    return Draws(seed, "testing.stressor", np.arange(rows))


def _changed(out: Array, clean: Array) -> Array:
    return ~((out == clean) | (np.isnan(out) & np.isnan(clean)))


def _far(out: Array, clean: Array) -> float:
    """Total change in the columns' scales; a value gone missing counts like five scales."""
    gap = np.nan_to_num(np.abs(out - clean), nan=0.0) / schema().scales
    return float(gap.sum() + 5.0 * (np.isnan(out) & ~np.isnan(clean)).sum())


LAWS = (
    law_same_seed_same_bytes,
    law_other_seed_other_rows,
    law_leaves_inputs_alone,
    law_keeps_the_shape,
    law_severity_rises,
    law_other_severities_are_refused,
)
