"""Laws of defences: what comes back can do no less, what went in is as before, and it can be done again.

Each defence is tried on a model of a table and, where torch is installed, on a small net of pictures; it may decline
one of the two, and both where it takes a forest of scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from temper.core.budget import Budget
from temper.core.data import Array, Data
from temper.core.errors import Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind, Target
from temper.targets.function import Function
from temper.targets.sklearn import Sklearn
from temper.testing.law import LawBroken, only_reads, require, same, sealed
from temper.testing.scenes import SHAPE, picture_model, schema, table, training
from temper.testing.toys import Trainable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Case:
    """A model with its training rows and others; `closed` is the same model when nobody can train it."""

    target: Callable[[], Target]
    closed: Callable[[], Target]
    data: Data
    others: Array
    domain: Schema
    budget: Budget


def law_gives_at_least_the_same_access(defence: type[Any]) -> None:
    """A hardened target can be attacked, measured and hardened again in every way the old one could."""
    for case in _cases(defence):
        target = case.target()
        hardened = _apply(defence, case, target)
        lost = target.access & ~hardened.access
        require(not lost, f"takes away {lost.words()}")
        require(hardened.kind is target.kind and hardened.classes == target.classes, "gives another kind of model")


def law_leaves_the_target_alone(defence: type[Any]) -> None:
    """The target passed in answers and is as before."""
    for case in _cases(defence):
        target, x = case.target(), np.array(case.others)
        before = target.scores(x), _content(target)
        hardened = _apply(defence, case, target)
        kept = same(target.scores(x), before[0]) and _content(target) == before[1]
        require(kept, "changes the target it was given")
        require(hardened is not target, "gives back the very target it was given")


def law_leaves_the_data_alone(defence: type[Any]) -> None:
    """The training rows are as before."""
    for case in _cases(defence):
        with only_reads(defence.__name__):
            _apply(defence, case, case.target())


def law_same_seed_same_model(defence: type[Any]) -> None:
    """Hardening again with the same seed gives the same model."""
    for case in _cases(defence):
        one, two = (_apply(defence, case, case.target()).scores(np.array(case.others)) for _ in range(2))
        require(same(one, two), "gives another model when run again with the same seed")


def law_answers_are_finite(defence: type[Any]) -> None:
    """The hardened model answers every row, and still tells the classes apart better than a coin."""
    for case in _cases(defence):
        data = case.data
        scores = _apply(defence, case, case.target()).scores(np.array(data.x))
        require(scores.shape == (len(data), 2) and np.isfinite(scores).all(), "gives a model that does not answer")
        right = float(((scores[:, 1] >= 0.5) == data.y).mean())
        floor = max(float(data.y.mean()), 1.0 - float(data.y.mean()))
        require(
            right > floor,
            f"gives a model that is right on {right:.0%} of rows where always the same is right on {floor:.0%}",
        )


def law_a_target_that_cannot_be_refitted_is_refused(defence: type[Any]) -> None:
    """A model nobody can fit again is a reason to skip, not a crash, and never a silent nothing."""
    for case in _every_case():
        target = case.closed()
        try:
            hardened = _apply(defence, case, target)
        except Unsupported:
            continue
        except Exception as crash:
            raise LawBroken(f"crashes on a target that cannot be refitted: {type(crash).__name__}: {crash}") from crash
        x = np.array(case.data.x)
        moved = not same(hardened.scores(x), target.scores(x))
        require(moved, "says it hardened a target that cannot be refitted, and did nothing")


def _cases(defence: type[Any]) -> Iterator[_Case]:
    """The cases a defence does not decline; one at least."""
    refused: list[Unsupported] = []
    for case in (*_every_case(), _forest()):
        if len(refused) < 2 and isinstance(case.target(), Sklearn):
            continue
        try:
            _apply(defence, case, case.target())
        except Unsupported as reason:
            refused.append(reason)
            continue
        except ValueError as error:  # a write into sealed rows is for the law about that
            if "read-only" not in str(error):
                raise
        yield case
    told = "; ".join(reason.message for reason in refused)
    require(len(refused) < 3, f"declines a table, pictures and a forest: {told}")


def _every_case() -> Iterator[_Case]:
    target = Trainable.fitted(training())
    yield _Case(
        target=lambda: replace(target),
        closed=lambda: replace(target, access=Access.LABELS | Access.SCORES),
        data=training(),
        others=table(30),
        domain=schema(),
        budget=Budget(norm="linf", radius=0.1),
    )
    if find_spec("torch") is not None:
        yield _Case(
            target=_net,
            closed=lambda: Function(call=_net().scores, kind=ScoreKind.PROBABILITIES, classes=2, version="1"),
            data=_pictures(),
            others=_pictures(30, seed=1).x,
            domain=Schema.box(0.0, 1.0),
            budget=Budget(norm="linf", radius=0.02),
        )


def _forest() -> _Case:
    """Trees of a library, for what works on its files alone."""
    from sklearn.ensemble import RandomForestClassifier

    data = training()
    x = np.nan_to_num(np.array(data.x))
    target = Sklearn(model=RandomForestClassifier(5, random_state=0).fit(x, data.y))
    return _Case(
        target=lambda: replace(target),
        closed=lambda: Function(call=target.scores, kind=ScoreKind.PROBABILITIES, classes=2, version="1"),
        data=replace(data, x=sealed(x)),
        others=np.nan_to_num(table(30)),
        domain=schema(),
        budget=Budget(norm="linf", radius=0.1),
    )


def _net() -> Target:
    """A net of two layers that judges pictures by the weights of the picture toy, a little worn."""
    import torch

    from temper.targets.torch import open_torch

    weights = torch.tensor(picture_model().weights)
    with torch.random.fork_rng():
        dense = torch.nn.Linear(16, 2)
    with torch.no_grad():
        dense.weight.copy_(torch.stack([-weights, weights]) / 2 + 0.3 * torch.arange(16) / 16)
        dense.bias.zero_()
    net = torch.nn.Sequential(torch.nn.Flatten(), dense, torch.nn.Softmax(dim=1))
    return open_torch(net.eval(), ScoreKind.PROBABILITIES, 2, False)


def _pictures(n: int = 200, seed: int = 0) -> Data:
    """Pictures with the truth of the picture toy; arrays are read-only."""
    x = Draws(seed, "testing.defence.pictures").uniform(np.arange(n), 0, SHAPE)
    y = (picture_model().logit(x) > 0).astype(np.int64)
    return Data(x=sealed(x), y=sealed(y), ids=sealed(np.arange(n)))


def _content(target: Target) -> str:
    """The digest of a target as it is now, not as it was when somebody first asked."""
    return replace(target).digest  # type: ignore[type-var]


def _apply(defence: type[Any], case: _Case, target: Target) -> Target:
    known = {field.name for field in fields(defence)}
    handed = {"schema": case.domain, "inner": _inner(case), "goal": "misclassify", "budget": case.budget}
    handed["accepted"] = case.data.take(np.arange(len(case.data) // 2))
    made = defence(**{name: value for name, value in handed.items() if name in known})
    hardened: Target = made.apply(target, case.data, Draws(0, "testing.defence"))
    return hardened


def _inner(case: _Case) -> Callable[[Target, Data], Data]:
    """The inner attack the engine would hand in: rows of class 1 whose first value was lowered, truth kept."""

    def found(target: Target, data: Data) -> Data:
        rows = np.flatnonzero(data.y == 1)
        x = data.x[rows].copy()
        x.reshape((len(x), -1))[:, 0] -= 4.0
        return Data(x=case.domain.project(x, data.x[rows]), y=data.y[rows].copy(), ids=data.ids[rows].copy())

    return found


LAWS = (
    law_gives_at_least_the_same_access,
    law_leaves_the_target_alone,
    law_leaves_the_data_alone,
    law_same_seed_same_model,
    law_answers_are_finite,
    law_a_target_that_cannot_be_refitted_is_refused,
)
