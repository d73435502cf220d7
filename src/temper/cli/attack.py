"""`temper attack`."""

from __future__ import annotations

from pathlib import Path

from temper.cli import _options as options

ROOMS = [
    "evasion",
    "poisoning",
    "extraction",
    "inversion",
]


def command(
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    suite: options.Suite = "standard",
    only: options.Only = None,
    seed: options.Seed = 0,
    engine: options.Engine = "processes",
    json: options.Json = False,
    allow_inconclusive: options.Lenient = False,
    trust_pickle: options.Trust = False,
) -> None:
    """Attack the model: evasion, poisoning, extraction, inversion."""
    from temper.cli._run import run

    run(config, suite, only or ROOMS, json, allow_inconclusive, trust_pickle, seed=seed, engine=engine)
