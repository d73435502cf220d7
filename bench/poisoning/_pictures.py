"""Real pictures for the benches of nets, a small net for them, and how it is fitted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from bench.poisoning.nets import digits as mnist

Array = Any
Split = tuple[tuple[Array, Array], tuple[Array, Array]]


def pictures(name: str) -> Split | None:
    """Training and held-out pictures (n, c, h, w) in [0, 1] with their classes; None where the data folder lacks them.

    `digits`: scikit-learn's own. `mnist`: the 10,000 test digits, 8,000 to learn. `gtsrb`: 4,000 traffic signs in 43
    classes and 1,500 of other tracks.
    """
    if name == "digits":
        from sklearn.datasets import load_digits

        found = load_digits()
        return _cut((found.images[:, None] / 16.0).astype(np.float32), found.target, 1_000)
    folder = Path(os.environ.get("TEMPER_DATA", "../shared/data"))
    if name == "mnist":
        return _cut(*mnist(), 8_000) if (folder / "mnist_t10k").is_dir() else None
    if not (folder / "gtsrb_subset").is_dir():
        return None
    return _signs(folder / "gtsrb_subset" / "train.npz"), _signs(folder / "gtsrb_subset" / "test.npz")


def _cut(x: Array, y: Array, train: int) -> Split:
    order = np.random.default_rng(0).permutation(len(y))
    first, rest = order[:train], order[train:]
    return (x[first], y[first].astype(int)), (x[rest], y[rest].astype(int))


def _signs(path: Path) -> tuple[Array, Array]:
    with np.load(path) as kept:
        x = next(kept[name] for name in kept.files if kept[name].ndim == 4)
        pixels = x.transpose(0, 3, 1, 2) if x.shape[-1] == 3 else x
        return np.ascontiguousarray(pixels).astype(np.float32) / 255.0, kept["y"].astype(int)


def bare(shape: tuple[int, ...], classes: int) -> Any:
    """Two strided convolutions and two dense layers, without weights worth keeping."""
    import torch

    channels, side, _ = shape
    return torch.nn.Sequential(
        torch.nn.Conv2d(channels, 12, 5, stride=2, padding=2), torch.nn.ReLU(),
        torch.nn.Conv2d(12, 24, 3, stride=2, padding=1), torch.nn.ReLU(), torch.nn.Flatten(),
        torch.nn.Linear(24 * (side // 4) ** 2, 48), torch.nn.ReLU(), torch.nn.Linear(48, classes),
    ).eval()  # fmt: skip


def fitted(x: Array, y: Array, classes: int, seed: int) -> Any:
    """The net from new weights, by the loop that fits twins."""
    from temper.core.data import Data
    from temper.core.target import Recipe
    from temper.engine.fitting import fit_of
    from temper.targets.load import open_target

    return fit_of(open_target(bare(x.shape[1:], classes)))(Data(x=x, y=y), Recipe(seed=seed))
