"""How often the layers come out in the order in which they were planted, and pairs that share a cause are named, on
SIMULATED campaigns.

    python -m bench.layers.orders [orders | pairs] [--quick] [--campaigns 1000]

Layers whose Shapley values lie at least a planted gap apart; actors have rates of their own. Then six layers, two
of which some actors blind at once, and six of which none are: how many campaigns name the pair, and any other one.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from bench.layers._worlds import World
from bench.table import goal, machine, table
from temper.engine.layers.games import games
from temper.kernels.coalitions import shapley_of
from temper.kernels.joint_misses import joint_misses

Array = Any
ORDERS, SIZES = ((3, 0.1), (5, 0.05), (5, 0.03)), (30, 100, 300)
PAIRS = ((0.0, 30), (0.3, 30), (0.0, 100), (0.1, 100), (0.3, 100))


def main(words: list[str]) -> int:
    """Print the tables and the goals."""
    many = 100 if "--quick" in words else 1_000
    many = int(words[words.index("--campaigns") + 1]) if "--campaigns" in words else many
    print(machine("numpy", "scipy"), flush=True)
    if "pairs" not in words:
        _orders(many)
    if "orders" not in words:
        _pairs(many)
    return 0


def _orders(many: int) -> None:
    rows, reached = [], {}
    for layers, gap in ORDERS:
        world = planted(layers, gap)
        for actors in SIZES:
            right = float(np.mean([ordered(world, actors, key) for key in range(many)]))
            reached[layers, actors, gap] = 100 * right
            rows.append([f"{layers} layers, {gap:g} apart", actors, f"{right:.1%}"])
    table(f"planted orders, SIMULATED, {many:,} campaigns each", ["Shapley values", "actors", "order right"], rows)
    goal("orders right, 3 layers 0.1 apart, 100 actors", reached[3, 100, 0.1], 95, "%", at_least=True, digits=1)
    goal("orders right, 5 layers 0.05 apart, 300 actors", reached[5, 300, 0.05], 95, "%", at_least=True, digits=1)


def _pairs(many: int) -> None:
    counted = [named(trick, actors, many) for trick, actors in PAIRS]
    told = [
        [f"{trick:.0%}", actors, f"{hit:.1%}", f"{wrong:.1%}"]
        for (trick, actors), (hit, wrong) in zip(PAIRS, counted, strict=True)
    ]
    heads = ["actors who blind two layers", "actors", "the pair is named", "any other pair is"]
    table(f"layers that fail together, 6 layers, SIMULATED, {many:,} campaigns each", heads, told)
    worst, limit = max(wrong for _, wrong in counted), 0.05 + 3 * np.sqrt(0.05 * 0.95 / many)
    goal("campaigns that name a pair without a cause", 100 * worst, 100 * limit, "%", digits=1)


def planted(layers: int, gap: float) -> World:
    """Layers whose rates rise by the smallest step that puts their Shapley values `gap` apart at least."""
    for step in np.arange(gap, 1.0, 0.0005):
        stops = tuple(0.05 + step * at for at in range(layers))
        if stops[-1] < 1.0 and _least(stops) >= gap:
            return World(name=f"{gap:g} apart", stops=stops)
    raise ValueError(f"{layers} layers cannot lie {gap} apart")


def _least(stops: tuple[float, ...]) -> float:
    return float(np.diff((1.0 - World(name="", stops=stops).truth) @ shapley_of(len(stops))).min())


def ordered(world: World, actors: int, key: int) -> bool:
    """Whether the layers of one campaign come out in their order."""
    rng = np.random.Generator(np.random.Philox(key=[key, actors]))
    passed = games(world.campaign(actors, rng), None)[0].fixed
    parts = ((1.0 - passed) @ shapley_of(len(world.stops))).mean(axis=0)
    return bool((np.diff(parts) > 0).all())


def named(trick: float, actors: int, many: int) -> tuple[float, float]:
    """How many campaigns name the two layers that some actors blind at once, and how many any other pair."""
    world = World(name="", stops=(0.7, 0.7, 0.6, 0.5, 0.4, 0.3), sharp=4.0, trick=trick, blind=(0, 1))
    hits, wrong = 0, 0
    for key in range(many):
        rng = np.random.Generator(np.random.Philox(key=[key, actors]))
        one = world.campaign(actors, rng)
        found = {
            (each.first, each.second) for each in joint_misses(~one.stops, one.actor, rng, replicates=500) if each.found
        }
        hits += (0, 1) in found
        wrong += bool(found - {(0, 1)} if trick else found)
    return hits / many, wrong / many


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
