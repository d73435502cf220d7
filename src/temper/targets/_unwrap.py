"""The streams inside a file: compression is recognised by its first bytes, and every read is bounded."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import time
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO

_NESTED = 3
_CHUNK = 1 << 20
_LINE = 1 << 16
_MAGIC = 6


class Refused(Exception):
    """The scan stops here: the message is the finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bytes after decompression, bytes of one piece, opcodes and seconds: what a scan may cost."""

    bytes: int = 8 << 30
    piece: int = 1 << 30
    opcodes: int = 20_000_000
    seconds: float = 120.0


class Purse:
    """What is left of the limits, for a whole file with everything nested in it."""

    def __init__(self, limits: Limits) -> None:
        self.piece = limits.piece
        self._bytes, self._opcodes = limits.bytes, limits.opcodes
        self._ends, self._allowed = time.monotonic() + limits.seconds, limits.seconds

    def read(self, count: int) -> None:
        """Pay for bytes."""
        self._bytes -= count
        if self._bytes < 0:
            raise Refused("it is larger than the scan may read (a decompression bomb?)")

    def step(self) -> None:
        """Pay for one opcode."""
        self._opcodes -= 1
        if self._opcodes < 0:
            raise Refused("it has more opcodes than the scan may follow")
        if self._opcodes % 4096 == 0 and time.monotonic() > self._ends:
            raise Refused(f"the scan took longer than {self._allowed:g} s")


class Stream:
    """A file object for `pickletools.genops` that pays for what it reads and never allocates on a claim alone."""

    def __init__(self, raw: Any, purse: Purse) -> None:
        self._raw, self._purse = raw, purse

    def read(self, count: int) -> bytes:
        """Up to `count` bytes, gathered piece by piece."""
        if count > self._purse.piece:
            raise Refused(f"one piece claims {count:,} bytes")
        if count <= _CHUNK:
            self._purse.read(count)
            return bytes(self._raw.read(count))
        pieces = []
        while count > 0 and (piece := self._raw.read(min(count, _CHUNK))):
            self._purse.read(len(piece))
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)

    def readline(self) -> bytes:
        """One line of a text opcode."""
        line = bytes(self._raw.readline(_LINE))
        self._purse.read(len(line))
        if len(line) == _LINE:
            raise Refused("a line is longer than 64 KiB")
        return line

    def skip(self, count: int) -> None:
        """Pass over the bytes of an array."""
        while count > 0:
            piece = self._raw.read(min(count, _CHUNK))
            if not piece:
                raise Refused("an array claims more bytes than there are")
            self._purse.read(len(piece))
            count -= len(piece)


class _Zlib(io.RawIOBase):
    """A zlib stream as a file: the standard library has one for every other format."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw, self._open = raw, zlib.decompressobj()

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer; bytes behind the end of the stream are refused."""
        while not self._open.eof:
            given = self._open.unconsumed_tail or self._raw.read(_CHUNK)
            if not given:
                raise Refused("the zlib stream is cut off")
            piece = self._open.decompress(given, len(buffer))
            if piece:
                buffer[: len(piece)] = piece
                return len(piece)
        if self._open.unused_data or self._raw.read(1):
            raise Refused("there are bytes behind the zlib stream")
        return 0


def unwrapped(raw: Any, depth: int = 0) -> io.BufferedReader:
    """The innermost stream: gzip, bz2, xz, lzma and zlib are opened as deep as they are nested (three times)."""
    stream = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw)
    opener = _opener(stream.peek(_MAGIC)[:_MAGIC])
    if opener is None:
        return stream
    if depth == _NESTED:
        raise Refused(f"it is compressed more than {_NESTED} times")
    return unwrapped(opener(stream), depth + 1)


def _opener(magic: bytes) -> Any:
    if magic.startswith(b"\x1f\x8b"):
        return lambda raw: gzip.GzipFile(fileobj=raw, mode="rb")
    if magic.startswith(b"BZh"):
        return bz2.BZ2File
    if magic.startswith((b"\xfd7zXZ", b"\x5d\x00\x00")):
        return lzma.LZMAFile
    if magic[:1] == b"\x78" and len(magic) > 1 and int.from_bytes(magic[:2], "big") % 31 == 0:
        return _Zlib
    if magic.startswith(b"\x04\x22\x4d\x18"):
        raise Refused("it is compressed with lz4, which cannot be looked into")
    return None
