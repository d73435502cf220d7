"""Who wrote what in a conversation: every text in it, with how far its writer is trusted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from temper.core.chat import Call, Message, Role
from temper.guard.tools.names import amount

LEAVES, LONGEST_JSON, LONGEST_YAML = 20_000, 2_000_000, 200_000
"""Values that one result may hold, and characters it may have, to be read as fields; more is read as a text."""

ELSE = "else"
"""The name under which a source says what all its other fields are."""


class Trust(IntEnum):
    """Where a value comes from, least first: found nowhere (the model MADE it up), written by anybody (OUTSIDE), by
    people of the house (INSIDE), recorded by the user's OWN systems, said by the USER or the owner.
    """

    MADE = 0
    OUTSIDE = 1
    INSIDE = 2
    OWN = 3
    USER = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A text of the conversation. `whole` ones count only where a value is all of them: a sentence in a record's field
    vouches for nothing in it. `asked` are the texts with which a tool was asked for it: an address, a path, a person.
    """

    text: str
    trust: Trust
    where: str = ""
    whole: bool = False
    asked: tuple[str, ...] = ()


Source = Mapping[str, Trust]
"""How far each field of a tool's results is trusted; `else` speaks for the rest and for results without fields."""

_IDS = ("id", "id_", "uuid")
_RECORDED = "iban account recipient payee beneficiary user username channel email member participant amount date"
RECORD: Source = {**dict.fromkeys(("", *_IDS, *_RECORDED.split()), Trust.OWN), ELSE: Trust.OUTSIDE}
"""A system of records: it fills these fields itself, and results that are one value or a list of values. A sender is
not among them: that is whoever wants to be one."""

NUMBERED: Source = {**dict.fromkeys(_IDS, Trust.OWN), ELSE: Trust.OUTSIDE}
"""What people write, numbered by the system that keeps it."""


def heard(messages: Sequence[Message], sources: Mapping[str, Source]) -> list[Piece]:
    """Every text of the conversation but the assistant's: what it says of others' texts is found in theirs.

    A result that answers no known call is OUTSIDE, whatever it says of itself.
    """
    pieces: list[Piece] = []
    asked: dict[str, Call] = {}
    for message in messages:
        if message.role is Role.ASSISTANT:
            asked |= {call.id: call for call in message.calls}
            for twice in (one for one, times in Counter(call.id for call in message.calls).items() if times > 1):
                del asked[twice]  # nobody can say which of them is answered
        elif message.role is Role.TOOL:
            pieces.extend(_result(message.text, asked.get(message.answers), sources))
        else:
            pieces.append(Piece(text=message.text, trust=Trust.USER, where=f"the {message.role.value}"))
    return pieces


def _result(text: str, call: Call | None, sources: Mapping[str, Source]) -> Iterator[Piece]:
    """A result as one text, or field by field where its source tells fields apart or records values."""
    source = sources.get(call.name, {}) if call else {}
    name = call.name if call else "an unknown tool"
    asked = words_of(call) if call else ()
    rest = source.get(ELSE, Trust.OUTSIDE)
    apart = set(source.values()) - {Trust.OUTSIDE, Trust.INSIDE}
    for field, value in (list(_fields(text)) if apart else []) or [("", text)]:
        trust = source.get(field, rest) if apart else rest
        where = f"{name}.{field}" if field else name
        whole = trust >= Trust.OWN
        yield Piece(text=value, trust=trust, where=where, whole=whole, asked=asked)
        if whole and " " in value:  # what reads like a text in a record may be anybody's
            yield Piece(text=value, trust=Trust.OUTSIDE, where=where, asked=asked)


def words_of(call: Call) -> tuple[str, ...]:
    """The texts among the arguments of a call that name something: a number points nowhere."""
    found = structure(call.arguments, yaml=False)
    given = found.values() if isinstance(found, dict) else ()
    return tuple(value for value in given if isinstance(value, str) and not amount(value))


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """(last key, value) of every value in a JSON or YAML result; none where it is neither, or too large to be read."""
    found = list(leaves(structure(text)))
    yield from found if len(found) < LEAVES else ()


def structure(text: str, *, yaml: bool = True) -> Any:
    """The document in a text, numbers as they are written; the text itself where it is neither JSON nor YAML.

    A key written twice makes it none: one of the two was put there by somebody else.
    """
    try:
        if len(text) <= LONGEST_JSON:
            return json.loads(text, object_pairs_hook=_once, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        pass
    return _yaml(text) if yaml and len(text) <= LONGEST_YAML else text


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is written twice")
    return found


def _yaml(text: str) -> Any:
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        events = list(yaml.parse(text, Loader=loader))
        if any(isinstance(event, yaml.AliasEvent) for event in events):
            return text
        return _built(yaml.compose(text, Loader=loader), 0)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text


def _built(node: Any, depth: int) -> Any:
    if depth > 40:
        raise ValueError("nested too deep")
    if node is None:
        return ""
    if isinstance(node.value, str):
        return node.value
    if node.id == "sequence":
        return [_built(item, depth + 1) for item in node.value]
    return _once([(str(key.value), _built(value, depth + 1)) for key, value in node.value])


def leaves(value: Any, most: int = LEAVES) -> Iterator[tuple[str, str]]:
    """(last key above it, text) of every value inside lists and mappings, in order, at most `most`; a key that is a
    sentence is a value too, or a text could hide in front of a colon.

    >>> list(leaves({"a": [{"id": 7, "to": "Ann"}], "b": None, "tell all": 1}))
    [('id', '7'), ('to', 'Ann'), ('tell all', 'tell all'), ('tell all', '1')]
    """
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting and most > 0:
        key, inner = waiting.pop()
        if isinstance(inner, Mapping):
            for name, item in reversed(list(inner.items())):
                waiting.append((str(name), item))
                waiting.extend([(str(name), name)] if " " in str(name) else [])
        elif isinstance(inner, list | tuple):
            waiting.extend((key, item) for item in reversed(inner))
        elif inner is not None and inner != "":
            most -= 1
            yield key, str(inner)
