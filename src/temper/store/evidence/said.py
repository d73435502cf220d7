"""What the ledger says of a run and of what people did: digests of their content, part by part, and no content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar

import msgspec

from temper.core.errors import StoreError
from temper.core.run import Record
from temper.store.codec import from_json, to_json
from temper.store.ledger.record import Record as Line

RUN, CHANGE, TASKS = "run", "change", "tasks"
"""The kinds of records: a run with its verdict, one row of the control store's audit, finished tasks."""
LISTS = ("measurements", "judgements", "findings")
"""Fields of a run whose items have digests of their own, so that the one that was changed can be named."""
GOVERNED = ("approval.", "incident.", "policy.", "record.", "signer.", "person.", "risk.", "acceptance.", "waiver.")
"""What people did is evidence where its action begins so."""
_SHORT = 16


class Run(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The body of a `run`: `digest` is of the stored document, `parts` of its fields and items, `late` says that it was
    not told when the run ended.
    """

    run: str
    system: str
    state: str
    verdict: str
    model: str
    author: str
    digest: bytes
    parts: dict[str, bytes]
    late: bool = False


class Change(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The body of a `change`: row `seq` of the audit of the control store whose first row has the digest `store`."""

    store: str
    seq: int
    who: str
    action: str
    subject: str
    digest: str


class Tasks(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `tasks`: by the key of each task the digest of what it found, from which later runs are answered."""

    found: dict[str, bytes]


_runs = msgspec.msgpack.Decoder(Run)
_changes = msgspec.msgpack.Decoder(Change)
_tasks = msgspec.msgpack.Decoder(Tasks)
Body = TypeVar("Body")


def of_run(text: str, late: bool = False) -> Run:
    """What is said of the stored document of a run."""
    plain = from_json(text)
    return Run(
        run=plain["id"],
        system=plain["system"],
        state=plain["state"],
        verdict=plain["verdict"],
        model=dict(plain["digests"]).get("model", ""),
        author=plain.get("author", ""),
        digest=digest(text),
        parts=dict(parts(plain)),
        late=late,
    )


def told_run(record: Line) -> Run:
    """The body of a record of the kind `RUN`."""
    return _body(record, _runs)


def told_tasks(record: Line) -> Tasks:
    """The body of a record of the kind `TASKS`."""
    return _body(record, _tasks)


def told_change(record: Line) -> Change:
    """The body of a record of the kind `CHANGE`."""
    return _body(record, _changes)


def change_in(body: bytes) -> Change:
    """The body of a `change` as the shared ledger keeps it."""
    return _changes.decode(bytes(body))


def digest(text: str) -> bytes:
    """SHA-256 of a stored document."""
    return sha256(text.encode()).digest()


def of_task(document: str, arrays: str) -> bytes:
    """What is said of a finished task: the digest of its document and of the names of its arrays."""
    return digest(f"{document}\n{arrays}")[:_SHORT]


def parts(plain: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """(name, digest) of every field of a run, item by item where there are many.

    >>> [name for name, _ in parts({"id": "0001", "measurements": [{"value": 1}, {"value": 2}]})]
    ['id', 'measurements.0', 'measurements.1']
    """
    for name, value in plain.items():
        if name in LISTS:
            yield from ((f"{name}.{at}", _short(item)) for at, item in enumerate(value))
        else:
            yield name, _short(value)


def differences(said: Run, text: str) -> list[str]:
    """Which parts of a stored run are not as they were said, in words."""
    try:
        plain = from_json(text)
        now = dict(parts(plain))
    except (StoreError, AttributeError, TypeError):
        return ["it cannot be read any more"]
    changed = [name for name in now if said.parts.get(name) != now[name]]
    gone = [f"{name} is gone" for name in said.parts if name not in now]
    return [*(_named(name, plain) for name in changed), *gone] or ["its text is not the one that was stored"]


def ended(record: Record) -> int:
    """When a run ended, in nanoseconds since 1970; 0 where its start is no time."""
    try:
        begun = datetime.fromisoformat(record.started)
    except ValueError:
        return 0
    whole = (begun if begun.tzinfo else begun.replace(tzinfo=UTC)) + timedelta(seconds=record.seconds)
    return int(whole.timestamp() * 1e9)


def _body(record: Line, decoder: msgspec.msgpack.Decoder[Body]) -> Body:
    try:
        return decoder.decode(record.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(
            f"record {record.seq} is no {record.kind}: {error}", fix="run `temper ledger verify`"
        ) from None


def _short(value: Any) -> bytes:
    return sha256(to_json(value).encode()).digest()[:_SHORT]


def _named(name: str, plain: Mapping[str, Any]) -> str:
    """A part as people read it: of a measurement its metric, of a judgement its requirement, of a finding its id."""
    field, _, at = name.partition(".")
    item = plain[field][int(at)] if at else None
    if not isinstance(item, Mapping):
        return name
    try:
        if field == "measurements":
            return f"measurement {item['plugin']}.{item['metric']} ({item['slice']})"
        return f"{field.removesuffix('s')} {item['requirement']['id'] if field == 'judgements' else item['id']}"
    except (KeyError, TypeError):
        return name
