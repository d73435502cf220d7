"""How many draws a sequential test of the smoothed vote needs against a fixed 100,000, and what it loses.

    python -m bench.evasion.smoothing [--quick]

First on simulated votes; then on real digits (`TEMPER_DATA`/mnist_t10k; a CNN trained under the noise) and on real
credit defaults (credit_default_uci; XGBoost trained on noised copies). What a fixed test of 100,000 draws would
certify on a real model is projected from the rates of fewer fixed draws on the same rows; the table says how many.
"""

from __future__ import annotations

import gzip
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.table import goal, machine, table
from temper.core.data import Array

FIXED, ALPHA, SAVING, LOST = 100_000, 0.001, 25.0, 0.5
PAIRS = ((0.25, 0.25), (0.25, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0))


def main(words: list[str]) -> int:
    """Print the tables and the goals."""
    quick = "--quick" in words
    print(machine("numpy", "torch", "xgboost-cpu"))
    simulated()
    folder = Path(os.environ.get("TEMPER_DATA", ""))
    lines, pairs, rows = [], PAIRS[2:3] if quick else PAIRS, 40 if quick else 200
    for title, cases in (("digits", _digit_cases(folder, pairs, rows)), ("credit", _credit_cases(folder, rows))):
        found = [_compared(f"{title}, sigma {s:g}, radius {r:g}", scene, s) for scene, s, r in cases]
        if not found:
            print(f"\n{title}: no data in TEMPER_DATA, left out")
        lines += found
    if lines:
        columns = [
            "real model",
            "draws",
            "saving",
            "certified",
            "fixed (from)",
            "lost pt",
            "vote right",
            "plain",
            "n",
            "CPU s",
        ]
        table(f"Sequential (at most 50,000) against fixed N = {FIXED:,}, alpha {ALPHA}", columns, [x[0] for x in lines])
        for shown, saving, lost in lines:
            goal(f"fewer draws, {shown[0]}", saving, SAVING, "x", at_least=True, digits=1)
            goal(f"certified rows lost, {shown[0]}", lost, LOST + 1e-9, "pt")
    return 0


def simulated(n: int = 4_000) -> None:
    """Votes whose rates follow three shapes: most rows sure, the rest spread out towards the limit."""
    from temper.kernels.sequential import exact_lower, gaussian_rate, trials

    lines, worst, lost = [], np.inf, -np.inf
    for shape in ((0.4, 3.0), (0.25, 4.0), (0.15, 1.5)):
        rates = 1 - np.random.default_rng(3).beta(*shape, size=n)
        for sigma, radius in PAIRS[:4]:
            p0, rng = gaussian_rate(radius, sigma), np.random.default_rng(4)
            seen = trials(lambda at, a, b, g=rng, p=rates: g.binomial(b - a, p[at]), np.arange(n), n, p0, ALPHA, 50_000)
            fixed = exact_lower(np.random.default_rng(5).binomial(FIXED, rates), FIXED, ALPHA) > p0
            saving, gone = FIXED / seen.draws.mean(), 100 * (fixed.mean() - seen.held.mean())
            worst, lost = min(worst, saving), max(lost, gone)
            shown = [f"{seen.draws.mean():,.0f}", f"{saving:.1f}x", f"{seen.held.mean():.1%}", f"{gone:.2f}"]
            lines.append([f"1 - beta{shape}, sigma {sigma:g}, radius {radius:g}", *shown, n])
    table(
        "SIMULATED votes, class selection not charged", ["rates", "draws", "saving", "certified", "lost pt", "n"], lines
    )
    goal("fewer draws, simulated, worst", worst, SAVING, "x", at_least=True, digits=1)
    goal("certified rows lost, simulated, worst", lost, LOST + 1e-9, "pt")


def _compared(title: str, scene: Any, sigma: float) -> tuple[list[Any], float, float]:
    """One line: the sequential test, and the fixed one on the same rows."""
    from temper.validation.smoothing import Smoothing

    start = time.process_time()
    quick = Smoothing(sigma=sigma, rows=len(scene.x)).measure(scene)
    seconds = time.process_time() - start
    fixed, drawn = _projected(scene, sigma)
    by_name = {m.metric: m for m in quick.measurements}
    share, draws = by_name["certified_share"], by_name["samples"].value or 0.0
    lost, saving = 100 * (fixed - (share.value or 0.0)), FIXED / draws
    rates = [f"{share.value:.1%} [{share.low:.1%}, {share.high:.1%}]", f"{fixed:.1%} ({drawn:,})", f"{lost:.2f}"]
    base = [f"{value:.1%}" for _, value in share.baseline]
    return [title, f"{draws:,.0f}", f"{saving:.1f}x", *rates, *base, share.n, f"{seconds:.1f}"], saving, lost


