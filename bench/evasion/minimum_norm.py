"""Minimum-distance attacks beside foolbox's: the same net, rows and steps, one thread, CPU seconds.

    python -m bench.evasion.minimum_norm [--quick]

A small CNN on digits (mnist_t10k below TEMPER_DATA; without it, drawn bars, which say less) is trained here. Each
attack runs through the oracle in mode "nearest", whose checks and books are in our CPU; the peer runs on the same
float32 tensors, and its points are put to the net again. Success, median distance and CPU stand together: a faster
weaker attack is a failure. Foolbox's L2 FMN does not project (its factor is norms / norms), so the distance it walks
to is set by its steps alone.
"""

from __future__ import annotations

import gzip
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.table import goal, machine, table

SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What one attack found: success per row, distance where it succeeded, CPU seconds."""

    name: str
    broken: Any
    distance: Any
    seconds: float


def main(words: list[str]) -> int:
    """Print the table and the goals."""
    import torch

    torch.set_num_threads(1)
    quick = "--quick" in words
    images, labels = digits()
    model = trained(images[:-1000], labels[:-1000], epochs=2 if quick else 4)
    x, y = right(model, images[-1000:], labels[-1000:], 100 if quick else 300)
    print(machine("torch", "foolbox", "numpy"))
    rows, ratios = [], []
    for title, norm, ours, peer in pairs(quick):
        struck(title, ours, norm, model, x[:2], y[:2])  # imports and first calls are not what is compared
        own = struck(title, ours, norm, model, x, y)
        foolbox(title, peer, norm, model, x[:2], y[:2])
        other = foolbox(title, peer, norm, model, x, y)
        rows += [line(norm, own, own), *([line(norm, other, own)] if other else [])]
        if other:
            ratios.append((f"{title} {norm}", own, other))
    table(f"{len(x)} digits, distance over rows both broke", COLUMNS, rows)
    for title, own, other in ratios:
        goals(title, own, other)
    return 0


COLUMNS = ["", "norm", "success", "median distance", "mean distance", "CPU s", "CPU / ours", "distance ours / peer"]


def pairs(quick: bool) -> Iterator[tuple[str, str, Any, Callable[[Any], Any]]]:
    """Title, norm, our attack, how to make the peer's at equal steps."""
    from temper.attacks.evasion.carlini_wagner import CarliniWagner
    from temper.attacks.evasion.ddn import DDN
    from temper.attacks.evasion.deepfool import DeepFool
    from temper.attacks.evasion.fmn import FMN
    from temper.attacks.evasion.sigma_zero import SigmaZero

    steps, many = 100, 40 if quick else 200
    yield "FMN 100", "l2", FMN(steps=steps), lambda fb: fb.L2FMNAttack(steps=steps)
    yield "FMN 100", "linf", FMN(steps=steps), lambda fb: fb.LInfFMNAttack(steps=steps)
    yield "FMN 100", "l1", FMN(steps=steps), lambda fb: fb.L1FMNAttack(steps=steps)
    yield "FMN 100", "l0", FMN(steps=steps), lambda fb: fb.L0FMNAttack(steps=steps)
    yield "sigma-zero 100 / FMN 100", "l0", SigmaZero(steps=steps), lambda fb: fb.L0FMNAttack(steps=steps)
    yield "DDN 100", "l2", DDN(steps=steps), lambda fb: fb.DDNAttack(steps=steps)
    yield "DeepFool", "l2", DeepFool(), lambda fb: fb.L2DeepFoolAttack(steps=50)
    yield "DeepFool", "linf", DeepFool(), lambda fb: fb.LinfDeepFoolAttack(steps=50)
    yield (
        f"CW 6 x {many}",
        "l2",
        CarliniWagner(searches=6, steps=many),
        lambda fb: fb.L2CarliniWagnerAttack(binary_search_steps=6, steps=many),
    )


def digits() -> tuple[Any, Any]:
    """Digits (n, 1, 28, 28) in [0, 1], or drawn bars of ten angles where the data is absent."""
    import torch

    folder = Path(os.environ.get("TEMPER_DATA", "")) / "mnist_t10k"
    if folder.is_dir():
        raw = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
        truth = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())
        images = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 1, 28, 28).astype(np.float32) / 255
        return torch.from_numpy(images), torch.from_numpy(np.frombuffer(truth, np.uint8, offset=8).astype(np.int64))
    print("TEMPER_DATA is not set: drawn bars in place of digits")
    rng = np.random.Generator(np.random.Philox(key=SEED))
    y = rng.integers(0, 10, 4_000)
    off = rng.normal(0, 2, (2, 4_000, 1, 1))
    row, column = np.mgrid[0:28, 0:28][:, None] - 13.5 + off
    angle = (y * np.pi / 10)[:, None, None]
    near = np.abs(row * np.cos(angle) + column * np.sin(angle)) < 2
    images = np.clip(near * 0.9 + rng.normal(0, 0.1, near.shape), 0, 1).astype(np.float32)
    return torch.from_numpy(images[:, None]), torch.from_numpy(y)


