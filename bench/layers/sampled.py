"""Shapley values of many layers from sampled orders beside those from every set, and the smallest set that is looked
for beside the smallest there is, on SIMULATED campaigns.

    python -m bench.layers.sampled [--quick] [--campaigns 30]

Up to ten layers the exact values come of every set; beyond, of the closed form of attempts that are made once. Beside
orders with their reverses as many plain ones. Errors are the largest of a campaign's layers, in the mean of campaigns.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from bench.layers._worlds import World
from bench.table import goal, machine, table
from temper.core.layers import Attempts
from temper.engine.layers.games import SETS, games, through
from temper.engine.layers.smallest import fewer_and_fewer
from temper.kernels.coalitions import along, dealt, orders, sampled, shapley_of

Array = Any
SIZES, ACTORS, LIMIT = (6, 8, 10, 12, 16, 24), 30, 0.1


def main(words: list[str]) -> int:
    """Print the tables and the goals."""
    many = 5 if "--quick" in words else 30
    many = int(words[words.index("--campaigns") + 1]) if "--campaigns" in words else many
    print(machine("numpy"), flush=True)
    rows, held, errors = [], [], []
    for layers in SIZES:
        told = [_one(layers, key) for key in range(many)]
        error, usual, said, within, sets, took, exact = (np.mean([one[at] for one in told]) for at in range(7))
        held.append(within)
        errors.append(error)
        slow = f"{1e3 * exact:.0f} ms" if layers <= 10 else "-"
        figures = [f"{error:.4f}", f"{usual:.4f}", f"{said:.4f}", f"{within:.1%}"]
        rows.append([layers, f"{sets:,.0f}", *figures, f"{1e3 * took:.0f} ms", slow])
    heads = ["layers", "sets", "error", "plain orders", "standard error told", "within two", "took", "every set took"]
    table(f"parts from sampled orders, SIMULATED, {many} campaigns of {ACTORS} actors each", heads, rows)
    goal("largest error of a part, any number of layers", 100 * max(errors), 2.0, " points", digits=2)
    goal("parts within two standard errors, the worst", 100 * min(held), 90.0, "%", at_least=True, digits=1)
    _smallest(many)
    return 0


def _world(layers: int) -> World:
    """Layers of which the strong ones are few."""
    return World(name="", stops=tuple(0.6 * 0.85**at for at in range(layers)), sharp=2.0, attempts=6.0)


def _campaign(layers: int, key: int) -> tuple[Attempts, np.random.Generator]:
    rng = np.random.Generator(np.random.Philox(key=[key, layers]))
    return _world(layers).campaign(ACTORS, rng), rng


def _one(layers: int, key: int) -> tuple[float, ...]:
    """Errors of sampled and plain orders, what was told, how many parts lie within two of it, sets, and both times."""
    attempts, rng = _campaign(layers, key)
    truth, exact = _truth(attempts)
    rounds = max(10, SETS // (2 * layers - 2))
    some = orders(layers, rng, rounds)
    began = time.process_time()
    found = games(attempts, None, some)[0]
    values, said = sampled(1.0 - found.fixed, found.sets, some)
    took = time.process_time() - began
    errors = np.abs(values.mean(axis=0) - truth)
    plain = np.abs(_plain(attempts, rng, 2 * rounds) - truth)
    within = float((errors <= 2.0 * said + 1e-12).mean())
    return float(errors.max()), float(plain.max()), float(said.max()), within, len(found.sets), took, exact


def _truth(attempts: Attempts) -> tuple[Array, float]:
    """The exact parts, and how long they took from every set."""
    if len(attempts.layers) <= 10:
        began = time.process_time()
        passed = games(attempts, None)[0].fixed
        found = ((1.0 - passed) @ shapley_of(len(attempts.layers))).mean(axis=0)
        return found, time.process_time() - began
    each = attempts.worth[:, None] * dealt(attempts.stops)
    tried = np.bincount(attempts.actor, weights=attempts.worth)
    parts = np.stack([np.bincount(attempts.actor, weights=one) for one in each.T], axis=1) / tried[:, None]
    return parts.mean(axis=0), 0.0


def _plain(attempts: Attempts, rng: np.random.Generator, many: int) -> Array:
    """Parts from as many orders without their reverses."""
    layers = len(attempts.layers)
    some = rng.permuted(np.tile(np.arange(layers), (many, 1)), axis=1)
    sets = np.unique(along(some))
    actors = np.unique(attempts.actor)
    names = [[name for at, name in enumerate(attempts.layers) if mask >> at & 1] for mask in sets]
    stopped = 1.0 - np.stack([through(attempts, one, actors) for one in names], axis=1)
    return sampled(stopped, sets, some)[0].mean(axis=0)


def _smallest(many: int) -> None:
    """How often the set that is looked for is as small as the smallest of all."""
    rows = []
    for layers in (6, 8, 10):
        same, looked = 0, 0
        for key in range(many):
            attempts, _ = _campaign(layers, 1_000 + key)
            passed = games(attempts, None)[0].fixed.mean(axis=0)
            limit = max(LIMIT, float(passed[-1]) * 1.5)
            seen: set[int] = set()

            def through_of(mask: int, passed: Array = passed, seen: set[int] = seen) -> float:
                seen.add(mask)
                return float(passed[mask])

            last = list(fewer_and_fewer(through_of, 2**layers - 1, lambda mask: (), limit))[-1]
            least = min(mask.bit_count() for mask in range(2**layers) if passed[mask] <= limit)
            same += last.bit_count() == least
            looked += len(seen)
        rows.append([layers, f"{same} of {many}", f"{looked / many:.0f} of {2**layers}"])
    table("the smallest set that keeps the limit, found as small as it is", ["layers", "found", "sets looked at"], rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
