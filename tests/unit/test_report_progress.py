"""Progress: plain lines without a terminal, bars with one, never an exception."""

from __future__ import annotations

import io

from rich.console import Console

from temper.core.event import Event
from temper.report.progress import Progress


class Clock:
    """Seconds set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def finished(task: str, kind: str = "finished", **more: object) -> Event:
    return Event(kind=kind, task=task, total=4, seconds=2.0, **more)  # type: ignore[arg-type]


def test_without_a_terminal_every_finished_task_is_one_plain_line_with_the_time_left() -> None:
    page, clock = io.StringIO(), Clock()
    progress = Progress(Console(file=page, width=60), clock)
    progress(Event(kind="planned", total=4))
    progress(Event(kind="started", task="evasion.search[0:50]"))
    clock.now = 2.0
    progress(finished("evasion.search[0:50]"))
    progress(finished("b", "reused"))
    progress(finished("c", "failed", message="the model raised ValueError"))
    assert page.getvalue().splitlines() == [
        "4 tasks planned",
        "[1/4] evasion.search[0:50] done 2.0 s, about 6.0 s left",
        "[2/4] b from the store 2.0 s, about 4.0 s left",
        "[3/4] c FAILED 2.0 s, about 1.0 s left: the model raised ValueError",
    ]


def test_tasks_in_progress_count_by_their_share() -> None:
    clock = Clock()
    progress = Progress(Console(file=io.StringIO()), clock)
    assert progress.seconds_left() is None
    progress(Event(kind="planned", total=2))
    progress(Event(kind="started", task="a"))
    assert progress.seconds_left() is None
    clock.now = 5.0
    progress(Event(kind="progress", task="a", share=0.5))
    assert progress.seconds_left() == 15.0


def test_what_comes_from_the_store_does_not_make_the_rest_look_fast() -> None:
    clock = Clock()
    progress = Progress(Console(file=io.StringIO()), clock)
    progress(Event(kind="planned", total=4))
    for name in "ab":
        progress(finished(name, "reused"))
    assert progress.seconds_left() is None
    clock.now = 10.0
    progress(finished("c"))
    assert progress.seconds_left() == 10.0


def test_on_a_terminal_there_are_bars_that_go_away() -> None:
    page = io.StringIO()
    console = Console(file=page, force_terminal=True, width=100, color_system=None)
    with Progress(console) as progress:
        progress(Event(kind="planned", total=4))
        progress(Event(kind="started", task="evasion.search"))
        progress(Event(kind="progress", task="evasion.search", share=0.5))
        progress(finished("evasion.search"))
        progress(finished("b", "failed", message="it broke"))
    text = page.getvalue()
    assert "all tasks" in text
    assert "evasion.search" in text
    assert "FAILED" in text
    assert text.rstrip().endswith("\x1b[2K") or "\x1b[?25h" in text


def test_hostile_names_do_not_act() -> None:
    page = io.StringIO()
    progress = Progress(Console(file=page, width=200))
    progress(Event(kind="planned", total=1))
    progress(finished("x\x1b[31m[red]y[/red]\u202e", message="\x00\nsecond"))
    assert "\x1b" not in page.getvalue()
    assert "[red]y[/red]" in page.getvalue()
    assert len(page.getvalue().splitlines()) == 2


def test_a_closed_stream_does_not_end_the_run() -> None:
    page = io.StringIO()
    progress = Progress(Console(file=page))
    page.close()
    progress(Event(kind="planned", total=1))
    progress(finished("a"))
    progress.close()


def test_events_nobody_planned_are_taken() -> None:
    page = io.StringIO()
    progress = Progress(Console(file=page))
    progress(finished("a"))
    progress(Event(kind="something new"))
    progress(Event(kind="note", message="checking the model"))
    progress(Event(kind="stopped"))
    assert "checking the model" in page.getvalue()
    assert "stopped" in page.getvalue()


def test_quiet_shows_nothing_and_the_threat_model_is_shown_as_lines() -> None:
    page = io.StringIO()
    quiet = Progress(Console(file=page), quiet=True)
    quiet(Event(kind="planned", total=1))
    quiet(finished("a"))
    assert page.getvalue() == ""
    progress = Progress(Console(file=page))
    progress(Event(kind="scenario", room="high", task="Evade the decision", message="the score is public"))
    progress(Event(kind="skipped", task="evasion.pgd", message="needs gradients"))
    assert page.getvalue().splitlines() == [
        "  [high] Evade the decision",
        "  left out: evasion.pgd (needs gradients)",
    ]
