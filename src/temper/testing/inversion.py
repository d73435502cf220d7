"""Laws of attacks on training data: guesses made from what the models say, and not from the answer sheet.

The payload is a `Membership`, with one score and one truth per row, or `Attributes`, `Shares`, `Reconstructions`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from temper.core.attack import Outcome, Scene
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.core.target import Access
from temper.judges.advantage import Membership
from temper.judges.attribute import Attribute, Attributes
from temper.judges.nearness import Nearness, Reconstructions
from temper.judges.share import Shares
from temper.kernels.ranking import auc
from temper.testing.law import LawBroken, only_reads, require, same, sealed
from temper.testing.scenes import trained_scene
from temper.testing.toys import Constant

_NEAR = 0.7  # two classes have no spread to judge a ratio of distances by


def law_same_seed_same_guesses(attack: type[Any]) -> None:
    """The guesses can be made again."""
    one, two = (_run(attack, _scene(), seed=3) for _ in range(2))
    require(same(one, two), "guesses otherwise when run again with the same seed")


def law_other_seed_other_references(attack: type[Any]) -> None:
    """The seed reaches the numbers."""
    one, two = (_run(attack, _scene(), seed=seed) for seed in (3, 4))
    require(not same(one, two), "guesses the same with another seed")


def law_leaves_inputs_alone(attack: type[Any]) -> None:
    """Training rows and held-out rows are as before."""
    with only_reads(attack.__name__):
        _run(attack, _scene())


def law_one_finite_guess_per_row(attack: type[Any]) -> None:
    """Every guess is a finite number; of members there is one per row with its truth, and both sides are there."""
    found = _run(attack, _scene())
    require(_finite(found), "gives guesses that are not finite")
    if isinstance(found, Membership):
        require(len(found.score) == len(found.member) == len(found.x), "has not one score and one truth per row")
        require(0 < int(found.member.sum()) < len(found.member), "has members only, or none")


def law_a_model_that_knows_nothing_tells_nothing(attack: type[Any]) -> None:
    """Of a model that answers everything alike nobody can tell what was trained on."""
    found = _run(attack, trained_scene(120, target=Constant()))
    if not isinstance(found, Membership):
        require(not _accuses(found), "learns something from a model that says nothing")
        return
    area = float(auc(np.asarray(found.member).astype(int), np.asarray(found.score, dtype=float)))
    spread = 3.0 * np.sqrt(1.0 / 12.0 * (1.0 / found.member.sum() + 1.0 / (~found.member).sum()))
    require(abs(area - 0.5) <= spread, f"recognises training rows (AUC {area:.2f}) of a model that says nothing")


def law_rows_of_both_sides_are_left_out(attack: type[Any]) -> None:
    """A row that was trained on and held out is neither: it may not be counted as either."""
    scene = _scene()
    if scene.train is None:
        raise LawBroken("the scene has no training rows")
    x = scene.x.copy()
    x[:10] = scene.train.x[:10]
    found = _run(attack, replace(scene, x=sealed(x)))
    if not isinstance(found, Membership):
        return  # it has no rows to show
    members = {row.tobytes() for row in np.asarray(found.x)[found.member]}
    twice = sum(row.tobytes() in members for row in np.asarray(found.x)[~found.member])
    require(not twice, f"counts {twice} rows as trained on and as held out")


def law_ends_cleanly_on_few_rows(attack: type[Any]) -> None:
    """A handful of rows is a small pool or a plain refusal."""
    for rows in (1, 3):
        scene = _scene()
        few = replace(scene, x=scene.x[:rows], y=scene.y[:rows], ids=scene.ids[:rows])
        try:
            found = _run(attack, few)
        except TemperError:
            continue
        require(_finite(found), f"gives guesses that are not finite on {rows} held-out rows")


def law_declares_what_it_needs(attack: type[Any]) -> None:
    """`needs` says what is asked of the model."""
    needs = getattr(attack, "needs", Access.NONE)
    require(needs & (Access.LABELS | Access.SCORES), "does not declare that it reads labels or scores")


def _finite(found: Any) -> bool:
    """Whether every guess is a finite number."""
    if isinstance(found, Attributes):
        guesses = [one.attack for one in found.columns]
    elif isinstance(found, Shares):
        guesses = [rung.guess for rung in found.rungs]
    else:
        guesses = [found.x if isinstance(found, Reconstructions) else found.score]
    return all(bool(np.isfinite(one).all()) for one in guesses)


def _accuses(found: Any) -> bool:
    """Whether its judge is sure of a leak."""
    outcome = Outcome(scores=None, y=None, payload=found)
    if isinstance(found, Attributes):
        measured = Attribute().judge(_scene(), outcome)
        return all(m.low is not None and m.low > 0.0 for m in measured if m.metric in ("leak", "gain"))
    if isinstance(found, Shares):
        return bool(found.rungs[0].told_apart)
    ratio = Nearness().judge(trained_scene(600), outcome)[0]
    return ratio.value is not None and ratio.value < _NEAR


def _scene() -> Scene:
    return trained_scene(60)


def _run(attack: type[Any], scene: Scene, seed: int = 0) -> Any:
    return attack().run(None, scene, Draws(seed, "testing.inversion"))


LAWS = (
    law_same_seed_same_guesses,
    law_other_seed_other_references,
    law_leaves_inputs_alone,
    law_one_finite_guess_per_row,
    law_a_model_that_knows_nothing_tells_nothing,
    law_rows_of_both_sides_are_left_out,
    law_ends_cleanly_on_few_rows,
    law_declares_what_it_needs,
)
