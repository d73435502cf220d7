"""Planted defects: how many are found within 60 s, in a process and behind HTTP, and how small their cases are.

`python -m bench.fuzz.planted [inside] [served] [state] [drawn] [twins] [held-out]`: sound twins over 20 seeds count
false findings, and a set that was written when the fuzzer was finished says what it finds where nobody looked before.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from multiprocessing import Pipe, get_context
from typing import Any

from bench.fuzz import _held_out
from bench.table import goal, machine, table
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.engine.fuzz.own import owned
from temper.fuzz._campaign import Effort, opened, search
from temper.fuzz._drawn import explore
from temper.fuzz._search import Hear, Searched, result
from temper.fuzz._service import Service
from temper.fuzz._walled import Walled
from temper.targets.function import Function
from temper.testing import planted, planted_served, planted_state
from temper.traffic.address import address

_EFFORT = Effort(cases=900, seconds=60.0)
_DEADLINE, _SEEDS = 2.0, 20


@dataclass(frozen=True, slots=True)
class Found:
    """One search: seconds to the first defect (None: none), and what came of it."""

    name: str
    first: float | None
    found: Searched

    @property
    def changed(self) -> int:
        """Fields changed in the smallest case."""
        return min((one.changed for one in self.found.defects), default=99)


def in_process(name: str, target: Any, schema: Schema, x: Any, seed: int = 0) -> Found:
    """A model behind its wall."""
    began, heard = time.monotonic(), []
    with Walled(target, deadline=_DEADLINE, strict=True) as subject:
        found = search(
            subject,
            schema,
            x,
            _EFFORT,
            Draws(seed, "fuzz"),
            hear=Hear(defect=lambda one: heard.append(time.monotonic() - began)),
        )
    return Found(name, heard[0] if heard else None, found)


def over_http(name: str, scorer: Any, schema: Schema, x: Any, seed: int = 0) -> Found:
    """A service of this machine."""
    began, heard = time.monotonic(), []
    with (
        _away(scorer) as url,
        closing(Service(where=address(url), schema=schema, deadline=_DEADLINE)) as subject,
    ):
        found = search(
            subject, schema, x, _EFFORT, Draws(seed, "fuzz"), wire=True,
            hear=Hear(defect=lambda one: heard.append(time.monotonic() - began)),
        )  # fmt: skip
    return Found(name, heard[0] if heard else None, found)


def started(kind: type[planted.Scorer], schema: Schema, x: Any, seed: int = 0) -> Found:
    """The same, of a service that the fuzzer starts by its command, and again where order matters."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = planted_served.command(kind, port)
    where = address(f"http://127.0.0.1:{port}/v1/score")
    began, heard = time.monotonic(), []
    with (
        closing(Service(where=where, schema=schema, deadline=_DEADLINE)) as subject,
        owned(subject, command),
    ):
        found = search(
            subject, schema, x, _EFFORT, Draws(seed, "fuzz"), wire=True,
            hear=Hear(defect=lambda one: heard.append(time.monotonic() - began)),
        )  # fmt: skip
    return Found(kind.__name__, heard[0] if heard else None, found)


@contextmanager
def _away(scorer: Any) -> Iterator[str]:
    """A service in a process of its own: a request that never ends takes nothing from who asks."""
    ours, theirs = Pipe()
    child = get_context("fork").Process(target=_serve, args=(scorer, theirs), daemon=True)
    child.start()
    try:
        yield ours.recv()
    finally:
        child.kill()
        child.join()


def _serve(scorer: Any, pipe: Any) -> None:
    with planted_served.Served(scorer) as served:
        pipe.send(served.url)
        threading.Event().wait()


def inside() -> None:
    """25 defects in a process."""
    _shown("in a process", [lambda one=one: in_process(*one) for one in planted_served.inside()], 25)


def served() -> None:
    """25 defects behind HTTP."""
    schema, x = planted.schema(), planted.rows()
    kinds = planted_served.SERVED
    _shown("behind HTTP", [lambda kind=kind: over_http(kind.__name__, kind(), schema, x) for kind in kinds], 25)


