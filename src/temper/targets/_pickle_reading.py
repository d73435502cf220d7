"""What one pickle asks for: its names, what calling them would have made, and what is wrong with it."""

from __future__ import annotations

import _compat_pickle
from dataclasses import dataclass, field
from typing import Any

from temper.targets._allowed import dangerous
from temper.targets._pickle_value import Values
from temper.targets._unwrap import Purse, Refused, Stream


@dataclass(frozen=True, slots=True)
class Name:
    """A global that the pickle asks for."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Made:
    """What calling a global would have made."""

    by: Name
    arguments: Any = None
    state: Any = None


@dataclass(slots=True, eq=False)
class Reading:
    """What one stream of opcodes asks for. `arrays` follows joblib, which puts raw arrays between the opcodes."""

    purse: Purse
    arrays: bool = True
    stored: bool = False
    names: dict[Name, None] = field(default_factory=dict)
    findings: dict[str, None] = field(default_factory=dict)
    wrapped: bool = False
    kept: list[int] = field(default_factory=lambda: [0])

    def values(self, stream: Stream) -> Values:
        """A reader of plain values; what it may keep is counted over the whole file."""
        return Values(stream, self.kept)

    def note(self, text: str) -> None:
        """Keep a finding once."""
        self.findings[text] = None

    def name(self, module: Any, name: Any, protocol: int) -> Name:
        """Record a global by the name Python would import."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise Refused("it computes the name of what it imports")
        found = Name(module, name)
        if protocol < 3:  # pickles of Python 2 are renamed on the way in
            known = _compat_pickle.NAME_MAPPING.get((module, name))
            found = Name(*(known or (_compat_pickle.IMPORT_MAPPING.get(module, module), name)))
        for asked in {found, Name(module, name)} if dangerous(module, name) else {found}:
            self.names[asked] = None
        return found
