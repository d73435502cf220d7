"""`temper demo bank`: a quarter in front of the user, week by week, and the story of it. SIMULATED."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from temper.core.errors import TemperError
from temper.demos.bank.bank import Bank
from temper.demos.bank.ledger import Ledger, Sums, added
from temper.demos.bank.models import library
from temper.demos.bank.page import document, render
from temper.demos.bank.plan import CONTROLS, Plan
from temper.demos.bank.quarter import Quarter, Run
from temper.demos.bank.story import COLUMNS, Chapter, Story, after, assumptions, chapters, dollars, span, summary, table
from temper.demos.bank.trials import SIMULATED, Trials, Worth, made
from temper.engine.task import clock

HELD_OUT = "temper.demos.held_out_bank:HeldOutWorld"
SMALL, QUICK = Plan(days=28, per_day=400), Plan(days=21, per_day=300)
_FIRST_SEED = 100
_NARROW: dict[str, Any] = {"pad_edge": False, "collapse_padding": True}
"""Nine columns within eighty places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is simulated: the quarter, the small quarters like `small`, and how many seeds of them."""

    days: int
    per_day: int
    small: Plan
    seeds: int

    @staticmethod
    def of(*, quick: bool, days: int | None, per_day: int | None) -> Size:
        """As asked for; a million payments in ninety days where nothing is."""
        usual = (28, 1_000, QUICK, 2) if quick else (90, 11_112, SMALL, 4)
        return Size(days=days or usual[0], per_day=per_day or usual[1], small=usual[2], seeds=usual[3])


def tour(
    folder: Path,
    seed: int = 0,
    *,
    size: Size,
    without: tuple[str, ...] = (),
    held_out: bool = False,
    workers: int = 2,
    console: Any = None,
) -> Story:
    """Simulate, tell, and write `story.html` and `story.json` into `folder`. What the keyboard breaks off is told as
    far as it is there.
    """
    from rich.console import Console

    console = console or Console(highlight=False)
    world, began = _world(held_out), clock()
    plan = _without(Plan(days=size.days, per_day=size.per_day, seed=seed), without)
    folder.mkdir(parents=True, exist_ok=True)
    story = _told(console, world, plan, size, folder, workers, began)
    _show(console, story)
    page = folder / "story.html"
    page.write_text(render(story), encoding="utf-8")
    (folder / "story.json").write_text(document(story), encoding="utf-8")
    console.rule()
    console.print(f"{story.seconds:.0f} s in all. Everything is SIMULATED. With charts: {page}")
    console.print("next:")
    for line in after(story):
        console.print(f"  {line}", markup=False)
    return story


def _world(held_out: bool) -> str:
    if not held_out:
        return SIMULATED
    if find_spec(HELD_OUT.partition(":")[0]) is None:
        raise TemperError("the held-out world is not there", fix="temper demo bank, without --held-out")
    return HELD_OUT


def _without(plan: Plan, names: tuple[str, ...]) -> Plan:
    if unknown := sorted(set(names) - set(CONTROLS)):
        raise TemperError(f"there is no control {unknown[0]!r}", fix=f"there are {', '.join(CONTROLS)}")
    return replace(plan, controls=plan.controls - set(names))


def _told(console: Any, world: str, plan: Plan, size: Size, folder: Path, workers: int, began: float) -> Story:
    """The quarter, the same without any control, and the small ones, until the keyboard breaks it off."""
    console.rule("temper demo bank: a bank for a quarter (SIMULATED)")
    _introduce(console, plan, world)
    quarter = _run(console, world, plan, "all controls" if plan.controls == set(CONTROLS) else "what is left")
    bare, trials = None, None
    worths: tuple[Worth, ...] = ()
    if quarter.whole:
        bare = _run(console, world, replace(plan, controls=frozenset()), "no control at all")
    if bare is not None and bare.whole and plan.controls == set(CONTROLS):
        seeds = tuple(range(_FIRST_SEED, _FIRST_SEED + size.seeds))
        trials = Trials(plan=size.small, seeds=seeds, world=world, path=folder / "trials.jsonl")
        worths = _tried(console, trials, workers)
    return Story(
        quarter=quarter,
        bare=bare,
        trials=trials,
        worths=worths,
        models=library(),
        own=world == SIMULATED,
        seconds=clock() - began,
    )


def _introduce(console: Any, plan: Plan, world: str) -> None:
    console.print(
        "Customers pay; among them are fraudsters who want money and try again with what passed. In their way stand "
        "a guard, two models, people with little time, and what watches all that and reacts."
    )
    missing = sorted(set(CONTROLS) - plan.controls)
    console.print(f"{plan.days} days, about {plan.per_day:,} payments a day, seed {plan.seed}; models: {library()}.")
    if missing:
        console.print(f"Switched off: {', '.join(missing)}.")
    if world != SIMULATED:
        console.print("The world is one of another make, which the bank was not built on.")


def _run(console: Any, world: str, plan: Plan, title: str) -> Quarter:
    """One quarter, with a line for every week."""
    console.print(f"\n[bold]{title}[/bold]: week, payments, frauds, tried, lost, honest declined, hours")

    def week(number: int, ledger: Ledger, bank: Bank) -> None:
        if number % 7 == 6 or number == plan.days - 1:
            console.print(_week(number // 7 + 1, added(ledger.so_far(number // 7 * 7, number + 1))))

    return Run(world=made(world, plan), plan=plan, listener=week).run()


def _week(number: int, one: Sums) -> str:
    return (
        f"  {number:>2}  {one.payments:>7,}  {one.frauds:>5,}  {dollars(one.attempted):>9}  {dollars(one.lost):>9}  "
        f"{one.false_declines:>6,}  {one.hours:>4,.0f}"
    )


def _tried(console: Any, trials: Trials, workers: int) -> tuple[Worth, ...]:
    """What each control is worth; nothing where that was broken off."""
    from rich.progress import Progress

    console.print("\n[bold]the same with and without each control[/bold], in small quarters")
    try:
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task("small quarters")
            trials.run(workers, lambda done, many: progress.update(task, completed=done, total=many))
    except KeyboardInterrupt:
        return ()
    return tuple(trials.worths())


def _show(console: Any, story: Story) -> None:
    if story.missing:
        console.print(f"[bold]{story.missing}[/bold]")
    for number, one in enumerate(chapters(story), start=1):
        console.print()
        console.rule(f"{number}. {one.title}", align="left")
        _chapter(console, story, one)
    console.print()
    console.rule("The quarter", align="left")
    _weeks(console, story)
    for line in summary(story):
        console.print(line, markup=False)
    console.print(assumptions(), style="dim", markup=False)


def _chapter(console: Any, story: Story, one: Chapter) -> None:
    for line in one.lines:
        console.print(line, markup=False)
    if one.key == "worth":
        console.print(_worths(story))
        console.print("Left out: what it costs more without it. Alone: what it saves where nothing else stands.")


def _worths(story: Story) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    found = Table(title="SIMULATED: of a small quarter", title_justify="left", title_style="dim", box=SIMPLE_HEAD)
    for name in ("control", "left out", "95 %", "alone", "95 %"):
        found.add_column(name, justify="left" if name == "control" else "right")
    for one in story.worths:
        alone = ("–", "") if one.alone is None else (dollars(one.alone.mean), span(one.alone))
        found.add_row(one.control, dollars(one.cost.mean), span(one.cost), *alone)
    return found


def _weeks(console: Any, story: Story) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    found = Table(title="SIMULATED, by week", title_justify="left", title_style="dim", box=SIMPLE_HEAD, **_NARROW)
    for name in COLUMNS:
        found.add_column(name, justify="right")
    for row in table(story.quarter.ledger.weeks):
        found.add_row(*row)
    console.print(found)
