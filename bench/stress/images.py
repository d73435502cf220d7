"""Corruptions of pictures against `imagecorruptions`, and a planted weak corruption.

python -m bench.stress.images [small|large|planted ...] [--quick]

The reference lives in an environment of its own (`make pictures`); BENCH_IMAGECORRUPTIONS names its Python.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.stress._planted import Ground, campaign
from bench.table import goal, machine, table
from temper.core.data import Data
from temper.core.room import Room
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.kernels.rate import wilson

SEVERITIES = (1, 3, 5)
NAMES = {"elastic_transform": "elastic", "jpeg_compression": "jpeg"}
FIXED = ("brightness", "contrast", "defocus_blur", "jpeg", "pixelate", "zoom_blur")
_DATA = Path(os.environ.get("TEMPER_DATA", "../shared/data"))


def photographs(count: int, side: int) -> Any:
    """Traffic signs enlarged to this side, uint8 (n, h, w, 3); waves where the data is absent."""
    file = _DATA / "gtsrb_subset" / "test.npz"
    if not file.is_file():
        row, column = np.mgrid[:side, :side] / 30
        turn = Draws(0, "waves").uniform(np.arange(count), 0, (1, 1, 3), 0.2, 2.0)
        return ((np.sin(turn * (row + column)[None, :, :, None]) + 1) * 127).astype(np.uint8)
    from scipy.ndimage import zoom

    with np.load(file) as archive:
        small = archive["X"][:: max(1, len(archive["X"]) // count)][:count]
    return np.clip(zoom(small.astype(np.float32), (1, side / 32, side / 32, 1), order=1), 0, 255).astype(np.uint8)


def against_reference(python: str, count: int, side: int) -> None:
    """Difference and speed, corruption by corruption, at the parameters of ImageNet-C whatever the size."""
    pictures = photographs(count, side)
    with tempfile.TemporaryDirectory() as folder:
        given, made = f"{folder}/in.npz", f"{folder}/out.npz"
        np.savez(given, x=pictures)
        subprocess.run([python, str(Path(__file__).with_name("_reference.py")), given, made], check=True)
        with np.load(made) as archive:
            theirs = dict(archive)
    rows, ratios = [], []
    names = dict.fromkeys(key.partition(".")[0] for key in theirs)
    for name in names:
        ours, seconds = _ours(NAMES.get(name, name), pictures)
        clean = pictures.astype(float)
        apart = [np.abs(ours[s] - theirs[f"{name}.{s}"]).mean() for s in SEVERITIES]
        moved = [np.abs(ours[s] - clean).mean() / np.abs(theirs[f"{name}.{s}"] - clean).mean() for s in SEVERITIES]
        spread = [_distance(ours[s] - clean, theirs[f"{name}.{s}"] - clean) for s in SEVERITIES]
        taken = sum(float(theirs[f"{name}.{s}.seconds"]) for s in SEVERITIES)
        ratios.append(taken / seconds)
        same = NAMES.get(name, name) in FIXED
        rows.append(
            (
                NAMES.get(name, name),
                "pixel by pixel" if same else "distribution",
                " ".join(f"{value:.2f}" for value in apart) if same else "-",
                " ".join(f"{value:.2f}" for value in moved),
                " ".join(f"{value:.3f}" for value in spread),
                f"{seconds / count / 3 * 1e3:.2f}",
                f"{taken / count / 3 * 1e3:.2f}",
                f"{ratios[-1]:.1f}",
            )
        )
    table(
        f"imagecorruptions 1.1.2 beside ours, {count} pictures of {side} x {side}, severities 1 3 5",
        ("corruption", "compared", "levels apart", "change, ours/theirs", "KS of change", "ms", "their ms", "ratio"),
        rows,
    )
    print("levels apart: mean |ours - theirs| of 255; change: mean |corrupted - clean|; KS: distance of the two")
    print("distributions of the change of a value; ms: processor time per picture in a batch. Frost is drawn here and")
    print("photographed there. Theirs ends in a cut to whole levels, ours is cut alike before it is compared.")
    middle = float(np.median(ratios))
    goal(f"median speed over the reference, {side} x {side}", middle, 2, "x", at_least=True)


def _ours(name: str, pictures: Any) -> tuple[dict[int, Any], float]:
    """Results as (n, h, w, 3) levels by severity, and processor seconds."""
    x = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)).astype(np.float32)
    plugin = Room("temper.stress").build(f"image.{name}", {"schema": Schema.box(0.0, 255.0)})
    plugin = replace(plugin, small=plugin.large)
    plugin.apply(x[:1], 3, Draws(0, "warm"))
    found, total = {}, 0.0
    for severity in SEVERITIES:
        start = time.process_time()
        out = plugin.apply(x, severity, Draws(0, name))
        total += time.process_time() - start
        found[severity] = np.floor(out + 1e-3).transpose(0, 2, 3, 1).astype(float)
    return found, total


def _distance(a: Any, b: Any) -> float:
    """Largest gap between two distribution functions of whole levels."""
    ends = np.arange(-255.5, 256)
    one, two = (np.cumsum(np.histogram(values, ends)[0]) / values.size for values in (a, b))
    return float(np.abs(one - two).max())


# -- a planted weakness ---------------------------------------------------------------------------------------------


def rows(seed: int, count: int = 40) -> Data:
    """SIMULATED pictures (n, 3, 32, 32), bright on the left or on the right, with waves and colours of their own."""
    draws, at = Draws(seed, "bench.pictures"), np.arange(count)
    y = at % 2
    row, column = np.mgrid[:32, :32]
    turn = draws.uniform(at, 0, (3, 1, 1), 0.2, 1.2)
    x = 0.3 + 0.1 * np.sin(turn * (row + 2 * column)) + draws.uniform(at, 1, (3, 1, 1), -0.05, 0.05)
    x[:, :, 4:28, 4:16] += 0.35 * (y == 0)[:, None, None, None]
    x[:, :, 4:28, 16:28] += 0.35 * (y == 1)[:, None, None, None]
    return Data(x=x.astype(np.float32), y=y)


def sound(x: Any) -> Any:
    """How much brighter it is right of the middle than left of it, as probabilities."""
    right = 1 / (1 + np.exp(-40 * (x[..., 16:22].mean((1, 2, 3)) - x[..., 10:16].mean((1, 2, 3)))))
    return np.stack([1 - right, right], axis=1)


def features(x: Any) -> Any:
    """Light, colour, edges, blocks, the spectrum and the ends of the range, per picture."""
    plain = x.mean(axis=1)
    across, down = np.abs(np.diff(plain, axis=2)), np.abs(np.diff(plain, axis=1))
    power = np.log1p(np.abs(np.fft.rfft2(plain)))
    bands = [power[:, a : a + 4, b : b + 4].mean((1, 2)) for a in range(0, 32, 4) for b in range(0, 16, 4)]
    colour = [x.mean((2, 3)), x.std((2, 3)), np.abs(x - plain[:, None]).mean((2, 3))]
    quantiles = np.quantile(plain.reshape(len(x), -1), (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99), axis=1).T
    edges = [across.mean((1, 2)), down.mean((1, 2)), across.max((1, 2)), down.max((1, 2))]
    edges += [across[:, :, 7::8].mean((1, 2)), (x < 0.01).mean((1, 2, 3)), (x > 0.99).mean((1, 2, 3))]
    flat = [(across == 0).mean((1, 2)), (down == 0).mean((1, 2))]
    return np.concatenate([*colour, quantiles, np.stack([*bands, *edges, *flat], axis=1)], axis=1)


GROUND = Ground(family="image", rows=rows, sound=sound, features=features, schema=Schema.box(0.0, 1.0))


def report(ground: Ground, trials: int) -> None:
    """The campaign's two goals."""
    start = time.process_time()
    hits, loud, misses = campaign(ground, trials)
    low, high = wilson(hits, trials)
    print(f"\na weakness planted under one of {len(ground.names)} corruptions, SIMULATED rows, {trials} seeded trials")
    print(f"ranked first: {hits} of {trials} [{low:.0%}, {high:.0%}]; sound twins with a finding: {loud} of {trials}")
    goal("planted corruption ranked first", 100 * hits / trials, 95, "%", at_least=True)
    goal("sound twins with a finding", 100 * loud / trials, 5, "%")
    print(f"misses (planted, ranked first): {misses or 'none'}; {time.process_time() - start:.0f} s of processor time")


def compared(count: int, side: int) -> None:
    """The reference at one size; without it, a line that says so."""
    python = os.environ.get("BENCH_IMAGECORRUPTIONS", "")
    if python:
        against_reference(python, count, side)
    else:
        print("imagecorruptions: not compared, BENCH_IMAGECORRUPTIONS names no Python that has it")


PARTS = {
    "small": lambda quick: compared(50 if quick else 200, 32),
    "large": lambda quick: compared(4 if quick else 8, 224),
    "planted": lambda quick: report(GROUND, 10 if quick else 100),
}


def main(words: list[str]) -> None:
    """The parts that are named, or all."""
    print(machine("numpy", "scipy"))
    for name in [word for word in words if word in PARTS] or PARTS:
        PARTS[name]("--quick" in words)


if __name__ == "__main__":
    main(sys.argv[1:])
