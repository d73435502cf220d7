"""The whole loop on a shipped example, in front of the user: threats, attacks, verdict, hardening, proof."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from temper import api
from temper.core.errors import TemperError
from temper.engine.task import clock

EXAMPLES = {"fraud": "temper.demos.fraud", "held-out": "temper.demos.held_out"}
_STEPS = {
    "fraud": "card payments: customers, terminals, three patterns of fraud",
    "held-out": "account-to-account payments by another generator, kept apart while Temper was built",
}


def tour(name: str, folder: Path, seed: int = 0, engine: str = "processes") -> api.Hardening:
    """Generate, train, assess, harden and assess again in `folder`; what is shown can be repeated by hand there."""
    from rich.console import Console

    started = clock()
    if name not in EXAMPLES:
        raise TemperError(f"there is no demo {name!r}", fix=f"use one of {', '.join(EXAMPLES)}")
    console = Console()
    system = _prepare(name, folder, seed, console)
    run = _assess(system, folder, engine, console)
    better = _harden(system, run, folder, engine, console)
    console.rule()
    console.print(f"{clock() - started:.0f} s in all. Every command works in {folder}; the data are SIMULATED.")
    console.print(f"next: cd {folder} && temper threats; then your own: temper init --model M --data D --target Y")
    return better


def _prepare(name: str, folder: Path, seed: int, console: Any) -> Any:
    began = clock()
    console.rule(f"1. A model to protect: {_STEPS[name]} (SIMULATED)")
    path = folder / "temper.yaml"
    if not path.exists():
        importlib.import_module(EXAMPLES[name]).write(folder, seed)
    system = api.load(path)
    trained = len(system.train) if system.train is not None else 0
    console.print(
        f"trained XGBoost on {trained:,} payments, tested on {len(system.data):,} later ones, "
        f"threshold {system.threshold:.3f}, seed {seed} ({clock() - began:.1f} s)"
    )
    return system


def _assess(system: Any, folder: Path, engine: str, console: Any) -> api.Run:
    from temper.report.progress import Progress
    from temper.report.terminal import show

    console.rule("2. temper assess --suite quick")
    with Progress() as progress:
        run = api.assess(system, "quick", engine=engine, listener=progress)
    path = run.report(folder / "runs" / run.record.id / "report.html")
    show(run.record, path)
    return run


def _harden(system: Any, run: api.Run, folder: Path, engine: str, console: Any) -> api.Hardening:
    from temper.report.progress import Progress
    from temper.report.terminal import show_hardening

    console.rule("3. temper harden")
    with Progress() as progress:
        better = api.harden(system, run, engine=engine, listener=progress)
    saved = api.save_hardened(better, folder / "hardened") if better.result.chosen else None
    show_hardening(better, saved, better.after.report(folder / "runs" / better.after.record.id / "report.html"))
    return better
