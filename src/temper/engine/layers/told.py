"""The guarded model as a client meets it: what he is told of each row, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.layers import MODEL
from temper.core.stage import Level
from temper.core.target import Access, TreeTarget
from temper.core.trees import TreeEnsemble
from temper.engine.layers.client import Client
from temper.engine.layers.panel import Heard
from temper.targets._wrapper import Wrapper

Rows = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Told(Wrapper):
    """A row that gets through is told as judged harmless, every other one as found. Where scores are told, one that a
    person looks at keeps its score's order above the threshold, one that is refused has none, and who is told less
    (REVISE) hears the decision alone. Whoever has the model's file may still read its trees.
    """

    session: Client

    @property
    def access(self) -> Access:
        """Decisions, with scores where the system returns them; and its trees for those who have them."""
        scores = Access.SCORES if self._scores_told else Access.NONE
        return Access.LABELS | scores | (self.inner.access & Access.TREES)

    @property
    def digest(self) -> str:
        """What is told depends on what was asked before."""
        return ""

    @property
    def _scores_told(self) -> bool:
        return self.session.panel.system.exposure.returns == "score"

    def scores(self, x: Array) -> Array:
        """What the client may conclude of each row, as probabilities."""
        heard = self.session.ask(np.asarray(x))
        found = self._concluded(heard)
        return np.stack([1.0 - found, found], axis=1)

    def _concluded(self, heard: Heard) -> Rows:
        scores, threshold = heard.scores, self.session.panel.threshold
        bare = heard.stops.any(axis=1).astype(float)
        if not self._scores_told or MODEL not in self.session.standing:
            return bare
        before = heard.levels[:, [at for at, name in enumerate(self.session.panel.names) if name != MODEL]]
        worst = before.max(axis=1, initial=0)
        held = np.where(worst == Level.REVIEW, threshold + (1.0 - threshold) * scores, scores)
        told = np.where((worst == Level.BLOCK) | ~np.isfinite(scores), 1.0, held)
        return np.where((before == Level.REVISE).any(axis=1), bare, told)

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Not offered."""
        raise Unsupported("a guarded model has no gradient", fix="use an attack that asks for scores or decisions")

    def trees(self) -> TreeEnsemble:
        """The bare model's."""
        return cast(TreeTarget, self.inner).trees()
