"""Long runs of plain values in a pickle: passed over by compiled code, read again where something asks what is in them.

A vocabulary is a hundred thousand texts that nothing ever asks for. What a batch would have left behind (entries of the
memo, keys of a dictionary) is kept as its bytes; `Memo` and `Table` follow them as the scan itself would have, when an
entry is fetched.
"""

from __future__ import annotations

import io
import sys
from bisect import bisect_right
from typing import Any

import numpy as np

from temper.targets._unwrap import Limits, Purse, Stream

_MANY = 1 << 17  # opcodes followed one by one before the compiled reader is loaded
_HELD = 1 << 28  # bytes of batches kept in all


class Batch:
    """Opcodes from behind a MARK to the one that empties it; `first` is where its entries of the memo begin."""

    def __init__(self, opcodes: bytes, first: int, replay: Any) -> None:
        self.opcodes, self.first = opcodes, first
        self._replay, self._left = replay, None

    def left(self) -> Any:
        """What it puts into a dictionary, and into the memo."""
        if self._left is None:
            self._left = self._replay(self)
        return self._left


class Memo:
    """The memo: a dictionary whose entries from batches are made when one is fetched."""

    def __init__(self) -> None:
        self._known: dict[int, Any] = {}
        self._batches: list[Batch] = []
        self._starts: list[int] = []
        self._waiting: dict[int, int] = {}  # start of an unread batch -> its entries
        self._unread = 0
        self.in_order = True  # every entry so far was the next one

    def __len__(self) -> int:
        return len(self._known) + self._unread

    def __getitem__(self, place: int) -> Any:
        if place not in self._known and (at := bisect_right(self._starts, place)):
            self._read(self._batches[at - 1])
        return self._known[place]

    @property
    def floor(self) -> int:
        """Where the entries begin that were not read."""
        return next(iter(self._waiting), len(self))

    def put(self, place: int, value: Any) -> None:
        """Keep a value at a place; one out of order may fall among the batches, so those are read first."""
        if place != len(self):
            self.in_order = False
            for batch in self._batches:
                self._read(batch)
        self._known[place] = value

    def hold(self, batch: Batch, entries: int) -> None:
        """Keep the entries of a batch, as yet unread."""
        self._batches.append(batch)
        self._starts.append(batch.first)
        self._waiting[batch.first] = entries
        self._unread += entries

    def _read(self, batch: Batch) -> None:
        if batch.first in self._waiting:
            self._known |= batch.left()[1]
            self._unread -= self._waiting.pop(batch.first)


class Table(dict[Any, Any]):
    """A dictionary of the pickle, with what was put into it and not read yet."""

    __slots__ = ("_late",)  # absent while nothing waits: a pickle may have millions of them

    def fill(self, items: dict[Any, Any] | Batch) -> None:
        """Put items in: at once, or behind those of a batch that waits."""
        if hasattr(self, "_late"):
            self._late.append(items)
        elif isinstance(items, Batch):
            self._late: list[dict[Any, Any] | Batch] = [items]
        else:
            self.update(items)

    def whole(self) -> Table:
        """This table with everything in it."""
        if hasattr(self, "_late"):
            for items in self._late:
                self.update(items.left()[0] if isinstance(items, Batch) else items)
            del self._late
        return self


class Replayed:
    """The memo as a batch sees it that is read again: its own entries, and those before it."""

    def __init__(self, memo: Memo | Replayed, first: int) -> None:
        self._memo, self._first = memo, first
        self.own: dict[int, Any] = {}

    def __len__(self) -> int:
        return self._first + len(self.own)

    def __getitem__(self, place: int) -> Any:
        return self.own[place] if place in self.own else self._memo[place]

    def put(self, place: int, value: Any) -> None:
        """Keep a value."""
        self.own[place] = value


class Runner:
    """The compiled reader over one stream."""

    def __init__(self, stream: Stream) -> None:
        from temper.kernels._jit_pickle import batches

        self._stream, self._batches, self._held = stream, batches, 0
        self._window, self._raw = b"", np.zeros(0, np.uint8)

    def ahead(self, memo: Memo) -> tuple[tuple[int, ...], bytes] | None:
        """The batches ahead, behind a MARK: what the kernel says of them, and the opcodes; None for anything else."""
        window, at = self._stream.window()
        if window is not self._window:
            self._window, self._raw = window, np.frombuffer(window, np.uint8)
        end, *told = self._batches(self._raw, at, len(memo), memo.floor)
        if not end or self._held + end - at > _HELD:
            return None
        return tuple(told), window[at:end]

    def take(self, opcodes: bytes, held: bool) -> None:
        """Go on behind the batch."""
        self._held += len(opcodes) * held
        self._stream.skip(len(opcodes))


def worth(opcodes: int) -> bool:
    """Whether the compiled reader saves more than it costs: at once where such code is loaded already."""
    return opcodes >= _MANY or "numba" in sys.modules


def again(batch: Batch) -> Stream:
    """A batch as a pickle of its own; its cost was paid when it was passed over."""
    return Stream(io.BytesIO(batch.opcodes + b"."), Purse(Limits()))
