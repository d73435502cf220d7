"""`temper assess`."""

from __future__ import annotations

from pathlib import Path

from temper.cli import _options as options


def command(
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    suite: options.Suite = "standard",
    only: options.Only = None,
    seed: options.Seed = 0,
    engine: options.Engine = "processes",
    workers: options.Workers = None,
    address: options.Address = None,
    resume: options.Resume = False,
    fresh: options.Fresh = False,
    json: options.Json = False,
    allow_inconclusive: options.Lenient = False,
    trust_pickle: options.Trust = False,
) -> None:
    """Find what breaks the model, judge it against the policy, write the report."""
    from temper.cli._run import run

    run(
        config,
        suite,
        only,
        json,
        allow_inconclusive,
        trust_pickle,
        seed=seed,
        engine=engine,
        workers=workers,
        address=address,
        resume=resume,
        fresh=fresh,
    )
