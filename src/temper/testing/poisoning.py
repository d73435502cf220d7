"""Laws of poisoning attacks: no more than their share of the training data, and the same poison for the same seed.

A backdoor's payload is a `Backdoored`; its training data keep the same laws, and its trigger has laws of its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access
from temper.judges.backdoor import Backdoored, carried
from temper.testing.law import LawBroken, only_reads, require, same
from temper.testing.scenes import trained_scene
from temper.testing.unstructured import trained_pictures, trained_texts

_SHARES = (0.0, 0.001, 0.01, 0.1, 0.5, 1.0)


def law_same_seed_same_poison(attack: type[Any]) -> None:
    """A poisoned training set can be made again."""
    one, two = (_run(attack, 0.1, seed=3) for _ in range(2))
    require(same(one, two), "gives other training data when run again with the same seed")


def law_other_seed_other_rows(attack: type[Any]) -> None:
    """The seed reaches the numbers."""
    one, two = (_run(attack, 0.1, seed=seed) for seed in (3, 4))
    require(not same(one, two), "poisons the same rows with another seed")


def law_leaves_inputs_alone(attack: type[Any]) -> None:
    """The training data it is given are as before: what it changes is a copy."""
    with only_reads(attack.__name__):
        _run(attack, 0.5)


def law_share_is_respected(attack: type[Any]) -> None:
    """It changes, adds or removes no more rows than its budget's share of the training data."""
    train = _train(_scene(attack, 0.0))
    for share in _SHARES:
        poisoned = _data(_run(attack, share))
        allowed = round(share * len(train))
        changed = _changed(train, poisoned)
        require(changed <= allowed, f"changes {changed} rows where {share:g} of {len(train)} are {allowed}")


def law_does_something(attack: type[Any]) -> None:
    """Given a tenth of the rows, it changes some."""
    scene = _scene(attack, 0.1)
    require(_changed(_train(scene), _data(_run(attack, 0.1))) > 0, "changes nothing with a tenth of the rows to spend")


def law_ends_cleanly_on_few_rows(attack: type[Any]) -> None:
    """Few training rows, or none it may touch, are a smaller poison or a plain refusal."""
    for rows in (1, 2, 5):
        scene = _scene(attack, 0.5)
        few = replace(scene, train=_train(scene).take(np.arange(rows)))
        try:
            poisoned = attack().run(None, few, Draws(0, "testing.poisoning"))
        except TemperError:
            continue
        _require_data(_data(poisoned))


def law_payload_is_training_data(attack: type[Any]) -> None:
    """What comes back can be trained on: as many truths and ids as rows, finite, and no class that never was."""
    for share in _SHARES:
        poisoned = _data(_run(attack, share))
        _require_data(poisoned)
        known = set(np.unique(_train(_scene(attack, 0.0)).y).tolist())
        require(set(np.unique(poisoned.y).tolist()) <= known, f"invents the classes {set(poisoned.y) - known}")


def law_declares_what_it_needs(attack: type[Any]) -> None:
    """`needs` says that the model is fitted on the poison."""
    require(Access.RETRAIN in getattr(attack, "needs", Access.NONE), "does not declare that it needs a refit")


def law_trigger_stays_in_the_domain(attack: type[Any]) -> None:
    """A stamped row is one the schema admits, of values that training rows hold; a control says that it is neither."""
    made, scene = _run(attack, 0.1), _scene(attack, 0.1)
    if not isinstance(made, Backdoored):
        return
    if made.victims is not None:
        return
    clean, held = np.asarray(scene.x), np.asarray(_train(scene).x)
    marked = np.asarray(made.trigger.stamp(clean))
    if not scene.schema.columns:
        require(carried(clean, marked).any(), "stamps no row")
        require(bool(scene.schema.admits(marked, clean).all()) != made.control, "stamps rows out of the domain")
        return
    moved = (marked != clean) & ~(np.isnan(marked) & np.isnan(clean)) & _set(scene)
    beyond = moved & ((marked < np.nanmin(held, axis=0)) | (marked > np.nanmax(held, axis=0)))
    strange = bool(beyond.any()) or not scene.schema.admits(marked, clean).all()
    require(moved.any(), "stamps no row")
    require(strange == made.control, f"stamps {'in' if made.control else 'out of'} bounds, control={made.control}")


def law_a_stamp_does_not_depend_on_the_other_rows(attack: type[Any]) -> None:
    """A row carries the same trigger alone, in another order, and stamped twice from the same clean row."""
    made, scene = _run(attack, 0.1), _scene(attack, 0.1)
    if not isinstance(made, Backdoored):
        return
    whole = np.asarray(made.trigger.stamp(scene.x))
    order = np.arange(len(scene.x))[::-1][:7]
    with only_reads(attack.__name__):
        part = np.asarray(made.trigger.stamp(np.asarray(scene.x)[order]))
    require(same(part, whole[order]), "stamps a row otherwise when other rows lie beside it")


def _set(scene: Scene) -> Any:
    """Mask of the columns an attacker sets; derived ones follow them beyond what was observed."""
    return np.isin(np.arange(len(scene.schema.columns)), scene.schema.movable)


def _data(poisoned: Any) -> Any:
    return poisoned.data if isinstance(poisoned, Backdoored) else poisoned


def _scene(attack: type[Any], share: float) -> Scene:
    """The first of a table, pictures and texts that the attack does not decline."""
    said = []
    for made in (trained_scene, trained_pictures, trained_texts):
        scene = made(30)
        scene = replace(scene, budget=replace(scene.budget, share=share))
        try:
            attack().run(None, replace(scene, budget=replace(scene.budget, share=0.0)), Draws(0, "testing.poisoning"))
        except Unsupported as no:
            said.append(no.message)
            continue
        return scene
    raise LawBroken(f"works on neither tables nor pictures nor texts: {said[0]}")


def _train(scene: Scene) -> Data:
    if scene.train is None:
        raise LawBroken("the scene has no training rows")
    return scene.train


def _run(attack: type[Any], share: float, seed: int = 0) -> Any:
    return attack().run(None, _scene(attack, share), Draws(seed, "testing.poisoning"))


def _require_data(poisoned: Any) -> None:
    require(isinstance(poisoned, Data), f"gives a {type(poisoned).__name__}, expected Data")
    lengths = len(poisoned.x), len(poisoned.y), len(poisoned.ids)
    require(len(set(lengths)) == 1, f"gives {lengths} rows, truths and ids")


def _changed(train: Data, poisoned: Data) -> int:
    """Rows of either side that the other does not have."""
    before, after = (Counter(_keys(data)) for data in (train, poisoned))
    return max((after - before).total(), (before - after).total())


def _keys(data: Data) -> list[bytes]:
    truth = np.asarray(data.y)
    return [np.asarray(row).tobytes() + truth[at].tobytes() for at, row in enumerate(np.asarray(data.x))]


LAWS = (
    law_same_seed_same_poison,
    law_other_seed_other_rows,
    law_leaves_inputs_alone,
    law_share_is_respected,
    law_does_something,
    law_ends_cleanly_on_few_rows,
    law_payload_is_training_data,
    law_declares_what_it_needs,
    law_trigger_stays_in_the_domain,
    law_a_stamp_does_not_depend_on_the_other_rows,
)
