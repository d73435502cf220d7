"""What was answered elsewhere or before: by this gateway until it ended, by another one a moment ago."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from temper.core.serving import Answer
from temper.guard.serving.idempotency import Conflict


@dataclass(frozen=True, slots=True)
class Said:
    """An answer, what it was given to (see `same`; b"" where that was erased), and when, in seconds since 1970."""

    answer: Answer
    digest: bytes
    at: float


@dataclass(slots=True, kw_only=True, eq=False)
class Remembered:
    """Answers by client and request id that this process did not give: at most `answers`, for `seconds` each, the
    oldest forgotten first. Told of rows instead of bodies, so it matters what was asked and not how it was written.

    Misleads where another gateway's answer is on its way: until it is told here, the id is unknown.
    """

    answers: int = 10_000
    seconds: float = 600.0
    _said: dict[tuple[str, str], Said] = field(default_factory=dict, init=False, repr=False)

    def put(self, entries: Iterable[tuple[str, str, Said]]) -> None:
        """Remember (client, request id, what was said); the first of a request stays."""
        for client, request, said in entries:
            self._said.setdefault((client, request), said)
        while len(self._said) > self.answers:
            del self._said[next(iter(self._said))]

    def find(self, client: str, request: str, digest: bytes, now: float) -> Answer | None:
        """The answer to this request; raises `Conflict` where it was given to other rows, or to rows that are gone."""
        said = self._said.get((client, request))
        if said is None or now - said.at >= self.seconds:
            return None
        if not hmac.compare_digest(said.digest, digest):
            raise Conflict(f"request id {request[:80]!r} was used for another body", fix="a new id for a new body")
        return said.answer

    def __len__(self) -> int:
        return len(self._said)


def same(secret: bytes, rows: bytes) -> bytes:
    """Tells rows from others for all who share the secret, and tells nobody else anything."""
    return blake2b(rows, key=secret, digest_size=16).digest()
