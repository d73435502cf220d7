"""The whole loop on the stand-in assistant: red team, weigh the guard's stages, red team again. SIMULATED."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from temper.api import Run, assistants
from temper.demos.assistant.bank import write
from temper.engine.task import clock


def tour(folder: Path, seed: int = 0) -> Run:
    """Write the assistant into `folder` and red team it; what is shown can be repeated by hand there."""
    from rich.console import Console

    started = clock()
    console = Console(highlight=False)
    console.rule("1. An assistant to protect: a bank's, with mail, documents and payments (SIMULATED)")
    assistant = assistants.load_assistant(written(folder))
    console.print(
        f"{len(assistant.tasks)} things customers ask, {len(assistant.services)} tools, "
        f"{sum(service.open for service in assistant.services)} of them read what outsiders wrote. No language model: "
        "a program that obeys orders with a chance that is known."
    )
    run = _attacked(assistant, folder, seed, console)
    better = _guarded(assistant, run, folder, console)
    console.rule()
    console.print(f"{clock() - started:.0f} s in all. Every command works in {folder}; the assistant is SIMULATED.")
    console.print("next: put your own endpoint into temper.yaml (url, model, authorised_by) and run temper redteam")
    return better.after


def written(folder: Path) -> Path:
    """The path of the assistant's temper.yaml, which is written with its sandbox where there is none yet."""
    path = folder / "temper.yaml"
    return path if path.exists() else write(folder)


def _attacked(assistant: Any, folder: Path, seed: int, console: Any) -> Run:
    from temper.report.progress import Progress
    from temper.report.terminal import show

    console.rule("2. temper redteam --suite quick")
    console.print(
        "Typed by users, and hidden in mail, pages and documents that it reads for them: who makes it pay, tell its "
        "secret, or write to strangers?"
    )
    with Progress() as progress:
        run = assistants.redteam(assistant, "quick", seed=seed, listener=progress)
    show(run.record, run.report(folder / "runs" / run.record.id / "report.html"))
    return run


def _guarded(assistant: Any, run: Run, folder: Path, console: Any) -> assistants.AssistantHardening:
    from temper.report.guards import show_guards
    from temper.report.progress import Progress

    console.rule("3. temper harden")
    console.print(
        "Every stage of the guard alone, then all of them, less what costs more than it stops; then attackers who may "
        "try everything anew against what is left."
    )
    with Progress() as progress:
        better = assistants.harden(assistant, run, listener=progress)
        saved = assistants.save_hardened(better, folder / "hardened") if better.taken else None
    show_guards(better, saved, better.after.report(folder / "runs" / better.after.record.id / "report.html"))
    return better
