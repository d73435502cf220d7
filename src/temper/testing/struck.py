"""Laws of faults of the host: what they do is noticed, and it is taken back, whoever is left to do so."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from temper.chaos.deadman import DeadMan, born, state
from temper.chaos.host import Host
from temper.chaos.orders import Orders
from temper.testing.law import require

_SECONDS = 1.0
_PATIENCE = 6.0
_MUCH = 100 * 2**20
"""Bytes that no helper of a fault needs for itself."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Victim:
    """A process that sleeps, a store and orders."""

    folder: Path
    process: Any = None

    def start(self) -> None:
        """A new one, in place of the one before."""
        self.end()
        self.process = subprocess.Popen(["sleep", "120"], start_new_session=True)

    def end(self) -> None:
        """Of the process there is."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def state(self, orders: Orders) -> tuple[object, ...]:
        """Everything that a fault may change of it."""
        pid = self.process.pid
        if not born(pid):
            return ("gone",)
        limits = [resource.prlimit(pid, one) for one in (resource.RLIMIT_AS, resource.RLIMIT_FSIZE)]
        cores = tuple(sorted(os.sched_getaffinity(pid)))
        numbers = orders.fsync, orders.clock, orders.absent, _taken()
        return state(pid) == "T", *limits, cores, *numbers, _writable(self.folder / "control.db")


def law_is_noticed_and_taken_back(fault: type[Any]) -> None:
    """While it lasts something is otherwise, and after it everything is as before."""
    with _struck(fault) as (victim, host, orders, before):
        require(victim.state(orders) != before, f"{fault.__name__} changes nothing")
        host.over()
        after = _settled(victim, orders, before)
        require(after == before, f"{fault.__name__} leaves {after} where {before} was")


def law_outlasts_nobody(fault: type[Any]) -> None:
    """Whoever did it is gone and took nothing back: it is taken back all the same."""
    with _struck(fault) as (victim, host, orders, before):
        host.dead_man.leave()
        after = _settled(victim, orders, before)
        require(after == before, f"{fault.__name__} leaves {after} where {before} was when nobody is left")


@contextmanager
def _struck(fault: type[Any]) -> Iterator[tuple[_Victim, Host, Orders, tuple[object, ...]]]:
    with TemporaryDirectory() as name, DeadMan() as dead_man:
        folder = Path(name)
        victim, orders = _Victim(folder=folder), Orders(path=folder / "orders")
        victim.start()
        try:
            with closing(sqlite3.connect(folder / "control.db")) as store:
                store.execute("PRAGMA journal_mode=WAL")
                store.execute("CREATE TABLE one (n)")
                host = Host(
                    pid=victim.process.pid, seconds=_SECONDS, dead_man=dead_man, again=victim.start, orders=orders,
                    store=str(folder / "control.db"),
                )  # fmt: skip
                before = victim.state(orders)
                fault().strike(host)
                yield victim, host, orders, before
                host.over()
        finally:
            victim.end()


def _settled(victim: _Victim, orders: Orders, before: tuple[object, ...]) -> tuple[object, ...]:
    end = time.monotonic() + _PATIENCE
    while (found := victim.state(orders)) != before and time.monotonic() < end:
        time.sleep(0.02)
    return found


def _taken() -> bool:
    """Whether a process that this one has started holds memory in earnest."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    pages = (Path(f"/proc/{one}/statm").read_text(encoding="ascii").split()[1] for one in children)
    return any(int(many) * resource.getpagesize() > _MUCH for many in pages)


def _writable(path: Path) -> bool:
    with closing(sqlite3.connect(path, timeout=0.02)) as store:
        try:
            store.execute("INSERT INTO one VALUES (1)")
            store.commit()
        except sqlite3.OperationalError:
            return False
    return True


LAWS = (law_is_noticed_and_taken_back, law_outlasts_nobody)
