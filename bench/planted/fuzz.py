"""Services that crash, mix up or forget at the edges of their schema."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import temper
from bench.fuzz import _held_out as loans
from bench.planted import _tables as tables
from bench.planted._case import Case, Setting
from temper.testing import planted, planted_state
from temper.testing.planted import Scorer


class MidnightMissing(Scorer):
    """A share of nights and months is worked out by halves, and by nothing where there are none of both."""

    def _one(self, row: Sequence[float]) -> float:
        return super()._one(row) + 0.0 * (1.0 / (row[4] + row[6]))


class LongBatch(Scorer):
    """A batch of more than seven rows is worked in two halves, and the row in the middle is lost to the first."""

    def _batch(self, x: Any) -> Sequence[float]:
        found = list(super()._batch(x))
        if len(found) > 7:
            found[len(found) // 2] = found[len(found) // 2 - 1]
        return found


class ThirtyTwoBits(Scorer):
    """Payments are counted in 32 bits with a sign: the most there may be are fewer than none."""

    def _one(self, row: Sequence[float]) -> float:
        count = (int(row[3]) + 2**31) % 2**32 - 2**31
        return super()._one([*row[:3], math.sqrt(count), *row[4:]])


_OURS = (MidnightMissing, LongBatch, ThirtyTwoBits)
_SHIPPED = (
    *(planted.OrderMixed, planted.Overflows, planted.AboveOne, planted.StateLeft, planted.BatchCentred),
    *(planted.LogOfZero, planted_state.CodesByAppearance),
)
_HELD = (loans.LastBin, loans.FastPath, loans.NothingByNothing)


def told(kind: type[Scorer], setting: Setting) -> Sequence[str]:
    """The service with one defect, or without, asked by the quick suite."""
    lends = issubclass(kind, loans.Loans)
    source, sound = (loans, loans.Loans) if lends else (planted, Scorer)
    model = kind() if setting.weak else sound()
    x = source.rows(60)
    y = (model(x)[:, 1] > 0.5).astype(int)
    y[:6] = (0, 1, 0, 1, 0, 1)
    protected = temper.System(
        model=model, data=(x, y), schema=source.schema(), threshold=0.5, version="1", name="planted"
    )
    return tables.told(setting, protected, ("fuzz",), "fuzz")


def _case(kind: type[Scorer], *, held_out: bool) -> Case:
    about = (kind.__doc__ or "").partition("\n")[0]
    return Case(room="fuzz", name=kind.__name__, about=about, told=partial(told, kind), held_out=held_out)


CASES = (
    *(_case(kind, held_out=False) for kind in _SHIPPED),
    *(_case(kind, held_out=True) for kind in (*_HELD, *_OURS)),
)
