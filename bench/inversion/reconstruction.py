"""Model inversion of nets that learned few or many digits by heart, beside ART's MIFace.

    python -m bench.inversion.reconstruction

Eight by eight digits (REAL, scikit-learn's own), a net with 128 hidden units, three seeds. Both attacks start at the
same points (ART, which takes one picture at a time, at two of the eight per class, 300 steps each); what they make is
measured by the same judge: distance to the nearest training digit of the class over that to the nearest of as many
held-out ones.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from bench.table import goal, machine, table

SIZES = {40: 300, 100: 200, 1_000: 30}  # digits to learn, passes over them
SEEDS = 3


def main() -> int:
    """Print the table and the goals."""
    print(machine("numpy", "torch", "adversarial-robustness-toolbox"))
    lines, ends = [], {}
    for many, epochs in SIZES.items():
        for seed in range(SEEDS):
            ratio, sure, spent, theirs = _inverted(many, epochs, seed)
            cells = [f"{ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]", theirs, f"{sure:.2f}"]
            lines.append(
                [f"{many:,} digits, seed {seed}", *cells, ratio.caveats[0].partition(" classes")[0], f"{spent:.1f}"]
            )
            ends.setdefault(many, []).append(ratio.value)
            print(" ".join(map(str, lines[-1])), flush=True)
    table(
        "distance ratio, 10 classes", ["", "ours [95 %]", "MIFace [95 %]", "confidence", "prototypes", "CPU s"], lines
    )
    goal("ratio where 40 digits were learned by heart", float(np.mean(ends[40])), 1.0)
    goal("ratio where 1,000 were", float(np.mean(ends[1_000])), 0.95, at_least=True)
    return 0


def _inverted(many: int, epochs: int, seed: int) -> tuple[Any, float, float, str]:
    from temper.attacks.inversion.reconstruction import Reconstruction
    from temper.core.attack import Outcome, Scene
    from temper.core.data import Data
    from temper.core.schema import Schema
    from temper.core.seed import Draws
    from temper.judges.nearness import Nearness
    from temper.targets import open_target

    x, y = _digits()
    net = _net(x[:many], y[:many], epochs, seed)
    target = open_target(net)
    train = Data(x=x[:many], y=y[:many])
    box = Schema.box(0.0, 1.0)
    here = Scene(x=x[1_097:], y=y[1_097:], ids=np.arange(700), schema=box, kind=target.kind, train=train, target=target)
    started = time.process_time()
    seen = Reconstruction().run(None, here, Draws(seed, "bench"))
    spent = time.process_time() - started
    ratio = Nearness().judge(here, Outcome(scores=None, y=None, payload=seen))[0]
    return ratio, float(seen.confidence.mean()), spent, _miface(net, here, seen)


def _miface(net: Any, here: Any, seen: Any) -> str:
    """The same judge's ratio of what ART makes from the same starting points."""
    try:
        from art.attacks.inference.model_inversion import MIFace
        from art.estimators.classification import PyTorchClassifier
    except ImportError:
        return "absent"
    import torch

    from temper.core.attack import Outcome
    from temper.judges.nearness import Nearness, Reconstructions

    victim = PyTorchClassifier(net, torch.nn.CrossEntropyLoss(), (1, 8, 8), 10, clip_values=(0.0, 1.0))
    few = np.arange(len(seen.wanted)) % 8 < 2
    start, wanted = seen.start[few], seen.wanted[few]
    found = MIFace(victim, max_iter=300, verbose=False).infer(start.astype(np.float32), wanted)
    made = Reconstructions(x=found.astype(float), start=start, wanted=wanted, confidence=seen.confidence[few])
    ratio = Nearness().judge(here, Outcome(scores=None, y=None, payload=made))[0]
    return f"{ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"


def _digits() -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    return (found.images[order, None] / 16.0).astype(np.float32), found.target[order]


def _net(x: Any, y: Any, epochs: int, seed: int) -> Any:
    import torch

    torch.manual_seed(seed)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    adam = torch.optim.Adam(net.parameters(), 3e-3)
    rows, truth = torch.tensor(x), torch.tensor(y)
    for _ in range(epochs):
        for batch in torch.randperm(len(rows)).split(64):
            adam.zero_grad()
            torch.nn.functional.cross_entropy(net(rows[batch]), truth[batch]).backward()
            adam.step()
    return net


if __name__ == "__main__":
    sys.exit(main())
