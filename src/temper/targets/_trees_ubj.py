"""Universal Binary JSON, the format in which XGBoost keeps its models exactly."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from temper.core.errors import ContractError

_NUMBERS = {"i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}
_STRUCTS = {
    "i": struct.Struct(">b"),
    "U": struct.Struct(">B"),
    "I": struct.Struct(">h"),
    "l": struct.Struct(">i"),
    "L": struct.Struct(">q"),
    "d": struct.Struct(">f"),
    "D": struct.Struct(">d"),
}
_CONSTANTS = {"T": True, "F": False, "Z": None}


def decode(content: bytes) -> Any:
    """The document: objects as dictionaries, typed arrays as NumPy arrays in the machine's byte order.

    >>> decode(b"{U" + bytes([1]) + b"a[$U#U" + bytes([2, 7, 8]) + b"}")
    {'a': array([7, 8], dtype=uint8)}
    """
    try:
        return _Reader(content).value()
    except (IndexError, struct.error, UnicodeDecodeError, KeyError) as broken:
        raise ContractError("the model's bytes are no UBJSON", fix="save the model again") from broken


class _Reader:
    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0

    def mark(self) -> str:
        """The next type letter."""
        letter = "N"
        while letter == "N":  # a no-op
            letter = chr(self.content[self.at])
            self.at += 1
        return letter

    def value(self, letter: str = "") -> Any:
        letter = letter or self.mark()
        if letter in _STRUCTS:
            return self.number(letter)
        if letter == "{":
            return self.object()
        if letter == "[":
            return self.array()
        if letter == "S":
            return self.text()
        return _CONSTANTS[letter]

    def number(self, letter: str) -> Any:
        kind = _STRUCTS[letter]
        (found,) = kind.unpack_from(self.content, self.at)
        self.at += kind.size
        return found

    def text(self) -> str:
        length = self.number(self.mark())
        self.at += length
        return self.content[self.at - length : self.at].decode()

    def object(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while chr(self.content[self.at]) != "}":
            name = self.text()
            found[name] = self.value()
        self.at += 1
        return found

    def array(self) -> Any:
        kind = count = None
        if chr(self.content[self.at]) == "$":
            kind = chr(self.content[self.at + 1])
            self.at += 2
        if chr(self.content[self.at]) == "#":
            self.at += 1
            count = self.number(self.mark())
        if kind in _NUMBERS and count is not None:
            plain = np.dtype(_NUMBERS[kind])
            found = np.frombuffer(self.content, plain, count, self.at)
            self.at += count * plain.itemsize
            return found.astype(plain.newbyteorder("="))
        if count is not None:
            return [self.value(kind or "") for _ in range(count)]
        items = []
        while chr(self.content[self.at]) != "]":
            items.append(self.value())
        self.at += 1
        return items
