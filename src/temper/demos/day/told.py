"""The day in the terminal: chapters, a line an hour, and what came of it in a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from temper.core.incident import Incident
from temper.core.watch import Seen, Watched
from temper.demos.day.plan import PLANTED, RIGHT, Chapter, Told
from temper.report._incident import times
from temper.report._inert import inert
from temper.report.watched import said

_COLOURS = {Seen.PASS: "green", Seen.FAIL: "red", Seen.INCONCLUSIVE: "yellow", Seen.NOTHING: "yellow"}
_WIDTH = 100
CLOCKS = """Those of the monitor go by the feed's clock, which stands still between two hours but for
the seconds in which somebody works; those of the gateway by the wall's, on which the model's
failure lies where it lies in the feed."""


@dataclass(slots=True, kw_only=True, eq=False)
class Screen:
    """Where the day is told."""

    console: Any

    def chapter(self, chapter: Chapter) -> None:
        """A new chapter begins, with what is planted in it."""
        self.console.print()
        text = f"[bold]{chapter.value}[/]  SIMULATED: {PLANTED[chapter]}"
        self.console.rule(text, align="left", characters="─")

    def hour(self, window: Watched) -> None:
        """What the monitor says of an hour."""
        from rich.markup import escape

        seen = f"[{_COLOURS[window.seen]}]{window.seen.value.upper():<4}[/]"
        head = f"{of_day(window.start)}  {window.rows:>4,} payments  {seen}  "
        kind = f"[bold]{window.kind.value}[/]: " if window.kind else ""
        text = window.why[0] if window.why else said(window)
        room = _WIDTH - 28 - (len(window.kind.value) + 2 if window.kind else 0)
        self.console.print(f"{head}{kind}{escape(_cut(inert(text), room))}")

    def say(self, text: str) -> None:
        """What somebody does or finds, under the hour it belongs to."""
        from rich.markup import escape

        for line in text.splitlines():
            self.console.print(f"       {escape(line)}", style="dim" if line.startswith(" ") else "")

    def quiet(self, text: str) -> None:
        """What a playbook says of itself."""
        from rich.markup import escape

        self.console.print(f"         {escape(_cut(inert(text.rstrip()), _WIDTH - 9))}", style="dim")


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done in a chapter: in how many seconds it was contained (None: nothing to contain), after how many
    windows from the first alarm the first was well again, and in words.
    """

    contained: float | None
    recovered: int | None
    words: str


def table(found: Iterable[Told], done: dict[Chapter, Done]) -> Any:
    """What was planted, what was said and when, and what was done."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shown = Table(
        title="The day (SIMULATED; judged by the monitor)", title_justify="left", box=SIMPLE_HEAD, pad_edge=False
    )
    for name, width in (("planted", 16), ("the monitor said", 17), ("first alarm", 8), ("done", 24)):
        shown.add_column(name, width=width)
    for name in ("contained", "passed"):
        shown.add_column(name, width=9, no_wrap=True)
    for one in found:
        what = done.get(one.chapter, Done(contained=None, recovered=None, words="-"))
        wrong = "" if one.right else f"\n[red]WRONG[/], should be\n{RIGHT.get(one.chapter, 'no alarm')}"
        shown.add_row(
            f"[bold]{one.chapter.value}[/]\n{one.windows} windows",
            f"[{'green' if one.right else 'red'}]{_kinds(one)}[/]{wrong}",
            "-" if one.detected is None else f"window {one.detected}",
            what.words,
            "-" if what.contained is None else f"in {what.contained:.1f} s",
            "-" if what.recovered is None else f"{what.recovered} later",
        )
        shown.add_section()
    return shown


def courses(found: Iterable[Incident]) -> Any:
    """How each incident went, the first that opened first."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    shown = Table(title=f"Incidents. {CLOCKS}", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name, width in (("opened", 6), ("incident", 42), ("to detect", 12), ("to contain", 12), ("to recover", 12)):
        shown.add_column(name, width=width)
    for one in sorted(found, key=lambda one: one.opened):
        title = f"{one.id} {inert(one.title)}"
        shown.add_row(of_day(one.opened), escape(title), *(span for _, span, _ in times(one)))
    return shown


def of_day(at: float) -> str:
    """Hour and minute, in UTC as in every list of incidents."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M}"


def _kinds(one: Told) -> str:
    return "\n".join(f"{name} in {many}" for name, many in one.kinds.items()) or "no alarm"


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 3]}..."
