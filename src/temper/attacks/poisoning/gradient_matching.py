"""Training pictures changed so little that their labels stay right, so that the next net errs on chosen others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.poisoning._flip import dose, training
from temper.attacks.poisoning._matching import Surrogate, hardest, matched, surrogate
from temper.attacks.poisoning._picture import pictured
from temper.attacks.poisoning._trigger import budgeted, described, widths
from temper.core.attack import Scene
from temper.core.data import Array, Data
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind
from temper.judges.backdoor import Backdoored
from temper.kernels.loss import decide

Vector = np.ndarray[Any, Any]
_LOOKED = 500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Untouched:
    """No trigger: the rows that are aimed at are handed in as they are."""

    def stamp(self, x: Array) -> Array:
        """The rows themselves."""
        return x


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientMatching:
    """Moves training rows a little, labels untouched, so that a net fitted on them errs on `targets` chosen other rows.

    Each of the chosen rows gets an equal part of the poison, from the class the net finds second likeliest for it; that
    part is moved until its gradient points where the wrong answer's does. `radius` bounds the move of a pixel (as a
    share of its range), `spread` that of a column (in interquartile ranges). The net itself is the surrogate, with
    `fresh` more fitted on the clean rows. Misleads where the victim is trained otherwise than Temper trains its twins
    (augmentation, other layers), and as a bound: few rows far from the decision move, and more poison per row moves
    more.
    Source: Geiping et al., "Witches' brew: industrial scale data poisoning via gradient matching", 2021.

    >>> GradientMatching().targets
    4
    """

    needs: ClassVar[Access] = Access.RETRAIN | Access.GRADIENTS
    plants: ClassVar[bool] = True
    aims: ClassVar[bool] = True
    share: float = 0.01
    radius: float = 16 / 255
    spread: float = 0.5
    targets: int = 4
    steps: int = 40
    fresh: int = 0
    pick: int = 0

    def __post_init__(self) -> None:
        if not (0.0 < self.radius <= 1.0 and 0.0 < self.spread <= 5.0):
            raise TemperError(
                f"a radius of {self.radius} and a spread of {self.spread} are no small change",
                fix="use a radius up to 1 (0.06 by default) and a spread up to 5 (0.5)",
            )
        if self.targets < 1 or self.steps < 1 or self.fresh < 0:
            raise TemperError("no rows to aim at, or no step to make", fix="use 1 target and 1 step at least")

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Backdoored:
        """The poisoned training data and its victims, at `scene.budget.share` of the rows (else the plugin's own)."""
        data, room = training(scene), _room(scene, self.radius, self.spread)
        nets = self._surrogates(scene, data, rng)
        victims, into = _aims(scene, np.asarray(data.y), self.targets, self.pick)
        x, used = np.array(data.x, copy=True), np.zeros(len(data), dtype=bool)
        many = dose(budgeted(scene, self.share), len(data))
        for at, (victim, label) in enumerate(zip(victims, into, strict=True)):
            own = np.flatnonzero((np.asarray(data.y) == label) & ~used)
            own = own[hardest(nets[0], x[own], label)][: (many + at) // len(victims)]
            if len(own):
                aim, numbers = np.asarray(scene.x)[victim], rng.generator(at)
                moved = matched(nets, x[own], aim, label, room[0], room[1:], self.steps, numbers)
                x[own], used[own] = _settled(scene, moved, x[own]), True
        changed = int(np.any((x != data.x).reshape(len(x), -1), axis=1).sum())
        return Backdoored(
            data=Data(x=x, y=data.y, ids=data.ids),
            trigger=Untouched(),
            rows=changed,
            into=into,
            victims=np.asarray(scene.ids)[victims],
            notes=(self._said(scene, changed, len(victims)),),
        )

    def _surrogates(self, scene: Scene, data: Data, rng: Draws) -> list[Surrogate]:
        if scene.target is None or (self.fresh and scene.fit is None):
            raise Unsupported("gradients are matched on the net, and the scene has none", fix="give it")
        found = [surrogate(scene.target)]
        for at in range(self.fresh):
            found += [surrogate(one) for one in (scene.fit or _none)([data], Recipe(seed=rng.integer(10 + at)))]
        return found

    def _said(self, scene: Scene, changed: int, victims: int) -> str:
        how = f"{self.spread:g} interquartile ranges" if scene.schema.columns else f"{255 * self.radius:.3g}/255"
        return (
            f"{changed / victims:.3g} training rows for each of {victims} chosen rows, no value moved by more than "
            f"{how}, no label changed"
        )


def _none(data: Any, recipe: Recipe) -> list[Any]:
    return []


def _room(scene: Scene, radius: float, spread: float) -> tuple[Vector, Vector, Vector]:
    """How far a value may move, and its lowest and highest."""
    if scene.schema.columns:
        schema, x = described(scene), np.asarray(training(scene).x, dtype=np.float64)
        if not np.isfinite(x).all():
            raise Unsupported("no gradient leads through missing values", fix="fill them before the net")
        free = np.isin(np.arange(x.shape[1]), schema.movable)
        return np.where(free, widths(x, schema, spread), 0.0), x.min(axis=0), x.max(axis=0)
    pictures = pictured(scene)
    low, high = np.asarray(pictures.low), np.asarray(pictures.high)
    return radius * (high - low), low, high


def _settled(scene: Scene, moved: Vector, clean: Vector) -> Vector:
    """What the schema of a table makes of the moved rows; one that it refuses stays as it was."""
    if not scene.schema.columns:
        return moved
    made = np.asarray(scene.schema.project(moved, clean))
    return np.where(scene.schema.admits(made, clean)[:, None], made, clean)


def _aims(scene: Scene, known: Vector, many: int, pick: int) -> tuple[Vector, Vector]:
    """Positions of held-out rows that the net decides rightly, and the class it finds second likeliest for each."""
    some = np.sort(Draws(pick, "aims").generator(0).permutation(len(scene.x))[:_LOOKED])
    scores = np.asarray(scene.target.scores(np.asarray(scene.x)[some]))  # type: ignore[union-attr]
    decided = np.asarray(decide(scores, scene.kind, scene.threshold))
    if scene.kind is ScoreKind.MARGIN or scores.shape[1] == 2:
        second = 1 - decided
    else:
        ranked = np.argsort(-scores, axis=1)
        second = ranked[:, 1]
    right = np.flatnonzero((decided == np.asarray(scene.y)[some]) & np.isin(second, np.unique(known)))
    if not len(right):
        raise Unsupported("the net decides no held-out row rightly, so there is none to aim at", fix="fit it first")
    chosen = Draws(pick, "aims").generator(1).permutation(right)[:many]
    return some[chosen], second[chosen]


PLUGIN = GradientMatching