def state() -> None:
    """Defects that depend on what was asked first, and a reader of other notations; sound twins of the same work."""
    schema, x = planted.schema(), planted.rows()
    weak, sound = planted_state.WEAK, planted_state.SOUND
    own = [lambda kind=kind: in_process(kind.__name__, Function(call=kind()), schema, x) for kind in weak]
    _shown("first asked, in a process", own, len(own))
    read = (*weak, planted_state.OtherNotations)
    far = [lambda kind=kind: over_http(kind.__name__, kind(), schema, x) for kind in read]
    _shown("first asked, behind HTTP", far, len(far))
    ours = [lambda kind=kind: started(kind, schema, x) for kind in read]
    _shown("first asked, behind HTTP and started by the fuzzer", ours, len(ours))
    quiet = [in_process(kind.__name__, Function(call=kind()), schema, x) for kind in sound]
    quiet += [over_http(kind.__name__, kind(), schema, x) for kind in sound]
    quiet += [started(kind, schema, x) for kind in sound]
    goal(f"findings on {len(quiet)} sound twins", sum(len(one.found.defects) for one in quiet), 1, digits=0)


def drawn() -> None:
    """The same 25 in a process by hypothesis alone: as many cases, no list of edges, no batches, order or callers."""
    searches = []
    for name, target, schema, x in planted_served.inside():
        searches.append(lambda name=name, target=target, schema=schema, x=x: _by_hypothesis(name, target, schema, x))
    _shown("by hypothesis alone", searches, 25)


def _by_hypothesis(name: str, target: Any, schema: Schema, x: Any) -> Found:
    began, heard = time.monotonic(), []
    with Walled(target, deadline=_DEADLINE, strict=True) as subject:
        state = opened(
            subject,
            schema,
            x,
            _EFFORT,
            wire=False,
            hear=Hear(defect=lambda one: heard.append(time.monotonic() - began)),
        )
        plain = [replace(one, edges=one.edges[:1]) for one in state.fields]
        state.fields = plain  # one edge each: numbers and texts are drawn
        explore(state, 0, wire=False)
    return Found(name, heard[0] if heard else None, result(state, ""))


def twins() -> None:
    """Sound services and models over seeds."""
    schema, x = planted.schema(), planted.rows()
    false = []
    for seed in range(_SEEDS):
        one = in_process("a process", Function(call=planted.Scorer()), schema, x, seed)
        two = over_http("HTTP", planted.Scorer(), schema, x, seed)
        false += [(seed, one.name, defect) for one in (one, two) for defect in one.found.defects]
        sys.stdout.write(f"seed {seed}: {len(false)} false findings so far\n")
    for seed, name, defect in false:
        sys.stdout.write(f"  seed {seed}, {name}: {defect.law}: {defect.said}: {defect.cases[0]}\n")
    goal(f"false findings on sound twins, {2 * _SEEDS} searches", len(false), 1, digits=0)


def held_out() -> None:
    """Defects of another service, which nothing was tuned on; its sound twin too."""
    schema, x = _held_out.schema(), _held_out.rows()
    own = [lambda kind=kind: in_process(kind.__name__, Function(call=kind()), schema, x) for kind in _held_out.INSIDE]
    _shown("held out, in a process", own, len(own))
    far = [lambda kind=kind: over_http(kind.__name__, kind(), schema, x) for kind in _held_out.SERVED]
    _shown("held out, behind HTTP", far, len(far))
    ours = [lambda kind=kind: started(kind, schema, x) for kind in _held_out.SERVED]
    _shown("held out, behind HTTP and started by the fuzzer", ours, len(ours))
    sound = over_http("sound", _held_out.Loans(), schema, x)
    sys.stdout.write(f"its sound twin: {len(sound.found.defects)} findings\n")


def _shown(title: str, searches: Sequence[Callable[[], Found]], most: int) -> None:
    results = []
    for search_of in searches:
        results.append(one := search_of())
        sys.stderr.write(f"{title}: {one.name}: {'found' if one.first is not None else 'not found'}\n")
    lines = []
    for one in results:
        laws = ", ".join(sorted({defect.law for defect in one.found.defects})) or "-"
        first = "-" if one.first is None else f"{one.first:.1f}"
        lines.append((one.name, laws, first, one.changed if one.first is not None else "-", f"{one.found.asked:,}"))
    table(title, ("defect", "laws broken", "first s", "changed", "asked"), lines)
    found = [one for one in results if one.first is not None and one.first < _EFFORT.seconds]
    goal(f"{title}: found of {most} within {_EFFORT.seconds:g} s", len(found), most, at_least=True, digits=0)
    goal(f"{title}: most fields changed", max((one.changed for one in found), default=0), 4, digits=0)


PARTS = {"inside": inside, "served": served, "state": state, "drawn": drawn, "twins": twins, "held-out": held_out}


def main(words: Sequence[str]) -> int:
    """The parts that are named, or all; `--quick` leaves out the twins."""
    sys.stdout.write(f"{machine('hypothesis', 'numpy')}\n")
    named = [word for word in words if word in PARTS]
    for word in named or [part for part in PARTS if part != "twins" or "--quick" not in words]:
        PARTS[word]()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
