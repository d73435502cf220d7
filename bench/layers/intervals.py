"""Whether the intervals of a measured defence hold, on SIMULATED campaigns of few actors whose truth is known.

    python -m bench.layers.intervals [--quick] [--actors 10] [--campaigns 1000]

Residual: what gets through all layers. Parts: Shapley values, whose intervals are to hold for all layers of a campaign
at once. Beside them the usual bootstrap over actors (percentiles), which knows only the actors it has seen. The goal is
95 % less three standard errors in every world.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from bench.layers._worlds import WORLDS, Ladder, World
from bench.table import goal, machine, table
from temper.engine.layers.games import games, share
from temper.kernels.coalitions import shapley_of
from temper.kernels.few_actors import over_actors

Array = Any
CONFIDENCE, REPLICATES = 0.95, 1_000


def main(words: list[str]) -> int:
    """Print the tables and the goal."""
    given = {word: int(words[at + 1]) for at, word in enumerate(words[:-1]) if word in ("--actors", "--campaigns")}
    many = given.get("--campaigns", 100 if "--quick" in words else 1_000)
    sizes = [given["--actors"]] if "--actors" in given else [10, 20, 50]
    print(machine("numpy", "scipy"), flush=True)
    rows, worst = [], 1.0
    for world in (*WORLDS, None):
        for actors in sizes:
            held, usual, width = covered(world, actors, many)
            worst = min(worst, float(held.mean(axis=0).min()))
            name = world.name if world is not None else "attackers who know the layers"
            told = [f"{one:.1%}" for one in (*held.mean(axis=0), *usual.mean(axis=0))]
            rows.append([name, actors, told[0], told[1], f"{width:.2f}", told[2], told[3]])
    heads = ["SIMULATED campaigns", "actors", "residual", "all parts", "width", "residual, usual", "all parts, usual"]
    table(f"intervals that hold the truth, {many:,} campaigns each", heads, rows)
    limit = CONFIDENCE - 3 * np.sqrt(CONFIDENCE * (1 - CONFIDENCE) / many)
    goal("intervals that hold, the worst world", 100 * worst, 100 * limit, "%", at_least=True, digits=1)
    return 0


def covered(world: World | None, actors: int, many: int) -> tuple[Array, Array, float]:
    """Per campaign whether the interval of the residual holds the truth and those of all parts do; the same of the
    usual bootstrap; and how wide that of the residual is.
    """
    ladder = Ladder(stops=(0.5, 0.4, 0.3))
    truth = ladder.truth if world is None else world.truth
    parts = (1.0 - truth) @ shapley_of(len(truth).bit_length() - 1)
    held, usual, width = np.zeros((many, 2), dtype=bool), np.zeros((many, 2), dtype=bool), 0.0
    for at in range(many):
        rng = np.random.Generator(np.random.Philox(key=[at, actors]))
        if world is None:
            passed = games(*ladder.against(actors, rng))[0].stronger
        else:
            passed = games(world.campaign(actors, rng), None)[0].fixed
        values = (1.0 - passed) @ shapley_of(len(truth).bit_length() - 1)
        residual = share(passed[:, -1], CONFIDENCE)
        low, high = over_actors(values, (0.0, 1.0), rng, simultaneous=True, replicates=REPLICATES)
        held[at] = residual.low <= truth[-1] <= residual.high, ((low <= parts) & (parts <= high)).all()
        usual[at] = _usual(passed[:, -1:], truth[-1:], rng), _usual(values, parts, rng)
        width += (residual.high - residual.low) / many
    return held, usual, width


def _usual(values: Array, truth: Array, rng: np.random.Generator) -> bool:
    """Whether the percentiles of resampled actors hold the truth, each column by itself at a level for all of them."""
    weights = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), REPLICATES) / len(values)
    tail = (1 - CONFIDENCE) / 2 / values.shape[1]
    low, high = np.quantile(weights @ values, [tail, 1 - tail], axis=0)
    return bool(((low <= truth) & (truth <= high)).all())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
