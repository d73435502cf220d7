"""Progress of a run: bars with the time left where there is a terminal, plain lines where there is not."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

from temper.core.event import Event
from temper.report._inert import inert

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

_ENDED = {"finished": "done", "reused": "from the store", "failed": "FAILED"}
_ROWS = 8


class Progress:
    """A listener that shows a run: `with Progress() as progress: temper.assess(system, listener=progress)`.

    On a terminal one bar for the whole and one for each running task; elsewhere (CI logs, pipes) one line per finished
    task. The threat model comes first, as lines. It never raises: a broken pipe must not end a run. `quiet` shows
    nothing at all, `what` is what is counted. `clock` gives seconds and is there for tests.
    """

    def __init__(
        self,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        quiet: bool = False,
        what: str = "tasks",
    ) -> None:
        from rich.console import Console as Screen

        self.console = console if console is not None else Screen(stderr=True)
        self.quiet = quiet
        self.what = what
        self.live = self.console.is_terminal and not self.console.is_dumb_terminal
        self._clock = clock
        self._began = clock()
        self._total = 0
        self._ended = 0
        self._reused = 0
        self._shares: dict[str, float] = {}
        self._bars: Bars | None = None
        self._whole: TaskID | None = None
        self._rows: dict[str, TaskID] = {}

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, event: Event) -> None:
        """Take one event; errors of the terminal are swallowed."""
        if not self.quiet:
            with suppress(OSError, ValueError):
                self._take(event)

    def close(self) -> None:
        """Take the bars away and give the cursor back."""
        bars, self._bars = self._bars, None
        if bars is not None:
            with suppress(OSError, ValueError):
                bars.stop()

    def seconds_left(self) -> float | None:
        """Estimate from what is done, tasks in progress counted by their share; None before anything is."""
        done = self._ended - self._reused + sum(self._shares.values())
        waiting = self._total - self._ended - sum(self._shares.values())
        if done <= 0 or not self._total:
            return None
        return max(0.0, (self._clock() - self._began) / done * waiting)

    def _take(self, event: Event) -> None:
        if event.kind == "planned":
            self._plan(event)
        elif event.kind in ("started", "progress"):
            self._advance(event)
        elif event.kind in _ENDED:
            self._end(event)
        elif event.kind == "scenario":
            self._line(f"  [{event.room}] {event.task}")
        elif event.kind == "skipped":
            self._line(f"  left out: {event.task} ({event.message})")
        elif event.kind in ("note", "stopped"):
            self._line(event.message or event.kind)
        if event.kind in ("stopped", "judged"):
            self.close()

    def _plan(self, event: Event) -> None:
        self._total, self._ended, self._reused, self._began = event.total, 0, 0, self._clock()
        self._shares.clear()
        if self.live and self._bars is None:
            self._open()
        elif not self.live:
            self._line(f"{event.total} {self.what} planned")

    def _open(self) -> None:
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Columns

        self._bars = Columns(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=32),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            console=self.console,
            transient=True,
        )
        self._whole = self._bars.add_task(f"all {self.what}", total=max(self._total, 1), left="")
        self._bars.start()

    def _advance(self, event: Event) -> None:
        self._shares[event.task] = 0.0 if event.kind == "started" else min(max(event.share, 0.0), 1.0)
        if self._bars is None:
            return
        if event.task not in self._rows and len(self._rows) < _ROWS:
            self._rows[event.task] = self._bars.add_task(f"  {inert(event.task, 48)}", total=1.0, left="")
        if event.task in self._rows:
            self._bars.update(self._rows[event.task], completed=self._shares[event.task])
        self._whole_bar()

    def _end(self, event: Event) -> None:
        self._shares.pop(event.task, None)
        self._ended += 1
        self._reused += event.kind == "reused"
        self._total = max(self._total, event.total, self._ended)
        if self._bars is None:
            self._line(self._finished(event))
            return
        if event.task in self._rows:
            self._bars.remove_task(self._rows.pop(event.task))
        if event.kind == "failed":
            self._line(self._finished(event))
        self._whole_bar()

    def _whole_bar(self) -> None:
        if self._bars is not None and self._whole is not None:
            done = self._ended + sum(self._shares.values())
            self._bars.update(self._whole, completed=done, total=max(self._total, 1), left=self._left())

    def _finished(self, event: Event) -> str:
        width = len(str(self._total))
        spent = f" {_seconds(event.seconds)}" if event.seconds else ""
        why = f": {event.message}" if event.message else ""
        left = f", {self._left()}" if self._left() else ""
        return f"[{self._ended:>{width}}/{self._total}] {event.task} {_ENDED[event.kind]}{spent}{left}{why}"

    def _left(self) -> str:
        left = self.seconds_left()
        return "" if left is None or self._ended >= self._total else f"about {_seconds(left)} left"

    def _line(self, text: str) -> None:
        self.console.print(inert(text), markup=False, highlight=False, soft_wrap=True)


def _seconds(value: float) -> str:
    """A duration a person reads at a glance.

    >>> _seconds(4.21), _seconds(75), _seconds(7300)
    ('4.2 s', '1 min 15 s', '2 h 1 min')
    """
    if value < 60:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
