"""What the commands of the control store share: where it is, who speaks, and times as people write them."""

from __future__ import annotations

import contextlib
import getpass
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from temper.core.errors import TemperError

if TYPE_CHECKING:
    from temper.store.control import Control
    from temper.store.evidence.ledger import Evidence

Store = Annotated[
    str, typer.Option(envvar="TEMPER_CONTROL", help="The control store: a file, its folder, or a postgresql:// URL.")
]
PLACE = ".temper/control.db"
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@contextlib.contextmanager
def opened(store: str) -> Iterator[tuple[Control, str, float]]:
    """The store, the name of whoever is at this terminal, and the time. Who may not do it is a row of the audit; what
    was done that is evidence is told to the ledger beside the store at once.
    """
    from temper.core.review import Forbidden
    from temper.store.control import Control

    control, me, now = Control.open(store), getpass.getuser(), time.time()
    try:
        before = control.audit.head()
        yield control, me, now
        if control.audit.head() != before:
            tell(store, control)
    except Forbidden as refused:
        control.audit.note(now, me, "access.refuse", "command line", why=refused.message)
        raise
    finally:
        control.close()


def tell(store: str, control: Control) -> None:
    """Tell the ledger beside a control store what people did. What was done stays done where it cannot be told, and is
    told with the next.
    """
    from temper.store.evidence.following import tell as told

    try:
        told(ledger(store), control, time.time_ns())
    except TemperError as refused:
        typer.echo(f"the ledger of evidence was not told: {refused.message}", err=True)


def ledger(store: str) -> Evidence:
    """The ledger of the runs that a control store belongs to: of the temper.yaml beside it, or in this folder."""
    from temper.config.keeping import kept_in
    from temper.store.evidence.following import beside, folder_of

    return beside(store, kept_in(folder_of(store).parent)[0])


def signed_in(control: Control, name: str, now: float) -> None:
    """Ask this person's password; raises `Forbidden` where it is not theirs."""
    from temper.core.review import Forbidden

    if control.people.check(name, typer.prompt("password", hide_input=True), now) is None:
        raise Forbidden("that name and password do not open anything", fix="wait a minute and try again")


def duration(text: str) -> float:
    """Seconds of a time as people write it.

    >>> duration("24h"), duration("0")
    (86400.0, 0.0)
    """
    number, unit = (text[:-1], text[-1:]) if text[-1:] in UNITS else (text, "s")
    try:
        return float(number) * UNITS[unit]
    except ValueError:
        raise TemperError(f"{text!r} is no time", fix="write 24h, 30m, 7d or 90s") from None


def when(seconds: float | None) -> str:
    """A time to the second, or a dash.

    >>> when(0.0)
    '1970-01-01T00:00:00Z'
    """
    return "-" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
