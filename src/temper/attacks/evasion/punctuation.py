"""Punctuation, spacing and capitals: the words stay, how they are written changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.evasion._words import Walk
from temper.core.attack import OracleLike, Scene
from temper.core.seed import Draws
from temper.core.target import Access
from temper.core.text import short_distance
from temper.kernels.text import Priced, need_texts

_AFTER = ",.;:!?"
_INSIDE = " .-_*'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Punctuation:
    """Put marks after words or into them, tear words apart, and change their capitals, the most telling words first.

    Misleads where the model's own tokeniser drops marks and capitals: there only torn words can work, and HELD says
    nothing about misspelt words (evasion.word_bug).
    Source: Formento et al., "Using punctuation as an adversarial attack on deep learning-based NLP systems", 2023;
    Eger et al., "Text processing like humans do", 2019.

    >>> Punctuation()
    Punctuation(passes=2, spare_stop_words=False)
    """

    needs: ClassVar[Access] = Access.SCORES
    texts: ClassVar[bool] = True
    passes: int = 2
    spare_stop_words: bool = False

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """One call ranks every word of every text, then one call per word."""
        schema = need_texts(scene, "punctuation")
        Walk(propose=_rewritten, width=3, passes=self.passes, spare_stop_words=self.spare_stop_words).run(
            oracle, scene, schema, rng
        )


def _rewritten(word: str, numbers: np.ndarray[Any, Any]) -> list[Priced]:
    """The word with a mark after it, one inside, and with other capitals; the cheapest first."""
    after, inside, place = numbers.tolist()
    at = 1 + int(place * max(len(word) - 1, 1))
    mark = _INSIDE[int(inside * len(_INSIDE))]
    news = {word + _AFTER[int(after * len(_AFTER))]: 1}
    if len(word) > 1:
        news |= {word[:at] + mark + word[at:]: 1, word[:at] + " " + word[at:]: 1}
    for new in (word[:1].swapcase() + word[1:], word.lower(), word.upper()):
        news.setdefault(new, short_distance(new, word))
    news.pop(word, None)
    return sorted(news.items(), key=lambda one: one[1])


PLUGIN = Punctuation
