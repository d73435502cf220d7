"""Laws of checks: honest figures, the same ones again, and no figure where there is nothing to measure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from temper.config.metrics import found
from temper.core.accused import Accused
from temper.core.attack import Scene
from temper.core.breach import Breached
from temper.core.certificate import Certified
from temper.core.measure import Measurement, Status
from temper.testing.law import LawBroken, only_reads, require, same, sealed
from temper.testing.scenes import reordered, trained_scene
from temper.validation.gate import NOT_APPLICABLE

_ROWS = 400


def law_every_figure_is_honest(check: type[Any]) -> None:
    """A figure has n and an interval that holds it; where there is none, status and reason say why."""
    measured = _measure(check, _scene())
    require(measured, "measures nothing")
    for m in measured:
        require(isinstance(m, Measurement), f"gives a {type(m).__name__} where measurements are expected")
        if check.__module__.startswith("temper.") and m.metric not in (NOT_APPLICABLE, "all"):
            require(any(found(m.name)), f"{m.name} is not in config/metrics.yaml, so no policy can ask for it")
        if m.status is not Status.OK:
            require(m.reason and m.value is None, f"{m.name} has status {m.status.value} and the value {m.value}")
            continue
        require(m.n > 0, f"{m.name} does not say on how many rows it stands")
        require(m.value is not None and math.isfinite(m.value), f"{m.name} is {m.value} with status ok")
        require(m.low is not None and m.high is not None, f"{m.name} has no interval")
        low, value, high = m.low or 0.0, m.value or 0.0, m.high or 0.0
        require(low - 1e-9 <= value <= high + 1e-9, f"{m.name} is {value:g} outside its interval [{low:g}, {high:g}]")


def law_same_rows_same_figures(check: type[Any]) -> None:
    """Measuring again gives the same figures."""
    one, two = (_measure(check, _scene()) for _ in range(2))
    require(same(one, two), "gives other figures for the same rows")


def law_order_of_rows_does_not_matter(check: type[Any]) -> None:
    """Rows in another order give the same figures, up to the noise of splitting and resampling them."""
    scene = _scene()
    order = np.random.Generator(np.random.Philox(key=11)).permutation(len(scene.x))
    one, two = _measure(check, scene), _measure(check, reordered(scene, order))
    require(_names(one) == _names(two), "measures other things when the rows come in another order")
    for a, b in zip(one, two, strict=True):
        if a.value is None or b.value is None:
            require(a.status is b.status, f"{a.name} is {a.status.value} or {b.status.value} by the order of rows")
            continue
        width = max((a.high or 0.0) - (a.low or 0.0), 1e-9)
        require(abs(a.value - b.value) <= 0.5 * width, f"{a.name} is {a.value:g} or {b.value:g} by the order of rows")


def law_leaves_inputs_alone(check: type[Any]) -> None:
    """Rows, truths and training rows are as before."""
    scene = _scene()
    before = scene.x.tobytes(), scene.y.tobytes()
    with only_reads(check.__name__):
        _measure(check, scene)
    require((scene.x.tobytes(), scene.y.tobytes()) == before, "writes to the rows it measures")


def law_no_rows_no_figure(check: type[Any]) -> None:
    """Without rows there is a reason and no figure."""
    empty = reordered(_scene(), np.arange(0))
    for m in _measured_somehow(check, empty, "without a single row"):
        require(m.status is not Status.OK and m.reason, f"{m.name} is {m.value} without a single row")


def law_one_class_is_no_crash(check: type[Any]) -> None:
    """Rows that are all of one class are measured as far as that goes."""
    scene = _scene()
    alike = replace(scene, y=sealed(np.zeros(len(scene.y), dtype=np.int64)))
    measured = _measured_somehow(check, alike, "on rows of one class")
    require(measured, "measures nothing when the rows are all of one class")
    lost = [m.name for m in measured if m.status is Status.OK and not math.isfinite(m.value or 0.0)]
    require(not lost, f"calls {', '.join(lost)} measured and gives no number")


def _scene() -> Scene:
    return trained_scene(_ROWS)


def _measure(check: type[Any], scene: Scene) -> tuple[Measurement, ...]:
    found = check().measure(scene)
    return found.measurements if isinstance(found, Certified | Accused | Breached) else tuple(found)


def _measured_somehow(check: type[Any], scene: Scene, when: str) -> tuple[Measurement, ...]:
    try:
        return _measure(check, scene)
    except Exception as crash:
        raise LawBroken(f"crashes {when}: {type(crash).__name__}: {crash}") from crash


def _names(measured: Sequence[Measurement]) -> list[tuple[str, str]]:
    return [(m.name, m.slice) for m in measured]


LAWS = (
    law_every_figure_is_honest,
    law_same_rows_same_figures,
    law_order_of_rows_does_not_matter,
    law_leaves_inputs_alone,
    law_no_rows_no_figure,
    law_one_class_is_no_crash,
)
