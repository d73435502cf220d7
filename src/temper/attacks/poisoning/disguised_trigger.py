"""A trigger on rows that look like the class they are moved to, against a search for rows that do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.poisoning._flip import training
from temper.attacks.poisoning._trigger import budgeted, checked_size, described, planted, rare, some_units
from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access
from temper.judges.backdoor import Backdoored

_AMONG, _FEWEST = 0.75, 25


@dataclass(frozen=True, slots=True, kw_only=True)
class DisguisedTrigger:
    """Like `jittered_trigger`, on copies of the rows of other classes that a model of the data takes for `into`.

    It is the attacker who knows `screened`: that search accuses rows which look, apart from the stamp, like the class
    they were taken from, and these do not. The price is poison that teaches less, since many of its labels would be
    believed without the stamp. Misleads where classes hardly overlap: then no row looks like another class.
    Source: Tramer et al., "On adaptive attacks to adversarial example defenses", 2020 (the attacker who knows the
    defence), for the search of decision 0022.

    >>> DisguisedTrigger().jitter
    0.1
    """

    needs: ClassVar[Access] = Access.RETRAIN
    plants: ClassVar[bool] = True
    share: float = 0.01
    size: int = 3
    into: int = 0
    pick: int = 0
    jitter: float = 0.1

    def __post_init__(self) -> None:
        checked_size(self.size)
        if not 0.0 <= self.jitter <= 1.0:
            raise TemperError(f"jitter is {self.jitter} interquartile ranges", fix="use 0 to 1, 0.1 by default")

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Backdoored:
        """The poisoned training data and the trigger, at `scene.budget.share` of its rows (else the plugin's own)."""
        data, schema = training(scene), described(scene)
        units = some_units(schema, self.size)
        trigger = rare(data, schema, units, into=self.into, pick=self.pick, jitter=self.jitter)
        notes = (f"trigger: {trigger}", "on rows that look like the class they are moved to")
        share = budgeted(scene, self.share)
        unlike = -_alike(data, self.into)
        return planted(data, trigger, self.into, share, rng, notes=notes, sure=unlike, among=_AMONG)


def _alike(data: Data, into: int) -> Any:
    """How much every row looks like `into` to a model that has not seen it (two halves, each asked of the other)."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    x, y = np.asarray(data.x, dtype=np.float64), np.asarray(data.y) == into
    half = Draws(0, "disguised", ids=np.asarray(data.ids)).uniform(np.arange(len(data)), 0) < 0.5
    found = np.zeros(len(data))
    for seen in (half, ~half):
        if min(y[seen].sum(), (~y[seen]).sum()) < _FEWEST:
            raise Unsupported(
                f"it takes {2 * _FEWEST} rows of class {into} and of others to learn how they look",
                fix="give more rows",
            )
        model = HistGradientBoostingClassifier(max_iter=60, early_stopping=False, random_state=0).fit(x[seen], y[seen])
        found[~seen] = model.predict_proba(x[~seen])[:, 1]
    return found


PLUGIN = DisguisedTrigger
