"""Laws of stressors: the same stress for the same seed, more of it at a higher severity, and clean rows stay clean."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.errors import TemperError, Unsupported
from temper.core.schema import Column, Schema
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
    x = _table(stressor, 50)
    before = x.tobytes()
    for given in (x, sealed(x)):
        with only_reads(stressor.__name__):
            out = _made(stressor).apply(given, 5, _draws(0, 50))
        require(given.tobytes() == before, "writes to the rows it is given")
        require(not np.shares_memory(out, given), "gives back the very rows it was given")


def law_keeps_the_shape(stressor: type[Any]) -> None:
    """A stressed row stands where the clean row stood; no row and one row are rows too."""
    for n in (0, 1, 50):
        given = _table(stressor, 50)[:n]
        out = _made(stressor).apply(given, 3, _draws(0, n))
        require(out.shape == given.shape, f"gives {out.shape} for {n} rows")


def law_severity_rises(stressor: type[Any]) -> None:
    """A higher severity touches no fewer values, and the highest does clearly more than the lowest."""
    clean = _table(stressor, _ROWS)
    stressed = [_apply(stressor, severity) for severity in SEVERITIES]
    touched = [int(_changed(out, clean).sum()) for out in stressed]
    require(touched == sorted(touched), f"touches {touched} values at severities 1 to 5")
    require(touched[0] > 0, "touches nothing at severity 1")
    scales = _schema(stressor).scales
    far = [_far(out, clean, scales) for out in stressed]
    require(far[-1] > far[0], f"moves values by {far[0]:g} at severity 1 and by {far[-1]:g} at severity 5")


def law_derived_columns_follow(stressor: type[Any]) -> None:
    """What derives from a stressed column is computed from what stands there now, as a pipeline computes it."""
    if not {"schema", "columns"} <= {field.name for field in fields(stressor)}:
        return
    clean, domain = table(_ROWS), schema()
    for names in (("amount",), ("count",), ("amount", "count")):
        try:
            out = replace(_made(stressor), columns=names).apply(clean, 5, _draws(0, _ROWS))
        except Unsupported:
            continue
        require(np.allclose(out, domain.derive(out, clean), equal_nan=True), "leaves derived columns as they were")


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
    return stressor(schema=_schema(stressor)) if "schema" in known else stressor()


def _schema(stressor: type[Any]) -> Schema:
    """The toy table, or one with an hour for those who find nothing there to work on."""
    if "schema" not in {field.name for field in fields(stressor)}:
        return schema()
    try:
        stressor(schema=schema()).apply(table(2), 1, _draws(0, 2))
    except Unsupported:
        return Schema(columns=(*schema().columns, Column(name="hour", type="integer", low=0, high=23, scale=4)))
    return schema()


def _table(stressor: type[Any], rows: int) -> Array:
    x = table(rows)
    timed = len(_schema(stressor).columns) > x.shape[1]
    return np.column_stack([x, np.arange(rows) % 24]) if timed else x


def _apply(stressor: type[Any], severity: int, seed: int = 0) -> Array:
    return np.asarray(_made(stressor).apply(_table(stressor, _ROWS), severity, _draws(seed, _ROWS)))


def _draws(seed: int, rows: int) -> Draws:
    return Draws(seed, "testing.stressor", np.arange(rows))


def _changed(out: Array, clean: Array) -> Array:
    return ~((out == clean) | (np.isnan(out) & np.isnan(clean)))


def _far(out: Array, clean: Array, scales: Array) -> float:
    """Total change in the columns' scales; a value gone missing counts like five scales."""
    gap = np.nan_to_num(np.abs(out - clean), nan=0.0) / scales
    return float(gap.sum() + 5.0 * (np.isnan(out) & ~np.isnan(clean)).sum())


LAWS = (
    law_same_seed_same_bytes,
    law_other_seed_other_rows,
    law_leaves_inputs_alone,
    law_keeps_the_shape,
    law_severity_rises,
    law_derived_columns_follow,
    law_other_severities_are_refused,
)
