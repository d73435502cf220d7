"""What the oracle costs: per row on a target that costs nothing, and as a share of PGD on a small network.

    python -m bench.oracle [--quick]

Both sides run in turns in one process on one thread, and only processor time counts. The bare PGD has no budget, no
judge, no record of what broke; whatever the oracle adds is the difference.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.table import Median, alternate, goal, machine, median, table
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.data import Array
from temper.core.schema import Column, Mutability, Schema
from temper.core.target import Access, ScoreKind
from temper.judges.misclassified import Misclassified
from temper.targets.oracle import Oracle

COLUMNS, BATCH, CALLS = 20, 1_000, 20
IMAGES, STEPS = 1_000, 40
MICROSECOND, SHARE = 1.0, 0.10


@dataclass(frozen=True, slots=True)
class Free:
    """A target that answers with numbers made before."""

    answers: Array
    name: str = "free"
    access: Access = Access.LABELS | Access.SCORES
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    stochastic: bool = False
    digest: str = ""

    def scores(self, x: Array) -> Array:
        """The first answers, as many as rows."""
        return self.answers[: len(x)]


def main(words: list[str]) -> int:
    """Print both tables and the goals."""
    quick = "--quick" in words
    print(machine("numpy", "torch"))
    worst = _free(10 if quick else 40)
    goal("oracle at batch 1,000", worst, MICROSECOND, "us per row")
    intact, broken = _pgd(2 if quick else 8)
    goal("oracle over bare PGD when nothing breaks", 100 * (intact - 1), 100 * SHARE, "%", digits=1)
    print(f"where rows break, the oracle's run takes {broken:.2f} of the bare loop's time: broken rows drop out")
    return 0


def _free(repeats: int) -> float:
    """The table of the free target; the worst median at batch 1,000."""
    rows, worst = [], 0.0
    for n in (100, BATCH, 10_000):
        for share, mode in ((0.0, "nearest"), (0.5, "first"), (0.5, "nearest")):
            found = _per_row(n, share, mode, repeats)
            worst = max(worst, found.value) if n == BATCH else worst
            what = "none" if not share else "half, and leave" if mode == "first" else "half, nearer every time"
            rows.append([f"{n:,}", what, found.show(), found.n])
    table(f"Free target, {COLUMNS} numeric columns: us of processor time per row", ["batch", "succeed", "", "n"], rows)
    return worst


def _per_row(n: int, share: float, mode: str, repeats: int) -> Median:
    """Microseconds per row above asking the target directly; half of the rows win in the dearest case."""
    rng = np.random.default_rng(0)
    clean = rng.uniform(size=(n, COLUMNS))
    toward = np.sign(rng.normal(size=clean.shape))
    calls = 1 if mode == "first" else CALLS
    points = [np.clip(clean + 0.4 * (1 - k / (2 * CALLS)) * toward, 0, 1) for k in range(calls)]
    target: Any = _answers(n, share)  # a target that cannot be fitted again, and need not be
    scene, rows = _scene(clean, mode), np.arange(n)
    seconds: list[float] = []
    for _ in range(repeats):
        oracle = Oracle(target, scene, Misclassified(), Access.SCORES)
        bare, asked = alternate([_each(points, target.scores), _each(points, _asking(oracle, rows))], 1, _work)
        seconds.append((asked[0] - bare[0]) / calls / n * 1e6)
    return median(seconds)


def _each(points: list[Array], ask: Callable[[Array], Any]) -> Callable[[], None]:
    def run() -> None:
        for x in points:
            ask(x)

    return run


def _asking(oracle: Oracle, rows: Array) -> Callable[[Array], Any]:
    return lambda x: oracle.scores(x, rows)


def _answers(n: int, share: float) -> Free:
    """Sure of class 1, but of class 0 for this share of the rows, spread evenly."""
    wrong = np.floor(np.arange(n) * share) < np.floor(np.arange(1, n + 1) * share)
    return Free(np.where(wrong[:, None], [0.9, 0.1], [0.1, 0.9]))


def _scene(clean: Array, mode: str) -> Scene:
    columns = tuple(Column(name=f"c{k}", low=0, high=1, attacker=Mutability.FREE) for k in range(COLUMNS))
    n = len(clean)
    budget = Budget(norm="linf", radius=0.5, queries=10**6)
    truth, ids, schema = np.ones(n, int), np.arange(n), Schema(columns=columns)
    return Scene(x=clean, y=truth, ids=ids, schema=schema, budget=budget, threshold=0.5, mode=mode)


def _pgd(repeats: int) -> tuple[float, float]:
    """The table of PGD; the ratio of a step when nothing breaks, and of the whole run where most rows do."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = _network(torch)
    images = torch.rand(IMAGES, 1, 28, 28)
    with torch.no_grad():
        truth = model(images).argmax(1)
    rows, found = [], {}
    for radius in (1e-6, 0.01, 0.03):
        found[radius] = step, whole, shares = _compare(model, images, truth, radius, repeats)
        rows.append([f"{radius:g}", *shares, step.show(), step.n, whole.show(), whole.n])
    columns = ["radius", "broken by it", "by the bare loop", "a step: oracle / bare", "n", "the whole run", "n"]
    table(
        f"PGD-{STEPS} Linf, {IMAGES:,} images 28x28, a small CNN, processor time, step by step in turns", columns, rows
    )
    return found[1e-6][0].value, found[0.03][1].value


