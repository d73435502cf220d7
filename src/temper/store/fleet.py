"""What became of the systems of a portfolio: one line for each turn, in `.temper/fleet.jsonl` beside the portfolio.

A line is on the disk before the next system begins, so that a kill loses what was running and nothing else. One
process assesses a fleet at a time; anybody may read meanwhile.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from temper.core.errors import StoreError
from temper.core.fleet import Attempt
from temper.store.codec import dump, from_json, load, to_json
from temper.store.failure import RESUME, told
from temper.store.place import hidden

FILE = Path(".temper") / "fleet.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """The latest turn of every system, by its entry, and of the assessment of the fleet that was begun last: its
    number, whether it came to its end, and the turns that were finished in it.
    """

    latest: Mapping[str, Attempt]
    fleet: str = ""
    over: bool = True

    def done(self) -> dict[str, Attempt]:
        """By entry, what was finished in an assessment of the fleet that is not over: it is not done again."""
        mine = {name: one for name, one in self.latest.items() if one.fleet == self.fleet and one.finished}
        return {} if self.over else mine


def read(portfolio: Path) -> Turns:
    """What is known of the systems of this portfolio file; nothing where no assessment of it was ever begun."""
    path = portfolio.absolute().parent / FILE
    latest: dict[str, Attempt] = {}
    fleet, over = "", True
    with told(path):
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    for line in lines:  # what follows the last line break was cut off by a kill
        found = from_json(line.decode("utf-8"))
        if "entry" in found:
            attempt = load(Attempt, found)
            latest[attempt.entry] = attempt
        else:
            fleet, over = str(found["fleet"]), bool(found["over"])
    return Turns(latest=latest, fleet=fleet, over=over)


class Log:
    """Where turns are written while a fleet is assessed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, fleet: str) -> None:
        """Another assessment of the fleet begins, or one that was killed goes on."""
        self._write({"fleet": fleet, "over": False})

    def put(self, attempt: Attempt) -> None:
        """A system had its turn."""
        self._write(dump(attempt))

    def end(self, fleet: str) -> None:
        """Every system had its turn."""
        self._write({"fleet": fleet, "over": True})

    def _write(self, plain: object) -> None:
        line = (to_json(plain) + "\n").encode("ascii")
        with told(self.path, RESUME), self.path.open("ab", buffering=0) as file:
            at = file.tell()
            try:
                if file.write(line) != len(line):
                    raise StoreError(f"the disk is full while writing {self.path}", fix=RESUME)
                os.fsync(file.fileno())
            except (OSError, StoreError):
                file.truncate(at)
                raise


@contextmanager
def writing(portfolio: Path) -> Iterator[tuple[Log, Turns]]:
    """The log of this portfolio and what it says so far, held against a second driver; only the latest turn of each
    system is carried over, so that a fleet that is assessed every night does not fill the disk.
    """
    path = portfolio.absolute().parent / FILE
    with told(path, RESUME):
        hidden(path.parent)
        lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"the fleet of {portfolio} is being assessed by another process", fix="let it finish, or end it"
            ) from None
        turns = read(portfolio)
        _compact(path, turns)
        yield Log(path), turns
    finally:
        os.close(lock)


def _compact(path: Path, turns: Turns) -> None:
    lines = [dump(one) for one in turns.latest.values()]
    if turns.fleet:
        lines.append({"fleet": turns.fleet, "over": turns.over})
    beside = path.with_suffix(".new")
    with told(path, RESUME):
        with beside.open("wb") as file:
            file.write("".join(to_json(line) + "\n" for line in lines).encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
