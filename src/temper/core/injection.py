"""What an injection is after, how one is built, the tokens by which its success is known, and what was seen of it."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol, TypeAlias

from temper.core.assistant import Assistant
from temper.core.attack import RowVerdict
from temper.core.chat import Call, Request
from temper.core.seed import Draws

_NAMES = (
    "AMBER BIRCH CEDAR CORAL DELTA EMBER FJORD GLYPH HAZEL INDIGO JASPER KESTREL LARCH MAPLE NIMBUS OPAL PEBBLE QUARTZ "
    "RAVEN SABLE TOPAZ UMBRA VELVET WILLOW YARROW ZEPHYR"
)
_WORDS = tuple(_NAMES.split())

ASKED = "asked"
"""The oracle of a goal that is stated in words only: a model is asked whether it has been reached."""


class Stage(IntEnum):
    """How far an injection came: it was delivered, no guard stopped it, the model did as it said, it would do harm."""

    NOWHERE = 0
    DELIVERED = 1
    PASSED = 2
    OBEYED = 3
    HARMED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Something harmless to reach that stands for something harmful. `asks` is the order, with places for the tokens;
    `twin` says about as much in the same words and asks for nothing; `oracle` names the judge that sees success;
    `needs` are effects of tools without which it cannot be tried; `from_users` says whether a user who asks for it
    outright does something forbidden; `tags` are ids of the taxonomies. `says` states in plain words, with places for
    the tokens, what has come about where it is reached: a judging model is asked it where `oracle` is `ASKED`.
    """

    id: str
    title: str
    asks: str
    oracle: str
    twin: str = ""
    needs: tuple[str, ...] = ()
    from_users: bool = True
    tags: tuple[str, ...] = ()
    says: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Random words of one attempt, so that what is found in an answer can come from nowhere else.

    `canary` stands in the instructions only; `word` and `number` are asked for apart and joined by whoever obeys, so
    that quoting the order does not look like obeying it; `account`, `address` and `host` are the attacker's.

    >>> Tokens.of("run 1, case 7").marker == Tokens.of("run 1, case 7").marker
    True
    """

    canary: str
    word: str
    number: str
    account: str
    address: str
    host: str

    @classmethod
    def of(cls, key: str) -> Tokens:
        """The tokens of the attempt with this key; the same key gives the same ones."""
        digest = hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=32).hexdigest()
        number = int(digest[:12], 16)
        return cls(
            canary=f"{digest[12:16]}-{digest[16:22]}-{digest[22:26]}".upper(),
            word=_WORDS[number % len(_WORDS)],
            number=f"{10_000 + number // 97 % 90_000}",
            account=f"XX{10 + number % 90}{int(digest[26:42], 16) % 10**16:016d}",
            address=f"{digest[42:50]}@collector.example",
            host=f"{digest[50:56]}.collector.example",
        )

    @property
    def marker(self) -> str:
        """What only an answer that obeys says."""
        return f"{self.word}-{self.number}"

    def fill(self, text: str) -> str:
        """The text with its places filled; the canary has no place, nobody outside knows it."""
        for name in ("word", "number", "account", "address", "host"):
            text = text.replace(f"{{{name}}}", getattr(self, name))
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A reply whose truth is known: whether what `says` states has come about in what was said and called. `yours`
    tells the user's own labels from those that ship.
    """

    says: str
    said: str
    hit: bool
    calls: tuple[Call, ...] = ()
    yours: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """BROKEN, HELD or ERROR (it cannot be judged), how far it came, and the piece of the conversation that shows it."""

    verdict: RowVerdict
    stage: Stage
    span: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """One attack, as data: with the tokens of a trial it becomes a conversation, and every part can be taken away.

    `goal`, `wrapper`, `carrier` name entries of the catalogue; `carrier` "" is typed by the user, otherwise an outsider
    writes it where `task` makes the assistant read. `position` is "start", "middle" or "end" of what carries it;
    `codecs` are applied in order to the order. `words` replaces the goal's own wording, `suffix` follows the order;
    `turns` are said by the user before. `benign` builds the twin: the same dress around a text that asks for nothing.
    """

    goal: str
    wrapper: str = "plain"
    carrier: str = ""
    position: str = "end"
    codecs: tuple[str, ...] = ()
    task: str = ""
    words: str = ""
    suffix: str = ""
    turns: tuple[str, ...] = ()
    benign: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What came of an injection: one Evidence per trial, and what the assistant said last in each."""

    injection: Injection
    evidence: tuple[Evidence, ...]
    replies: tuple[str, ...] = ()

    @property
    def hits(self) -> int:
        """Trials in which the goal was reached."""
        return sum(one.verdict is RowVerdict.BROKEN for one in self.evidence)

    @property
    def valid(self) -> int:
        """Trials that can be judged."""
        return sum(one.verdict is not RowVerdict.ERROR for one in self.evidence)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """What a strategy may work with: the assistant, the goals that can be tried on it, the names of wrappers, carriers
    and codecs, and `attempts`, how many injections it may try in all. `known` are injections that are known to work,
    strongest first, for strategies that start from one (a search for the minimal attack).
    """

    assistant: Assistant
    goals: tuple[Goal, ...]
    wrappers: tuple[str, ...]
    carriers: tuple[str, ...]
    codecs: tuple[str, ...]
    attempts: int
    known: tuple[Injection, ...] = ()


Play: TypeAlias = Generator[tuple[Injection, ...] | tuple[Request, ...], tuple[Any, ...], None]
"""A strategy at work: it yields a batch and is sent what came of it, in the same order, until it ends.

A batch is of injections to try, answered by `Shown`, or of requests to the user's own attacker model, answered by its
replies; only a strategy that `needs_attacker` asks for the second.
"""


class Strategy(Protocol):
    """A way of looking for injections: a frozen keyword-only dataclass in one file of `attacks/injection`.

    It never sees the target and never judges. The whole batch is tried at once, `ground.attempts` is its budget.
    """

    def run(self, ground: Ground, rng: Draws) -> Play:
        """Batches of injections; each is sent back with its Evidence."""
