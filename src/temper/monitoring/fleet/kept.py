"""How the systems of a portfolio stand. One whose files are as they were is not looked at again, in any process."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from temper.core.errors import StoreError
from temper.core.fleet import Attempt, Entry, Situation
from temper.monitoring import evidence
from temper.monitoring.fleet.look import CONTROL, Looking, Subject
from temper.monitoring.fleet.stands import Known, situation
from temper.monitoring.triggers import FILE
from temper.store.attacks import attacks_digest
from temper.store.codec import dump, load
from temper.store.database import STORE, Store
from temper.store.looks import Looks


def fleet(
    source: Path, entries: Sequence[Entry], turns: Mapping[str, Attempt], now: float, store: Store | None = None
) -> list[Situation]:
    """How these systems of the portfolio in the file `source` stand, in their order. What is on a server is always
    asked.
    """
    looking, looks = Looking(now, store), Looks.of(source)
    kept = {one.config: _known(looks.find(one.config, _about(one, store))) for one in entries}
    found = {config: known for config, known in kept.items() if known is not None}
    new = [one for one in entries if one.config not in found]
    subjects = [looking.subject(one) for one in new]
    for one, subject, known in zip(new, subjects, looking.known(subjects), strict=True):
        found[one.config] = known
        if not known.trouble and not _far(subject):
            looks.put(one.config, _about(one, store), _files(Path(one.config), subject), dump(known))
    looks.write()
    return [situation(one, replace(found[one.config], turn=turns.get(one.name)), now) for one in entries]


def _known(plain: Any) -> Known | None:
    """What was kept; None where that is nothing, or was changed by hand."""
    try:
        return None if plain is None else load(Known, plain)
    except StoreError:
        return None


@cache
def _code() -> str:
    """A digest of the code that looks and says what is stale: another Temper looks again."""
    files = (*sorted(Path(__file__).parent.glob("*.py")), Path(evidence.__file__))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _about(one: Entry, store: Store | None) -> str:
    """All that a look depends on besides files; addresses may hold a password, so it is a digest."""
    shared = "" if store is None else f"{store.path} {store.url}"
    places = (shared, os.environ.get(STORE, ""), os.environ.get(CONTROL, ""))
    told = (_code(), attacks_digest(), one.tier.age, one.tier.suite, *places)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:32]


def _far(subject: Subject) -> bool:
    """Whether any of it is on a server."""
    return "://" in subject.control or bool(subject.store and subject.store.url)


def _files(config: Path, subject: Subject) -> Iterator[Path]:
    """Every file that was read, or would be if it was there."""
    base = config.absolute().parent
    stores = {base / ".temper" / "temper.db", *([subject.store.path] if subject.store else [])}
    if not (base / ".temper").exists():
        stores.add(base.parent / ".temper" / "temper.db")
    yield config
    yield base / FILE
    for path in (*sorted(stores), Path(subject.control)):
        yield from (path, path.with_name(f"{path.name}-wal"))
