"""What intervals, linear and optimised bounds prove of small CNNs on real digits, and what that costs.

    python -m bench.evasion.certify_nets [--quick]

Three nets: the one of `examples/images` trained naturally (two poolings; 9,408 and 4,704 ReLUs), and two trained
adversarially. The peer, auto_LiRPA, cannot be installed beside a current torch (its release on the package index wants
torch < 1.13), so its pilot figures on other nets stand in the last table: an order of magnitude, not a ratio. Every row
is attacked too (PGD, 10 x 40 steps): the truth lies between the certified share and what PGD leaves standing. Data:
`TEMPER_DATA`/mnist_t10k.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.evasion.smoothing import digits
from bench.table import goal, machine, table

PEER = {"ibp": "0.1", "crown": "8.7-15", "alpha-crown": "144-218"}
IMAGES = 200
CASES = (
    ("pools, naturally trained", "pools", 0.0, (0.01, 0.03)),
    ("conv 2, adversarially trained", "plain", 0.1, (0.05, 0.1)),
    ("residual, adversarially trained", "residual", 0.1, (0.05, 0.1)),
)


def main(words: list[str]) -> int:
    """Print the tables and the goals."""
    quick = "--quick" in words
    print(machine("numpy", "torch"))
    folder = Path(os.environ.get("TEMPER_DATA", "")) / "mnist_t10k"
    if not folder.exists():
        print("no mnist_t10k in TEMPER_DATA: nothing to measure")
        return 0
    (train_x, train_y), (x, y) = digits(folder)
    lines: list[list[Any]] = []
    worst: dict[str, float] = {}
    for title, kind, hardened, radii in CASES[: 2 if quick else 3]:
        model = trained(network(kind), train_x, train_y, epochs=2 if quick else 4, radius=hardened)
        n = 50 if quick else IMAGES
        for radius in radii:
            for line in _methods(f"{title}, linf {radius:g}", model, x[:n], y[:n], radius):
                lines.append(line)
                worst[line[1]] = max(worst.get(line[1], 0.0), float(line[-1]))
    columns = ["net", "method", "certified", "PGD breaks", "contradictions", "right", "n", f"CPU s per {IMAGES}"]
    table("Certified share at one radius (no bisection)", columns, lines)
    table(
        "Pilot of auto_LiRPA on other small CNNs, same machine class", ["method", "CPU s per 200"], list(PEER.items())
    )
    goal("CROWN, slowest case, against auto_LiRPA's slowest pilot", worst["crown"], 15.0, "s")
    goal("rows both certified and broken", float(sum(line[4] for line in lines)), 1.0)
    return 0


def _methods(title: str, model: Any, x: Any, y: Any, radius: float) -> list[list[Any]]:
    """One line per method on the same rows."""
    from temper.core.attack import Scene
    from temper.core.budget import Budget
    from temper.core.schema import Schema
    from temper.kernels.bounds import METHODS
    from temper.targets import open_target
    from temper.validation.net_bounds import NetBounds

    target, broken, lines = open_target(model), pgd(model, x, y, radius), []
    fields: dict[str, Any] = {"schema": Schema.box(0.0, 1.0), "kind": target.kind, "classes": 10, "target": target}
    scene = Scene(x=x, y=y, ids=np.arange(len(x)), budget=Budget(norm="linf", radius=radius), **fields)
    for method in METHODS:
        start = time.process_time()
        found = NetBounds(method=method, steps=10, bisections=0, rows=len(x)).measure(scene)
        seconds = (time.process_time() - start) * IMAGES / len(x)
        share, accuracy = found.measurements
        shown = f"{share.value:.1%} [{share.low:.1%}, {share.high:.1%}]"
        both = int((broken & (found.certificate.radius >= radius)).sum())
        right = f"{accuracy.value:.1%}"
        lines.append([title, method, shown, f"{broken.mean():.1%}", both, right, share.n, f"{seconds:.1f}"])
    return lines


def network(kind: str) -> Any:
    """Two convolutions and two dense layers; with poolings, or with a shortcut and batch normalisation."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.inner = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1), nn.BatchNorm2d(width), nn.ReLU())

        def forward(self, x: Any) -> Any:
            return x + self.inner(x)

    torch.manual_seed(0)
    if kind == "pools":
        halves: list[Any] = [nn.Conv2d(1, 12, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2)]
        halves += [nn.Conv2d(12, 24, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2)]
        return nn.Sequential(*halves, nn.Flatten(), nn.Linear(1_176, 64), nn.ReLU(), nn.Linear(64, 10))
    front: list[Any] = [nn.Conv2d(1, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 4, 2, 1), nn.ReLU()]
    middle = [Block(16)] if kind == "residual" else []
    return nn.Sequential(*front, *middle, nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))


def trained(model: Any, x: Any, y: Any, epochs: int, radius: float) -> Any:
    """One signed step from a random start per batch; at radius zero the digits as they are."""
    import torch
    from torch.nn.functional import cross_entropy

    adam = torch.optim.Adam(model.parameters(), 2e-3)
    inputs, labels = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y)
    model.train()
    for _ in range(epochs):
        for part in torch.randperm(len(x)).split(128):
            clean = inputs[part]
            step = torch.empty_like(clean).uniform_(-radius, radius).requires_grad_(True)
            (slope,) = torch.autograd.grad(cross_entropy(model(clean + step), labels[part]), step)
            step = (step + 1.25 * radius * slope.sign()).clamp(-radius, radius).detach()
            adam.zero_grad()
            cross_entropy(model((clean + step).clamp(0, 1)), labels[part]).backward()
            adam.step()
    return model.eval()


def pgd(model: Any, x: Any, y: Any, radius: float) -> Any:
    """Which rows ten starts of forty signed steps break, or are wrong already."""
    import torch
    from torch.nn.functional import cross_entropy

    clean, labels = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y)
    broken = torch.zeros(len(x), dtype=torch.bool)
    for start in range(10):
        torch.manual_seed(start)
        at = clean + radius * (2 * torch.rand_like(clean) - 1) * (start > 0)
        for _ in range(40):
            at = at.clamp(0, 1).detach().requires_grad_(True)
            out = model(at)
            broken |= out.argmax(1) != labels
            (slope,) = torch.autograd.grad(cross_entropy(out, labels, reduction="sum"), at)
            at = torch.minimum(torch.maximum(at + radius / 8 * slope.sign(), clean - radius), clean + radius)
    return broken.numpy()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
