"""A load test on a terminal, while it runs and when it is over."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from temper.core.load import Glance, Loaded
from temper.report._blocks import grid, styled, whole, write
from temper.report._inert import inert
from temper.report.load import HEADS, following, held, milliseconds, rows, sentences
from temper.report.load_chat import HEADS as SPOKEN
from temper.report.load_chat import rows as spoken_rows
from temper.report.load_chat import spoke

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

_NARROW, _FEWER = 100, (0, 1, 3, 5, 6)
_RUNS = 8
_SPOKEN, _FEW_SPOKEN = (0, 1, 2, 3, 4, 5, 6, 7, 8), (0, 1, 3, 4, 7)


class Watching:
    """A line that changes while load runs, and a line that stays for everything found: `with Watching() as watching`.

    Without a terminal only what is found is told. A screen that is gone ends nothing.
    """

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        from rich.console import Console as Screen

        self.console = console if console is not None else Screen(stderr=True)
        self.quiet = quiet
        self._live: Live | None = None

    def __enter__(self) -> Watching:
        from rich.live import Live

        if not self.quiet and self.console.is_terminal and not self.console.is_dumb_terminal:
            self._live = Live(console=self.console, transient=True, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        live, self._live = self._live, None
        if live is not None:
            with suppress(OSError, ValueError):
                live.stop()

    def line(self, text: str) -> None:
        """Something that was found."""
        if not self.quiet:
            with suppress(OSError, ValueError):
                self.console.print(inert(text), markup=False, highlight=False, soft_wrap=True)

    def glance(self, seen: Glance) -> None:
        """The last second."""
        if self._live is not None:
            with suppress(OSError, ValueError):
                self._live.update(styled(moment(seen, self.console.width)), refresh=True)


def _near(found: Loaded) -> int:
    """Where the runs begin that are nearest to the knee, among those of the search by rate."""
    knee = found.knee.value if found.knee is not None else 0.0
    return max(sum(trial.rate < knee for trial in found.trials) - _RUNS // 2, 0)


def moment(seen: Glance, width: int) -> str:
    """One line, cut to the terminal.

    >>> moment(Glance(at=2.0, offered=200.0, good=199.0, failed=1.0, p50=0.002, p99=0.01, late=0.001), 200)
    '  2.0 s  due 200/s  in time 199/s  not 1/s  p50 2 ms  p99 10 ms  own lateness 1 ms'
    """
    p50, p99, late = ("-" if math.isnan(one) else milliseconds(one) for one in (seen.p50, seen.p99, seen.late))
    told = f"{seen.at:5.1f} s  due {seen.offered:,.0f}/s  in time {seen.good:,.0f}/s  not {seen.failed:,.0f}/s"
    return f"{told}  p50 {p50}  p99 {p99}  own lateness {late}"[: max(width - 1, 20)]


def show(found: Loaded, page: Path, console: Console | None = None) -> None:
    """The result: runs, sentences, what to do next."""
    write(_blocks(found, page, console), console)


def _tokens(found: Loaded, narrow: bool, first: int) -> RenderableType:
    """The tokens of the same runs."""
    shown = _FEW_SPOKEN if narrow else _SPOKEN
    told = spoken_rows(found)
    many = len(told) - len(found.overload)
    table = grid(*(SPOKEN[at] for at in shown), first="Run")
    for name, *cells in (*told[first : min(first + _RUNS, many)], *told[many:]):
        table.add_row(styled(name), *(styled(cells[at]) for at in shown))
    return table


def _blocks(found: Loaded, page: Path, console: Console | None) -> Iterator[RenderableType]:
    from rich.console import Console as Screen

    narrow = (console or Screen()).width < _NARROW
    shown = _FEWER if narrow else tuple(range(len(HEADS)))
    table = grid(*(HEADS[at] for at in shown), first="Run")
    told = rows(found)
    many = len(told) - len(found.overload)
    first = max(0, min(_near(found), many - _RUNS))
    for name, *cells in (*told[first : min(first + _RUNS, many)], *told[many:]):
        table.add_row(styled(name), *(styled(cells[at]) for at in shown))
    yield table
    if spoke(found):
        yield styled("\nFirst tokens, and tokens a second of one stream", "bold")
        yield _tokens(found, narrow, first)
    yield styled(f"and {many - _RUNS} more runs of the search in the report\n" if many > _RUNS else "", "dim")
    for line in sentences(found):
        yield styled(line)
    for line in found.caveats:
        yield styled(f"note: {line}", "dim")
    yield styled("HELD" if held(found) else "BROKE", "bold green" if held(found) else "bold red")
    yield styled(following(found), "bold")
    yield whole(f"report: {page}")
