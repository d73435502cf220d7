"""Plain values of a pickle: numbers and short texts as they are, everything else as a stand-in."""

from __future__ import annotations

import codecs
from typing import Any

from temper.targets._unwrap import Stream

DATA = object()  # stands for a value nobody needs to see
_WORD = 256  # characters of a text that may still be a name or a key
TEXTS = 1 << 28  # characters kept in all
_LINE = 16 * _WORD

# fmt: off
VALUES = {
    ord("J"): "binint", ord("K"): "binint1", ord("M"): "binint2", ord("I"): "int_line", ord("L"): "int_line",
    0x8A: "long1", 0x8B: "long4", ord("F"): "float_line", ord("G"): "binfloat",
    ord("C"): "data1", ord("B"): "data4", 0x8E: "data8", 0x96: "data8",
    0x8C: "text1", ord("X"): "text4", 0x8D: "text8", ord("U"): "string1", ord("T"): "string4", ord("S"): "string_line",
    ord("V"): "unicode_line", ord("N"): "none", 0x88: "true", 0x89: "false",
}
# fmt: on


class Values:
    """One method per opcode that pushes a plain value; `kept` counts the characters kept so far."""

    def __init__(self, stream: Stream, kept: list[int]) -> None:
        self._stream, self._kept = stream, kept

    def whole(self, size: int, signed: bool = False) -> int:
        """A whole number of `size` bytes."""
        return int.from_bytes(self._stream.take(size), "little", signed=signed)

    def binint(self) -> int:
        """Four bytes, signed."""
        return self.whole(4, signed=True)

    def binint1(self) -> int:
        """One byte."""
        return self._stream.byte()

    def binint2(self) -> int:
        """Two bytes."""
        return self.whole(2)

    def int_line(self) -> Any:
        """A decimal line."""
        line = self._stream.line().rstrip(b"L")
        return int(line) if len(line) < _WORD else DATA

    def long1(self) -> Any:
        """A whole number after its length in one byte."""
        return self._long(self._stream.byte())

    def long4(self) -> Any:
        """A whole number after its length in four bytes."""
        return self._long(self.whole(4))

    def _long(self, size: int) -> Any:
        return self.whole(size, signed=True) if size <= 16 else self._data(size)

    def float_line(self) -> Any:
        """A decimal line."""
        float(self._stream.line())
        return DATA

    def binfloat(self) -> Any:
        """Eight bytes."""
        return self._data(8)

    def _data(self, size: int) -> Any:
        self._stream.skip(size)
        return DATA

    def data1(self) -> Any:
        """Bytes after their length in one byte."""
        return self._data(self._stream.byte())

    def data4(self) -> Any:
        """Bytes after their length in four bytes."""
        return self._data(self.whole(4))

    def data8(self) -> Any:
        """Bytes after their length in eight bytes."""
        return self._data(self.whole(8))

    def _text(self, size: int, coding: str = "utf-8") -> Any:
        if size > 4 * _WORD:
            return self._data(size)
        return self._word(self._stream.take(size).decode(coding, "surrogatepass" if coding == "utf-8" else "strict"))

    def _word(self, text: str) -> Any:
        self._kept[0] += len(text)
        return text if len(text) <= _WORD and self._kept[0] < TEXTS else DATA

    def text1(self) -> Any:
        """A text after its length in one byte."""
        return self._text(self._stream.byte())

    def text4(self) -> Any:
        """A text after its length in four bytes."""
        return self._text(self.whole(4))

    def text8(self) -> Any:
        """A text after its length in eight bytes."""
        return self._text(self.whole(8))

    def string1(self) -> Any:
        """A string of Python 2 after its length in one byte."""
        return self._text(self._stream.byte(), "latin-1")

    def string4(self) -> Any:
        """A string of Python 2 after its length in four bytes."""
        return self._text(self.whole(4), "latin-1")

    def string_line(self) -> Any:
        """A quoted line with escapes."""
        line = self._stream.line().strip()
        if len(line) > _LINE:
            return DATA
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
            raise ValueError("a string without quotes")
        return self._word(codecs.escape_decode(line[1:-1])[0].decode("latin-1"))

    def unicode_line(self) -> Any:
        """A line with unicode escapes."""
        line = self._stream.line()
        return self._word(line.decode("raw-unicode-escape")) if len(line) <= _LINE else DATA

    def none(self) -> None:
        """None."""

    def true(self) -> bool:
        """True."""
        return True

    def false(self) -> bool:
        """False."""
        return False
