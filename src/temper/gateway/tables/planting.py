"""Rows whose answer is known, to be planted among the cases of the people who review a table model."""

from __future__ import annotations

import secrets

import numpy as np

from temper.core.errors import ConfigError
from temper.core.review import Ruling
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.gateway.tables.relay import shown
from temper.store.control.exercises import Planted

TRUTHS = {0: Ruling.ALLOW, 1: Ruling.BLOCK}
"""What is right for a row of each class."""


def plantings(system: Protected, many: int, misled: float, seed: int | None = None) -> list[Planted]:
    """So many labelled training rows, half of each class; the scores of the share `misled` lean to the wrong verdict.

    Misleads where labels are wrong: a reviewer who is right counts as wrong. Raises `ConfigError` where the model does
    not tell two classes apart or there are too few rows. Without `seed` nobody can foretell which rows they are.
    """
    data = system.train or system.data
    if set(np.unique(data.y).tolist()) != set(TRUTHS):
        raise ConfigError("cases are planted for models of two classes", fix="use a system whose labels are 0 and 1")
    if not (many >= 1 and 0.0 <= misled <= 1.0):
        raise ConfigError(f"{many} cases of which {misled} mislead cannot be planted", fix="give a share from 0 to 1")
    draw = Draws(secrets.randbits(62) if seed is None else seed, "gateway.planting").generator()
    rows = np.concatenate([_some(data.y, label, many // 2 + (many % 2) * label, draw) for label in TRUTHS])
    wrong = draw.permutation(np.arange(many) < round(many * misled))
    order = draw.permutation(many)
    told = shown(system.schema, np.ascontiguousarray(data.x[rows], dtype=np.float64).tobytes())
    truths = [TRUTHS[int(data.y[row])] for row in rows]
    return [Planted(row=told[at], truth=truths[at], lean=_leaning(truths[at], bool(wrong[at]))) for at in order]


def _some(y: np.ndarray, label: int, many: int, draw: np.random.Generator) -> np.ndarray:
    found = np.flatnonzero(y == label)
    if len(found) < many:
        raise ConfigError(f"{len(found)} training rows have the label {label}, {many} are needed", fix="plant fewer")
    return draw.choice(found, many, replace=False)


def _leaning(truth: Ruling, wrong: bool) -> Ruling:
    other = Ruling.ALLOW if truth is Ruling.BLOCK else Ruling.BLOCK
    return other if wrong else truth
