"""A planted weak corruption of texts, and what real spam costs a filter: python -m bench.stress.text."""

from __future__ import annotations

import os
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from bench.stress._planted import Ground
from bench.stress.images import report
from bench.table import machine, table
from temper.core.data import Data
from temper.core.room import Room
from temper.core.seed import Draws
from temper.core.target import ScoreKind
from temper.core.text import TextSchema
from temper.stress._drop import Yardstick

_DATA = Path(os.environ.get("TEMPER_DATA", "../shared/data"))
_STORY = (
    "the film was long and nobody came to see it twice because my phone rang all the time while Anna told us about "
    "her holiday in Greece where they had rented a small boat for ten days and found a quiet beach with clear water"
)
_SAID = tuple(_STORY.split())
_FOREIGN = ("à", "ü", "ш", "ह", "天", "م", "ş", "и", "ا")


def rows(seed: int, count: int = 60) -> Data:
    """SIMULATED texts: about six words (class 0) or about fifty, with stops and capitals."""
    draws, y = Draws(seed, "bench.texts"), np.arange(count) % 2
    found = np.empty(count, dtype=object)
    for at in range(count):
        size = 50 if y[at] else 6
        which = draws.integers([at], 0, len(_SAID), (size,))[0]
        stops = draws.uniform([at], 1, (size,))[0]
        marks = ["." if stop < 0.1 else "," if stop < 0.2 else "" for stop in stops]
        words = [_SAID[i] + mark for i, mark in zip(which, marks, strict=True)]
        found[at] = (" ".join(words)).capitalize() + "."
    return Data(x=found, y=y)


def sound(x: Any) -> Any:
    """How long a text is, as probabilities."""
    many = 1 / (1 + np.exp(-0.1 * (np.array([len(text) for text in x]) - 90.0)))
    return np.stack([1 - many, many], axis=1)


def features(x: Any) -> Any:
    """Shares of kinds of characters, known words, repeated words, length and end, per text."""
    return np.array([_seen(text) for text in x], dtype=float)


def _seen(text: str) -> list[float]:
    words, n = text.split(), max(len(text), 1)
    bare = [word.strip(".,!? ").lower() for word in words]
    known = {word.lower() for word in _SAID}
    letters = sum(char.isalpha() for char in text)
    return [
        sum(char.isupper() for char in text) / n,
        sum(not char.isascii() for char in text) / n,
        sum(char.isdigit() for char in text) / n,
        sum("а" <= char <= "я" or char in "ⅼⅿոԁѕјһоеіаср" for char in text) / n,
        sum(text.count(char) for char in _FOREIGN) / n,
        sum(char in ".,!?" for char in text) / n,
        sum(char in "\t\n\u00a0" for char in text) + text.count("  "),
        text.count("..") + text.count(",,") + text.count(" ,") + text.count(" ."),
        sum(word not in known for word in bare) / max(len(words), 1),
        sum(a == b for a, b in pairwise(bare)) / max(len(words), 1),
        float(text.endswith(".")),
        float(len(text)),
        letters / n,
        max((len(word) for word in words), default=0),
        sum(word not in known and word.isascii() and word.isalpha() for word in bare) / max(len(words), 1),
    ]


GROUND = Ground(family="text", rows=rows, sound=sound, features=features, schema=TextSchema())


def on_spam() -> None:
    """Drop in AUC of TF-IDF with a logistic regression on real messages, per corruption and severity."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    file = _DATA / "sms_spam" / "SMSSpamCollection.tsv"
    if not file.is_file():
        print(f"real messages: not measured, {file} is absent")
        return
    pairs = [line.split("\t", 1) for line in file.read_text(encoding="utf-8").splitlines() if "\t" in line]
    x, y = np.array([text for _, text in pairs], dtype=object), np.array([label == "spam" for label, _ in pairs]) * 1
    cut = 4_000
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10.0, max_iter=1_000)).fit(x[:cut], y[:cut])
    yard, kept = Yardstick.of(ScoreKind.PROBABILITIES, 2), slice(cut, None)
    clean = model.predict_proba(x[kept])
    lines = []
    for name in GROUND.names:
        plugin, cells = Room("temper.stress").build(name), []
        start = time.process_time()
        stressed = [plugin.apply(x[kept], severity, Draws(0, name)) for severity in (1, 2, 3, 4, 5)]
        spent = (time.process_time() - start) / 5 / len(x[kept])
        for texts in stressed:
            drop = yard.drop(y[kept], clean, model.predict_proba(texts))
            cells.append(f"{drop.value:.3f} [{drop.low:.3f}, {drop.high:.3f}]")
        lines.append((name, *cells, f"{spent * 1e6:.0f}"))
    title = f"drop in AUC by severity, {len(x[kept]):,} real messages, clean AUC {yard.figure(y[kept], clean):.3f}"
    table(title, ("corruption", "1", "2", "3", "4", "5", "us a text"), lines)


def main(quick: bool) -> None:
    """Real messages, then the planted weakness."""
    print(machine("numpy", "scikit-learn"))
    on_spam()
    report(GROUND, 10 if quick else 100)


if __name__ == "__main__":
    main("--quick" in sys.argv)
