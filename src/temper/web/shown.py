"""What a page shows a reviewer of a case to decide by, and its digest, which is kept with the decision.

Answers of others, who holds the case and times that run are not part of it: they change while it is looked at, and the
store keeps them with times of their own. Similar cases are not either.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

from temper.core.review import Case
from temper.store.codec import to_json
from temper.web import moments, sheet

FORMAT = "temper.shown/1"
"""Goes into the digest: another way to show a case is another number."""
Figures = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The evidence on the page of a case, harmless and in the order it is read."""

    rows: list[list[sheet.Cell]]
    reasons: list[str]
    grounds: Figures
    facts: Figures

    @property
    def digest(self) -> str:
        """The SHA-256 of all of it as JSON with sorted keys.

        >>> len(Shown(rows=[], reasons=[], grounds=[], facts=[]).digest)
        64
        """
        return hashlib.sha256(to_json({"format": FORMAT, **asdict(self)}).encode()).hexdigest()


def shown(case: Case) -> Shown:
    """What a page shows of this case, whoever looks and whenever."""
    return Shown(
        rows=sheet.sheet(case.payload),
        reasons=sheet.reasons(case.payload),
        grounds=[("Score", sheet.score(case.payload)), ("Answered by", sheet.word(case.payload, "source") or "–")],
        facts=_facts(case),
    )


def digest(case: Case) -> str:
    """The digest of what a page shows of this case."""
    return shown(case).digest


def _facts(case: Case) -> Figures:
    told = [
        ("Client", sheet.word(case.payload, "client")),
        ("Request", sheet.word(case.payload, "request")),
        ("Record", case.request),
        ("Came in", moments.clock(case.created)),
        ("Answers wanted", "one" if case.eyes == 1 else "two, independent"),
        ("If nobody does", "" if case.due is None else f"{case.overdue.value} at {moments.clock(case.due)}"),
        ("Model", sheet.word(case.payload, "model", 16)),
        ("Policy", sheet.word(case.payload, "policy", 16)),
    ]
    return [(name, value) for name, value in told if value]
