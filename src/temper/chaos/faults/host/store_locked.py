"""Nobody can write to the control store."""

from __future__ import annotations

from dataclasses import dataclass

from temper.chaos.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLocked:
    """Somebody else holds the write lock of the control store's file: whoever writes waits, and gives up.

    Misleads about a store that is away: what is read is still there. For SQLite only.
    Source: SQLite's documentation of its locks (file format, WAL-index).

    >>> StoreLocked()
    StoreLocked()
    """

    def strike(self, host: Host) -> None:
        """Do it to the store; the host takes it back."""
        host.lock()


PLUGIN = StoreLocked
