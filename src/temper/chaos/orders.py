"""What a process of a drill is told to do: a few numbers in a file that both have in memory."""

from __future__ import annotations

import mmap
import os
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_NUMBERS = struct.Struct("=dddd")


@dataclass(slots=True, kw_only=True, eq=False)
class Orders:
    """`fsync` seconds more for every flush to the disk, a clock that is `clock` seconds wrong, and (above 0) `absent`
    for who works on cases, until the monotonic time `until`, by the clock of whoever reads: nothing has to be taken
    back.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     one, two = (Orders(path=Path(folder) / "orders") for _ in range(2))
    ...     one.write(until=time.monotonic() + 60, fsync=0.25)
    ...     told = two.fsync, two.clock
    ...     one.clear()
    ...     (*told, two.fsync)
    (0.25, 0.0, 0.0)
    """

    path: Path
    _map: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(handle, _NUMBERS.size)
            self._map = mmap.mmap(handle, _NUMBERS.size)
        finally:
            os.close(handle)

    def write(self, *, until: float, fsync: float = 0.0, clock: float = 0.0, absent: float = 0.0) -> None:
        """From now on this."""
        _NUMBERS.pack_into(self._map, 0, until, fsync, clock, absent)

    def clear(self) -> None:
        """Nothing any more."""
        self.write(until=0.0)

    @property
    def fsync(self) -> float:
        """Seconds."""
        return self._told(1)

    @property
    def clock(self) -> float:
        """Seconds."""
        return self._told(2)

    @property
    def absent(self) -> bool:
        """Whether nobody comes."""
        return self._told(3) > 0

    def _told(self, which: int) -> float:
        numbers = _NUMBERS.unpack_from(self._map)
        return float(numbers[which]) if time.monotonic() < numbers[0] else 0.0
