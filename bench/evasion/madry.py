"""Madry's adversarial training of a small net: our loop against ART's trainer, equal steps, batches and epochs.

    python -m bench.evasion.madry [--quick]

PGD-7 in linf at radius 0.03 on images drawn by code (SIMULATED), batches of 128, two epochs, the same starting weights
and Adam at the same mean rate (ours rises to twice that and falls to zero, ART's stays). Then one PGD-20 written here
attacks both nets on the same held-out images, and the other defences of nets are put beside them. Seconds are CPU time
of this process on one thread.
"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.table import MEDIANS, alternate, goal, machine, median, table

RADIUS, STEPS, BATCH, EPOCHS, RATE = 0.03, 7, 128, 2, 2e-3
GOAL = 1.5


def main(words: list[str]) -> int:
    """Print the tables and the goal."""
    import torch

    torch.set_num_threads(1)
    repeats, count = (1, 1_000) if "--quick" in words else (7, 1_000)
    print(machine("torch", "adversarial-robustness-toolbox"))
    print(MEDIANS)
    x, y = images(count + 1_000)
    start = fitted(x[:count], y[:count])
    made: dict[str, Any] = {}
    sides: list[tuple[str, Callable[[], None]]] = [("ours", lambda: _keep(made, "ours", ours(start, x, y, count)))]
    if peer(start, x[:BATCH], y[:BATCH], 0):
        sides.append(("ART", lambda: _keep(made, "ART", peer(start, x[:count], y[:count], EPOCHS))))
    else:
        print("ART is not installed: our side alone")
    ours(start, x, y, BATCH)
    seconds = alternate([side for _, side in sides], repeats, time.process_time)
    show(sides, seconds, made, start, x[count:], y[count:])
    others(start, x, y, count)
    if len(sides) > 1:
        paired(start, x, y, count, 3 if "--quick" in words else 8)
        goal("Madry PGD-7 against ART, CPU", median(seconds[1]).value / median(seconds[0]).value, GOAL, at_least=True)
    return 0


def images(count: int) -> tuple[Any, Any]:
    """Drawn shapes (count, 1, 24, 24) in [0, 1] and their classes."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "images"))
    from shapes import draw

    return draw(count, np.random.Generator(np.random.Philox(0)))


def network() -> Any:
    """Two convolutions and two dense layers."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(24 * 36, 64),
        nn.ReLU(),
        nn.Linear(64, 8),
    )


def fitted(x: Any, y: Any) -> Any:
    """A net fitted on clean images."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = network()
    adam = torch.optim.Adam(model.parameters(), lr=RATE)
    images, truth = torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(20):
        for part in torch.arange(len(x)).split(64):
            adam.zero_grad()
            torch.nn.functional.cross_entropy(model(images[part]), truth[part]).backward()
            adam.step()
    return model.eval()


def ours(start: Any, x: Any, y: Any, count: int, seed: int = 0) -> Any:
    """Our Madry from these weights."""
    from temper.hardening.madry import Madry

    return hardened(Madry, start, x[:count], y[:count], seed, steps=STEPS, epochs=EPOCHS)


def hardened(kind: Any, start: Any, x: Any, y: Any, seed: int = 0, **options: Any) -> Any:
    """The net after one of our defences."""
    from dataclasses import fields

    from temper.core.budget import Budget
    from temper.core.data import Data
    from temper.core.schema import Schema
    from temper.core.seed import Draws
    from temper.targets.load import open_target

    handed = {"schema": Schema.box(0.0, 1.0), "budget": Budget(norm="linf", radius=RADIUS), "batch": BATCH}
    known = {field.name for field in fields(kind)}
    defence = kind(**{name: value for name, value in handed.items() if name in known}, rate=2 * RATE, **options)
    return defence.apply(open_target(copy.deepcopy(start)), Data(x=x, y=y), Draws(seed, "bench.madry")).model


def peer(start: Any, x: Any, y: Any, epochs: int, seed: int = 0) -> Any:
    """ART's AdversarialTrainerMadryPGD from these weights; None where ART is missing."""
    try:
        from art.defences.trainer import AdversarialTrainerMadryPGD
        from art.estimators.classification import PyTorchClassifier
    except ImportError:
        return None
    import logging

    import torch

    logging.getLogger("art").setLevel(logging.ERROR)
    np.random.seed(seed)  # noqa: NPY002  ART draws from the global states
    torch.manual_seed(seed)
    model = copy.deepcopy(start)
    wrapped = PyTorchClassifier(
        model=model,
        loss=torch.nn.CrossEntropyLoss(),
        optimizer=torch.optim.Adam(model.parameters(), lr=RATE),
        input_shape=x.shape[1:],
        nb_classes=8,
        clip_values=(0.0, 1.0),
        device_type="cpu",
    )
    trainer = AdversarialTrainerMadryPGD(
        wrapped,
        nb_epochs=epochs,
        batch_size=BATCH,
        eps=RADIUS,
        eps_step=2.5 * RADIUS / STEPS,
        max_iter=STEPS,
        num_random_init=1,
    )
    if epochs:
        trainer.fit(x, np.eye(8, dtype=np.float32)[y])
    return model.eval()


