"""What a defence changed of a poison's success: the same rows, doses and seeds before and after."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.defence import Effect
from temper.core.errors import TemperError
from temper.engine.task import Part
from temper.judges._pooled import paired_loss
from temper.kernels.rate import mcnemar

Vector = np.ndarray[Any, Any]


def paired(defence: str, before: Part, after: Part) -> tuple[Effect, ...]:
    """One effect per part that has figures on the same rows; none where one of them was not tried.

    Of a backdoor the rows count that both models decide rightly without the trigger, clean or poisoned.
    """
    if not before.evidence or not after.evidence:
        return ()
    if not np.array_equal(before.evidence["ids"], after.evidence["ids"]):
        raise TemperError("the poison before and after is judged on other rows", fix="use one world for both")
    first, second = before.evidence, after.evidence
    if "caught" in first:
        return (_effect(defence, _metric(before), *(one["clean"] * 1.0 - one["caught"] for one in (first, second))),)
    rows = first["counts"] & second["counts"]
    if not rows.any():
        return ()
    excess = (one["poisoned"][:, rows] * 1.0 - one["clean"][:, rows] for one in (first, second))
    return (_effect(defence, _metric(before), *excess),)


def _effect(defence: str, metric: str, before: Vector, after: Vector) -> Effect:
    """The paired difference of harm per row (repeats, n), and McNemar's test of the rows harmed in most repeats."""
    whole = min(len(before), len(after))
    before, after = before[:whole], after[:whole]
    fall, low, high = paired_loss(before, after)
    harmed = [part.mean(axis=0) > 0.5 for part in (before, after)]
    p = mcnemar(int((harmed[0] & ~harmed[1]).sum()), int((harmed[1] & ~harmed[0]).sum()))
    return Effect(
        defence=defence,
        metric=metric,
        before=float(before.mean()),
        after=float(after.mean()),
        difference=-fall,
        low=-high,
        high=-low,
        n=before.shape[1],
        p_value=p,
        better="lower",
        verdict="better" if low > 0.0 else "worse" if high < 0.0 else "no clear change",
    )


def _metric(part: Part) -> str:
    """The full name of the figure, as the room measured it."""
    wanted = ("excess_success", "recall_loss_at_threshold", "recall_loss")
    named = {m.metric: m.name for m in part.measurements}
    return next(named[name] for name in wanted if name in named)