def _network(torch: Any) -> Any:
    nn = torch.nn
    down = [nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU()]
    return nn.Sequential(*down, nn.Flatten(), nn.Linear(16 * 49, 10)).eval()


def _compare(
    model: Any, images: Any, truth: Any, radius: float, repeats: int
) -> tuple[Median, Median, tuple[str, str]]:
    """Ratios of steps and of whole attacks (opening and closing the books included), and what each side broke."""
    *_, wrong = _bare(model, images, truth, radius)
    *_, evidence = _through(model, images, truth, radius)
    shares = f"{(evidence.verdicts == 'broken').mean():.1%}", f"{wrong.float().mean():.1%}"
    steps, whole = [], []
    for _ in range(repeats):
        bare, through = _in_turns(_bare(model, images, truth, radius), _through(model, images, truth, radius))
        steps += [two / one for one, two in zip(bare[1:-1], through[1:-1], strict=True)]
        whole.append(sum(through) / sum(bare))
    return median(steps), median(whole), shares


def _in_turns(one: Iterator[Any], two: Iterator[Any]) -> tuple[list[float], list[float]]:
    """Seconds of the steps of both, one of each in turn: the opening, the steps, the closing."""
    spent: tuple[list[float], list[float]] = ([], [])
    for turn in range(STEPS + 2):
        for at in ((0, 1), (1, 0))[turn % 2]:
            start = _work()
            next((one, two)[at], None)
            spent[at].append(_work() - start)
    return spent


def _bare(model: Any, images: Any, truth: Any, radius: float) -> Iterator[Any]:
    """PGD as written by hand: every image takes every step. Ends with which images were wrong at some step."""
    import torch

    x, wrong, step = images.clone(), torch.zeros(len(images), dtype=torch.bool), 2.5 * radius / STEPS
    yield
    for _ in range(STEPS):
        point = x.requires_grad_(True)
        scores = model(point)
        loss = torch.nn.functional.cross_entropy(scores, truth, reduction="sum")
        (slope,) = torch.autograd.grad(loss, point)
        wrong |= scores.detach().argmax(1) != truth
        x = _stepped(point.detach(), images, slope, step, radius)
        yield
    yield wrong


def _through(model: Any, images: Any, truth: Any, radius: float) -> Iterator[Any]:
    """The same steps through the oracle, with the loss's cotangent in closed form; broken images are left out.

    Ends with the evidence.
    """
    import torch

    oracle = _oracle(model, images, truth, radius)
    step, rows = 2.5 * radius / STEPS, oracle.active
    x, clean, hot = images.clone(), images, torch.nn.functional.one_hot(truth, 10).float()
    yield
    for _ in range(STEPS):
        if len(still := oracle.active) < len(rows):
            kept = np.isin(rows, still)
            x, clean, hot, rows = x[kept], clean[kept], hot[kept], still
        if len(rows):
            _, slope = oracle.gradient(x, rows, _uphill(hot))
            x = _stepped(x, clean, slope, step, radius)
        yield
    oracle.done(np.arange(len(images)))
    yield oracle.evidence()


def _uphill(hot: Any) -> Callable[[Any, Any], Any]:
    """The cotangent of the cross-entropy over logits."""
    return lambda scores, _: scores.softmax(1) - hot


def _stepped(x: Any, clean: Any, slope: Any, step: float, radius: float) -> Any:
    """One signed step uphill, back into the ball and into [0, 1]."""
    moved = x + step * slope.sign()
    return moved.clamp(clean - radius, clean + radius).clamp(0, 1)


def _oracle(model: Any, images: Any, truth: Any, radius: float) -> Oracle:
    from temper.targets import open_target

    target = open_target(model)
    scene = Scene(
        x=images,
        y=truth,
        ids=np.arange(len(images)),
        schema=Schema.box(0.0, 1.0),
        budget=Budget(norm="linf", radius=radius, queries=STEPS + 1),
        kind=target.kind,
        classes=target.classes,
        mode="first",
    )
    return Oracle(target, scene, Misclassified(), Access.GRADIENTS)


def _work() -> float:
    """Processor seconds of this process: what others do on the machine does not count."""
    return time.process_time()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
