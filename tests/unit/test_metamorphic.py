"""Relations that a user declares: which rows break them, and how they are written down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from temper.config.document import Section
from temper.config.reading import read
from temper.config.stress import costs, relations
from temper.core.attack import Scene
from temper.core.breach import Breached
from temper.core.cost import CostMatrix
from temper.core.errors import ConfigError, TemperError
from temper.core.finding import Finding
from temper.core.metamorphic import Metamorphic as Declared
from temper.core.schema import Column, Mutability, Schema
from temper.core.target import Access, ScoreKind
from temper.engine.replay import alike
from temper.validation.metamorphic import Metamorphic

SCHEMA = Schema(
    columns=(
        Column(name="amount", low=0, high=10),
        Column(name="sex", type="category", categories=("f", "m", "x")),
        Column(name="double", attacker=Mutability.DERIVED, formula="2 * amount"),
        Column(name="noise"),
    )
)
UP = Declared(kind="rises", columns=("amount",))


class Model:
    """A target from a function of the matrix."""

    name, access, stochastic, digest, classes, kind = "m", Access.SCORES, False, "d", 2, ScoreKind.MARGIN

    def __init__(self, score: Any) -> None:
        self.score, self.calls = score, 0

    def scores(self, x: Any) -> Any:
        self.calls += 1
        return self.score(x)[:, None]


def scene(score: Any, n: int = 400) -> Scene:
    rng = np.random.default_rng(0)
    amount = rng.uniform(0, 10, n)
    x = np.column_stack([amount, rng.integers(0, 3, n), 2 * amount, rng.normal(size=n)])
    model: Any = Model(score)
    return Scene(x=x, y=np.zeros(n), ids=np.arange(n) + 50, schema=SCHEMA, target=model, kind=ScoreKind.MARGIN)


def measured(one: Declared, score: Any) -> Any:
    found = Metamorphic(relations=(one,)).measure(scene(score))
    assert isinstance(found, Breached)
    return found.measurements[0], found.breaches


def test_a_model_that_rises_with_the_column_keeps_the_relation() -> None:
    figure, breaches = measured(UP, lambda x: x[:, 0] + x[:, 3])
    assert (figure.count, breaches) == (0, ())
    assert figure.n == 400
    assert figure.high > 0


def test_a_dip_is_found_with_the_row_that_shows_it_best_and_what_repairs_it() -> None:
    def dips(x: Any) -> Any:
        return x[:, 0] - 20.0 * (x[:, 0] > 9)

    figure, breaches = measured(UP, dips)
    low = scene(dips).x[:, 0]
    wrong = (low <= 9) & (low + 4 > 9)  # one step of four scales crosses the dip
    assert figure.count == wrong.sum()
    assert figure.slice == "rises with amount"
    assert breaches[0].defences == ("monotone",)
    shown = breaches[0].examples[0]
    assert shown.score_after - shown.score_before == pytest.approx(max(-20.0 + 0.25, -20 + (9 - 8.9)), abs=0.3)
    assert {change.column for change in shown.changes} == {"amount", "double"}
    falls, _ = measured(Declared(kind="falls", columns=("amount",)), lambda x: -dips(x))
    assert falls.count == figure.count


def test_a_tolerance_lets_small_dips_pass_and_rows_at_the_top_are_not_counted() -> None:
    def dips(x: Any) -> Any:
        return -0.001 * x[:, 0]

    assert measured(UP, dips)[0].value == 1.0
    assert measured(Declared(kind="rises", columns=("amount",), tolerance=0.01), dips)[0].count == 0
    full = scene(dips)
    full.x[:, 0] = 10.0
    figure = Metamorphic(relations=(UP,)).measure(full).measurements[0]  # type: ignore[union-attr]
    assert figure.value is None
    assert figure.reason


def test_what_derives_from_a_column_follows_it() -> None:
    assert measured(UP, lambda x: -x[:, 2])[0].value == 1.0


def test_a_model_that_looks_at_a_column_is_not_invariant_to_it() -> None:
    one = Declared(kind="invariant", columns=("sex",))
    assert measured(one, lambda x: x[:, 0])[0].count == 0
    figure, breaches = measured(one, lambda x: x[:, 0] + (x[:, 1] == 1))
    assert figure.value > 0.4
    assert breaches[0].defences == ()


def test_two_values_of_a_column_trade_places_and_a_third_stays() -> None:
    one = Declared(kind="invariant", columns=("sex",), values=("f", "m"))
    assert measured(one, lambda x: 1.0 * (x[:, 1] == 2))[0].count == 0
    figure, _ = measured(one, lambda x: 1.0 * (x[:, 1] == 1))
    assert figure.value == 1.0
    assert figure.n == (scene(lambda x: x).x[:, 1] < 2).sum()


def test_a_score_that_depends_on_the_batch_is_caught() -> None:
    one = Declared(kind="order")
    assert measured(one, lambda x: x[:, 0])[0].count == 0
    assert measured(one, lambda x: x[:, 0] - x[:, 0].mean())[0].count >= 49


def test_all_copies_of_a_relation_share_one_call() -> None:
    given = scene(lambda x: x[:, 0])
    Metamorphic(relations=(UP,)).measure(given)
    assert given.target.calls == 2  # type: ignore[union-attr]


def section(tmp_path: Path, text: str) -> Section:
    file = tmp_path / "temper.yaml"
    file.write_text(text, encoding="utf-8")
    return read(file).section("stress")


def test_relations_and_costs_are_read_from_the_document(tmp_path: Path) -> None:
    text = """
