"""A small payment model behind its guard, on the bench: two columns move, one follows, one is out of reach."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from temper.config.serving import Serving, under
from temper.core.data import Data
from temper.core.probe import Draft
from temper.core.schema import Column, Mutability, Schema
from temper.core.system import Protected
from temper.core.target import ScoreKind
from temper.guard.serving.bench import Bench
from temper.targets.function import Function

SCHEMA = Schema(
    columns=(
        Column(name="amount", low=1.0, high=5_000.0, attacker=Mutability.COSTLY, cost=1.0, scale=100.0),
        Column(name="channel", type="category", categories=("chip", "online"), attacker=Mutability.COSTLY, cost=2.0),
        Column(name="share", low=0.0, high=10.0, attacker=Mutability.DERIVED, formula="amount / limit"),
        Column(name="limit", low=100.0, high=5_000.0, attacker=Mutability.IMMUTABLE, scale=500.0),
    ),
    relations=("amount <= limit",),
)


def scores(rows):
    """What the model says: large amounts and the second channel are suspicious."""
    rows = np.asarray(rows, dtype=float)
    flagged = 1.0 / (1.0 + np.exp(-((rows[:, 0] - 900.0) / 200.0 + rows[:, 1])))
    return np.column_stack([1.0 - flagged, flagged])


def rows(n: int, seed: int) -> Data:
    """Payments with the share that follows."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    limit = rng.uniform(2_000.0, 4_000.0, n).round()
    amount = rng.uniform(20.0, 1_500.0, n).round(2)
    x = np.column_stack([amount, rng.integers(0, 2, n), amount / limit, limit])
    return Data(x=x, y=(amount > 900.0).astype(int), ids=np.arange(n) + 10)


@cache
def bench() -> Bench:
    """The bench, made once: it is never written to."""
    target = Function(call=scores, kind=ScoreKind.PROBABILITIES, classes=2)
    system = Protected(
        name="payments",
        target=target,
        data=rows(60, 1),
        train=rows(400, 2),
        schema=SCHEMA,
        threshold=0.5,
        classes=("honest", "fraud"),
        simulated=True,
    )
    usual = Serving(profile=str(Path(mkdtemp(prefix="temper-bench-")) / "profile.npz"))
    return Bench.of(system, under(usual, {"decide": {"review": [0.45, 0.55]}})[0])


def flagged() -> int:
    """A held-out row that the model flags."""
    found, _ = bench().marks(list(bench().system.data.x))
    return int(bench().system.data.ids[int(np.argmax(found > 0.9))])


def draft(hypothesis: str = "a small amount passes", technique: str = "AML.T0015", **settings: str) -> Draft:
    """A change of that row, to be saved."""
    one, _ = bench().edited(bench().row(flagged()), settings)
    found = bench()
    subject, look = one.subject(found.system.schema.names), found.look(one)
    return Draft(system="payments", hypothesis=hypothesis, subject=subject, look=look, technique=technique)
