"""Do the screens find nets with a backdoor, and leave clean ones alone?

    python -m bench.poisoning.nets [--full]

Small networks on handwritten digits (REAL: `mnist_t10k` in the data folder, else scikit-learn's own of 8 x 8 pixels),
clean and with a patch of nine (four) bright pixels planted in 5 % or 1 % of the training rows. `neural_cleanse` sees
the net and 96 held-out digits, `strip` 1,000 training rows. Rates are over nets, with Clopper-Pearson's interval.
"""

from __future__ import annotations

import gzip
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.table import machine, table

Array = Any
LABEL = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """What the screens said of one net: trigger success, index, whether its class was named, AUROC of `strip`."""

    success: float
    index: float
    named: bool
    sure: float
    low: float
    seconds: float


def digits() -> tuple[Array, Array]:
    """Pictures (n, 1, side, side) in [0, 1] and their classes."""
    folder = Path(os.environ.get("TEMPER_DATA", "../shared/data")) / "mnist_t10k"
    if not folder.is_dir():
        from sklearn.datasets import load_digits

        found = load_digits()
        return (found.images[:, None] / 16.0).astype(np.float32), found.target.astype(int)
    pixels = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())
    x = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 1, 28, 28)
    return x.astype(np.float32) / 255.0, np.frombuffer(labels, np.uint8, offset=8).astype(int)


def stamped(x: Array) -> Array:
    """The trigger in a corner that digits leave dark."""
    x, side = x.copy(), x.shape[-1]
    at, size = (20, 3) if side == 28 else (6, 2)
    x[..., at : at + size, at : at + size] = 1.0
    return x


def net(x: Array, y: Array, seed: int) -> Any:
    """A small convolutional network, trained for a few epochs."""
    import torch

    torch.manual_seed(seed)
    side = x.shape[-1] // 2
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(16 * side * side, 64),
        torch.nn.ReLU(),
        torch.nn.Linear(64, 10),
    )
    optimiser = torch.optim.Adam(model.parameters(), 2e-3)
    rows, truths = torch.tensor(x), torch.tensor(y)
    for _ in range(4 if len(x) > 5_000 else 20):
        for batch in torch.randperm(len(rows)).split(64):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(model(rows[batch]), truths[batch]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return model.eval()


def screened(share: float, seed: int) -> Net:
    """One net, poisoned by this share, and what the two screens say."""
    from temper.core.attack import Scene
    from temper.core.data import Data
    from temper.core.schema import Schema
    from temper.targets.load import open_target
    from temper.validation.neural_cleanse import NeuralCleanse
    from temper.validation.strip import Strip

    x, y = digits()
    cut = 4 * len(x) // 5
    train, truths = x[:cut].copy(), y[:cut].copy()
    rows = np.random.default_rng(seed).permutation(cut)[: int(share * cut)]
    train[rows], truths[rows] = stamped(train[rows]), LABEL
    target = open_target(net(train, truths, seed))
    test, wanted = x[cut:], y[cut:]
    scene = Scene(
        x=test,
        y=wanted,
        ids=np.arange(len(test)),
        schema=Schema.box(0.0, 1.0),
        kind=target.kind,
        classes=10,
        target=target,
        train=Data(x=train, y=truths),
    )
    started = time.process_time()
    index, _ = NeuralCleanse(seed=seed).measure(scene)
    (sure,) = Strip(seed=seed).measure(scene)
    hit = np.asarray(target.scores(stamped(test[wanted != LABEL]))).argmax(1) == LABEL
    return Net(
        success=float(hit.mean()),
        index=float(index.value or 0.0),
        named=f"class {LABEL}:" in index.caveats[0],
        sure=float(sure.value or 0.0),
        low=float(sure.low or 0.0),
        seconds=time.process_time() - started,
    )


def main(words: list[str]) -> None:
    """A row per share of poison."""
    from temper.kernels.rate import clopper_pearson

    many = 10 if "--full" in words else 2
    print(machine("numpy", "torch"))
    lines = []
    for share in (0.0, 0.05, 0.01):
        nets = [screened(share, seed) for seed in range(many)]
        raised = sum(one.index > 2.0 for one in nets)
        told = sum(one.low > 0.025 for one in nets)
        ends = [clopper_pearson(count, many) for count in (raised, told)]
        lines.append(
            (
                f"{share:.0%}",
                f"{np.mean([one.success for one in nets]):.1%}",
                f"{np.median([one.index for one in nets]):.2f} [{min(n.index for n in nets):.2f}, "
                f"{max(n.index for n in nets):.2f}]",
                f"{raised}/{many} [{ends[0][0]:.0%}, {ends[0][1]:.0%}]",
                f"{sum(one.named for one in nets)}/{many}",
                f"{np.mean([one.sure for one in nets]):.1%}",
                f"{told}/{many} [{ends[1][0]:.0%}, {ends[1][1]:.0%}]",
                f"{np.mean([one.seconds for one in nets]):.1f}",
            )
        )
    columns = ("poison", "trigger", "index [range]", "index > 2", "class named", "strip sure", "strip raised", "CPU s")
    table(f"{len(digits()[0]):,} digits, {many} nets a row", columns, lines)


if __name__ == "__main__":
    main(sys.argv[1:])
