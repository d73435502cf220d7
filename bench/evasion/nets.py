"""Gradient attacks on small nets at a fixed radius: ours through the oracle against torchattacks, foolbox and ART.

    python -m bench.evasion.nets [--quick] [--full] [NET ...]

PGD-40 in linf at equal steps, radius and step size on the same rows, at four rates of success: what dropping rows
brings depends on that rate. Then the standard ensemble against torchattacks' AutoAttack, as it comes (its APGD and FAB
take 10 steps) and with its own steps raised to the published length, and against ART's (another line-up) on few rows.
A quick run has too few rows for its ratios to mean much, and leaves ART's ensemble out: it takes minutes on any rows.
Words are names of nets: the ensembles on these alone. Success is counted on the raw net, over rows it judges right.
Seconds are CPU time of this process on one thread.
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

from bench.table import MEDIANS, alternate, goal, machine, median, table

SEED, STEPS = 0, 40
RATES = ((0.2, True, 1.3), (0.6, False, 1.9), (0.95, False, 3.6), (1.0, False, 6.0))
COLUMNS = ["", "CPU s [ ]", "peer / ours", "success [Wilson 95 %]", "n", "mean distance", "farthest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """A net with the rows it judges right and the radius to be tried."""

    name: str
    model: Any
    x: Any
    y: Any
    radius: float

    def first(self, n: int) -> Net:
        """The same with fewer rows."""
        return Net(name=self.name, model=self.model, x=self.x[:n], y=self.y[:n], radius=self.radius)


Strike = Callable[[Net], Any]


def main(words: list[str]) -> int:
    """Print the tables and the goals."""
    import torch

    torch.set_num_threads(1)
    quick, full = "--quick" in words, "--full" in words
    wanted = [word for word in words if not word.startswith("--")]
    print(machine("torch", "torchattacks", "foolbox", "adversarial-robustness-toolbox"))
    print(MEDIANS)
    x, y = digits()
    plain = trained(x[:4_000], y[:4_000], 3, 0.0)
    robust = trained(x[:4_000], y[:4_000], 2 if quick else 6, 0.15)
    for rate, hard, times in () if wanted else RATES:
        pgd(tuned(robust if hard else plain, x[5_000:], y[5_000:], 200 if quick else 1_000, rate), times, quick)
    rows = 12 if quick else 1_000 if full else 200
    for name, model in nets(x[:4_000], y[:4_000], plain, robust, full):
        if name not in wanted and (wanted or (quick and name != "robust .15")):
            continue
        radius = 0.15 if "robust" in name else 0.05
        assert accuracy(model, x[5_000:], y[5_000:]) > 0.8, f"{name} has learned nothing worth an attack"
        standard(Net(name=name, model=model, **right(model, x[5_000:], y[5_000:], rows), radius=radius), quick)
    return 0


def nets(x: Any, y: Any, plain: Any, robust: Any, full: bool) -> Iterator[tuple[str, Any]]:
    """Nets of different training."""
    yield "robust .15", robust
    yield "plain", plain
    if full:
        yield "robust .08", trained(x, y, 6, 0.08)
        yield "robust .25", trained(x, y, 10, 0.25, slowly=True)
        yield "robust wide", trained(x, y, 6, 0.15, width=2)
        yield "smooth robust", trained(x, y, 8, 0.08, smooth=True)


# -- PGD --------------------------------------------------------------------------------------------------------------


def pgd(net: Net, wanted: float, quick: bool) -> None:
    """One table: every side on the same rows."""
    sides = {"temper": ours_pgd, "bare loop": bare, **peers_pgd()}
    title = f"PGD-{STEPS} linf, {net.name}, radius {net.radius:.3f}"
    seconds, found = run(net, sides, 3 if quick else 7)
    show(title, net, seconds, found)
    own = median(seconds["temper"]).value
    for peer, limit in (("torchattacks", wanted), ("foolbox", 1.0), ("ART", wanted)):
        if peer in seconds:
            ratio = median(seconds[peer]).value / own
            goal(f"{net.name}: {peer} / ours", ratio, limit, at_least=True)
            more = 100 * (broken(net, found[peer]).mean() - broken(net, found["temper"]).mean())
            goal(f"{net.name}: {peer} breaks more than ours by", more, 0.7, "pt")


def ours_pgd(net: Net) -> Any:
    """Through the oracle."""
    from temper.attacks.evasion.pgd import PGD

    return struck(PGD(steps=STEPS), net)


def bare(net: Net) -> Any:
    """The tight loop without any book-keeping: nobody drops out."""
    import torch

    low, high = (net.x - net.radius).clamp(min=0), (net.x + net.radius).clamp(max=1)
    generator = torch.Generator().manual_seed(SEED)
    x = net.x + net.radius * (2 * torch.rand(net.x.shape, generator=generator) - 1)
    x = x.clamp(0, 1)
    for _ in range(STEPS):
        x.requires_grad_(True)
        loss = torch.nn.functional.cross_entropy(net.model(x), net.y, reduction="sum")
        (slope,) = torch.autograd.grad(loss, x)
        x = x.detach().add_(slope.sign_(), alpha=2.5 * net.radius / STEPS)
        x = torch.minimum(torch.maximum(x, low), high)
    return x


def peers_pgd() -> dict[str, Strike]:
    """Those that are installed."""
    found: dict[str, Strike] = {}
    for name, module, strike in (
        ("torchattacks", "torchattacks", torchattacks_pgd),
        ("foolbox", "foolbox", foolbox_pgd),
        ("ART", "art", art_pgd),
    ):
        if installed(module):
            found[name] = strike
        else:
            print(f"{name} is not installed: our side stands without it")
    return found


def torchattacks_pgd(net: Net) -> Any:
    """Equal radius, step size and steps."""
    import torchattacks

    attack = torchattacks.PGD(net.model, eps=net.radius, alpha=2.5 * net.radius / STEPS, steps=STEPS)
    return attack(net.x, net.y)


def foolbox_pgd(net: Net) -> Any:
    """Equal radius, step size and steps."""
    import foolbox

    model = foolbox.PyTorchModel(net.model, bounds=(0, 1), device="cpu")
    attack = foolbox.attacks.LinfPGD(steps=STEPS, rel_stepsize=2.5 / STEPS)
    return attack(model, net.x, net.y, epsilons=[net.radius])[1][0]


def art_pgd(net: Net) -> Any:
    """Equal radius, step size and steps, one batch."""
    import torch
    from art.attacks.evasion import ProjectedGradientDescentPyTorch

    attack = ProjectedGradientDescentPyTorch(
        art_model(net),
        norm=np.inf,
        eps=net.radius,
        eps_step=2.5 * net.radius / STEPS,
        max_iter=STEPS,
        num_random_init=1,
        batch_size=len(net.x),
        verbose=False,
    )
    return torch.from_numpy(attack.generate(net.x.numpy(), net.y.numpy()))


# -- the standard ensemble ---------------------------------------------------------------------------------------------


def standard(net: Net, quick: bool) -> None:
    """Robust accuracy and CPU of the ensembles; ART on few rows."""
    sides: dict[str, Strike] = {"temper": ours_standard}
    if installed("torchattacks"):
        sides |= {"torchattacks": torchattacks_auto, "torchattacks full": torchattacks_full}
    seconds, found = run(net, sides, 1)
    show(f"standard ensemble linf, {net.name}, radius {net.radius:.3f}", net, seconds, found)
    for peer in sides:
        if peer != "temper":
            more = 100 * (broken(net, found[peer]).mean() - broken(net, found["temper"]).mean())
            goal(f"{net.name}: {peer} breaks more than ours by", more, 0.2, "pt")
            print(f"{net.name}: {peer} / ours {seconds[peer][0] / seconds['temper'][0]:.2f}x CPU")
    if installed("art") and not quick and net.name == "robust .15":
        few = net.first(20)
        seconds, found = run(few, {"temper": ours_standard, "ART": art_auto}, 1)
        show(f"standard ensemble linf, {few.name}, few rows", few, seconds, found)
        goal(f"{net.name}: ART / ours", seconds["ART"][0] / seconds["temper"][0], 8.0, at_least=True)


def ours_standard(net: Net) -> Any:
    """The published length."""
    from temper.attacks.evasion.standard import Standard

    return struck(Standard(), net)


def torchattacks_auto(net: Net) -> Any:
    """As it comes: APGD and FAB at 10 steps."""
    import torchattacks

    return torchattacks.AutoAttack(net.model, norm="Linf", eps=net.radius, version="standard", n_classes=10)(
        net.x, net.y
    )


def torchattacks_full(net: Net) -> Any:
    """The same line-up with the published steps, as far as its attacks take them."""
    import torchattacks as peer

    shared: dict[str, Any] = {"norm": "Linf", "eps": net.radius, "seed": SEED, "verbose": False}
    return peer.MultiAttack(
        [
            peer.APGD(net.model, steps=100, **shared),
            peer.APGDT(net.model, steps=100, n_classes=10, **shared),
            peer.FAB(net.model, steps=100, multi_targeted=True, n_classes=10, n_restarts=1, **shared),
            peer.Square(net.model, n_queries=5000, n_restarts=1, **shared),
        ]
    )(net.x, net.y)


def art_auto(net: Net) -> Any:
    """Its default line-up: APGD on two losses, DeepFool and Square, five restarts each."""
    os.environ["TQDM_DISABLE"] = "1"  # its attacks draw bars whatever they are told
    import torch
    from art.attacks.evasion import AutoAttack

    attack = AutoAttack(art_model(net), norm=np.inf, eps=net.radius, eps_step=2 * net.radius, batch_size=len(net.x))
    return torch.from_numpy(attack.generate(net.x.numpy(), net.y.numpy()))


# -- shared -----------------------------------------------------------------------------------------------------------


def struck(attack: Any, net: Net) -> Any:
    """Our attack through the oracle; the points it counted."""
    from temper.core.attack import Scene
    from temper.core.budget import Budget
    from temper.core.schema import Schema
    from temper.core.seed import Draws
    from temper.core.target import ScoreKind
    from temper.judges.misclassified import Misclassified
    from temper.targets.oracle import Oracle
    from temper.targets.torch import Torch

    ids = np.arange(len(net.x))
    budget = Budget(norm="linf", radius=net.radius)
    scene = Scene(
        x=net.x, y=net.y, ids=ids, schema=Schema.box(0.0, 1.0), budget=budget, kind=ScoreKind.LOGITS, classes=10
    )
    oracle = Oracle(Torch(model=net.model, classes=10), scene, Misclassified(), attack.needs)
    attack.run(oracle, scene, Draws(SEED, "bench", ids, net.x))
    return oracle.evidence().x_adv


def run(net: Net, sides: dict[str, Strike], repeats: int) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """CPU seconds and points of every side, in turns."""
    found: dict[str, Any] = {}

    def turn(name: str) -> Callable[[], object]:
        return lambda: found.__setitem__(name, sides[name](net).detach())

    seconds = alternate([turn(name) for name in sides], repeats, time.process_time)
    return dict(zip(sides, seconds, strict=True)), found


def broken(net: Net, x: Any) -> Any:
    """Rows whose point the raw net judges wrong inside ball and box."""
    import torch

    with torch.no_grad():
        wrong = net.model(x).argmax(1) != net.y
    fits = ((x - net.x).abs().flatten(1).amax(1) <= net.radius + 1e-6) & (x.flatten(1).amin(1) >= 0)
    return (wrong & fits & (x.flatten(1).amax(1) <= 1)).numpy()


def show(title: str, net: Net, seconds: dict[str, list[float]], found: dict[str, Any]) -> None:
    """CPU, ratio, success and distance together."""
    from temper.kernels.rate import wilson

    own = median(seconds["temper"]).value
    rows = []
    for name, times in seconds.items():
        hit = broken(net, found[name])
        low, high = wilson(int(hit.sum()), len(hit))
        far = (found[name] - net.x).abs().flatten(1).amax(1).numpy()[hit]
        mean, most = (f"{far.mean():.4f}", f"{far.max():.7f}") if len(far) else ("", "")
        rate = f"{hit.mean():.1%} [{low:.1%}, {high:.1%}]"
        rows.append([name, median(times).show(), f"{median(times).value / own:.2f}", rate, len(hit), mean, most])
    table(title, COLUMNS, rows)


def tuned(model: Any, x: Any, y: Any, n: int, rate: float) -> Net:
    """The radius at which a short PGD breaks about this share."""
    from temper.attacks.evasion.pgd import PGD

    name, low, high = f"about {rate:.0%} broken", 0.0, 0.5
    rows = right(model, x, y, n)
    for _ in range(8):
        middle = (low + high) / 2
        net = Net(name=name, model=model, **rows, radius=middle)
        share = broken(net, struck(PGD(steps=15), net)).mean()
        low, high = (middle, high) if share < min(rate, 0.999) else (low, middle)
    return Net(name=name, model=model, **rows, radius=high * (1.3 if rate == 1.0 else 1.0))


def accuracy(model: Any, x: Any, y: Any) -> float:
    """The share of rows the net judges right."""
    import torch

    with torch.no_grad():
        return float((model(x).argmax(1) == y).double().mean())


def right(model: Any, x: Any, y: Any, n: int) -> dict[str, Any]:
    """The first `n` rows the net judges right."""
    import torch

    with torch.no_grad():
        good = model(x).argmax(1) == y
    return {"x": x[good][:n].contiguous(), "y": y[good][:n].contiguous()}


def trained(
    x: Any, y: Any, epochs: int, radius: float, *, width: int = 1, smooth: bool = False, slowly: bool = False
) -> Any:
    """Two convolutions and two linear layers by Adam; with a radius, perhaps growing `slowly`, on points of a PGD-5."""
    import torch
    from torch import nn

    torch.manual_seed(SEED)
    bend = nn.Softplus if smooth else nn.ReLU
    model = nn.Sequential(
        nn.Conv2d(1, 16 * width, 4, stride=2, padding=1),
        bend(),
        nn.Conv2d(16 * width, 32 * width, 4, stride=2, padding=1),
        bend(),
        nn.Flatten(),
        nn.Linear(32 * width * 49, 100),
        bend(),
        nn.Linear(100, 10),
    )
    adam = torch.optim.Adam(model.parameters(), lr=2e-3)
    order = torch.Generator().manual_seed(SEED)
    for epoch in range(epochs):
        reach = radius * min(1.0, (epoch + 1) / (0.6 * epochs)) if slowly else radius
        for part in torch.randperm(len(x), generator=order).split(128):
            points = hardest(model, x[part], y[part], reach) if radius else x[part]
            adam.zero_grad()
            nn.functional.cross_entropy(model(points), y[part]).backward()
            adam.step()
    return model.eval().requires_grad_(False)


def hardest(model: Any, x: Any, y: Any, radius: float) -> Any:
    """Five steps of PGD, for training."""
    import torch

    point = (x + radius * (2 * torch.rand_like(x) - 1)).clamp(0, 1)
    for _ in range(5):
        point.requires_grad_(True)
        (slope,) = torch.autograd.grad(torch.nn.functional.cross_entropy(model(point), y), point)
        point = (x + (point.detach() + 0.5 * radius * slope.sign() - x).clamp(-radius, radius)).clamp(0, 1)
    return point


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
    y, (row, column) = rng.integers(0, 10, 8_000), np.mgrid[0:28, 0:28] - 13.5
    angle = (y * np.pi / 10 + rng.normal(0, 0.05, 8_000))[:, None, None]
    near = np.abs(row * np.cos(angle) + column * np.sin(angle) + rng.normal(0, 2, (8_000, 1, 1))) < 2
    images = np.clip(near * 0.9 + rng.normal(0, 0.1, near.shape), 0, 1).astype(np.float32)
    return torch.from_numpy(images[:, None]), torch.from_numpy(y)


def installed(module: str) -> bool:
    """Whether a peer is here."""
    from importlib.util import find_spec

    return find_spec(module) is not None


def art_model(net: Net) -> Any:
    """The net as ART takes it."""
    import torch
    from art.estimators.classification import PyTorchClassifier

    return PyTorchClassifier(net.model, torch.nn.CrossEntropyLoss(), (1, 28, 28), 10, clip_values=(0.0, 1.0))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
