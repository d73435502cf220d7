"""One system's turn in a fleet, in a process of its own: `python -c "from temper.api.turn import main; main()" WANTED
PATIENCE`. Whatever goes wrong in it is its result, so that the fleet goes on and can say what it was.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temper.api.job import TRUST, alone, place_of, running
from temper.api.results import Run
from temper.core.errors import StoreError, TemperError
from temper.core.event import Event
from temper.core.fleet import Entry, Tier, Wanted
from temper.core.job import Order
from temper.core.requirement import Verdict
from temper.core.risk import Register, worst
from temper.core.system import Protected
from temper.store.control.database import Unreachable

if TYPE_CHECKING:
    from temper.core.evidence import Stale
    from temper.monitoring.fleet.stands import Known

_GIGABYTE = 2**30
_ORDER = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)


def main() -> None:
    """Carry out the turn in the first argument."""
    from temper.store.codec import from_json, load

    wanted = load(Wanted, from_json(sys.argv[1]))
    os.environ[TRUST] = str(int(wanted.trust_pickle))
    _bounded(wanted.memory)
    alone(Path(wanted.config).parent, lambda lines: turn(wanted, lines))


def turn(wanted: Wanted, lines: Any) -> tuple[int, dict[str, Any]]:
    """Assess the system; the exit code of its verdict, and what there is to say of it."""
    try:
        return _assessed(wanted, lines)
    except TemperError as error:
        return error.exit_code, {"why": error.message, "away": isinstance(error, Unreachable)}
    except MemoryError:
        allowed = f"the {wanted.memory:g} GB of its tier" if wanted.memory else "the memory of its machine"
        return 4, {"why": f"{allowed} did not suffice"}
    except KeyboardInterrupt:
        return 4, {"why": "it was ended before anything was measured"}
    except (Exception, SystemExit) as crash:
        traceback.print_exc()
        return 4, {"why": f"{type(crash).__name__}: {crash}"}


def _bounded(gigabytes: float) -> None:
    """What it and its workers may each allocate, so that a greedy model ends alone."""
    if gigabytes:
        import resource

        most = int(gigabytes * _GIGABYTE)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _assessed(wanted: Wanted, lines: Any) -> tuple[int, dict[str, Any]]:
    from temper.api.assistants import load_assistant, redteam
    from temper.config.assistant import is_assistant

    heard = _Heard(lines)
    if not is_assistant(wanted.config):
        return _system(wanted, heard)
    stale, known = _stale(wanted, "") if wanted.stale else ([], None)
    if known is not None and not stale:
        return _current(wanted, known)
    run = redteam(
        load_assistant(wanted.config),
        wanted.suite,
        wanted.only,
        wanted.seed,
        store=_place(wanted),
        listener=heard,
        resume=wanted.resume,
        fresh=wanted.fresh,
    )
    return _told([run], heard, ())


def _place(wanted: Wanted) -> str | Path:
    """Where its runs are kept."""
    return wanted.store or Path(wanted.config).parent


def _system(wanted: Wanted, heard: _Heard) -> tuple[int, dict[str, Any]]:
    """A system with the model that answers; with `stale`, only what its evidence no longer speaks of."""
    from temper.api import assess

    system = _answering(wanted)
    parts: list[tuple[tuple[str, ...], float | None]] = [(wanted.only, None)]
    if wanted.stale:
        stale, known = _stale(wanted, system.target.digest)
        parts = _parts(wanted, stale, known)
        if not parts:
            return _current(wanted, known)
    spread = wanted.cores > 1 or wanted.apart
    runs = [
        assess(
            system if labelled is None else running(_order(wanted, labelled)),
            wanted.suite,
            only or None,
            wanted.seed,
            "processes" if spread else "serial",
            workers=wanted.cores,
            resume=wanted.resume,
            fresh=wanted.fresh,
            author=wanted.author or None,
            store=_place(wanted),
            listener=heard,
        )
        for only, labelled in parts
    ]
    return _told(runs, heard, sorted({name for only, _ in parts for name in only}))


def _answering(wanted: Wanted) -> Protected:
    """With the model that was deployed, where one was."""
    from temper.api import load

    order = _order(wanted, None)
    place = place_of(order)
    if "://" in place or Path(place).exists():
        return running(order)
    return load(wanted.config, trust_pickle=wanted.trust_pickle)


def _order(wanted: Wanted, labelled: float | None) -> Order:
    return Order(key=wanted.fleet, why="its turn in the fleet", config=wanted.config, labelled=labelled)


def _stale(wanted: Wanted, model: str) -> tuple[Sequence[Stale], Known]:
    """What of its evidence is stale, and what is known of it."""
    from temper.api import open_store
    from temper.monitoring.fleet.look import look
    from temper.monitoring.fleet.stands import situation

    entry = Entry(name=wanted.entry, config=wanted.config, where="", tier=Tier(suite=wanted.suite, age=wanted.age))
    store = open_store(wanted.store) if wanted.store else None
    known = look(entry, time.time(), store=store, model=model)
    return situation(entry, known, time.time()).stale, known


def _parts(wanted: Wanted, stale: Sequence[Stale], known: Known) -> list[tuple[tuple[str, ...], float | None]]:
    """What is measured again, and on labelled rows of the feed from when on: the orders that triggers would give, those
    on the same rows as one.
    """
    from temper.monitoring.triggers import orders

    found = orders(stale, known.evidence or {}, known.rules, Path(wanted.config))
    plain = [one.only for one in found if one.labelled is None]
    whole = () if not all(plain) else tuple(sorted({name for only in plain for name in only}))
    return [
        *([(whole or wanted.only, None)] if plain else []),
        *((one.only, one.labelled) for one in found if one.labelled is not None),
    ]


def _current(wanted: Wanted, known: Known) -> tuple[int, dict[str, Any]]:
    """Nothing is stale: the verdict is that of the newest run."""
    from temper.api import open_store

    newest = known.newest
    if newest is None:
        raise StoreError(f"the store of {wanted.config} has evidence and no run", fix="see `temper history`")
    told = {"system": newest.system, "run": newest.run, "verdict": newest.verdict.value, "state": "current"}
    return newest.verdict.code, told | _risk(open_store(_place(wanted)).run(newest.run).risk)


def _told(runs: Sequence[Run], heard: _Heard, parts: Sequence[str]) -> tuple[int, dict[str, Any]]:
    """The worst of these runs: its code, and what is kept of it."""
    run = min(runs, key=lambda one: _ORDER.index(one.verdict) if one.verdict in _ORDER else -1)
    record = run.record
    told = {"system": record.system, "run": record.id, "verdict": record.verdict.value, "state": record.state}
    counts = {"tasks": heard.total, "reused": heard.reused, "parts": list(parts)}
    why = {} if record.state == "finished" else {"why": f"run {record.id} was stopped; --resume goes on with it"}
    return record.code, told | counts | why | _risk(record.risk)


def _risk(register: Register | None) -> dict[str, Any]:
    if register is None:
        return {}
    total = register.total
    return {"unit": register.unit, "annual": total.middle, "p90": total.p90, "rating": worst(register)}


class _Heard:
    """Passes on how far a run is, and counts what the store answered."""

    def __init__(self, lines: Any) -> None:
        self.lines = lines
        self.total = self.reused = 0

    def __call__(self, event: Event) -> None:
        """Take one event."""
        self.reused += event.kind == "reused"
        self.total += event.total if event.kind == "planned" else 0
        if event.total:
            self.lines.write(json.dumps({"progress": f"{event.done} of {event.total} {event.task}".strip()}) + "\n")
