"""What a clause is about: its nearest labelled example, as bags of words."""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

_ENTITIES = (
    ("urlx", re.compile(r"(?:https?://|www\.)[^\s\"'<>)\]]{1,500}")),
    ("addressx", re.compile(r"\b[\w+-]{1,64}(?:\.[\w+-]{1,64}){0,4}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")),
    ("accountx", re.compile(r"\b[A-Z]{2}\d{2}[A-Z0-9]{8,30}\b")),
    ("filex", re.compile(r"\b[\w-]{1,60}\.(?:txt|md|pdf|csv|docx)\b")),
    ("quotex", re.compile(r"[\"“”«»`]([^\"“”«»`\n]{1,80})[\"“”«»`]")),
    ("capsx", re.compile(r"\b[A-Z]{3,20}\b")),
    ("numx", re.compile(r"\b\d[\d.,]{0,20}\b")),
)
_KEPT = {"quotex": r" \1 ", "capsx": r" \g<0> "}
_WORD = re.compile(r"[a-zà-ÿ][a-zà-ÿ'-]*")
_START = (
    r"^[\W\d]*(?:(?:please|now|then|first|next|also|and|important|urgent|assistant|user|system|kindly|just)\b[\W\d]*)*"
)
_TOLD = (
    r"\b(?:please|then|first|instead|(?:sure|remember|you|is) to|you (?:must|should|can|will|(?:need|have|are) to))\s+"
)
_OPENED = re.compile(rf"(?:{_START}|{_TOLD}|[:,>\"\d]\s*)([a-z]+)\s+(\w+|\W)", re.IGNORECASE)
_AFTER_NOUNS = frozenset({"of", "is", "are", "was", "were", "has", "have", "by", "from", "or", "will", "on", "does"})
_STATED = re.compile(r"\b(?:was|were|has|have|had|been|did|does|completed|arrived|went|came)\b", re.IGNORECASE)
_SMALL = "the a an and to of in with it that is this for at on by"
_SAYS_NOTHING = {kind for kind, _ in _ENTITIES} | set(_SMALL.split())
_UNKNOWN = 0.5
_LONGEST = 600


class Match(NamedTuple):
    """The group ("orders", "errands", "dress", "plain"), its label, and how near it is, from 0 to 1."""

    group: str
    label: str
    near: float


@cache
def phrases() -> dict[str, Any]:
    """What it knows of language."""
    import yaml

    found: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("phrases.yaml").read_text(encoding="utf-8"))
    return found


@cache
def known() -> frozenset[str]:
    """Every word it has ever seen."""
    examples = {word for example in _examples() for word in example[2]}
    return frozenset(examples | {other for others in phrases()["synonyms"].values() for other in others})


def words(clause: str) -> tuple[str, ...]:
    """The words of a clause, entities by kind and synonyms by one of them."""
    text, kinds = clause[:_LONGEST], []
    for kind, pattern in _ENTITIES:
        text, count = pattern.subn(_KEPT.get(kind, " "), text)
        kinds += [kind] * min(count, 2)
    same = _same()
    return (*kinds, *(same.get(word, word) for word in _WORD.findall(text.lower())))


@lru_cache(maxsize=20_000)
def matches(clause: str) -> tuple[Match, ...]:
    """The nearest example of each label, nearest first."""
    bag = _weighed(Counter(words(clause)))
    if not bag:
        return ()
    best: dict[tuple[str, str], float] = {}
    for group, label, example in _bags():
        shared = bag.keys() & example.keys()
        if shared <= _SAYS_NOTHING:
            continue
        near = sum(bag[word] * example[word] for word in shared)
        if near > best.get((group, label), 0.0):
            best[group, label] = near
    found = (Match(group, label, near) for (group, label), near in best.items())
    return tuple(sorted(found, key=lambda one: -one.near))


def nearest(clause: str, group: str) -> Match | None:
    """The nearest label of this group, None where plain prose is nearer."""
    for match in matches(clause):
        if match.group == group:
            return match
        if match.group == "plain":
            return None
    return None


def ordering(clause: str) -> bool:
    """Whether the clause tells somebody to do something: a verb that orders open with stands where orders open, and
    what follows does not make it a noun; "to" and "for" follow both, and are taken for a noun's where something is told
    as having happened.
    """
    clause = clause[:_LONGEST]
    nouns = _AFTER_NOUNS | {"to", "for"} if _STATED.search(clause) else _AFTER_NOUNS
    return any(verb.lower() in _verbs() and after.lower() not in nouns for verb, after in _OPENED.findall(clause))


@cache
def _verbs() -> frozenset[str]:
    """The first words of the examples of orders, and what is taken for them."""
    first = {line.split()[0] for lines in phrases()["orders"].values() for line in lines} - {"what"}
    return frozenset(first | {other for word in first for other in phrases()["synonyms"].get(word, ())})


@cache
def _same() -> dict[str, str]:
    return {other: word for word, others in phrases()["synonyms"].items() for other in others}


@cache
def _examples() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    same = _same()
    found = [("plain", "plain", line) for line in phrases()["plain"]]
    for group in ("orders", "errands", "dress"):
        found += [(group, label, line) for label, lines in phrases()[group].items() for line in lines]
    return tuple((group, label, tuple(same.get(w, w) for w in line.split())) for group, label, line in found)


@cache
def _rarity() -> dict[str, float]:
    """How much a word says: the logarithm of how few examples have it."""
    count = Counter(word for _, _, example in _examples() for word in set(example))
    return {word: math.log(1 + len(_examples()) / seen) for word, seen in count.items()}


def _weighed(bag: Counter[str]) -> dict[str, float]:
    """Weights of unit length; words it does not know count a little, so that much talk dilutes."""
    rarity = _rarity()
    raw = {word: min(count, 2) * rarity.get(word, _UNKNOWN) for word, count in bag.items()}
    length = math.sqrt(sum(weight * weight for weight in raw.values()))
    return {word: weight / length for word, weight in raw.items()} if length else {}


@cache
def _bags() -> tuple[tuple[str, str, dict[str, float]], ...]:
    return tuple((group, label, _weighed(Counter(example))) for group, label, example in _examples())
