"""The process can write no more files."""

from __future__ import annotations

from dataclasses import dataclass

from temper.chaos.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFull:
    """Every write to a file fails, as on a full disk. What is read, and what goes over a line, does not.

    Misleads by the error's number: it says that the file is too large (EFBIG), a full disk says ENOSPC.
    Source: getrlimit(2), RLIMIT_FSIZE.

    >>> DiskFull()
    DiskFull()
    """

    def strike(self, host: Host) -> None:
        """Do it to the process; the host takes it back."""
        host.limit("file", 0)


PLUGIN = DiskFull
