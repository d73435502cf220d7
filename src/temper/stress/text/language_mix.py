"""Words of other languages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.seed import Draws
from temper.core.text import units
from temper.stress.text._text import hit, rewritten

_WORDS = (
    *("aber", "heute", "vielleicht", "danke", "mais", "toujours", "merci", "demain", "pero", "siempre", "gracias"),
    *("ahora", "allora", "grazie", "domani", "maar", "altijd", "bedankt", "ale", "zawsze", "jutro", "ama", "bugün"),
    *("teşekkürler", "но", "сегодня", "спасибо", "लेकिन", "धन्यवाद", "لكن", "شكرا", "但是", "谢谢", "今天"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageMix:
    """Everyday words of ten other languages come in between, as people who speak several write.

    Severity 1-5: before 5, 10, 20, 30, 45 % of the words.
    Misleads about translation: nothing that was said is said otherwise, something is added.
    Source: Rychalska et al., "Models in the wild: on corruption robustness of neural NLP systems", 2019; the words are
    Temper's own choice.

    >>> mixed = LanguageMix(levels=(1.0,) * 5).apply(np.array(["one two three"], object), 5, Draws(0, "mix"))
    >>> len(mixed[0].split())
    6
    """

    levels: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3, 0.45)

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the texts with foreign words in them."""
        return rewritten(x, severity, self.levels, rng, _changed)


def _changed(text: str, share: float, numbers: np.random.Generator) -> str:
    pieces = units(text)
    struck, which = hit(numbers, len(pieces), share), (numbers.random(len(pieces)) * len(_WORDS)).astype(int)
    begins = [True, *(piece[-1:].isspace() for piece in pieces[:-1])]
    return "".join(
        f"{_WORDS[word]} {piece}" if strike and begin else piece
        for piece, strike, begin, word in zip(pieces, struck, begins, which, strict=True)
    )


PLUGIN = LanguageMix
