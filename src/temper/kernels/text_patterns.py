"""Patterns of words that one class of texts holds more often than trusted texts of that class and than other classes.

A pattern is a word, a pair of neighbours, the first word, or a piece of the skeleton: the text with all but common
words blanked out. Rare trigger words show as words, a trigger of syntax shows in skeletons and first words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from temper.core.data import Data

Vector = np.ndarray[Any, Any]
Patterns = frozenset[str]
_TOKEN = re.compile(r"\w+(?:'\w+)?|[^\w\s]")
_COMMON, _LEAST = 150, 8
BLANK = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted:
    """A pattern too frequent in class `label`: the shares of training and of trusted texts that hold it, its p-value
    and the weight it gives a text, the logarithm of how many times as frequent it is.
    """

    pattern: str
    label: int
    share: float
    trusted: float
    count: int
    p: float
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Suspicious:
    """Which training texts and which trusted ones look suspicious, the patterns, and how many were tried."""

    suspects: Vector
    usual: Vector
    found: tuple[Lifted, ...]
    tried: int


def tokens(text: str) -> list[str]:
    """Words and marks in lower case.

    >>> tokens("Well, you're in!")
    ['well', ',', "you're", 'in', '!']
    """
    return _TOKEN.findall(text.lower())


def common(texts: Iterable[str]) -> frozenset[str]:
    """The words that most texts hold: those that carry syntax, by their number."""
    held = Counter(word for text in texts for word in set(tokens(text)))
    ranked = sorted(held, key=lambda word: (-held[word], word))
    return frozenset(ranked[:_COMMON])


def skeleton(words: Sequence[str], known: frozenset[str]) -> list[str]:
    """The words with runs of uncommon ones as one blank.

    >>> skeleton(["when", "old", "men", "dance", ",", "it", "rains"], frozenset({"when", ",", "it"}))
    ['when', '*', ',', 'it', '*']
    """
    found: list[str] = []
    for word in words:
        if word in known or found[-1:] != [BLANK]:
            found.append(word if word in known else BLANK)
    return found


def patterns(text: str, known: frozenset[str]) -> Patterns:
    """Everything in a text that is counted."""
    words = tokens(text)
    bones = skeleton(words, known)
    return frozenset(
        [
            *words,
            *(f"starts: {word}" for word in words[:1]),
            *(f"{one} {other}" for one, other in pairwise(words)),
            *(f"starts: {' '.join(bones[:size])} ..." for size in (2, 3, 4) if len(bones) >= size),
            *(f"skeleton: {' '.join(bones[at : at + 3])}" for at in range(len(bones) - 2)),
        ]
    )


def suspicious(train: Data, trusted: Data, rate: float = 0.05, spare: float = 0.05) -> Suspicious:
    """The texts that weigh more than all but `spare` of the trusted ones of their class."""
    known = common(map(str, trusted.x))
    held, accepted = ([patterns(str(text), known) for text in part.x] for part in (train, trusted))
    y, truths = np.asarray(train.y), np.asarray(trusted.y)
    found, tried = lifted(held, y, accepted, truths, rate)
    mine, theirs = weights(held, y, found), weights(accepted, truths, found)
    suspects, usual = np.zeros(len(y), dtype=bool), np.zeros(len(truths), dtype=bool)
    for label in {one.label for one in found}:
        level = max(float(np.quantile(theirs[truths == label], 1.0 - spare, method="higher")), 0.0)
        suspects |= (y == label) & (mine > level)
        usual |= (truths == label) & (theirs > level)
    return Suspicious(suspects=suspects, usual=usual, found=found, tried=tried)


def lifted(
    train: Sequence[Patterns], y: Vector, trusted: Sequence[Patterns], truths: Vector, rate: float = 0.05
) -> tuple[tuple[Lifted, ...], int]:
    """The patterns beyond chance, strongest first, at false discovery rate `rate`, and how many were tried.

    Each must be too frequent twice, by exact tests: beside trusted texts of its class (what merely belongs to the
    class is there as well), and beside training texts of the other classes (a topic that came up since is there as
    well). Texts that are exchangeable with the trusted ones give any pattern at all in no more than `rate` of cases,
    whatever the words.
    Source: Fisher's exact test; Benjamini & Hochberg, "Controlling the false discovery rate", 1995.
    """
    found: list[Lifted] = []
    for label in sorted(set(np.asarray(y).tolist()) & set(np.asarray(truths).tolist())):
        found += _of_class(train, np.asarray(y) == label, trusted, np.asarray(truths) == label, int(label))
    found.sort(key=lambda one: (one.p, one.pattern, one.label))
    ordered = np.array([one.p for one in found])
    below = np.flatnonzero(ordered <= rate * np.arange(1, len(found) + 1) / max(len(found), 1))
    return tuple(found[: below.max() + 1] if len(below) else ()), len(found)


def _of_class(
    train: Sequence[Patterns], mine: Vector, trusted: Sequence[Patterns], theirs: Vector, label: int
) -> list[Lifted]:
    """Every pattern of one class that is frequent enough to be tested."""
    from scipy.stats import hypergeom

    inside, outside = _held(train, mine), _held(train, ~mine)
    accepted = _held(trusted, theirs)
    n, m, rest = int(mine.sum()), int(theirs.sum()), int((~mine).sum())
    names = [name for name, count in inside.items() if count + accepted[name] >= _LEAST]
    a, b, c = (np.array([held[name] for name in names], dtype=np.int64) for held in (inside, accepted, outside))
    beside = hypergeom.sf(a - 1, n + m, a + b, n)
    contrast = hypergeom.sf(a - 1, n + rest, a + c, n) if rest else np.zeros(len(a))
    p = np.maximum(beside, contrast)
    weight = np.log((a + 0.5) / (n + 1.0)) - np.log((b + 0.5) / (m + 1.0))
    return [
        Lifted(
            pattern=names[at],
            label=label,
            share=float(a[at] / n),
            trusted=float(b[at] / m),
            count=int(a[at]),
            p=float(p[at]),
            weight=float(weight[at]),
        )
        for at in range(len(names))
    ]


def weights(texts: Sequence[Patterns], y: Vector, found: Sequence[Lifted]) -> Vector:
    """Per text the sum of the weights of the lifted patterns of its class that it holds."""
    known: dict[int, dict[str, float]] = {}
    for one in found:
        known.setdefault(one.label, {})[one.pattern] = one.weight
    labels = np.asarray(y).tolist()
    return np.array([_weight(held, known.get(label, {})) for held, label in zip(texts, labels, strict=True)])


def _weight(held: Patterns, known: dict[str, float]) -> float:
    return sum(known[name] for name in sorted(held & known.keys()))


def _held(texts: Sequence[Patterns], mask: Vector) -> Counter[str]:
    return Counter(name for held, inside in zip(texts, mask.tolist(), strict=True) if inside for name in held)
