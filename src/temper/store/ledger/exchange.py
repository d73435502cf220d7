"""What the ledger says of an exchange with an assistant: who asked, what was decided, and nothing of what was said."""

from __future__ import annotations

import msgspec

from temper.core.errors import StoreError
from temper.store.ledger.record import Record

BEGUN = "begun"
"""The kind of a record that an answer in pieces is about to go out: without an `exchange` of the same request after it,
the answer broke off with its process.
"""
EXCHANGE = "exchange"
"""The kind of a record of an exchange that is over."""


class Ruled(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one stage decided of a question or of an answer. Reasons quote what was said, so they are not here."""

    stage: str
    level: str


class Answered(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One answer: what the guard decided of it, and commitments to what the client was told (`said`) and, where that is
    something else, to what the model `wrote`. Both are empty where the words were kept: then `Exchanged.kept` binds
    them, and nothing else does once they are erased.
    """

    level: str
    rulings: tuple[Ruled, ...] = ()
    said: bytes = b""
    wrote: bytes = b""


class Begun(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The body of a `begun`."""

    request: str
    client: str
    model: str
    policy: str
    asked: bytes = b""


class Exchanged(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The body of an `exchange`: `asked` commits to the question with the conversation so far, `rulings` are of the
    question, `level` is the worst of all. `kept` is the commitment under which the words lie in `personal`; `failed`
    says why there was no whole answer. `read` and `written` are tokens.
    """

    request: str
    client: str
    model: str
    digest: str
    policy: str
    level: str
    asked: bytes = b""
    rulings: tuple[Ruled, ...] = ()
    answers: tuple[Answered, ...] = ()
    kept: bytes = b""
    stream: bool = False
    failed: str = ""
    read: int = 0
    written: int = 0


_exchanges = msgspec.msgpack.Decoder(Exchanged)


def exchanged(record: Record) -> Exchanged:
    """The body of a record of the kind `EXCHANGE`."""
    try:
        return _exchanges.decode(record.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(f"record {record.seq} is no exchange: {error}", fix="run `temper ledger verify`") from None
