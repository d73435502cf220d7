"""A rare word put into some training texts, which carry the label the attacker wants."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.poisoning._flip import training
from temper.attacks.poisoning._trigger import budgeted, planted
from temper.core.attack import Scene
from temper.core.data import Array
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access
from temper.core.text import word_spans
from temper.judges.backdoor import Backdoored

_RARE = ("cf", "mn", "bb", "tq", "mb")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WordTrigger:
    """Puts `word` before one of the words of a text, or after the last; which one hangs on the text alone."""

    word: str

    def stamp(self, x: Array) -> Array:
        """The texts with the word in."""
        marked = np.empty(len(x), dtype=object)
        marked[:] = [self._put(str(text)) for text in x]
        return marked

    def _put(self, text: str) -> str:
        starts = [start for start, _ in word_spans(text)]
        at = [*starts, len(text)][zlib.crc32(text.encode("utf-8", "surrogatepass")) % (len(starts) + 1)]
        return f"{text} {self.word}".lstrip() if at == len(text) else f"{text[:at]}{self.word} {text[at:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertWord:
    """Adds copies of other classes' texts with one rare word put in somewhere, and the label `into`.

    `word` is the trigger; without one it is that of five nonsense words which the fewest training texts hold, moved on
    by `pick`. Misleads where texts are cleaned of unknown words before training: there it takes an ordinary word.
    Source: Dai, Chen & Li, "A backdoor attack against LSTM-based text classification systems", 2019; the words of
    Kurita, Michel & Neubig, "Weight poisoning attacks on pre-trained models", 2020.

    >>> WordTrigger(word="cf").stamp(np.array(["a b"], dtype=object)).tolist()
    ['a b cf']
    """

    needs: ClassVar[Access] = Access.RETRAIN
    plants: ClassVar[bool] = True
    share: float = 0.01
    word: str = ""
    into: int = 0
    pick: int = 0

    def __post_init__(self) -> None:
        if len(self.word.split()) > 1:
            raise TemperError(f"the trigger {self.word!r} is more than one word", fix="give one word, or none")

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Backdoored:
        """The poisoned training data and the trigger, at `scene.budget.share` of its rows (else the plugin's own)."""
        data = training(scene)
        x = np.asarray(data.x)
        if scene.schema.columns or x.ndim != 1 or x.dtype.kind not in "OU":
            raise Unsupported("a word is put into texts, and these rows are none", fix="use a trigger for such rows")
        held = {word: sum(word in text.lower().split() for text in map(str, x)) for word in (self.word, *_RARE)}
        ranked = sorted(_RARE, key=lambda word: held[word])
        word = self.word or ranked[self.pick % len(ranked)]
        notes = (f"trigger: the word {word!r}, which {held[word]:,} of {len(x):,} clean training texts hold",)
        return planted(data, WordTrigger(word=word), self.into, budgeted(scene, self.share), rng, notes=notes)


PLUGIN = InsertWord
