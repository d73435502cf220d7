"""The concepts in the order of the lifecycle, each with its page and its questions, read from `questions/`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import Any

from temper.core.errors import TemperError

LETTERS = "ABCD"
STAGES = {
    "the frame": ("trustworthy-ai", "threats", "risk"),
    "attacks": ("adversarial-example", "evasion", "poisoning", "extraction", "inversion", "injection", "red-teaming"),
    "accidents": ("stress", "resilience"),
    "judging": ("validation", "security-assurance"),
    "defending": ("hardening", "defence-in-depth"),
    "in production": ("monitoring", "continuous-validation"),
}
"""Every concept once; its name is that of its page, `docs/lifecycle/NAME.md`, and of its file of questions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One answer on offer, and why it is right or wrong."""

    says: str
    because: str
    right: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A scenario with `choices`, one of them right; or an open one with an `answer` to compare one's own with."""

    id: str
    asks: str
    choices: Sequence[Choice] = ()
    answer: str = ""

    @property
    def right(self) -> str:
        """The letter of the right choice; empty for an open question."""
        return next((letter for letter, choice in self.lettered if choice.right), "")

    @property
    def lettered(self) -> list[tuple[str, Choice]]:
        """The choices with their letters, on the page as in the terminal."""
        return list(zip(LETTERS, self.choices, strict=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """One concept: the title and the page where it is explained, and what is asked about it."""

    name: str
    title: str
    questions: Sequence[Question]

    @property
    def page(self) -> str:
        """Where it is explained, as a path of the source."""
        return f"docs/lifecycle/{self.name}.md"


@cache
def shelf() -> tuple[Concept, ...]:
    """Every concept, in the order of the lifecycle.

    >>> shelf()[0].title
    'Trustworthy AI'
    """
    return tuple(_read(name) for names in STAGES.values() for name in names)


def concept(name: str) -> Concept:
    """The concept of this name or title; otherwise a `TemperError` with the nearest name.

    >>> concept("prompt injection").name
    'injection'
    """
    known = {key: one for one in shelf() for key in (one.name, one.title.lower())}
    if name.lower() in known:
        return known[name.lower()]
    near = get_close_matches(name.lower(), known, n=1)
    raise TemperError(
        f"there is no concept {name!r}",
        fix=f"temper learn {known[near[0]].name}" if near else "temper learn, which lists them",
    )


def _read(name: str) -> Concept:
    import yaml

    text = (resources.files(__package__) / "questions" / f"{name}.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    return Concept(name=name, title=document["title"], questions=tuple(_question(one) for one in document["questions"]))


def _question(document: dict[str, Any]) -> Question:
    choices = tuple(Choice(**choice) for choice in document.pop("choices", ()))
    return Question(**document, choices=choices)
