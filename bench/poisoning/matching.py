"""Chosen pictures decided as the attacker wants, no label changed: gradient matching, ours and ART's.

    TEMPER_DATA=PATH python -m bench.poisoning.matching [--dose | --full]

REAL traffic signs (`gtsrb_subset`) and, to show where it does not work, MNIST. A small net, fitted again from new
weights by the loop that fits twins; the attacker holds another fit on the clean rows. Eight held-out pictures a seed,
decided rightly by that fit, each aimed at the class it finds second likeliest; every one has the same number of
training rows of that class behind it, moved by 16/255 at most in 40 steps. To spare fits the eight are poisoned in one
training set. ART's `GradientMatchingAttack` gets the same rows to aim at, radius, number of rows and steps, its rates
shrunk to them (without a worker process per epoch, which only costs time). Success is that of the refitted net, beside
a clean twin of the same seed, over three seeds; [ ] over the pictures of all seeds. Beside it stands what the same move
does to the chosen pictures themselves, at the attacker's net (40 steps along the sign of the gradient): how near the
decision they are. `--dose`: our curve over the share of rows and the radius. `--full`: six seeds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import Any
from unittest import mock

import numpy as np

from bench.poisoning._pictures import Split, fitted, pictures
from bench.table import goal, machine, table
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.room import Room
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Recipe
from temper.judges._pooled import paired_loss

Array = Any
RADIUS, STEPS, VICTIMS = 16 / 255, 40, 8
Poison = Callable[[Scene, float, int], tuple[Array, Array, Array]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one attack did in all seeds: hits of poisoned and clean twins (seeds, victims), accuracy, seconds."""

    hit: Array
    without: Array
    right: float
    seconds: float

    def line(self, *words: str) -> tuple[str, ...]:
        """The figures as cells of a table."""
        value, low, high = paired_loss(self.hit.reshape(1, -1), self.without.reshape(1, -1))
        shown = f"{value:.2f} [{max(low, -1.0):.2f}, {min(high, 1.0):.2f}]"
        return (*words, shown, f"{self.without.mean():.2f}", f"{self.right:.1%}", f"{self.seconds:.1f}")


def ours(scene: Scene, share: float, seed: int, radius: float = RADIUS, **options: Any) -> tuple[Array, Array, Array]:
    """Training pictures moved by `poisoning.gradient_matching`, positions of the victims and the classes wanted."""
    wanted = {"targets": VICTIMS, "radius": radius, "steps": STEPS, **options}
    attack = Room("temper.attacks").build("poisoning.gradient_matching", wanted)
    made: Any = attack.run(None, _spending(scene, share), Draws(seed, "bench"))
    return made.data.x, made.victims, made.into


