"""The whole loop on a shipped example, in front of the user: threats, attacks, verdict, hardening, proof."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper import api
from temper.core.errors import TemperError, Unsupported
from temper.core.event import Event
from temper.engine.task import clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What a demo shows: the module that writes it, its title, what was trained, and the defences to try (None: all).

    `trained` has places for the rows to learn and to test, the threshold and the accuracy.
    """

    module: str
    title: str
    trained: str
    story: tuple[str, str, str] = ("", "", "")
    defences: Sequence[str] | None = None


_XGBOOST = "trained XGBoost on {train:,} payments, tested on {test:,} later ones, threshold {threshold:.3f}"
EXAMPLES = {
    "fraud": Example(
        module="temper.demos.fraud",
        title="card payments: customers, terminals, three patterns of fraud",
        trained=_XGBOOST,
    ),
    "signs": Example(
        module="temper.demos.signs",
        title="a camera that reads traffic signs",
        trained="trained a small network on {train:,} photographs; it reads {accuracy:.1%} of {test:,} new ones",
        story=(
            "Eight kinds of sign are drawn by code from all sides, in all lights, before all backgrounds.",
            "Nearly perfect, so it ships? Now somebody changes what the camera sees, and people still read the sign: a "
            "stranger who only watches the answers, and an insider who has the model file, and black and white tape.",
            "Trained again on pictures that were attacked or made noisy; then attacked anew, as hard as before.",
        ),
        defences=("fast", "noise_training"),
    ),
    "held-out": Example(
        module="temper.demos.held_out",
        title="account-to-account payments by another generator, kept apart while Temper was built",
        trained=_XGBOOST,
    ),
}


def tour(name: str, folder: Path, seed: int = 0, engine: str = "processes") -> api.Hardening:
    """Generate, train, assess, harden and assess again in `folder`; what is shown can be repeated by hand there."""
    from rich.console import Console

    started = clock()
    console = Console(highlight=False)
    example = _example(name)
    system = _prepare(name, folder, seed, console)
    run = _assess(example, system, folder, engine, console)
    better = _harden(example, system, run, folder, engine, console)
    console.rule()
    console.print(f"{clock() - started:.0f} s in all. Every command works in {folder}; the data are SIMULATED.")
    console.print(f"next: cd {folder} && temper threats; then your own: temper init --model M --data D --target Y")
    return better


def written(name: str, folder: Path, seed: int = 0) -> Path:
    """The path of the example's temper.yaml; it, the model and the rows are written where there is none yet."""
    module, path = _example(name).module, folder / "temper.yaml"
    if not path.exists():
        importlib.import_module(module).write(folder, seed)
    return path


def _example(name: str) -> Example:
    if name not in EXAMPLES:
        raise TemperError(f"there is no demo {name!r}", fix=f"use one of {', '.join((*EXAMPLES, 'assistant'))}")
    return EXAMPLES[name]


def _told(console: Any, words: str) -> None:
    if words:
        console.print(words)


def _prepare(name: str, folder: Path, seed: int, console: Any) -> Any:
    began, example = clock(), _example(name)
    console.rule(f"1. A model to protect: {example.title} (SIMULATED)")
    _told(console, example.story[0])
    system = api.load(written(name, folder, seed))
    said = example.trained.format(
        train=len(system.train) if system.train is not None else 0,
        test=len(system.data),
        threshold=0.5 if system.threshold is None else system.threshold,
        accuracy=_accuracy(system) if system.threshold is None else 0.0,
    )
    console.print(f"{said}, seed {seed} ({clock() - began:.1f} s)")
    return system


def _accuracy(system: Any) -> float:
    """Share of the test rows that are given their own class."""
    from temper.kernels.loss import decide

    found = decide(system.target.scores(system.data.x), system.target.kind, system.threshold)
    return float((found == system.data.y).mean())


def _assess(example: Example, system: Any, folder: Path, engine: str, console: Any) -> api.Run:
    from temper.report.progress import Progress
    from temper.report.terminal import show

    console.rule("2. temper assess --suite quick")
    _told(console, example.story[1])
    with Progress() as progress:
        run = api.assess(system, "quick", engine=engine, listener=progress)
    path = run.report(folder / "runs" / run.record.id / "report.html")
    show(run.record, path)
    return run


def _harden(example: Example, system: Any, run: api.Run, folder: Path, engine: str, console: Any) -> api.Hardening:
    from temper.report.progress import Progress
    from temper.report.terminal import show_hardening

    console.rule("3. temper harden")
    _told(console, example.story[2])
    with Progress() as progress:
        better = api.harden(system, run, defences=example.defences, engine=engine, listener=progress)
        saved = _saved(better, folder, progress)
    show_hardening(better, saved, better.after.report(folder / "runs" / better.after.record.id / "report.html"))
    return better


def _saved(better: api.Hardening, folder: Path, listener: Any) -> Path | None:
    """Where the hardened system lies; None where nothing was taken or its kind of model cannot be written."""
    if not better.taken:
        return None
    try:
        return api.save_hardened(better, folder / "hardened")
    except Unsupported as error:
        listener(Event(kind="note", message=f"the hardened model is not written: {error.message}"))
        return None
