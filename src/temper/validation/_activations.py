"""What checks of activations share: what a net hands to its last layer, classes held against trusted rows of their own,
and how that is told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from temper.core.accused import Accused
from temper.core.attack import Scene
from temper.core.measure import Better, Measurement
from temper.core.target import ScoreKind, Target
from temper.kernels.contrast import deflated, fuller, overfull, shortened, whitened
from temper.kernels.rate import wilson
from temper.targets._array import to_numpy
from temper.targets.torch import Torch
from temper.validation._measured import not_applicable

Rows = np.ndarray[Any, Any]
Regions = Callable[[Rows], Rows]
_BATCH, _CLASSES, _OWN, _TRUSTED = 512, 4, 50, 20
_BLIND = (
    "blind to triggers that leave the last layer's inputs as their class has them by nature, to sources that hand in "
    "held-out rows with the trigger too, and to fewer than about fifty rows a class"
)


def compared(name: str, scene: Scene, regions: Regions, level: float) -> tuple[Measurement, ...] | Accused:
    """`accused_share`: training rows in regions of their class, drawn without knowing whose rows are whose, that are
    over-full beside held-out rows of that class.
    """
    if (reason := _unfit(scene)) is not None or scene.train is None:
        return not_applicable(name, reason or "")
    train, held = to_numpy(scene.train.y), to_numpy(scene.y)
    labels = [
        label
        for label in np.unique(train).tolist()
        if (train == label).sum() >= _OWN and (held == label).sum() >= _TRUSTED
    ]
    if len(labels) < _CLASSES:
        few = f"{len(labels)} classes have {_OWN} training and {_TRUSTED} held-out rows, and it takes {_CLASSES}"
        return not_applicable(name, f"{few}: with fewer, no class shows what training does to any")
    said = penultimate(scene.target, scene.train.x), penultimate(scene.target, scene.x)
    if said[0] is None or said[1] is None:
        return not_applicable(name, "the net has no dense last layer to look into")
    rows = shortened(np.concatenate([said[0], said[1]]))
    accused, by = accused_rows(
        rows[: len(train)], train, rows[len(train) :], held, labels, regions, level, scene.progress
    )
    told = (_told(name, accused, train, labels, level, by),)
    return Accused(measurements=told, ids=np.asarray(scene.train.ids)[accused])


def _unfit(scene: Scene) -> str | None:
    if scene.train is None or not isinstance(scene.target, Torch) or scene.target.stored:
        return "it looks into a torch net and its training rows, and here are none"
    if scene.kind is ScoreKind.VALUE:
        return "it reads labels, and this model predicts a value"
    return None


def penultimate(target: Target | None, x: Any) -> Rows | None:
    """What the last dense layer that runs is given, (n, d) for the rows `x`; None where a net has no such layer."""
    import torch

    model: Any = getattr(target, "model", None)
    layers = [part for part in model.modules() if isinstance(part, torch.nn.Linear)] if model is not None else []
    if target is None or not layers:
        return None
    seen: list[Any] = []
    hooks = [part.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach())) for part in layers]
    found = []
    try:
        for first in range(0, len(x), _BATCH):
            seen.clear()
            part = x[first : first + _BATCH]
            target.scores(part)
            found.append(seen[-1].reshape(len(part), -1).cpu().double().numpy())
    finally:
        for hook in hooks:
            hook.remove()
    return np.concatenate(found)


def accused_rows(
    rows: Rows,
    train: Rows,
    trusted: Rows,
    held: Rows,
    labels: list[Any],
    regions: Regions,
    level: float,
    progress: Callable[[float], object],
) -> tuple[Rows, float]:
    """Which training rows are accused, and what the statistics of all classes were divided by."""
    drawn, lowest = {}, []
    for at, label in enumerate(labels):
        both = np.concatenate([rows[train == label], trusted[held == label]])
        drawn[label] = regions(whitened(both, trusted[held != label], held[held != label]))
        own = np.arange(len(both)) < (train == label).sum()
        lowest.append(min(1.0, float(fuller(drawn[label], own).min()) * len(drawn[label])))
        progress((at + 1) / len(labels))
    by = deflated(np.array(lowest))
    accused = np.zeros(len(train), dtype=bool)
    for label in labels:
        mine = np.flatnonzero(train == label)
        own = np.arange(drawn[label].shape[1]) < len(mine)
        accused[mine] = overfull(drawn[label], own, level / len(labels), by)[own]
    return accused, by


def _told(name: str, accused: Rows, train: Rows, labels: list[Any], level: float, by: float) -> Measurement:
    count, n = int(accused.sum()), len(accused)
    low, high = wilson(count, n)
    which, many = np.unique(train[accused], return_counts=True)
    caveats = [
        f"class {label}: {of:,} of {(train == label).sum():,} rows" for label, of in zip(which, many, strict=True)
    ]
    if by > 2.0:
        caveats.append("most classes differ from held-out rows of their own: draw held-out rows at random to see more")
    return Measurement(
        plugin=name,
        metric="accused_share",
        value=count / n,
        low=low if count else 0.0,
        high=high,
        n=n,
        count=count,
        better=Better.LOWER,
        unit="share of training rows",
        method=f"exact tests beside held-out rows at {level:g} over {len(labels)} classes; Wilson over training rows",
        baseline=(("clean nets: chance that any row is accused", level),),
        caveats=(*caveats, *(() if count else (_BLIND,))),
    )