def theirs(scene: Scene, share: float, seed: int, radius: float = RADIUS) -> tuple[Array, Array, Array]:
    """The same with ART, one victim after the other, on the rows and classes that ours aims at."""
    import torch
    from art.attacks.poisoning import GradientMatchingAttack
    from art.estimators.classification import PyTorchClassifier

    _, victims, into = ours(scene, 0.0, seed)
    net: Any = scene.target
    for weight in net.model.parameters():
        weight.requires_grad_(True)
    shape = scene.x.shape[1:]
    peer = PyTorchClassifier(net.model, torch.nn.CrossEntropyLoss(), shape, scene.classes, clip_values=(0.0, 1.0))
    x, y = np.array(scene.train.x), np.asarray(scene.train.y)  # type: ignore[union-attr]
    np.random.seed(seed)  # noqa: NPY002 - what the peer draws from
    torch.manual_seed(seed)
    schedule = ([0.1, 0.01, 0.001, 0.0001], [STEPS // 2, 4 * STEPS // 5, 9 * STEPS // 10, STEPS])
    plain = partial(_loader, torch.utils.data.DataLoader)
    with mock.patch("torch.utils.data.DataLoader", plain):
        for victim, label in zip(victims, into, strict=True):
            attack = GradientMatchingAttack(
                peer, share, radius, max_trials=1, max_epochs=STEPS, learning_rate_schedule=schedule, verbose=0
            )
            x, _ = attack.poison(scene.x[[victim]], np.array([label]), x, y)
    return x, victims, into


def _loader(real: Any, *rows: Any, **options: Any) -> Any:
    return real(*rows, **{**options, "num_workers": 0})


def _spending(scene: Scene, share: float) -> Scene:
    return replace(scene, budget=Budget(share=share * VICTIMS))


def trial(poison: Poison, split: Split, share: float, seeds: int, clean: list[Any], held: list[Any]) -> Trial:
    """One attack at one share per victim, every seed: `held` are the attacker's nets, `clean` the twins."""
    (_, y), (test, truth) = split
    classes = int(y.max()) + 1
    hit, without, right, seconds = [], [], [], 0.0
    for seed in range(seeds):
        scene = _scene(split, held[seed], classes)
        started = time.process_time()
        moved, victims, into = poison(scene, share, seed)
        seconds += time.process_time() - started
        twin = fitted(moved, y, classes, seed)
        hit.append(twin.scores(test[victims]).argmax(1) == into)
        without.append(clean[seed].scores(test[victims]).argmax(1) == into)
        right.append(float((twin.scores(test).argmax(1) == truth).mean()))
    return Trial(
        hit=np.array(hit) * 1.0,
        without=np.array(without) * 1.0,
        right=float(np.mean(right)),
        seconds=seconds / seeds / VICTIMS,
    )


def reached(scene: Scene) -> float:
    """The share of the chosen pictures that the attacker's net decides as wanted when they themselves are moved."""
    import torch

    _, victims, into = ours(scene, 0.0, 0)
    net: Any = scene.target
    clean, wanted = torch.as_tensor(scene.x[victims]), torch.as_tensor(into)
    moved = clean.clone()
    for _ in range(STEPS):
        moved = moved.detach().requires_grad_()
        loss = torch.nn.functional.cross_entropy(net.model(moved), wanted)
        with torch.no_grad():
            step = torch.autograd.grad(loss, moved)[0].sign() * RADIUS / 10
            moved = (clean + (moved - step - clean).clamp(-RADIUS, RADIUS)).clamp(0.0, 1.0)
    return float((net.model(moved).argmax(1) == wanted).float().mean())


def _scene(split: Split, held: Any, classes: int) -> Scene:
    (x, y), (test, truth) = split

    def fit(subsets: Any, recipe: Recipe) -> list[Any]:
        return [fitted(one.x, one.y, classes, recipe.seed) for one in subsets]

    return Scene(
        x=test,
        y=truth,
        ids=np.arange(len(test)),
        schema=Schema.box(0.0, 1.0),
        kind=held.kind,
        classes=classes,
        target=held,
        train=Data(x=x, y=y),
        fit=fit,
    )


def main(words: list[str]) -> int:
    """A row per attack and set of pictures, or per dose."""
    print(machine("numpy", "torch", "adversarial-robustness-toolbox"))
    seeds = 6 if "--full" in words else 3
    lines, excess = [], {}
    for name in ("gtsrb",) if "--dose" in words else ("gtsrb", "mnist"):
        if (split := pictures(name)) is None:
            print(f"no {name}: set TEMPER_DATA")
            continue
        (x, y), _ = split
        clean, held = ([fitted(x, y, int(y.max()) + 1, seed + from_) for seed in range(seeds)] for from_ in (0, 100))
        near = [reached(_scene(split, net, int(y.max()) + 1)) for net in held]
        print(f"{name}: moved themselves, {np.mean(near):.0%} of the chosen pictures are decided as wanted", flush=True)
        for how, poison, share in _attacks("--dose" in words, name):
            found = trial(poison, split, share, seeds, clean, held)
            excess[name, how] = float((found.hit - found.without).mean())
            lines.append(found.line(name, how, f"{share:.2%}"))
            print(" ".join(lines[-1]), flush=True)
    columns = ("pictures", "attack", "rows each", "excess success", "clean twin", "accuracy", "CPU s a picture")
    table(f"{VICTIMS} chosen pictures a seed, {seeds} seeds", columns, lines)
    if ("gtsrb", "ART") in excess:
        goal("gtsrb, ours minus ART's", excess["gtsrb", "ours"] - excess["gtsrb", "ART"], 0.0, at_least=True)
    return 0


def _attacks(dose: bool, name: str) -> list[tuple[str, Poison, float]]:
    if dose:
        doses = [("ours", ours, share) for share in (0.0025, 0.005, 0.01, 0.02)]
        return [*doses, ("ours, 8/255", partial(ours, radius=8 / 255), 0.01)]
    peer = [("ART", theirs, 0.01)] if find_spec("art") else []
    more = [("ours, a second net", partial(ours, fresh=1), 0.01)] if name == "gtsrb" else []
    return [("ours", ours, 0.01), *peer, *more]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