def trained(x: Any, y: Any, epochs: int) -> Any:
    """Two convolutions and two linear layers, Adam."""
    import torch
    from torch import nn

    torch.manual_seed(SEED)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 49, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )
    steps = torch.optim.Adam(model.parameters(), lr=2e-3)
    order = torch.Generator().manual_seed(SEED)
    for _ in range(epochs):
        for part in torch.randperm(len(x), generator=order).split(128):
            steps.zero_grad()
            nn.functional.cross_entropy(model(x[part]), y[part]).backward()
            steps.step()
    return model.eval().requires_grad_(False)


def right(model: Any, x: Any, y: Any, n: int) -> tuple[Any, Any]:
    """The first `n` rows the net gets right."""
    good = model(x).argmax(1) == y
    return x[good][:n].contiguous(), y[good][:n].contiguous()


def struck(title: str, attack: Any, norm: str, model: Any, x: Any, y: Any) -> Side:
    """Our attack, through the oracle."""
    from temper.core.attack import Scene
    from temper.core.budget import Budget
    from temper.core.schema import Schema
    from temper.core.seed import Draws
    from temper.core.target import ScoreKind
    from temper.judges.misclassified import Misclassified
    from temper.targets.oracle import Oracle
    from temper.targets.torch import Torch

    ids = np.arange(len(x))
    scene = Scene(
        x=x,
        y=y,
        ids=ids,
        schema=Schema.box(0.0, 1.0),
        budget=Budget(norm=norm),
        kind=ScoreKind.LOGITS,
        classes=10,
        mode="nearest",
    )
    start = time.process_time()
    oracle = Oracle(Torch(model=model, classes=10), scene, Misclassified(), attack.needs)
    attack.run(oracle, scene, Draws(SEED, title, ids, x))
    found = oracle.evidence()
    seconds = time.process_time() - start
    broken = found.verdicts == "broken"
    return Side(name=f"temper {title}", broken=broken, distance=far(found.x_adv, x, norm), seconds=seconds)


def foolbox(title: str, make: Callable[[Any], Any], norm: str, model: Any, x: Any, y: Any) -> Side | None:
    """The peer on the same rows, its points put to the net again; None where it is not installed."""
    try:
        import foolbox as peer
    except ImportError:
        print("foolbox is not installed: our side stands alone")
        return None
    net = peer.PyTorchModel(model, bounds=(0, 1), device="cpu")
    start = time.process_time()
    raw, _, _ = make(peer.attacks)(net, x, y, epsilons=None)
    seconds = time.process_time() - start
    moved = (raw != x).flatten(1).any(1) & raw.flatten(1).any(
        1
    )  # its Carlini-Wagner hands back black images on failure
    broken = ((model(raw).argmax(1) != y) & moved).numpy()
    return Side(name=f"foolbox {title}", broken=broken, distance=far(raw, x, norm), seconds=seconds)


def far(x: Any, x0: Any, norm: str) -> Any:
    """Distances (n,)."""
    gap = (x - x0).abs().flatten(1).double()
    found = {"l2": gap.square().sum(1).sqrt(), "linf": gap.amax(1), "l1": gap.sum(1), "l0": (gap > 0).sum(1).double()}
    return found[norm].numpy()


def line(norm: str, side: Side, ours: Side) -> list[object]:
    """One line; distances over the rows both broke."""
    both = side.broken & ours.broken
    middle = float(np.median(side.distance[both]))
    return [
        side.name,
        norm,
        f"{side.broken.mean():.1%}",
        f"{middle:.4f}",
        f"{side.distance[both].mean():.4f}",
        f"{side.seconds:.2f}",
        f"{side.seconds / ours.seconds:.2f}x",
        f"{np.median(ours.distance[both]) / middle:.3f}",
    ]


def goals(title: str, own: Side, other: Side) -> None:
    """No fewer rows, no farther, no slower."""
    both = own.broken & other.broken
    gap = float(other.broken.mean() - own.broken.mean())
    ratio = float(np.median(own.distance[both]) / np.median(other.distance[both]))
    goal(f"{title}: success behind foolbox's", gap, 0.005, digits=3)
    goal(f"{title}: median distance over foolbox's", ratio, 1.02, digits=3)
    goal(f"{title}: CPU of foolbox over ours", other.seconds / own.seconds, 1.0, "x", at_least=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