stress:
  relations:
    - {monotone: amount, direction: up, tolerance: 0.01}
    - {invariant: [sex], values: [f, m]}
    - {invariant: order}
  cost: {false_negative: 1.0, false_positive: 5, amount_column: amount}
"""
    stress = section(tmp_path, text)
    assert relations(stress.sections("relations"), SCHEMA) == (
        Declared(kind="rises", columns=("amount",), tolerance=0.01),
        Declared(kind="invariant", columns=("sex",), values=("f", "m")),
        Declared(kind="order"),
    )
    assert costs(stress.section("cost"), SCHEMA) == CostMatrix(
        false_negative=1.0, false_positive=5.0, amount_column="amount"
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{monotone: amonut}", "no column 'amonut'"),
        ("{monotone: amount, direction: upp}", "'upp'"),
        ("{tolerance: 1}", "either `monotone"),
        ("{invariant: [sex], values: [f, q]}", "no category 'q'"),
        ("{invariant: [sex], values: [f]}", "two that are swapped"),
        ("{monotone: sex}", "have no order"),
        ("{monotone: amount, tolerance: -1}", "not negative"),
    ],
)
def test_a_wrong_relation_is_refused_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    stress = section(tmp_path, f"stress:\n  relations:\n    - {line}\n")
    with pytest.raises(ConfigError, match=said) as error:
        relations(stress.sections("relations"), SCHEMA)
    assert "temper.yaml:3" in error.value.message


def test_a_cost_of_nothing_or_below_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemperError, match="not negative"):
        CostMatrix()
    stress = section(tmp_path, "stress:\n  cost: {false_negative: 1, amount_column: amuont}\n")
    with pytest.raises(ConfigError, match="amuont"):
        costs(stress.section("cost"), SCHEMA)


def test_a_missing_amount_counts_as_the_average_and_a_miss_costs_its_amount() -> None:
    matrix = CostMatrix(false_negative=2.0, false_positive=5.0, amount_column="amount")
    x = np.array([[10.0, 0, 20, 0], [np.nan, 0, 0, 0], [30.0, 0, 60, 0]])
    amounts = matrix.amounts(x, SCHEMA)
    np.testing.assert_array_equal(amounts, [10, 20, 30])
    costs = matrix.per_row(np.array([1, 1, 0]), np.array([False, True, True]), amounts)
    np.testing.assert_array_equal(costs, [20, 0, 5])


def test_a_replay_looks_for_the_relation_that_was_broken_and_no_other() -> None:
    def finding(title: str) -> Finding:
        return Finding(id="F-1", title=title, plugin="metamorphic", metric="broken_share", severity="high")

    old = finding("A declared relation is broken: rises with amount")
    assert alike(old, finding("A declared relation is broken: rises with amount"))
    assert not alike(old, finding("A declared relation is broken: same for any sex"))
    assert measured(UP, lambda x: -x[:, 0])[1][0].title == old.title
    assert alike(finding("Missing: drop in AUC of 0.2"), finding("Missing: drop in AUC of 0.1"))
