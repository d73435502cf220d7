"""Honest clients of held-out real rows, and the queries of attackers, for the bench of detectors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.extraction.fidelity import Table, _split, read

Array = Any
KNOWN, ASKED = 200, 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A table in halves and models fitted on one of them; `rows` are of the other, as clients send them."""

    data: Table
    rows: Array
    model: Any
    line: Any
    tree: Any


def services(wanted: list[str]) -> Iterator[Service]:
    """REAL tables, where there is a data folder, and SIMULATED card payments; those `wanted`, or all."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    tables = (read("adult", "adult", "income"), read("credit", "credit_default_uci", "default payment"), _payments())
    for data in tables:
        if data is not None and (not wanted or data.name in wanted):
            yield Service(
                data=data,
                rows=data.test[0].astype(np.float32),
                model=HistGradientBoostingClassifier(max_iter=100, random_state=0).fit(*data.train),
                line=make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(*data.train),
                tree=DecisionTreeClassifier(max_depth=8, random_state=0).fit(*data.train),
            )


def _payments() -> Table | None:
    import pandas as pd

    path = Path(os.environ.get("TEMPER_DATA", "../shared/data")) / "fraud_handbook" / "transactions.parquet"
    if not path.is_file():
        return None
    frame = pd.read_parquet(path)
    y = frame["TX_FRAUD"].to_numpy(int)
    named = [c for c in frame.columns if c == "TX_AMOUNT" or "WINDOW" in c or c.startswith("TX_DURING")]
    kept = np.random.default_rng(0).permutation(len(frame))[:40_000]
    x = frame[named].to_numpy(float)[kept]
    return _split("payments", x, y[kept], [(name, ()) for name in named])


# -- honest clients -------------------------------------------------------------------------------------------------


def at_random(service: Service, n: int, rng: np.random.Generator) -> Array:
    """Customers in no order."""
    rows = service.rows
    return rows[rng.integers(len(rows), size=n)]


def sessions(service: Service, n: int, rng: np.random.Generator) -> Array:
    """Customers in no order, a tenth of the answers asked for again at once, a thirtieth with one value corrected."""
    made, other = at_random(service, n, rng), at_random(service, n, rng)
    chance, columns = rng.random(n), rng.integers(made.shape[1], size=n)
    for at in np.flatnonzero(chance[1:] < 0.1 + 1 / 30) + 1:
        made[at] = made[at - 1]
        if chance[at] >= 0.1:
            made[at, columns[at]] = other[at, columns[at]]
    return made


def one_kind(service: Service, n: int, rng: np.random.Generator) -> Array:
    """Customers of one kind only: a tenth of them, by one column."""
    rows = service.rows
    order = np.argsort(rows[:, rng.integers(rows.shape[1])], kind="stable")
    start = rng.integers(len(rows) - len(rows) // 10)
    part = order[start : start + len(rows) // 10]
    return rows[part[rng.integers(len(part), size=n)]]


def sorted_batch(service: Service, n: int, rng: np.random.Generator) -> Array:
    """A file of all customers in the order of one column."""
    made = at_random(service, n, rng)
    return made[np.argsort(made[:, rng.integers(made.shape[1])], kind="stable")]


HONEST: dict[str, Callable[[Service, int, np.random.Generator], Array]] = {
    "in no order": at_random,
    "sessions with retries": sessions,
    "customers of one kind": one_kind,
    "sorted batch": sorted_batch,
}


# -- attackers ------------------------------------------------------------------------------------------------------


def stolen(service: Service, thief: str, model: Any, rng: np.random.Generator, **options: Any) -> Array:
    """The queries of one of Temper's extraction attacks, in their order."""
    import temper
    from temper.core.attack import Scene
    from temper.core.data import Data
    from temper.core.room import Room
    from temper.core.seed import Draws
    from temper.targets.oracle import Meter

    asked: list[Array] = []

    def told(x: Array) -> Array:
        asked.append(np.array(x))
        return model.predict_proba(x)

    x, y = service.data.test
    held = rng.permutation(len(x))[: ASKED if thief == "natural" else KNOWN]
    target = temper.target(told)
    scene = Scene(
        x=x[:1],
        y=y[:1],
        ids=np.arange(1),
        schema=service.data.schema,
        kind=target.kind,
        threshold=0.5,
        reference=Data(x=x[held], y=np.full(len(held), -1)),
    )
    asked.clear()
    attack = Room("temper.attacks").build(f"extraction.{thief}", {"queries": ASKED} | options)
    attack.run(Meter(target, ASKED), scene, Draws(int(rng.integers(2**31)), "bench"))
    return np.concatenate(asked)


