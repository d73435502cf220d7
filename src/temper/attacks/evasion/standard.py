"""The standard ensemble: four attacks in a row, each on the survivors of the ones before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.evasion._gradient import Rows, ground
from temper.attacks.evasion.apgd import APGD
from temper.attacks.evasion.apgd_targeted import APGDTargeted
from temper.attacks.evasion.fab import FAB
from temper.attacks.evasion.square import Square
from temper.core.attack import Attack, OracleLike, Scene
from temper.core.data import Array
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.core.target import Access
from temper.core.trees import TreeEnsemble
from temper.kernels.lp import distance

_VERSIONS = ("standard", "plus", "rand")
_WORST = ("zero_gradient", "bad_gradient")  # said of a row by its healthiest attack


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """Auto-PGD on cross-entropy, targeted Auto-PGD, targeted FAB and Square at their published length, each on the rows
    the ones before left standing.

    `version`: "standard" (100 steps, 9 targets, 9 targets, 5,000 queries: up to 7,900 queries a row, a smaller budget
    leaves rows UNTRIED), "plus" (five restarts, both losses), "rand" (a random model: both losses, 20 draws, no FAB and
    no Square). `flags`: one question more per row, whether the same point is answered the same.
    Misleads as a proof: complete verifiers find what it misses, and some defences need an attack of their own.
    Source: Croce & Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free
    attacks", 2020 (AutoAttack).

    >>> Standard().version
    'standard'
    """

    needs: ClassVar[Access] = Access.SCORES | Access.GRADIENTS
    mode: ClassVar[str] = "first"
    version: str = "standard"
    flags: bool = True

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """The attacks in their published order."""
        ground(oracle, scene, rng)
        shared = _Relay(oracle=oracle, nearest=scene.mode != "first", total=len(scene.x))
        if self.flags:
            _ask_twice(shared, scene)
        for name, attack in _stages(self.version):
            rows = shared.active
            if not len(rows):
                break
            whole = rows[oracle.left[rows] >= attack.steps] if isinstance(attack, Square) else rows
            attack.run(shared, scene, rng.child(name))
            shared.turn(whole)
        shared.close()


def _stages(version: str) -> Iterator[tuple[str, Attack]]:
    if version not in _VERSIONS:
        raise TemperError(f"unknown version {version!r}", fix=f"use one of {', '.join(_VERSIONS)}")
    restarts, eot = 5 if version == "plus" else 1, 20 if version == "rand" else 1
    yield "apgd", APGD(restarts=restarts, eot=eot)
    if version != "standard":
        yield "apgd_dlr", APGD(restarts=restarts, eot=eot, loss="dlr")
    if version != "rand":
        yield "apgd_targeted", APGDTargeted()
        yield "fab", FAB(restarts=restarts)
        yield "square", Square(steps=5_000)


def _ask_twice(oracle: _Relay, scene: Scene) -> None:
    """Ask about the clean rows again: a random model answers otherwise."""
    rows = oracle.active
    if not len(rows):
        return
    again, first = oracle.scores(scene.x[rows], rows), oracle.clean[rows]
    gap = distance(again, first)
    oracle.note("random_scores", rows, gap if isinstance(gap, np.ndarray) else gap.cpu())


class _Relay:
    """The oracle as one attack of several sees it: done with a row is done for this attack, not for the next."""

    def __init__(self, *, oracle: OracleLike, nearest: bool, total: int) -> None:
        self._oracle, self._nearest = oracle, nearest
        self._over = np.zeros(total, dtype=bool)
        self._whole = np.ones(total, dtype=bool)
        self._asked = np.zeros(total, dtype=bool)
        self._notes: dict[str, Rows] = {}

    @property
    def active(self) -> Rows:
        """Rows nothing has broken yet."""
        rows: Rows = self._oracle.active
        if self._nearest and len(rows):
            rows = rows[~self._oracle.broken[rows]]
        open_rows: Rows = rows[~self._over[rows]]
        return open_rows

    @property
    def left(self) -> Rows:
        """Queries each row may still ask."""
        return self._oracle.left

    @property
    def clean(self) -> Array:
        """Scores of the clean rows."""
        return self._oracle.clean

    @property
    def best(self) -> tuple[Array, Rows]:
        """The nearest counted points."""
        return self._oracle.best

    @property
    def broken(self) -> Rows:
        """Rows with a counted point."""
        return self._oracle.broken

    def scores(self, x: Array, rows: Any) -> Array:
        """Passed on."""
        return self._oracle.scores(x, rows)

    def labels(self, x: Array, rows: Any) -> Array:
        """Passed on."""
        return self._oracle.labels(x, rows)

    def gradient(self, x: Array, rows: Any, cotangent: Callable[[Array, Any], Array]) -> tuple[Array, Array]:
        """Passed on."""
        return self._oracle.gradient(x, rows, cotangent)

    def trees(self) -> TreeEnsemble:
        """Passed on."""
        return self._oracle.trees()

    def propose(self, x: Array, rows: Any) -> None:
        """Passed on."""
        self._oracle.propose(x, rows)

    def note(self, name: str, rows: Any, values: Any) -> None:
        """The losses of the first attack (the others count in other units); the gradients of the healthiest."""
        kept = self._notes.setdefault(name, np.full(len(self._over), np.nan))
        said, rows = np.asarray(values, dtype=float), np.asarray(rows)
        older = kept[rows]
        kept[rows] = np.fmin(older, said) if name in _WORST else np.where(np.isnan(older), said, older)

    def done(self, rows: Any) -> None:
        """This attack has finished with these rows."""
        self._over[np.asarray(rows, dtype=np.int64)] = True

    def turn(self, whole: Rows) -> None:
        """The next attack's turn; rows broken or not finished by this one, or not at its full length, are not held."""
        full = np.zeros(len(self._over), dtype=bool)
        full[whole] = True
        self._whole &= self._over & full & ~self._oracle.broken
        self._over[:] = False

    def close(self) -> None:
        """Hand over what was said; rows that every attack has finished with are done."""
        for name, values in self._notes.items():
            rows = np.flatnonzero(values == values)
            self._oracle.note(name, rows, values[rows])
        self._oracle.done(np.flatnonzero(self._whole))


PLUGIN = Standard
