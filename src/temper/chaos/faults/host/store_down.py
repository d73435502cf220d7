"""The control store cannot be used."""

from __future__ import annotations

from dataclasses import dataclass

from temper.chaos.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreDown:
    """Somebody else holds every lock of the control store's file: whoever reads or writes it waits, and gives up.

    Misleads about a store that is a server: its clients learn at once that nobody listens. For SQLite only.
    Source: SQLite's documentation of its locks (file format, WAL-index).

    >>> StoreDown()
    StoreDown()
    """

    def strike(self, host: Host) -> None:
        """Do it to the store; the host takes it back."""
        host.lock()


PLUGIN = StoreDown
