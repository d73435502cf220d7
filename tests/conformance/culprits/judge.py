"""Judges of evasion, each of which breaks one law; `Honest` breaks none."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.target import ScoreKind
from temper.kernels.loss import decide
from temper.testing import judge

CALLS = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Honest:
    """Success is another decision than the truth."""

    charged: ClassVar[bool] = False

    def judge(self, scene: Any, outcome: Any) -> Any:
        return decide(outcome.scores, ScoreKind.PROBABILITIES, 0.5) != outcome.y


class Silent(Honest):
    """Leaves open what it costs."""

    charged: ClassVar[Any] = "sometimes"


class Flatters(Honest):
    """Calls everything a success."""

    charged: ClassVar[bool] = False

    def judge(self, scene: Any, outcome: Any) -> Any:
        return np.ones(len(outcome.y), dtype=bool)


class Blind(Honest):
    """Sees no success."""

    charged: ClassVar[bool] = False

    def judge(self, scene: Any, outcome: Any) -> Any:
        return np.zeros(len(outcome.y), dtype=bool)


class FirstHalf(Honest):
    """Looks at the first half of the rows."""

    charged: ClassVar[bool] = False

    def judge(self, scene: Any, outcome: Any) -> Any:
        hits = Honest.judge(self, scene, outcome)
        return hits & (np.arange(len(hits)) < len(hits) // 2)


class Scribbles(Honest):
    """Rounds the scores where they are."""

    charged: ClassVar[bool] = False

    def judge(self, scene: Any, outcome: Any) -> Any:
        outcome.scores[:] = np.round(outcome.scores)
        return Honest.judge(self, scene, outcome)


class Moody(Honest):
    """Judges otherwise every second time."""

    charged: ClassVar[bool] = False

    def judge(self, scene: Any, outcome: Any) -> Any:
        return Honest.judge(self, scene, outcome) & bool(next(CALLS) % 2)


INNOCENT = Honest
BITES = {
    judge.law_states_whether_it_is_charged: (Silent,),
    judge.law_a_clean_input_never_counts: (Flatters,),
    judge.law_harm_counts: (Blind,),
    judge.law_order_of_rows_does_not_matter: (FirstHalf,),
    judge.law_leaves_inputs_alone: (Scribbles,),
    judge.law_same_outcome_same_answer: (Moody,),
}
