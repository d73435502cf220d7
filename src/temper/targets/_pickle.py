"""A pickle followed as data: what it names, calls and restores, without importing or calling anything."""

from __future__ import annotations

import _compat_pickle
import pickletools
import re
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

import numpy as np

from temper.targets._allowed import dangerous
from temper.targets._unwrap import Purse, Refused, Stream

_MARK = object()
_DATA = object()
_NESTED = 20
_WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")
_SIMPLE = re.compile(r"[<>|=]?[biufcSUVMmOa]\d*")
_EMPTY = {"EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_DICT": dict, "EMPTY_SET": set}
_PLAIN = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}


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


def read_pickle(stream: Stream, reading: Reading, depth: int = 0) -> Any:
    """Follow one pickle to its STOP; the value it stands for. Raises `Refused` where it cannot be followed."""
    if depth > _NESTED:
        raise Refused(f"pickles are nested more than {_NESTED} times")
    machine = _Machine(stream, reading, depth)
    try:
        for opcode, argument, _ in pickletools.genops(cast(BinaryIO, stream)):
            reading.purse.step()
            machine.step(opcode.name, argument)
    except Refused:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, UnicodeError, RecursionError) as crash:
        raise Refused(f"it is not a whole pickle ({type(crash).__name__}: {crash})") from crash
    return machine.stack[-1] if machine.stack else None


