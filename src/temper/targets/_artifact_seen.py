"""What was seen in one file so far: findings, names, and what the scan may still spend."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from temper.targets._allowed import dangerous, known
from temper.targets._pickle import read_pickle
from temper.targets._pickle_reading import Name, Reading
from temper.targets._unwrap import BROKEN, Purse, Refused, Stream, unwrapped

_IMPORTABLE = re.compile(r"[A-Za-z_]\w+(\.[A-Za-z_]\w*)+", re.ASCII)
_LEGACY = 0x1950A86A20F9469CFC6C  # the first pickle of a file torch.save wrote before version 1.6


@dataclass(slots=True, eq=False)
class Seen:
    """Findings are kept in the order they were met, names once."""

    purse: Purse
    findings: dict[str, None] = field(default_factory=dict)
    names: dict[Name, None] = field(default_factory=dict)
    program: bool = False  # a TorchScript archive defines the types under __torch__ itself

    def note(self, text: str, place: str = "") -> None:
        """A reason not to load the file."""
        self.findings[f"{place}: {text}" if place else text] = None

    def name(self, module: str, name: str) -> None:
        """A name the file would have imported or looked up."""
        self.names[Name(module, name)] = None

    def verdict(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Findings, dangerous names among them; and the names nobody vouched for."""
        bad = [f"it names {name}" for name in self.names if dangerous(name.module, name.name)]
        strange = [n for n in self.names if not dangerous(n.module, n.name) and not self._vouched(n)]
        return tuple(dict.fromkeys([*self.findings, *bad])), tuple(sorted(map(str, strange)))

    def _vouched(self, name: Name) -> bool:
        own = self.program and name.module.split(".")[0] == "__torch__"
        return own or known(name.module, name.name)

    def pickle(self, file: Any, place: str = "", stored: bool = False, arrays: bool = True) -> None:
        """One pickle, perhaps compressed, with nothing behind it; or the row of them that torch used to write.

        `arrays`: whether joblib may be the one to load it, which takes raw arrays from between the opcodes.
        """
        reading = Reading(self.purse, stored=stored, arrays=arrays)
        try:
            stream = Stream(unwrapped(file), self.purse)
            if read_pickle(stream, reading) == _LEGACY:
                self._legacy(stream, place)
            elif not stream.ended():
                reading.note("there are bytes behind the end of the pickle")
        except Refused as refusal:
            reading.note(str(refusal))
        except BROKEN as crash:
            reading.note(f"it cannot be read to its end ({type(crash).__name__})")
        self._take(reading, place)
        if arrays and reading.wrapped and file.seekable():
            file.seek(0)
            self.glimpse(file)

    def _legacy(self, stream: Stream, place: str) -> None:
        """Protocol, machine, the object and the keys of its storages; the raw storages follow."""
        for _ in range(4):
            reading = Reading(self.purse, arrays=False, stored=True)
            try:
                read_pickle(stream, reading)
            finally:
                self._take(reading, place)

    def glimpse(self, file: Any) -> None:
        """Follow the bytes as a plain pickle as far as they go, and keep the names that Python could import.

        For content of unknown format; and for joblib files, where bytes that joblib takes for an array are opcodes to
        whoever loads the file with pickle itself.
        """
        reading = Reading(self.purse, arrays=False, stored=True)
        try:
            read_pickle(Stream(unwrapped(file), self.purse), reading)
        except (Refused, *BROKEN):
            pass
        self.names |= {name: None for name in reading.names if _IMPORTABLE.fullmatch(str(name))}

    def _take(self, reading: Reading, place: str) -> None:
        self.names |= reading.names
        for text in reading.findings:
            self.note(text, place)
