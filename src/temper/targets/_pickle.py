"""A pickle followed as data: what it names, calls and restores, without importing or calling anything."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from temper.targets._artifact_call import doubt, spreads
from temper.targets._artifact_kind import escapes
from temper.targets._pickle_reading import Made, Name, Reading
from temper.targets._pickle_run import Batch, Memo, Replayed, Runner, Table, again, worth
from temper.targets._pickle_value import DATA, TEXTS, VALUES
from temper.targets._unwrap import Limits, Purse, Refused, Stream

_MARK = object()
_NESTED = 20
_STACK = 5_000_000
_BATCH = 4095
_WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")
_SIMPLE = re.compile(r"[<>|=]?[biufcSUVMmOa]\d*")


def read_pickle(stream: Stream, reading: Reading, depth: int = 0) -> Any:
    """Follow one pickle to its STOP; the value it stands for. Raises `Refused` where it cannot be followed."""
    if depth > _NESTED:
        raise Refused(f"pickles are nested more than {_NESTED} times")
    machine = _Machine(stream, reading, depth)
    try:
        machine.follow()
    except Refused:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, UnicodeError, RecursionError) as crash:
        raise Refused(f"it is not a whole pickle ({type(crash).__name__}: {crash})") from crash
    return machine.stack[-1] if machine.stack else None


class _Machine:
    """The stack and the memo; objects are stood in for by `Name` and `Made`, contents of containers are let go."""

    def __init__(self, stream: Stream, reading: Reading, depth: int) -> None:
        self.stream, self.reading, self.depth = stream, reading, depth
        self.stack: list[Any] = []
        self.memo: Memo | Replayed = Memo()
        self.runner = Runner(stream) if worth(0) else None
        self.values = reading.values(stream)
        self.protocol = 0

    def follow(self) -> None:
        """Opcode after opcode, to STOP."""
        steps = {code: getattr(self, name) for code, name in _CODES.items()}
        values = {code: getattr(self.values, name) for code, name in VALUES.items()}
        byte, purse, count = self.stream.byte, self.reading.purse, 0
        while (code := byte()) != ord("."):
            count += 1
            if not count & _BATCH:
                purse.steps(_BATCH + 1)
                if self.runner is None and worth(count):
                    self.runner = Runner(self.stream)
                if len(self.stack) + len(self.memo) > _STACK:
                    raise Refused("it keeps more objects than the scan may hold")
            if code in values:
                self.stack.append(values[code]())
            elif code in steps:
                steps[code]()
            else:
                raise Refused(f"it is not a whole pickle (0x{code:02x} is no opcode)")
        purse.steps(count & _BATCH)

    # -- the stack --------------------------------------------------------------------------------------------------

    def proto(self) -> None:
        self.protocol = self.stream.byte()
        if self.protocol > 5:
            raise Refused(f"it is not a whole pickle (protocol {self.protocol})")

    def frame(self) -> None:
        self.stream.take(8)

    def mark(self) -> None:
        if self.runner is None or not self._passed_over(self.runner):
            self.stack.append(_MARK)

    def _passed_over(self, runner: Runner) -> bool:
        """Whether a batch of plain values lay ahead: its effect is kept, and the stream stands behind it."""
        memo, target, kept = self.memo, self.stack[-1] if self.stack else _MARK, self.reading.kept
        if not isinstance(memo, Memo) or not memo.in_order or target is _MARK or isinstance(target, Name):
            return False
        if (found := runner.ahead(memo)) is None:
            return False
        (count, entries, letters, function, kind), opcodes = found
        if function >= 0 and not _harmless_call(memo[function], memo[kind]):
            return False
        if kept[0] + letters >= TEXTS or len(self.stack) + len(memo) + count > _STACK:
            return False
        kept[0] += letters
        self.reading.purse.steps(count)
        batch = Batch(opcodes, len(memo), self._replay)
        table = target if isinstance(target, Table) and opcodes.endswith(b"u") else None
        if table is not None:
            table.fill(batch)
        if entries:
            memo.hold(batch, entries)
        runner.take(opcodes, held=bool(entries) or table is not None)
        return True

    def _replay(self, batch: Batch) -> tuple[dict[Any, Any], dict[int, Any]]:
        """What a batch leaves in a dictionary and in the memo."""
        machine = _Machine(again(batch), Reading(Purse(Limits()), stored=True), self.depth)
        machine.memo = memo = Replayed(self.memo, batch.first)
        machine.stack = [table := Table(), _MARK]
        machine.follow()
        return table, memo.own

    def _top(self) -> Any:
        """The value on the stack; a mark is none."""
        if self.stack[-1] is _MARK:
            raise Refused("it is not a whole pickle (a mark is taken for a value)")
        return self.stack[-1]

    def pop(self) -> None:
        self.stack.pop()

    def pop_mark(self) -> None:
        self._above_mark()

    def dup(self) -> None:
        self.stack.append(self._top())

    def memoize(self) -> None:
        self.memo.put(len(self.memo), self._top())

    def put_line(self) -> None:
        self._put(int(self.stream.line()))

    def put1(self) -> None:
        self._put(self.stream.byte())

    def put4(self) -> None:
        self._put(self.values.whole(4))

    def _put(self, index: int) -> None:
        if index > 2 * len(self.memo) + 1000:  # the memo is an array as long as its largest index
            raise Refused(f"it asks for a memo of {index:,} entries and has {len(self.memo):,}")
        self.memo.put(index, self._top())

    def get_line(self) -> None:
        self.stack.append(self.memo[int(self.stream.line())])

    def get1(self) -> None:
        self.stack.append(self.memo[self.stream.byte()])

    def get4(self) -> None:
        self.stack.append(self.memo[self.values.whole(4)])

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

    def empty_tuple(self) -> None:
        self.stack.append(())

    def empty_dict(self) -> None:
        self.stack.append(Table())

    def empty(self) -> None:
        self.stack.append(DATA)

    def tuple_mark(self) -> None:
        self.stack.append(tuple(self._above_mark()))

    def tuple1(self) -> None:
        self.stack[-1:] = [(self.stack[-1],)]

    def tuple2(self) -> None:
        self.stack[-2:] = [(self.stack[-2], self.stack[-1])]

    def tuple3(self) -> None:
        self.stack[-3:] = [(self.stack[-3], self.stack[-2], self.stack[-1])]

    def list_mark(self) -> None:
        self._above_mark()
        self.stack.append(DATA)

    def dict_mark(self) -> None:
        items = self._above_mark()
        self._hashed(items[::2])
        self.stack.append(Table())
        self.stack[-1].fill(_pairs(items))

    def frozen_mark(self) -> None:
        self._hashed(self._above_mark())
        self.stack.append(DATA)

    def append(self) -> None:
        self.stack.pop()
        self._filled("append")

    def appends(self) -> None:
        self._above_mark()
        self._filled("append")

    def additems(self) -> None:
        self._hashed(self._above_mark())
        self._filled("add")

    def setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._filled("set", [key, value])

    def setitems(self) -> None:
        self._filled("set", self._above_mark())

    def _filled(self, verb: str, items: list[Any] | None = None) -> None:
        """A container was filled: its own content matters only for the state of arrays, what it is always does."""
        target = self.stack[-1]
        if isinstance(target, Name):
            raise Refused(f"it changes {target} itself ({verb})")
        if items:
            self._hashed(items[::2])
            if isinstance(target, Table):
                target.fill(_pairs(items))

    def _hashed(self, keys: list[Any]) -> None:
        for key in keys:
            if type(key) is tuple and spreads(key):
                raise Refused("it hashes a tuple that unfolds without end")

    # -- names and calls --------------------------------------------------------------------------------------------

    def global_lines(self) -> None:
        module, name = self.stream.line().decode(), self.stream.line().decode()
        self.stack.append(self.reading.name(module, name, self.protocol))

    def stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(self.reading.name(module, name, self.protocol))

    def inst(self) -> None:
        module, name = self.stream.line().decode("ascii"), self.stream.line().decode("ascii")
        arguments = tuple(self._above_mark())
        self._call(self.reading.name(module, name, self.protocol), arguments)

    def obj(self) -> None:
        callee, *arguments = self._above_mark()
        self._call(callee, tuple(arguments))

    def reduce(self) -> None:
        arguments, callee = self.stack.pop(), self.stack.pop()
        self._call(callee, arguments)

    def newobj_ex(self) -> None:
        self.stack.pop()
        self.reduce()

    def _call(self, callee: Any, arguments: Any) -> None:
        if not isinstance(callee, Name):
            raise Refused("it calls something that is not a plain name")
        if text := doubt(callee, arguments):
            self.reading.note(text)
        self.stack.append(Made(callee, arguments))

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Name):
            raise Refused(f"it changes {target} itself")
        if not isinstance(target, Made):
            raise Refused("it restores the state of something that is no object")
        target.state = state
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, Table) and (odd := [key for key in part.whole() if key[:2] == key[-2:] == "__"]):
                self.reading.note(f"it sets {odd[0]} of an object")
        if (target.by.module, target.by.name) == _WRAPPER:
            self.reading.wrapped = True
            if self.reading.arrays and not self.depth:  # joblib hands an array of objects to pickle itself
                self._array(state)

    def persid(self) -> None:
        self.stream.line()
        self.stack.append(DATA)
        self._outside()

    def binpersid(self) -> None:
        wanted, self.stack[-1] = self.stack[-1], DATA
        self._outside()
        if isinstance(wanted, tuple) and any(isinstance(word, str) and escapes(word) for word in wanted):
            self.reading.note("it asks for a storage outside the file")

    def _outside(self) -> None:
        if not self.reading.stored:
            self.reading.note("it refers to objects outside the file (persistent ids)")

    def extension(self) -> None:
        raise Refused("it uses the extension registry")

    def buffer(self) -> None:
        raise Refused("it refers to buffers outside the file")

    # -- joblib's arrays --------------------------------------------------------------------------------------------

    def _array(self, state: Any) -> None:
        """Pass over the array behind a wrapper: a padding byte with its padding, then the items."""
        state = state.whole()
        shape, kind = state["shape"], state["dtype"]
        code = kind.arguments[0] if isinstance(kind, Made) else None
        if not isinstance(code, str) or not _SIMPLE.fullmatch(code) or not all(_counts(size) for size in shape):
            raise Refused("a joblib array is described in a way that cannot be followed")
        if "O" in code:
            read_pickle(self.stream, self.reading, self.depth + 1)
            return
        if "V" in code and _holds_objects(kind):
            raise Refused("a joblib array holds objects inside records")
        if state.get("numpy_array_alignment_bytes") is not None:
            self.stream.skip(self.stream.byte())
        size = np.dtype(code).itemsize
        for length in shape:
            size *= length
        self.stream.skip(size)


# fmt: off
_CODES = {
    0x80: "proto", 0x95: "frame", ord("("): "mark", ord("0"): "pop", ord("1"): "pop_mark", ord("2"): "dup",
    0x94: "memoize", ord("p"): "put_line", ord("q"): "put1", ord("r"): "put4",
    ord("g"): "get_line", ord("h"): "get1", ord("j"): "get4",
    ord(")"): "empty_tuple", ord("}"): "empty_dict", ord("]"): "empty", 0x8F: "empty", ord("t"): "tuple_mark",
    0x85: "tuple1", 0x86: "tuple2", 0x87: "tuple3", ord("l"): "list_mark", ord("d"): "dict_mark", 0x91: "frozen_mark",
    ord("a"): "append", ord("e"): "appends", 0x90: "additems", ord("s"): "setitem", ord("u"): "setitems",
    ord("c"): "global_lines", 0x93: "stack_global", ord("i"): "inst", ord("o"): "obj", ord("R"): "reduce",
    0x81: "reduce", 0x92: "newobj_ex", ord("b"): "build", ord("P"): "persid", ord("Q"): "binpersid",
    0x82: "extension", 0x83: "extension", 0x84: "extension", 0x97: "buffer", 0x98: "buffer",
}
# fmt: on


def _pairs(items: list[Any]) -> dict[Any, Any]:
    """Keys that are text, with their values; other keys are never asked for."""
    return {key: value for key, value in zip(items[::2], items[1::2], strict=True) if isinstance(key, str)}


def _harmless_call(function: Any, kind: Any) -> bool:
    """Whether a function may be called with one kept value and bytes, as that of NumPy's scalars is."""
    return isinstance(function, Name) and not doubt(function, (kind, DATA))


def _counts(size: Any) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and size >= 0


def _holds_objects(kind: Made) -> bool:
    """Whether a record type has an object field; a state that cannot be read counts as one."""
    fields = kind.state[4] if isinstance(kind.state, tuple) and len(kind.state) > 4 else None
    if not isinstance(fields, Table):
        return True
    inner = [value[0] for value in fields.whole().values() if isinstance(value, tuple) and value]
    codes = [part.arguments[0] for part in inner if isinstance(part, Made) and isinstance(part.arguments, tuple)]
    return len(codes) != len(fields) or any(not isinstance(code, str) or code[0] in "OV" for code in codes)
