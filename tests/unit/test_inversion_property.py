"""Property inference: a model whose answers carry the group's share is read, one that knows nothing of it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from temper.attacks.inversion._attribute import grouped
from temper.attacks.inversion.property import PropertyInference
from temper.core.attack import Outcome
from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.measure import Status
from temper.core.target import Access
from temper.engine.rooms.inversion import effects, run
from temper.engine.task import Part, World
from temper.judges.share import Rung, Share, Shares
from temper.testing.toys import Trainable
from unit.payload_world import figure, rows, schema, task, world

NAME = "inversion.property"
OPTIONS = (("column", "c1"), ("value", "b"))


def tied(n: int, seed: int) -> Data:
    """Group b of column c1 is positive three times in four, the others once in four."""
    data = rows(n, seed)
    rng = np.random.default_rng(seed)
    return replace(data, y=(rng.random(n) < np.where(data.x[:, 11] == 1, 0.75, 0.25)).astype(np.int64))


def here(train: Data, others: Data) -> World:
    return world(Trainable.fitted(train), train, others)


def audit(train: Data, others: Data, **more: object) -> Part:
    return run(task(NAME, options=(*OPTIONS, *more.items())), here(train, others))


def test_a_share_that_moves_the_base_rate_is_told() -> None:
    part = audit(tied(6_000, 1), tied(5_000, 2))
    found = figure(part, "accuracy")
    assert found.low > 0.7
    assert found.n == 32
    assert found.curve.points[-1].at == 0.6
    assert abs(dict(found.baseline)["labels that mean nothing"] - 0.5) < 0.3
    assert "told apart down to" in found.caveats[0]
    assert "c1 = b" in part.findings[0].title


def test_a_share_that_moves_nothing_is_not() -> None:
    part = audit(rows(6_000, 1), rows(5_000, 2))
    found = figure(part, "accuracy")
    assert found.low <= 0.5
    assert part.findings == ()
    assert [m.slice for m in part.measurements] == ["all", "gap 0.6"], "no narrower gap is paid for"


def test_over_many_draws_nothing_is_told_as_often_as_the_level_says() -> None:
    """Blocks share no rows: among 30 draws of a model that knows nothing, accuracy averages a half."""
    values = []
    for seed in range(15):
        part = run(task(NAME, options=(*OPTIONS, ("blocks", 8)), seed=seed), here(rows(1_500, seed), rows(700, 99)))
        values.append(figure(part, "accuracy").value)
    assert abs(np.mean(values) - 0.5) < 0.1


def test_a_bad_gap_few_rows_or_no_group_is_refused_in_words() -> None:
    with pytest.raises(TemperError, match="gaps in"):
        PropertyInference(gaps=(1.0,))
    part = audit(rows(200, 1), rows(200, 2))
    assert part.status is Status.UNTRIED
    assert "too few" in part.reason
    nobody = run(task(NAME), here(rows(200, 1), rows(200, 2)))
    assert "sensitive" in nobody.reason
    fixed = replace(Trainable.fitted(rows(200, 1)), access=Access.SCORES)
    assert "retrain" in run(task(NAME), world(fixed, rows(200, 1), rows(200, 2))).reason


def test_groups_are_a_value_or_the_upper_half() -> None:
    x = rows(900, 0).x
    words, group = grouped(schema(), "c0", "", x, 10)
    assert words in {f"c0 = {letter}" for letter in "abcd"}
    assert 0.15 < group.mean() < 0.35
    words, group = grouped(schema(), "n0", "", x, 10)
    assert words.startswith("n0 above")
    assert group.mean() == pytest.approx(0.5, abs=0.01)
    with pytest.raises(Unsupported, match="no common value"):
        grouped(schema(), "c0", "z", x, 10)


def test_the_judge_counts_and_asks_for_its_own_evidence() -> None:
    with pytest.raises(TemperError, match="property attack"):
        Share().judge(None, Outcome(scores=None, y=None, payload=1))
    truth = np.arange(40) % 2 == 0
    rung = Rung(shares=(0.2, 0.5), rows=100, truth=truth, guess=truth, dealt=truth, null=~truth)
    seen = Shares(group="g = a", share=0.3, rungs=(rung,))
    (head, _) = Share().judge(None, Outcome(scores=None, y=None, payload=seen))
    assert (head.value, head.n, head.status) == (1.0, 40, Status.OK)
    strange = replace(seen, rungs=(replace(rung, null=truth),))
    assert Share().judge(None, Outcome(scores=None, y=None, payload=strange))[0].status is Status.INCONCLUSIVE


def test_what_changes_is_paired_over_models_of_the_same_rows() -> None:
    train, others = tied(6_000, 1), tied(5_000, 2)
    before = audit(train, others)
    (same,) = effects("nothing", before, before)
    assert same.verdict == "no clear change"
    deaf = replace(before, evidence=before.evidence | {"share told right": np.arange(32) % 2 == 0})
    (effect,) = effects("deaf", before, deaf)
    assert effect.verdict == "better"
