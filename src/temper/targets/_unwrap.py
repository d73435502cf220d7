"""The streams inside a file: compression is recognised by its first bytes, and every read is bounded."""

from __future__ import annotations

import bz2
import gzip
import importlib
import importlib.util
import io
import lzma
import os
import tarfile
import time
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO

_NESTED = 3
_CHUNK = 1 << 17
_LINE = 1 << 16
_MAGIC = 6
# What the standard library raises over damaged files.
BROKEN = (
    *(OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError),
    *(RuntimeError, NotImplementedError, ValueError, OverflowError, MemoryError),
)


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
        self._in_time()

    def steps(self, count: int) -> None:
        """Pay for opcodes."""
        self._opcodes -= count
        if self._opcodes < 0:
            raise Refused("it has more opcodes than the scan may follow")
        self._in_time()

    def _in_time(self) -> None:
        if time.monotonic() > self._ends:
            raise Refused(f"the scan took longer than {self._allowed:g} s")


class Stream:
    """A file read forward through a window of one piece; nothing is allocated on a claim alone.

    What is passed over in a plain file is not read at all.
    """

    def __init__(self, raw: Any, purse: Purse) -> None:
        self._raw, self._purse = raw, purse
        self._window, self._at = b"", 0
        self._left = _plain_size(raw)

    def byte(self) -> int:
        """The next byte."""
        if self._at == len(self._window) and not self._more():
            raise Refused("it is not a whole pickle (it ends too early)")
        self._at += 1
        return self._window[self._at - 1]

    def take(self, count: int) -> bytes:
        """The next `count` bytes, which must be there."""
        start, self._at = self._at, self._at + count
        if self._at <= len(self._window):
            return self._window[start : self._at]
        if count > self._purse.piece:
            raise Refused(f"one piece claims {count:,} bytes")
        pieces = [self._window[start:]]
        count -= len(pieces[0])
        while count > 0:
            if not self._more():
                raise Refused("it is not a whole pickle (it ends too early)")
            self._at = min(count, len(self._window))
            pieces.append(self._window[: self._at])
            count -= self._at
        return b"".join(pieces)

    def line(self) -> bytes:
        """One line of a text opcode, without its end; a line over 64 KiB, which can be no name, comes back cut."""
        pieces, size = [], 0
        while True:
            end = self._window.find(b"\n", self._at)
            if size < _LINE:
                pieces.append(self._window[self._at : end if end >= 0 else None])
                size += len(pieces[-1])
            if end >= 0:
                self._at = end + 1
                return b"".join(pieces)[: _LINE + 1]
            if not self._more():
                raise Refused("it is not a whole pickle (a line has no end)")

    def skip(self, count: int) -> None:
        """Pass over bytes nobody needs to see."""
        if count <= len(self._window) - self._at:
            self._at += count
            return
        count -= len(self._window) - self._at
        if self._left is not None:
            if count > self._left:
                raise Refused("an array or a text claims more bytes than there are")
            self._raw.seek(count, io.SEEK_CUR)
            self._left -= count
            self._window, self._at = b"", 0
            return
        while count > 0:
            if not self._more():
                raise Refused("an array or a text claims more bytes than there are")
            self._at = min(count, len(self._window))
            count -= self._at

    def window(self) -> tuple[bytes, int]:
        """What is in sight, and the place in it: at least 64 KiB ahead where there are as many."""
        if len(self._window) - self._at < _LINE:
            rest = self._window[self._at :]
            self._more()
            self._window = rest + self._window
        return self._window, self._at

    def ended(self) -> bool:
        """Whether nothing is left."""
        return self._at == len(self._window) and not self._more()

    def _more(self) -> bool:
        self._window, self._at = self._raw.read(_CHUNK), 0
        self._purse.read(len(self._window))
        if self._left is not None:
            self._left -= len(self._window)
        return bool(self._window)


def _plain_size(raw: Any) -> int | None:
    """Bytes left in a plain file, where they can be passed over without reading them; None for other streams."""
    plain = isinstance(raw, io.BufferedReader) and isinstance(raw.raw, io.FileIO)
    return os.fstat(raw.fileno()).st_size - raw.tell() if plain else None


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
        return _lz4
    if magic.startswith((b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf", b"Rar!")):
        raise Refused("it is packed in a way that cannot be looked into (zstd, 7z or rar)")
    return None


def _lz4(raw: Any) -> Any:
    if importlib.util.find_spec("lz4") is None:
        raise Refused("it is compressed with lz4, and the package lz4, which could look into it, is not installed")
    return importlib.import_module("lz4.frame").LZ4FrameFile(raw)