def show(sides: Any, seconds: Any, made: Any, start: Any, x: Any, y: Any) -> None:
    """One line per side: seconds, ratio, and both accuracies."""
    base = median(seconds[0]).value
    lines = [["before", "", "", *accuracies(start, x, y), len(x)]]
    for (name, _), spent in zip(sides, seconds, strict=True):
        found = median(spent)
        lines.append([name, found.show(2), f"{found.value / base:.2f}", *accuracies(made[name], x, y), len(x)])
    columns = ["", "CPU s [ ]", "peer / ours", "clean [Wilson 95 %]", "under PGD-20 [Wilson 95 %]", "n"]
    table(f"Madry PGD-{STEPS}, linf {RADIUS:g}, {EPOCHS} epochs, SIMULATED images", columns, lines)


def paired(start: Any, x: Any, y: Any, count: int, seeds: int) -> None:
    """Both trainings again from other seeds: one run decides nothing, nets of two seeds lie points apart."""
    made = [(ours(start, x, y, count, seed), peer(start, x[:count], y[:count], EPOCHS, seed)) for seed in range(seeds)]
    lines = []
    for at, name in enumerate(("clean", "under PGD-20")):
        shares = np.array([[standing(net, x[count:], y[count:])[at].mean() for net in pair] for pair in made])
        own, other = shares.T
        gap = 100 * (own - other)
        wide = student(seeds) * gap.std(ddof=1) / np.sqrt(seeds)
        lines.append(
            [
                name,
                f"{own.mean():.1%}",
                f"{other.mean():.1%}",
                f"{gap.mean():+.1f} [{gap.mean() - wide:+.1f}, {gap.mean() + wide:+.1f}]",
                seeds,
            ]
        )
    table("the same from several seeds", ["", "ours", "ART", "difference in points [95 %]", "seeds"], lines)


def student(n: int) -> float:
    """Half the width of a 95 % interval of a mean, in standard errors."""
    from scipy.stats import t

    return float(t.ppf(0.975, n - 1))


def others(start: Any, x: Any, y: Any, count: int) -> None:
    """The other defences of nets at their own price."""
    from temper.hardening.fast import Fast
    from temper.hardening.noise_training import NoiseTraining
    from temper.hardening.trades import Trades

    tried = {
        "trades": (Trades, {"epochs": EPOCHS, "steps": STEPS}),
        "fast": (Fast, {"epochs": EPOCHS}),
        "fast, as many passes as Madry": (Fast, {"epochs": EPOCHS * 4}),
        "free, 8 replays": (Fast, {"epochs": EPOCHS, "replays": 8}),
        "noise training": (NoiseTraining, {"epochs": EPOCHS * 4}),
    }
    lines = []
    for name, (kind, options) in tried.items():
        begun = time.process_time()
        model = hardened(kind, start, x[:count], y[:count], **options)
        spent = time.process_time() - begun
        lines.append([name, f"{spent:.2f}", *accuracies(model, x[count:], y[count:]), len(x) - count])
    table(
        "other defences, one run each", ["", "CPU s", "clean [Wilson 95 %]", "under PGD-20 [Wilson 95 %]", "n"], lines
    )


def accuracies(model: Any, x: Any, y: Any) -> tuple[str, str]:
    """Share right on clean images, and after PGD-20 from the images themselves."""
    clean, attacked = standing(model, x, y)
    return _rate(clean), _rate(attacked)


def standing(model: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Which rows are judged right clean, and after PGD-20."""
    import torch

    images, truth = torch.from_numpy(x), torch.from_numpy(y)
    point = images.clone()
    for _ in range(20):
        point.requires_grad_(True)
        (slope,) = torch.autograd.grad(torch.nn.functional.cross_entropy(model(point), truth), point)
        point = point.detach() + RADIUS / 8 * slope.sign()
        point = torch.clamp(point, images - RADIUS, images + RADIUS).clamp(0.0, 1.0)
    with torch.no_grad():
        clean, attacked = (model(part).argmax(1) == truth for part in (images, point))
    return clean.numpy(), attacked.numpy()


def _rate(right: Any) -> str:
    from temper.kernels.rate import wilson

    low, high = wilson(int(right.sum()), len(right))
    return f"{right.mean():.1%} [{low:.1%}, {high:.1%}]"


def _keep(made: dict[str, Any], name: str, model: Any) -> None:
    made[name] = model


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
