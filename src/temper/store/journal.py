"""Answers as they come: one append-only file that is the cache, and what a killed run goes on from."""

from __future__ import annotations

import fcntl
import os
import zlib
from pathlib import Path
from struct import Struct
from types import TracebackType
from typing import Generic, Self, TypeVar

import msgspec

from temper.core.chat import Reply
from temper.core.errors import StoreError
from temper.store.failure import RESUME, told

_HEAD = Struct("<II")
_KEY = 16
_LARGEST = 64 * 1024 * 1024
_MAGIC = b"temper journal 1\n"
T = TypeVar("T")


class Frames(Generic[T]):
    """Answers of a kind (a frozen dataclass) by the key of their question. A frame is written whole by one call and
    checked by its CRC when read, so a kill loses at most what was in flight; a frame that is torn or damaged ends the
    file and is asked again.

    One process writes at a time. Only keys and places are kept in memory.
    """

    def __init__(self, path: Path, kind: type[T]) -> None:
        self.path = path
        self.lost = 0
        self._places: dict[bytes, tuple[int, int]] = {}
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(kind)
        with told(path, RESUME):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._lock()
            self._end = self._read()

    def __len__(self) -> int:
        return len(self._places)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def get(self, key: bytes) -> T | None:
        """The answer under this key of 16 bytes; None where there is none."""
        place = self._places.get(key)
        return None if place is None else self._decoder.decode(os.pread(self._file, place[1], place[0]))

    def put(self, key: bytes, answer: T) -> None:
        """Keep an answer; the first one under a key stays."""
        if key in self._places:
            return
        packed = self._encoder.encode(answer)
        frame = b"".join((_HEAD.pack(len(packed), zlib.crc32(key + packed)), key, packed))
        with told(self.path, RESUME):
            written = os.pwrite(self._file, frame, self._end)
            if written != len(frame):  # a disk that is full takes a part; the next write goes over it
                os.pwrite(self._file, frame[written:], self._end + written)
        self._places[key] = (self._end + _HEAD.size + _KEY, len(packed))
        self._end += len(frame)

    def close(self) -> None:
        """Hand everything to the disk and let others write."""
        if self._file >= 0:
            with told(self.path, RESUME):
                os.fsync(self._file)
            os.close(self._file)
            self._file = -1

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise StoreError(
                f"{self.path} is being written by another run", fix="let it finish, or use another folder"
            ) from None

    def _read(self) -> int:
        """Find every whole frame; what follows the last one is cut off."""
        with os.fdopen(os.dup(self._file), "rb") as source:
            size = os.fstat(self._file).st_size
            start = source.read(len(_MAGIC))
            if not _MAGIC.startswith(start):
                raise StoreError(f"{self.path} is no journal of answers", fix="move it away")
            if start != _MAGIC:
                os.pwrite(self._file, _MAGIC, 0)
                return len(_MAGIC)
            at = len(_MAGIC)
            while head := source.read(_HEAD.size + _KEY):
                length, check = _HEAD.unpack_from(head) if len(head) == _HEAD.size + _KEY else (_LARGEST, 0)
                packed = source.read(length) if length < _LARGEST else b""
                key = head[_HEAD.size :]
                if len(packed) != length or zlib.crc32(key + packed) != check:
                    break
                self._places[key] = (at + _HEAD.size + _KEY, length)
                at += _HEAD.size + _KEY + length
        if at < size:
            self.lost = size - at
            os.ftruncate(self._file, at)
        return at


class Journal(Frames[Reply]):
    """Replies of an assistant.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "answers") as journal:
    ...     journal.put(b"k" * 16, Reply(text="hello"))
    ...     journal.get(b"k" * 16).text, journal.get(b"x" * 16)
    ('hello', None)
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, Reply)

    def put(self, key: bytes, answer: Reply) -> None:
        """Keep a reply; the first one under a key stays."""
        if key not in self._places:
            super().put(key, _clean(answer))


def _clean(reply: Reply) -> Reply:
    """Lone surrogates, which no encoder takes, written as question marks; everything else as it is."""
    try:
        reply.text.encode()
        for call in reply.calls:
            f"{call.name}{call.arguments}{call.id}".encode()
    except UnicodeEncodeError:
        import dataclasses

        def plain(text: str) -> str:
            return text.encode("utf-8", "replace").decode()

        calls = tuple(
            dataclasses.replace(call, name=plain(call.name), arguments=plain(call.arguments), id=plain(call.id))
            for call in reply.calls
        )
        return dataclasses.replace(reply, text=plain(reply.text), calls=calls)
    return reply
