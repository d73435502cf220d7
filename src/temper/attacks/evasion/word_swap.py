"""Other words in place of the ones that tell most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from temper.attacks.evasion._synonyms import GROUPS
from temper.attacks.evasion._words import Walk
from temper.core.attack import OracleLike, Scene
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.core.target import Access
from temper.core.text import TextSchema, short_distance
from temper.kernels.text import Priced, in_case_of, need_texts

_CHUNK = 512  # words compared with the whole vocabulary at once
Table = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WordSwap:
    """Rank the words by the score without them, then put other words in place of one after the other.

    `synonyms`: groups of words that stand for one another, or a mapping from a word to its replacements. `vectors`
    (n, d) with `vocabulary` (n words): the `nearest` words by cosine, none below `least_cosine`. Without either, a
    built-in list of some 65 groups. Of a word's replacements at most `at_once` are tried, drawn at random.

    Misleads with the built-in list, which covers few words: HELD then says little. A table of neighbours also holds
    opposites (good, bad), which no budget in words refuses; the `similarity` of the schema can.
    Source: Jin et al., "Is BERT really robust?" (TextFooler), 2020; Ren et al., "Generating natural language
    adversarial examples through probability weighted word saliency" (PWWS), 2019.

    >>> WordSwap(synonyms=(("good", "fine"),)).nearest
    8
    """

    needs: ClassVar[Access] = Access.SCORES
    texts: ClassVar[bool] = True
    synonyms: Mapping[str, Sequence[str]] | tuple[tuple[str, ...], ...] = ()
    vocabulary: tuple[str, ...] = ()
    vectors: Any = field(default=None, compare=False, repr=False)
    nearest: int = 8
    least_cosine: float = 0.5
    at_once: int = 12
    passes: int = 1
    spare_stop_words: bool = False

    def __post_init__(self) -> None:
        if (self.vectors is None) == bool(self.vocabulary):
            raise TemperError("vectors and vocabulary come together", fix="give one word per row of the matrix")
        if self.vectors is not None and np.shape(self.vectors)[:-1] != (len(self.vocabulary),):
            raise TemperError(
                f"vectors are {np.shape(self.vectors)} for {len(self.vocabulary)} words",
                fix="give one row of numbers per word of the vocabulary",
            )

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """One call ranks every word of every text, then one call per word."""
        schema = need_texts(scene, "word_swap")
        table = self._given()
        # Fixed before the texts are looked at: a text's random numbers do not depend on the texts beside it.
        width = max((len(words) for words in table.values()), default=0) + self.nearest * bool(self.vocabulary)
        self._extend(table, scene, schema)

        def propose(word: str, numbers: np.ndarray[Any, Any]) -> list[Priced]:
            others = table.get(word.lower(), ())
            drawn = np.argsort(numbers[: len(others)], kind="stable")[: self.at_once]
            news = {in_case_of(others[at], word): 0 for at in drawn}
            return [(new, short_distance(new, word)) for new in news if new != word]

        Walk(propose=propose, width=width, passes=self.passes, spare_stop_words=self.spare_stop_words).run(
            oracle, scene, schema, rng
        )

    def _given(self) -> Table:
        """What may stand for each word by the groups or the mapping."""
        if isinstance(self.synonyms, Mapping):
            return {word.lower(): tuple(others) for word, others in self.synonyms.items()}
        table: Table = {}
        for group in self.synonyms or (() if self.vocabulary else GROUPS):
            for word in group:
                others = tuple(other for other in group if other.lower() != word.lower())
                table[word.lower()] = tuple(dict.fromkeys(table.get(word.lower(), ()) + others))
        return table

    def _extend(self, table: Table, scene: Scene, schema: TextSchema) -> None:
        """Add the neighbours of the words that occur."""
        if not self.vocabulary:
            return
        used = {text[a:b].lower() for text in scene.x for a, b in schema.slots(text)}
        for word, others in _neighbours(self.vocabulary, self.vectors, used, self.nearest, self.least_cosine):
            table[word] = tuple(dict.fromkeys(table.get(word, ()) + others))


def _neighbours(
    vocabulary: tuple[str, ...], vectors: Any, used: set[str], nearest: int, least: float
) -> list[tuple[str, tuple[str, ...]]]:
    """The nearest words by cosine of the vocabulary's words that are used."""
    places = {word.lower(): at for at, word in enumerate(vocabulary)}
    wanted = sorted(used & set(places))
    unit = np.asarray(vectors, dtype=np.float32)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    found = []
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        near = unit[[places[word] for word in part]] @ unit.T
        for word, cosines in zip(part, near, strict=True):
            cosines[places[word]] = -np.inf
            best = np.argsort(-cosines, kind="stable")[:nearest]
            found.append((word, tuple(vocabulary[at] for at in best if cosines[at] >= least)))
    return found


PLUGIN = WordSwap
