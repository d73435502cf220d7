"""Phrases: words in order with gaps between them, found in linear time in any text, whatever stands between."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from temper.core.errors import ConfigError

_WORD = re.compile(r"[^\W_]{1,64}")
_STEP = re.compile(r"~(?P<gap>\d{1,2})|\{(?P<groups>[^{}]*)\}|\((?P<words>[^()]*)\)|(?P<word>[^\s(){}~|]+)|(?P<bad>\S)")
_SHORTEST_STEM = 3
_REMEMBERED = 50_000
FARTHEST = 20
"""The widest gap, in words."""


@dataclass(frozen=True, slots=True)
class Step:
    """One place of a phrase: any of these words or stems, at most `gap` other words after the place before."""

    words: frozenset[str]
    gap: int = 0


def words_of(text: str) -> list[str]:
    """The words of a text in small letters; marks, underscores and apostrophes part them.

    >>> words_of("Don't IGNORE_this!")
    ['don', 't', 'ignore', 'this']
    """
    return _WORD.findall(text.lower())


def piece(text: str, first: int, last: int) -> str:
    """The text from one word to another, both counted as `words_of` does."""
    spans = [
        found.span() for at, found in zip(range(last + 1), _WORD.finditer(text.lower()), strict=False) if at >= first
    ]
    return text[spans[0][0] : spans[-1][1]] if spans else ""


def phrase(text: str, groups: Mapping[str, Iterable[str]]) -> tuple[Step, ...]:
    """The steps of a phrase: `word`, `stem*`, `(one|another)`, `{group}` or `{group|group}`, and `~n` for a gap.

    Raises `ConfigError` for anything else.

    >>> [step.gap for step in phrase("(ignore|forget) ~3 instruction*", {})]
    [0, 3]
    """
    steps: list[Step] = []
    gap = 0
    for found in _STEP.finditer(text):
        if found["gap"]:
            gap = int(found["gap"])
            continue
        steps.append(Step(words=_choices(found, groups, text), gap=gap))
        gap = 0
    if not steps or gap > FARTHEST or any(step.gap > FARTHEST for step in steps):
        raise ConfigError(f"the phrase {text!r} has no words, or a gap above {FARTHEST}", fix="see the shipped rules")
    return tuple(steps)


def _choices(found: re.Match[str], groups: Mapping[str, Iterable[str]], text: str) -> frozenset[str]:
    if found["bad"]:
        raise ConfigError(f"the phrase {text!r} holds {found['bad']!r}", fix="words, stem*, (a|b), {group} and ~n")
    if found["groups"] is not None:
        names = found["groups"].split("|")
        if unknown := [name for name in names if name not in groups]:
            raise ConfigError(f"the phrase {text!r} names the group {unknown[0]!r}", fix=f"one of: {', '.join(groups)}")
        words = [word for name in names for word in groups[name]]
    else:
        words = (found["words"] or found["word"]).split("|")
    for word in words:
        bare = word.removesuffix("*")
        if words_of(bare) != [bare] or (word.endswith("*") and len(bare) < _SHORTEST_STEM):
            raise ConfigError(f"{word!r} in the phrase {text!r} is no word in small letters", fix="one word, or stem*")
    return frozenset(words)


class Lexicon:
    """Where the words of many phrases stand in a text: every step gets a number, every word its steps.

    The work is one look-up a word and one merge of two sorted lists a step: linear in the text, without backtracking.
    """

    def __init__(self, phrases: Sequence[Sequence[Step]]) -> None:
        numbers: dict[frozenset[str], int] = {}
        self._phrases = [
            tuple((numbers.setdefault(step.words, len(numbers)), step.gap) for step in steps) for steps in phrases
        ]
        self._needed = [frozenset(number for number, _ in steps) for steps in self._phrases]
        self._exact: dict[str, tuple[int, ...]] = {}
        self._stems: dict[str, tuple[int, ...]] = {}
        for words, number in numbers.items():
            for word in words:
                table = self._stems if word.endswith("*") else self._exact
                table[word.removesuffix("*")] = (*table.get(word.removesuffix("*"), ()), number)
        self._lengths = sorted({len(stem) for stem in self._stems})
        self._known: dict[str, tuple[int, ...]] = {}

    def found(self, words: Sequence[str]) -> list[tuple[int, int, int]]:
        """(phrase, first word, last word) of the first match of each phrase that is there."""
        places: dict[int, list[int]] = {}
        known = self._known
        for at, steps in enumerate(map(known.get, words)):
            for number in self._steps(words[at]) if steps is None else steps:
                places.setdefault(number, []).append(at)
        there = places.keys()
        return [
            (at, *match)
            for at, (steps, needed) in enumerate(zip(self._phrases, self._needed, strict=True))
            if needed <= there and (match := _match(steps, places))
        ]

    def _steps(self, word: str) -> tuple[int, ...]:
        found = list(self._exact.get(word, ()))
        for length in self._lengths:
            found += self._stems.get(word[:length], ()) if length <= len(word) else ()
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        steps = self._known[word] = tuple(dict.fromkeys(found))
        return steps


def _match(steps: Sequence[tuple[int, int]], places: Mapping[int, list[int]]) -> tuple[int, int] | None:
    """(first, last) of the first chain; per step only the places that can be reached from the step before are kept."""
    ends = [(at, at) for at in places[steps[0][0]]]
    for number, gap in steps[1:]:
        before = [end for _, end in ends]
        reached = []
        for at in places[number]:
            latest = bisect_left(before, at) - 1
            if latest >= 0 and at - before[latest] <= gap + 1:
                reached.append((ends[latest][0], at))
        if not reached:
            return None
        ends = reached
    return ends[0]
