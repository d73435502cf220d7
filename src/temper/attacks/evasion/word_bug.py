"""Misspelt, look-alike and invisible characters in the words that tell most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.evasion._words import Walk
from temper.core.attack import OracleLike, Scene
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.text import KINDS, Priced, allowed_kinds, need_texts, variants

USUAL = ("keyboard", "delete", "insert", "swap", "homoglyph", "zero_width")


@dataclass(frozen=True, slots=True, kw_only=True)
class WordBug:
    """Rank the words by the score without them, then change single characters of one word after the other.

    `kinds` are the edits tried: keyboard, substitute, delete, insert, swap, homoglyph, zero_width; `each` of them at so
    many random places. DeepWordBug itself is `kinds=("substitute", "delete", "insert", "swap"), passes=1,
    spare_stop_words=True`.

    Misleads on a model behind a spelling corrector or a Unicode normaliser: attack the two together. It does not know
    whether a person still reads the text the same; the budget, and `similarity` of the schema, are all that says so.
    Source: Gao et al., "Black-box generation of adversarial text sequences" (DeepWordBug), 2018; homoglyphs and
    invisible characters: Boucher et al., "Bad characters", 2022.

    >>> WordBug(passes=1).kinds[0]
    'keyboard'
    """

    needs: ClassVar[Access] = Access.SCORES
    texts: ClassVar[bool] = True
    kinds: tuple[str, ...] = USUAL
    each: int = 1
    passes: int = 2
    spare_stop_words: bool = False

    def __post_init__(self) -> None:
        strange = [kind for kind in self.kinds if kind not in KINDS]
        if strange or not self.kinds:
            raise TemperError(f"word_bug knows no edits {strange}", fix=f"use {', '.join(KINDS)}")

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """One call ranks every word of every text, then one call per word."""
        schema = need_texts(scene, "word_bug")
        kinds = allowed_kinds(self.kinds, schema) * self.each

        def propose(word: str, numbers: np.ndarray[Any, Any]) -> list[Priced]:
            return variants(word, kinds, numbers)

        walk = Walk(propose=propose, width=2 * len(kinds), passes=self.passes, spare_stop_words=self.spare_stop_words)
        walk.run(oracle, scene, schema, rng)


PLUGIN = WordBug
