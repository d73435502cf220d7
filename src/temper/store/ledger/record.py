"""What one line of the audit ledger says: a head that chains it to the line before, and a body by kind."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from temper.core.errors import StoreError
from temper.core.serving import Scoring
from temper.core.stage import Decision
from temper.store.ledger.tree import leaf

VERSION = 1
"""The version of the schema, first in every record."""

START = b"\0" * 32
"""What the first record of a log names as the one before."""


COUNTS = "counts"
"""The kind of a record of how many requests were answered in a minute, also those that nothing was decided of."""


class Record(msgspec.Struct, frozen=True, array_like=True):
    """One line as it is hashed. `seq` counts from 0 without gaps; `previous` is the leaf hash of the line before;
    `wall` are nanoseconds since 1970, `monotonic` those of a clock that never goes back while the process lives.
    """

    version: int
    seq: int
    previous: bytes
    wall: int
    monotonic: int
    node: str
    worker: str
    kind: str
    body: msgspec.Raw

    def document(self) -> dict[str, Any]:
        """All of it as plain values, to be shown."""
        told = {name: getattr(self, name) for name in self.__struct_fields__ if name != "body"}
        try:
            return {**told, "body": msgspec.msgpack.decode(self.body)}
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StoreError(f"record {self.seq} has no body: {error}", fix="run `temper ledger verify`") from None

    def case(self, data: bytes) -> str:
        """What the case is called that people get of it, where `data` are its bytes. Two gateways may have had the same
        name, and never the same record.
        """
        return f"{self.node}-{self.worker}-{self.seq}-{leaf(data).hex()[:16]}"


class Ruling(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one stage decided."""

    stage: str
    level: str
    reason: str = ""


class Decided(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The body of a `decision`: who asked, which model and policy answered, and what came of it.

    The input itself is not here: `commitment` binds it, and what may have to be erased lies in `personal`. Where the
    client `named` the request, `same` tells its rows from others; it is left out where they may have to be erased.
    `trace` is the id of the trace the client was in, "" where it was in none.
    """

    request: str
    client: str
    model: str
    digest: str
    policy: str
    level: str
    scores: tuple[float, ...] = ()
    source: str = "primary"
    rulings: tuple[Ruling, ...] = ()
    commitment: bytes = b""
    who: str = ""
    named: bool = False
    rows: int = 1
    same: bytes = b""
    trace: str = ""


class Counts(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of a record of the kind `COUNTS`: answers since the record before it, by HTTP status. Of requests for
    scores alone: those that were answered by how long that `took`, under the upper ends of bars in seconds; how many
    `failed` (5xx); and how many of these were turned away for want of room (`overload`).
    """

    statuses: dict[str, int]
    took: dict[str, int] = {}
    failed: int = 0
    overload: int = 0


def decided(
    scoring: Scoring, *, model: str, digest: str, policy: str, commitment: bytes = b"", same: bytes = b""
) -> Decided:
    """What the ledger says of a request that has been answered.

    >>> import numpy as np
    >>> request = Scoring(rows=np.zeros((1, 2)), client="till-7", request="r1", at=0.0, deadline=0.1)
    >>> decided(request, model="fraud", digest="ab12", policy="p1").level
    'ALLOW'
    """
    scores = scoring.scores
    return Decided(
        request=scoring.request,
        client=scoring.client,
        model=model,
        digest=digest,
        policy=policy,
        level=scoring.level.name,
        scores=() if scores is None else tuple(scores.tolist()),
        source=scoring.source.value,
        rulings=tuple(map(_ruling, scoring.decisions)),
        commitment=commitment,
        who=scoring.who,
        named=scoring.named,
        rows=len(scoring.rows),
        same=same,
        trace=scoring.trace[3:35],
    )


def _ruling(one: Decision) -> Ruling:
    return Ruling(one.stage, one.level.name, one.reason)


def commitment(key: bytes, data: bytes) -> bytes:
    """Keyed BLAKE2b of an input: binds whoever holds the key to it, and tells nobody else anything.

    OpenSSL's HMAC lets go of the interpreter's lock for every input, which the writer's thread then takes.
    """
    return blake2b(data, key=key, digest_size=32).digest()


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(Record)
_decisions = msgspec.msgpack.Decoder(Decided)
_counts = msgspec.msgpack.Decoder(Counts)


def packed(body: Mapping[str, Any] | msgspec.Struct) -> bytes:
    """A body in canonical msgpack: keys in order, so that the same body is the same bytes.

    Lone surrogates, which a client can send and no encoder takes, are written as question marks.
    """
    try:
        return _encoder.encode(body)
    except UnicodeEncodeError:
        return _encoder.encode(_plain(msgspec.to_builtins(body, builtin_types=(bytes,))))


def encode(
    seq: int, previous: bytes, wall: int, monotonic: int, node: str, worker: str, kind: str, body: bytes
) -> bytes:
    """The bytes that are stored and hashed: those of a `Record`, without the cost of making one."""
    return _encoder.encode((VERSION, seq, previous, wall, monotonic, node, worker, kind, msgspec.Raw(body)))


def decode(data: bytes) -> Record:
    """A record from its bytes.

    >>> decode(encode(0, START, 1, 1, "n", "w", "decision", packed({"b": 1, "a": 2}))).document()["body"]
    {'a': 2, 'b': 1}
    """
    try:
        record = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(f"no record of an audit ledger: {error}", fix="run `temper ledger verify`") from None
    if record.version != VERSION:
        raise StoreError(
            f"a record of version {record.version}, and this Temper knows {VERSION}", fix="install a newer temper-ml"
        )
    return record


def decision(record: Record) -> Decided:
    """The body of a record of the kind `decision`."""
    try:
        return _decisions.decode(record.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(f"record {record.seq} is no decision: {error}", fix="run `temper ledger verify`") from None


def counts(record: Record) -> Counts:
    """The body of a record of the kind `COUNTS`."""
    try:
        return _counts.decode(record.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(f"record {record.seq} has no counts: {error}", fix="run `temper ledger verify`") from None


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
