"""A small assembler for pickles, and files made of them; nothing it writes does harm if it is run."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import Any

MARKER = "temper-marker"


@dataclass(frozen=True, slots=True)
class File:
    """One file of a corpus: its family, what is special about it, its name and its bytes."""

    family: str
    label: str
    name: str
    content: bytes

    @property
    def id(self) -> str:
        """The name of the test."""
        return f"{self.family}: {self.label}"


def text(word: str) -> bytes:
    """SHORT_BINUNICODE."""
    raw = word.encode()
    return b"\x8c" + bytes([len(raw)]) + raw


def name(module: str, attribute: str) -> bytes:
    """STACK_GLOBAL."""
    return text(module) + text(attribute) + b"\x93"


def old_name(module: str, attribute: str) -> bytes:
    """GLOBAL."""
    return f"c{module}\n{attribute}\n".encode()


def value(item: Any) -> bytes:
    """None, a small number, a text, bytes (taken as opcodes), or a tuple or list of them."""
    if item is None:
        return b"N"
    if isinstance(item, bytes):
        return item
    if isinstance(item, str):
        return text(item)
    if isinstance(item, int):
        return b"\x8a\x08" + item.to_bytes(8, "little", signed=True)
    return b"(" + b"".join(map(value, item)) + (b"t" if isinstance(item, tuple) else b"l")


def calls(module: str, attribute: str, *arguments: Any) -> bytes:
    """Opcodes that leave module.attribute(*arguments) on the stack."""
    return name(module, attribute) + value(arguments) + b"R"


def pickled(*opcodes: bytes, protocol: int = 4) -> bytes:
    """A whole pickle of these opcodes."""
    return bytes([0x80, protocol]) + b"".join(opcodes) + b"."


def call(module: str, attribute: str, *arguments: Any) -> bytes:
    """A pickle that calls module.attribute(*arguments)."""
    return pickled(calls(module, attribute, *arguments))


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip of these members."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for member, data in members.items():
            archive.writestr(zipfile.ZipInfo(member), data, method)
    return content.getvalue()