def _projected(scene: Any, sigma: float) -> tuple[float, int]:
    """The share a fixed test of 100,000 draws certifies at these rates of votes, and from how many draws they are."""
    from temper.kernels.sequential import exact_lower, gaussian_radius
    from temper.validation.smoothing import Smoothing

    drawn = 20_000 if scene.schema.columns else 5_000
    found = Smoothing(sigma=sigma, rows=len(scene.x), method="fixed", samples=drawn).measure(scene).certificate
    settings = dict(found.settings)
    hits, draws = (np.array(settings[name].split(","), dtype=float) for name in ("hits", "draws"))
    rates = hits / np.maximum(draws, 1)
    radius = gaussian_radius(exact_lower(np.round(rates * FIXED), FIXED, ALPHA), sigma)
    return float((radius >= scene.budget.radius).mean()), drawn


def _digit_cases(folder: Path, pairs: Any, rows: int) -> Iterator[tuple[Any, float, float]]:
    from temper.core.attack import Scene
    from temper.core.budget import Budget
    from temper.core.schema import Schema
    from temper.targets import open_target

    if not (folder / "mnist_t10k").exists():
        return
    (train_x, train_y), (x, y) = digits(folder / "mnist_t10k")
    models = {sigma: open_target(trained(train_x, train_y, sigma)) for sigma in dict.fromkeys(s for s, _ in pairs)}
    for sigma, radius in pairs:
        target, budget = models[sigma], Budget(norm="l2", radius=radius)
        fields: dict[str, Any] = {"schema": Schema.box(0.0, 1.0), "budget": budget, "kind": target.kind, "classes": 10}
        yield Scene(x=x[:rows], y=y[:rows], ids=np.arange(rows), target=target, **fields), sigma, radius


def digits(folder: Path) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """8,000 digits to train on and 2,000 to measure, (n, 1, 28, 28) in [0, 1]."""
    images = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())
    x = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28) / 255.0
    y = np.frombuffer(labels, np.uint8, offset=8).astype(np.int64)
    return (x[:8_000], y[:8_000]), (x[8_000:], y[8_000:])


def trained(x: Array, y: Array, sigma: float, epochs: int = 3, seed: int = 0) -> Any:
    """A small CNN trained under Gaussian noise."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    front = [nn.Conv2d(1, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 4, 2, 1), nn.ReLU(), nn.Flatten()]
    model = nn.Sequential(*front, nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
    adam = torch.optim.Adam(model.parameters(), 2e-3)
    inputs, labels = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y)
    for _ in range(epochs):
        for part in torch.randperm(len(x)).split(128):
            noisy = inputs[part] + sigma * torch.randn_like(inputs[part])
            loss = nn.functional.cross_entropy(model(noisy), labels[part])
            adam.zero_grad()
            loss.backward()
            adam.step()
    return model.eval()


def _credit_cases(folder: Path, rows: int) -> Iterator[tuple[Any, float, float]]:
    """Defaults with the numeric columns movable, each in units of its own spread."""
    import pandas as pd
    from xgboost import XGBClassifier

    from temper.core.attack import Scene
    from temper.core.budget import Budget
    from temper.core.schema import Column, Mutability, Schema
    from temper.targets import open_target

    path = folder / "credit_default_uci" / "credit-card-clients.csv.gz"
    if not path.exists():
        return
    frame = pd.read_csv(path)
    y = frame.iloc[:, -1].to_numpy(dtype=np.int64)
    frame = frame.iloc[:, :-1].select_dtypes("number")
    x = frame.to_numpy(dtype=np.float64)
    money = [any(word in name.lower() for word in ("bill", "pay_amt", "pay_amount", "limit")) for name in frame.columns]
    columns = tuple(
        Column(name=name, scale=max(float(x[:, at].std()), 1e-9), attacker=Mutability.FREE)
        if money[at]
        else Column(name=name)
        for at, name in enumerate(frame.columns)
    )
    train, test = slice(0, 20_000), slice(20_000, 20_000 + rows)
    spread = np.where(money, x.std(axis=0), 0.0)
    rng = np.random.default_rng(0)
    copies = np.concatenate([x[train] + 0.25 * spread * rng.normal(size=x[train].shape) for _ in range(3)])
    model = XGBClassifier(n_estimators=60, max_depth=4, random_state=0, nthread=1).fit(copies, np.tile(y[train], 3))
    target = open_target(model)
    fields: dict[str, Any] = {"schema": Schema(columns=columns), "kind": target.kind, "threshold": 0.5}
    for radius in (0.25, 0.5):
        budget = Budget(norm="l2", radius=radius)
        yield Scene(x=x[test], y=y[test], ids=np.arange(rows), target=target, budget=budget, **fields), 0.25, radius


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
