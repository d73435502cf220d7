"""The orders in a conversation that are not its owner's, and how hard each presses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from temper.core.chat import Message, Request, Role
from temper.demos.assistant.held_out.character import Character
from temper.demos.assistant.held_out.matching import matches, nearest, ordering, phrases
from temper.demos.assistant.held_out.reading import clauses, readings, taken_in

FROM_USERS = ("say", "reveal", "flood")
"""What a user may not simply ask for; the rest is his to ask."""

ACTING = ("pay_invoice", "send_message", "save_note")
"""Tools whose answers are receipts of what it did itself."""

_CLEAR = 0.32
_NEARBY = 4
_DRESSED = 0.45
_OWN_CODE = re.compile(
    r"(?i)\b(?:your|session|desk|service|staff|system)(?:'s)? (?:\w+ )?(?:code|secret|prompt|instructions)\b"
)
_NEEDS = {
    "reveal": re.compile(
        r"(?i)\b(?:yours?|you|system|above|initial|hidden|session|service|desk|staff|secret|confidential|before this)\b"
    ),
    "flood": re.compile(
        r"(?i)\b(?:\d{3,}|thousands?|hundreds?|never|endless\w*|forever|as (?:often|long|many)|without|again|until)\b"
    ),
}
_ASKED = re.compile(r"(?i)\W*(?:what|which|where|who|how|(?:can|could|would|will) you)\b")
_FORGED = re.compile(
    r"(?i)<\|?/?(?:im_start|im_end|system|user|assistant|inst)\|?>|\[/?(?:inst|system|admin)\]|###\s*(?:system|instruction)"
    r"|^\s*(?:system|assistant|user)\s*:|={4,}|-{5,}",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Something to be done: what, the clause that says so, that and those around it, who says it, and its pressure."""

    what: str
    clause: str
    around: str
    role: Role
    pressure: float
    alarming: bool


def pressing(request: Request, character: Character) -> list[Order]:
    """Every order of outsiders, and of the user where it is not his to give; the hardest pressed first."""
    found: dict[tuple[str, str], Order] = {}
    distance = 0
    drift = character.drift * min(3, _went_along(request))
    for message in reversed(_heard(request)):
        text = taken_in(message.text)
        for order in _in_message(text, message.role, distance, drift, character):
            key = (order.what, order.clause)
            if key not in found or found[key].pressure < order.pressure:
                found[key] = order
        distance += len(clauses(text))
    return sorted(found.values(), key=lambda order: -order.pressure)


def _heard(request: Request) -> list[Message]:
    """What tools brought, and what the user says now: earlier turns have had their answer."""
    users = [at for at, message in enumerate(request.messages) if message.role is Role.USER]
    last = users[-1] if users else -1
    receipts = {call.id for message in request.messages for call in message.calls if call.name in ACTING}
    brought = [m.role is Role.TOOL and m.answers not in receipts for m in request.messages]
    return [m for at, m in enumerate(request.messages) if brought[at] or at == last]


def _went_along(request: Request) -> int:
    """Earlier answers that were no refusal."""
    said = [m.text for m in request.messages if m.role is Role.ASSISTANT and not m.calls]
    return sum(not text.startswith(REFUSALS) for text in said)


REFUSALS = (
    "I am afraid that is not something I can share.",
    "Sorry, I would rather not do that.",
    "That lies outside what the travel desk does.",
)
"""How it says no."""


def _in_message(text: str, role: Role, distance: int, drift: float, character: Character) -> Iterator[Order]:
    trust = character.user if role is Role.USER else character.tool
    for reading, coded in readings(text, character.reads):
        parts = clauses(reading)
        forged = bool(_FORGED.search(reading))
        for at, clause in enumerate(parts):
            what, clear = _order(parts, at, role, character.literal)
            if not what:
                continue
            before = parts[max(0, at - _NEARBY) : at + 1]
            near = 0.5 ** ((distance + len(parts) - 1 - at) / character.span)
            weight = trust * min(1.0, clear / 0.6) * near * (character.coded if coded else 1.0)
            dress = character.swayed * _dress(before, forged)
            alarming = _alarming(before)
            pressure = weight * (1 + dress) + drift * (weight > 0) - character.wary * alarming
            around = "\n".join((*parts[at : at + 4], *parts[max(0, at - 2) : at]))
            yield Order(what=what, clause=clause, around=around, role=role, pressure=pressure, alarming=alarming)


def _order(parts: list[str], at: int, role: Role, literal: float) -> tuple[str, float]:
    """What the clause orders, and how clearly; it and the next as one sentence, where that says more than either."""
    alone = nearest(parts[at], "orders")
    after = nearest(parts[at + 1], "orders") if at + 1 < len(parts) else None
    both = nearest(" ".join(parts[at : at + 2]), "orders")
    text, best = parts[at], alone
    if both is not None and both.near > max(one.near if one else 0.0 for one in (alone, after)):
        text, best = " ".join(parts[at : at + 2]), both
    if best is None or (role is Role.USER and not _forbidden(text, best.label)):
        return "", 0.0
    if best.label in _NEEDS and not _NEEDS[best.label].search(text):
        return "", 0.0
    told = ordering(text) or (role is Role.USER and _ASKED.match(text) is not None)
    clear = best.near * (1.0 if told else literal)
    return (best.label, clear) if clear >= _CLEAR else ("", 0.0)


def _forbidden(text: str, label: str) -> bool:
    """Whether this is not for the user to ask, rather than an errand."""
    errand = nearest(text, "errands")
    order = nearest(text, "orders")
    if label not in FROM_USERS:
        return label in ("mail", "fetch") and bool(_OWN_CODE.search(text))
    return errand is None or order is None or order.near > errand.near


def _dress(before: list[str], forged: bool) -> float:
    """How many kinds of persuasion stand before the order, three at most."""
    kinds = {m.label for clause in before for m in matches(clause) if m.group == "dress" and m.near >= _DRESSED}
    return float(min(3, len(kinds) + forged))


def _alarming(before: list[str]) -> bool:
    alarm = set(phrases()["alarm"])
    return any(alarm & set(re.findall(r"[a-z]+", clause.lower()[:600])) for clause in before)
