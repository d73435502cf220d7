"""What the command line asks of an audit ledger: checked, shown, signed."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from temper.core.errors import TemperError
from temper.store.ledger import checkpoint as notes
from temper.store.ledger import record as lines
from temper.store.ledger import tree
from temper.store.ledger.personal import Personal
from temper.store.ledger.record import Decided
from temper.store.ledger.verify import LIMITS, Verified, handed_on, logs, proof, records, size, verify

Cases = Callable[[Sequence[str]], int]
"""Erases the rows in the cases of these names; how many of them there are."""
_DECIDED = msgspec.msgpack.Decoder(Decided)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def verified(
    path: Path, checkpoints: Path | None, public_key: Path | None, record: int | None
) -> tuple[bool, list[str]]:
    """Whether every log below a path holds, and what there is to say about it."""
    if (checkpoints is None) != (public_key is None):
        raise TemperError("checkpoints and their public key come together", fix="give both --checkpoints and --key")
    if checkpoints is not None and not checkpoints.exists():
        raise TemperError(f"there is no {checkpoints}", fix="give the folder of the checkpoints")
    found = logs(path)
    if record is not None and len(found) > 1:
        raise TemperError(f"{path} has {len(found)} logs, and a record is in one", fix="name the file")
    key = None if public_key is None else notes.public_key(public_key)
    results = [verify(log, checkpoints, key) for log in found]
    said = [line for one in results for line in _report(one)]
    if record is not None and results[0].holds:
        said += _inclusion(found[0], record, results[0])
    held = all(one.holds for one in results)
    return held, [*said, f"{'PASS' if held else 'FAIL'}: {len(results)} log(s); {_meaning(checkpoints)}"]


def shown(path: Path, record: int | None, last: int) -> Iterator[str]:
    """Records as lines of JSON."""
    for log in logs(path):
        since = max(size(log) - max(last, 0), 0) if record is None else record
        for _, data in islice(records(log, since), None if record is None else 1):
            yield json.dumps(_readable(lines.decode(data)))


def signed(path: Path, private_key: Path, folder: Path) -> Iterator[str]:
    """Check every log below a path, and sign those that hold and have grown."""
    key = notes.private_key(private_key)
    for log in logs(path):
        name, to = notes.origin(log), notes.beside(folder, log)
        signed_until, _ = notes.last_mark(to, name, key)
        found = verify(log, to if signed_until else None, notes.public(key))
        if not found.holds:
            raise TemperError(f"{log} does not hold: {found.faults[0]}", fix="run `temper ledger verify`")
        if found.size > signed_until:
            notes.add(to, notes.Checkpoint(name, found.size, found.root).signed(key))
        yield f"{name}: {found.size:,} records, root {found.root.hex()}"


def _report(one: Verified) -> list[str]:
    much = f"{one.size:,} records in {one.files} file(s), written by {one.openings} process(es)"
    said = [f"{one.name}: {'holds' if one.holds else 'BROKEN'}: {much}", f"  root {one.root.hex()}"]
    if one.checkpoints:
        said.append(f"  {one.checkpoints:,} checkpoints, the last over {one.signed:,}; {one.size - one.signed:,} after")
    return [*said, *(f"  fault: {what}" for what in one.faults), *(f"  notice: {what}" for what in one.notices)]


def _inclusion(log: Path, record: int, found: Verified) -> list[str]:
    total = found.signed or found.size
    hashed, path, root = proof(log, record, total)
    if not tree.included(hashed, record, total, path, root):
        raise TemperError(f"record {record} is not in the tree", fix="run `temper ledger verify` without --record")
    under = "the last checkpoint" if found.signed else "the root, which nobody signed"
    return [f"  record {record} is in the first {total:,} under {under}: leaf {hashed.hex()}", *(
        f"    {one.hex()}" for one in path
    )]  # fmt: skip


def _meaning(checkpoints: Path | None) -> str:
    if checkpoints is None:
        return (
            "without checkpoints this shows only that the log agrees with itself, "
            "not that it is the one that was written"
        )
    return LIMITS


def _readable(record: lines.Record) -> dict[str, Any]:
    document = record.document()
    document["at"] = (_EPOCH + timedelta(microseconds=record.wall // 1000)).isoformat()
    return {name: _text(value) for name, value in document.items()}


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(_text(key)): _text(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_text(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value if value is None or isinstance(value, str | int | float) else f"<{type(value).__name__}>"


def opened(path: Path, bound: str, private_key: Path) -> str:
    """What was kept under a commitment, as `shown` writes it: words as they are, other bytes in base64."""
    file = _personal(path)
    try:
        commitment = base64.b64decode(bound, validate=True)
    except ValueError:
        raise TemperError(f"{bound!r} is no commitment", fix="copy it from `temper ledger show`") from None
    with Personal(file, notes.private_key(private_key)) as personal:
        found = personal.open(commitment)
    if found is None:
        raise TemperError(f"{path} has nothing under {bound}", fix="it was erased, or never kept")
    try:
        return json.dumps(json.loads(found.data), indent=2)
    except ValueError:
        return base64.b64encode(found.data).decode()


def erased(path: Path, subjects: Sequence[str], private_key: Path, cases: Cases | None) -> Iterator[str]:
    """Erase people, their cases first: what they are found by goes with the rest. None leaves cases alone. A file that
    is not there, a person it does not know or a case that cannot be found is no success.
    """
    file = _personal(path)
    with Personal(file, notes.private_key(private_key)) as personal:
        for subject in subjects:
            if not (bounds := personal.of(subject)):
                raise TemperError(f"{path} has nothing of {subject!r} under this key", fix="check the name and the key")
            named = _cases(file.parent, frozenset(bounds)) if cases is not None else {}
            before = _handed_on(named)
            if cases is not None and before and cases(before) < len(before):
                raise TemperError(
                    f"not all {len(before)} case(s) of {subject!r} are in this control store, so the rest was left",
                    fix="name the store that they were handed on to; --no-cases where it is gone",
                )
            many = personal.erase(subject)
            after = [name for name in _handed_on(named) if name not in before]
            if cases is not None and after:  # handed on by a gateway in the meantime
                cases(after)
            told = f", and the rows in {len(before) + len(after)} case(s)" if cases is not None else ""
            yield f"{many} item(s) of {subject!r} erased{told}"
        yield "erase them in backups and in labels that have left too, or let those run out"


def _cases(folder: Path, bounds: frozenset[bytes]) -> dict[str, tuple[Path, int]]:
    """The cases whose rows these commitments were made to, by name, with log and seq of their records."""
    if not any(folder.glob("audit-*.db")):
        raise TemperError(
            f"there is no ledger in {folder}, and cases are found by it",
            fix="name the ledger's folder; --no-cases erases what is sealed alone",
        )
    found = {}
    for log in logs(folder):
        for seq, data in records(log):
            record = lines.decode(data)
            if record.kind == "decision":
                body = _DECIDED.decode(record.body)
                if body.level == "REVIEW" and body.commitment in bounds:
                    found[record.case(data)] = log, seq
    return found


def _handed_on(named: Mapping[str, tuple[Path, int]]) -> list[str]:
    """Those that people have by now; of the others the rows are not there any more when they would be handed on."""
    return [name for name, (log, seq) in named.items() if seq < handed_on(log)]


def _personal(path: Path) -> Path:
    found = path / "personal.db" if path.is_dir() else path
    if not found.is_file():
        raise TemperError(f"there is no {found}", fix="give the file of personal data, or the folder it is in")
    return found