class _Machine:
    """The stack and the memo; objects are stood in for by `Name` and `Made`."""

    def __init__(self, stream: Stream, reading: Reading, depth: int) -> None:
        self.stream, self.reading, self.depth = stream, reading, depth
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.protocol = 0

    def step(self, code: str, argument: Any) -> None:
        """One opcode."""
        special = getattr(self, f"_{code.lower()}", None)
        if special is not None:
            special(argument)
        elif code in _EMPTY:
            self.stack.append(_EMPTY[code]())
        elif code in _PLAIN:
            self.stack.append(_PLAIN[code])
        elif (
            code.startswith(("BININT", "INT", "LONG", "FLOAT", "BINFLOAT")) and "GET" not in code and "PUT" not in code
        ) or code.endswith(("UNICODE", "UNICODE8", "STRING")):
            self.stack.append(argument)
        elif code.endswith(("BYTES", "BYTES8", "BYTEARRAY8")):
            self.stack.append(_DATA)
        elif code.endswith("GET"):
            self.stack.append(self.memo[argument])
        elif code.endswith("PUT"):
            self.memo[argument] = self.stack[-1]
        elif code.startswith("EXT"):
            raise Refused("it uses the extension registry")
        elif code in ("NEXT_BUFFER", "READONLY_BUFFER"):
            raise Refused("it refers to buffers outside the file")
        else:
            raise Refused(f"it has the unknown opcode {code}")

    # -- the stack --------------------------------------------------------------------------------------------------

    def _proto(self, version: int) -> None:
        self.protocol = version

    def _frame(self, size: int) -> None:
        pass

    def _stop(self, argument: None) -> None:
        pass

    def _mark(self, argument: None) -> None:
        self.stack.append(_MARK)

    def _pop(self, argument: None) -> None:
        self.stack.pop()

    def _pop_mark(self, argument: None) -> None:
        self._above_mark()

    def _dup(self, argument: None) -> None:
        self.stack.append(self.stack[-1])

    def _memoize(self, argument: None) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _above_mark(self) -> list[Any]:
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise Refused("it has no mark where one is needed")
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items

    # -- containers -------------------------------------------------------------------------------------------------

    def _tuple(self, argument: None) -> None:
        self.stack.append(tuple(self._above_mark()))

    def _tuple1(self, argument: None) -> None:
        self.stack[-1:] = [(self.stack[-1],)]

    def _tuple2(self, argument: None) -> None:
        self.stack[-2:] = [(self.stack[-2], self.stack[-1])]

    def _tuple3(self, argument: None) -> None:
        self.stack[-3:] = [(self.stack[-3], self.stack[-2], self.stack[-1])]

    def _list(self, argument: None) -> None:
        self.stack.append(self._above_mark())

    def _dict(self, argument: None) -> None:
        items = self._above_mark()
        self.stack.append(_pairs(items))

    def _frozenset(self, argument: None) -> None:
        self._above_mark()
        self.stack.append(_DATA)

    def _append(self, argument: None) -> None:
        self.stack.pop()
        self._filled("append")

    def _appends(self, argument: None) -> None:
        self._above_mark()
        self._filled("append")

    def _additems(self, argument: None) -> None:
        self._above_mark()
        self._filled("add")

    def _setitem(self, argument: None) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._filled("set", [key, value])

    def _setitems(self, argument: None) -> None:
        self._filled("set", self._above_mark())

    def _filled(self, verb: str, items: list[Any] | None = None) -> None:
        """A container was filled: its own content matters only for the state of arrays, what it is always does."""
        target = self.stack[-1]
        if isinstance(target, Name):
            raise Refused(f"it changes {target} itself ({verb})")
        if isinstance(target, dict) and items:
            target.update(_pairs(items))

    # -- names and calls --------------------------------------------------------------------------------------------

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self.stack.append(self.reading.name(module, name, self.protocol))

    def _stack_global(self, argument: None) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(self.reading.name(module, name, self.protocol))

    def _inst(self, argument: str) -> None:
        arguments = self._above_mark()
        module, _, name = argument.partition(" ")
        self._call(self.reading.name(module, name, self.protocol), arguments)

    def _obj(self, argument: None) -> None:
        callee, *arguments = self._above_mark()
        self._call(callee, arguments)

    def _reduce(self, argument: None) -> None:
        arguments, callee = self.stack.pop(), self.stack.pop()
        self._call(callee, arguments)

    def _newobj(self, argument: None) -> None:
        self._reduce(None)

    def _newobj_ex(self, argument: None) -> None:
        self.stack.pop()
        self._reduce(None)

    def _call(self, callee: Any, arguments: Any) -> None:
        if not isinstance(callee, Name):
            raise Refused("it calls something that is not a plain name")
        self.stack.append(Made(callee, arguments))

    def _build(self, argument: None) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Name):
            raise Refused(f"it changes {target} itself")
        if not isinstance(target, Made):
            raise Refused("it restores the state of something that is no object")
        target.state = state
        if (target.by.module, target.by.name) == _WRAPPER:
            self.reading.wrapped = True
            if self.reading.arrays:
                self._array(state)

    def _persid(self, argument: Any) -> None:
        self.stack.append(_DATA)
        self._outside()

    def _binpersid(self, argument: None) -> None:
        self.stack[-1] = _DATA
        self._outside()

    def _outside(self) -> None:
        if not self.reading.stored:
            self.reading.note("it refers to objects outside the file (persistent ids)")

    # -- joblib's arrays --------------------------------------------------------------------------------------------

    def _array(self, state: Any) -> None:
        """Pass over the array behind a wrapper: a padding byte with its padding, then the items."""
        shape, kind = state["shape"], state["dtype"]
        code = kind.arguments[0] if isinstance(kind, Made) else None
        if not isinstance(code, str) or not _SIMPLE.fullmatch(code) or not all(_whole(size) for size in shape):
            raise Refused("a joblib array is described in a way that cannot be followed")
        if "O" in code:
            read_pickle(self.stream, self.reading, self.depth + 1)
            return
        if "V" in code and _holds_objects(kind):
            raise Refused("a joblib array holds objects inside records")
        if state.get("numpy_array_alignment_bytes") is not None:
            self.stream.skip(self.stream.read(1)[0])
        size = np.dtype(code).itemsize
        for length in shape:
            size *= length
        self.stream.skip(size)


def _pairs(items: list[Any]) -> dict[Any, Any]:
    """Keys that are text, with their values; other keys are never asked for."""
    return {key: value for key, value in zip(items[::2], items[1::2], strict=True) if isinstance(key, str)}


def _whole(size: Any) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and size >= 0


def _holds_objects(kind: Made) -> bool:
    """Whether a record type has an object field; a state that cannot be read counts as one."""
    fields = kind.state[4] if isinstance(kind.state, tuple) and len(kind.state) > 4 else None
    if not isinstance(fields, dict):
        return True
    inner = [value[0] for value in fields.values() if isinstance(value, tuple) and value]
    codes = [part.arguments[0] for part in inner if isinstance(part, Made) and isinstance(part.arguments, tuple)]
    return len(codes) != len(fields) or any(not isinstance(code, str) or code[0] in "OV" for code in codes)
