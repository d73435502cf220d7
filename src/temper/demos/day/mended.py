"""A hardened model, made while the guard holds: it learns from the incident, and from what the attack finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from temper import api
from temper.config.rewrite import rewritten
from temper.core.budget import Budget
from temper.core.data import Array, Data
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.core.target import Target
from temper.demos.day.attacker import ATTACK, RADIUS
from temper.hardening.adversarial import Adversarial
from temper.targets.save import save


def hardened(system: Protected, path: Path, known: Data, queries: int, seed: int) -> Path:
    """Write the hardened model and a temper.yaml for it beside the old one; the path of that. It is fitted on the
    training rows, on the `known` frauds of the incident, and on what the attack finds among frauds, twice; its
    threshold is the one at which it flags as many of the rows of the assessment as the old model.

    Misleads as a proof: it has seen the rows of the incident. Whether it is harder to pass, only an attack on it says.
    """
    train = system.train
    if train is None:
        raise TemperError("there are no training rows to harden on", fix="use the demo's own temper.yaml")

    def inner(target: Target, data: Data) -> Data:
        frauds = np.flatnonzero(data.y == 1)
        return _broken(system, target, data.x[frauds], np.asarray(data.y)[frauds], queries, seed)

    rows = Data(x=np.concatenate([train.x, known.x]), y=np.concatenate([train.y, known.y]))
    made = Adversarial(rounds=2, inner=inner).apply(system.target, rows, Draws(seed, "demos.day.mended"))
    rate = float(np.mean(system.target.scores(system.data.x)[:, 1] >= system.threshold))
    threshold = float(np.quantile(made.scores(system.data.x)[:, 1], 1.0 - rate))
    model = save(made, path.parent / "hardened")
    answers = {("model", "path"): f"hardened/{model.name}", ("model", "threshold"): round(threshold, 6)}
    text = rewritten(path.read_text(encoding="utf-8"), answers)
    found = path.with_name("hardened.yaml")
    found.write_text(text, encoding="utf-8")
    return found


def _broken(system: Protected, target: Target, x: Array, y: Array, queries: int, seed: int) -> Data:
    """The attack's rows that pass, as the frauds that they are."""
    found = api.attack(
        target,
        ATTACK,
        x,
        y,
        budget=Budget(norm="cost", radius=RADIUS, queries=queries),
        seed=seed + 1,
        schema=system.schema,
        threshold=system.threshold,
    )
    moved = found.verdicts == "broken"
    return Data(x=found.x_adv[moved], y=y[moved], ids=-1 - np.arange(int(moved.sum())))
