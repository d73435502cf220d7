"""`temper learn`."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    name: Annotated[str, typer.Argument(help="A concept, e.g. evasion; without one, all are listed.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Every concept, one after the other.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Ask what you have answered rightly before, too.")] = False,
    exam: Annotated[
        int | None, typer.Option(help="So many questions at random, of all concepts or of one; a score at the end.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="With --exam: draws the same questions again.")] = None,
) -> None:
    """Questions on hardening and robustness testing, with reasons; progress is kept on this machine."""
    import secrets

    from temper.learn.desk import Desk
    from temper.learn.exam import drawn, sit
    from temper.learn.lesson import overview, teach
    from temper.learn.progress import Progress, place
    from temper.learn.shelf import concept, shelf

    concepts = (concept(name),) if name else shelf()
    desk, progress = Desk.standard(), Progress.read(place())
    if exam is not None:
        seed = secrets.randbelow(1_000_000) if seed is None else seed
        questions = drawn(concepts, exam, seed)
        desk.say(f"{exam} questions; the same ones again: temper learn --exam {exam} --seed {seed}", indent=0)
        sit(desk, progress, questions)
    elif name or everything:
        teach(desk, progress, concepts, again)
    else:
        overview(desk, progress)