def marginals(service: Service, rng: np.random.Generator) -> Array:
    """Each column drawn on its own from a few known rows."""
    from temper.attacks._queries import invent

    known = service.data.test[0][rng.permutation(len(service.data.test[0]))[:KNOWN]]
    return invent(service.data.schema, known, ASKED, rng)


def surrogate(service: Service, rng: np.random.Generator) -> Array:
    """What `extraction.surrogate` asks at first: half of the rows keep columns of a known one."""
    from temper.attacks._queries import invent

    known = service.data.test[0][rng.permutation(len(service.data.test[0]))[:KNOWN]]
    return invent(service.data.schema, known, ASKED, rng, 0.1, 0.5)


def anywhere(service: Service, rng: np.random.Generator) -> Array:
    """Anywhere in the box of the schema."""
    schema = service.data.schema
    made = rng.uniform(schema.lows, schema.highs, (ASKED, len(schema.columns)))
    return np.where([column.discrete for column in schema.columns], np.round(made), made)


def walking(service: Service, attack: str, rng: np.random.Generator) -> Array:
    """The queries of an evasion attack on one flagged row after another."""
    import temper
    from temper.core.attack import Scene
    from temper.core.errors import Unsupported
    from temper.core.room import Room
    from temper.core.schema import Mutability
    from temper.core.seed import Draws
    from temper.judges.misclassified import Misclassified
    from temper.targets.oracle import Oracle

    data, asked = service.data, []

    def told(x: Array) -> Array:
        asked.append(np.array(x))
        return service.model.predict_proba(x)

    spread = np.maximum(data.train[0].std(axis=0), 1e-6)
    free = {
        c.name: {"attacker": Mutability.FREE, "scale": float(s)}
        for c, s in zip(data.schema.columns, spread, strict=True)
    }
    flagged = data.test[0][rng.permutation(len(data.test[0]))[:4_000]]
    flagged = flagged[service.model.predict(flagged) == 1]
    norm = "linf" if attack == "square" else "l2"
    target, plugin = temper.target(told), Room("temper.attacks").get(f"evasion.{attack}")
    walks: list[Array] = []
    for row in flagged:
        scene = Scene(
            x=row[None],
            y=np.ones(1, int),
            ids=np.arange(1),
            schema=data.schema.with_columns(free),
            budget=temper.Budget(norm=norm, radius=0.5 if norm == "linf" else 5.0, queries=ASKED),
            kind=target.kind,
            threshold=0.5,
        )
        scene = replace(scene, mode=getattr(plugin, "mode", scene.mode))
        oracle = Oracle(target, scene, Misclassified(), plugin.needs)
        asked.clear()
        plugin().run(oracle, scene, Draws(int(rng.integers(2**31)), attack, scene.ids))
        walks += asked
        if sum(map(len, walks)) >= ASKED:
            break
    if not walks:
        raise Unsupported("no row is flagged")
    return np.concatenate(walks)[:ASKED]


EXTRACTION: dict[str, Callable[[Service, np.random.Generator], Array]] = {
    "uniform in the box": anywhere,
    "product of marginals": marginals,
    "surrogate (mixed with known rows)": surrogate,
    "equation solving": lambda service, rng: stolen(service, "equation_solving", service.line, rng),
    "path finding, after 60 known rows": lambda service, rng: stolen(service, "path_finding", service.tree, rng),
    "Jacobian, after its 100 seeds": lambda service, rng: stolen(service, "jacobian", service.model, rng),
}
EVASION: dict[str, Callable[[Service, np.random.Generator], Array]] = {
    name: lambda service, rng, name=name: walking(service, name, rng) for name in ("boundary", "hopskipjump", "square")
}
NATURAL = {"natural rows (undetectable)": at_random}
