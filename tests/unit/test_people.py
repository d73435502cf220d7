"""People in tables: groups of two columns at once, who stands alone, and what is written down about the system."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.measure import Status
from temper.core.schema import Column
from temper.kernels.counts import confusion, ratio
from temper.validation.documentation import QUESTIONS, Documentation
from temper.validation.fairness import Fairness
from temper.validation.intersections import Intersections
from temper.validation.privacy import Privacy
from unit.test_validation import FEW, SEX, Toy, find, judged, scene, stated

AREA = Column(name="area", type="category", categories=("north", "south", "west"), sensitive=True)


def crossed(n: int, seed: int, extra: float) -> Scene:
    """Women of the south are flagged more often by `extra`; the groups alone hardly differ."""
    rng = np.random.default_rng(seed)
    sex, area = rng.integers(0, 2, n), rng.integers(0, 3, n)
    flag = rng.random(n) < 0.2 + extra * ((sex == 0) & (area == 1))
    x = np.column_stack([np.where(flag, 0.9, 0.1), sex, area]).astype(float)
    columns = (Column(name="score"), SEX, AREA)
    y = rng.integers(0, 2, n)
    return scene(Toy(stated), x, y, columns, sensitive=("sex", "area"), threshold=0.5)


def test_people_of_two_groups_are_found_with_their_name() -> None:
    measured = Intersections(replicates=FEW).measure(crossed(3000, 0, 0.3))
    worst = find(measured, "selection_gap")
    assert worst.caveats == ("sex f x area south", "holds")
    assert worst.low is not None
    assert 0.2 < worst.low < 0.3 < (worst.high or 0.0)
    assert dict(worst.baseline)["largest of permuted groups, 95 %"] < worst.low


def test_equal_treatment_is_not_accused_however_many_pairs_there_are() -> None:
    false = 0
    for seed in range(20):
        measured = Intersections(replicates=20).measure(crossed(1500, seed, 0.0))
        false += any(m.caveats[1] == "holds" for m in measured)
        assert find(measured, "selection_gap").low is not None
    assert false <= 3


def test_the_interval_of_a_pair_holds_the_true_gap() -> None:
    covered = 0
    for seed in range(30):
        worst = find(Intersections(replicates=20).measure(crossed(1500, seed, 0.25)), "selection_gap")
        covered += (worst.low or 0.0) <= 0.25 <= (worst.high or 1.0)
    assert covered >= 27


AGED = Column(name="aged", type="category", categories=("no", "yes"), sensitive=True)


def threefold(n: int, seed: int, extra: float) -> Scene:
    """Flags go up and down by the parity of three columns: no pair of them shows anything."""
    rng = np.random.default_rng(seed)
    groups = np.column_stack([rng.integers(0, 2, n), 2 * rng.integers(0, 2, n), rng.integers(0, 2, n)])
    parity = (groups.sum(axis=1) + (groups[:, 1] > 0)) % 2
    flag = rng.random(n) < 0.4 + extra * (2 * parity - 1)
    x = np.column_stack([np.where(flag, 0.9, 0.1), groups]).astype(float)
    columns = (Column(name="score"), SEX, AREA, AGED)
    return scene(
        Toy(stated), x, rng.integers(0, 2, n), columns, sensitive=("sex", "area", "aged"), threshold=0.5
    )  # fmt: skip


def test_people_of_three_groups_are_found_where_they_are_asked_for() -> None:
    blind = find(Intersections(replicates=50).measure(threefold(3000, 0, 0.2)), "selection_gap")
    assert blind.caveats[1] != "holds"
    worst = find(Intersections(replicates=50, columns=3).measure(threefold(3000, 0, 0.2)), "selection_gap")
    assert worst.caveats[0].count(" x ") == 2
    assert worst.caveats[1] == "holds"
    assert "sets of 2 to 3 groups" in worst.method
    pairs, threes = (
        find(Intersections(replicates=20, columns=n).measure(crossed(1500, 0, 0.25)), "selection_gap") for n in (2, 3)
    )
    assert (pairs.low, pairs.high) == (threes.low, threes.high), "two columns have no threes"


def test_equal_treatment_is_not_accused_by_threes_either() -> None:
    false = 0
    for seed in range(12):
        measured = Intersections(replicates=20, columns=3).measure(threefold(1200, seed, 0.0))
        false += any(m.caveats[1] == "holds" for m in measured)
    assert false <= 2


def test_small_groups_and_single_columns_say_why() -> None:
    few = Intersections(replicates=50, smallest=2000).measure(crossed(1500, 0, 0.0))
    assert {m.status for m in few} == {Status.INCONCLUSIVE}
    assert Intersections().measure(judged(100, 0, 0.0))[0].status is Status.UNTRIED


def test_the_ratio_is_the_smallest_over_the_largest_rate() -> None:
    made = judged(3000, 0, 0.3)
    found = find(Fairness().measure(made), "selection_ratio")
    flag, sex = made.x[:, 0] > 0.5, made.x[:, 1]
    rates = [flag[sex == s].mean() for s in (0, 1)]
    assert found.value == pytest.approx(min(rates) / max(rates), abs=1e-12)
    assert (found.high or 1.0) < 0.8
    assert found.caveats[0] == "sex f over sex m"
    gap = find(Fairness().measure(made), "ppv_gap", "column:sex")
    by_hand = [made.y[flag & (sex == s)].mean() for s in (0, 1)]
    assert gap.value == pytest.approx(np.ptp(by_hand), abs=1e-12)


def test_ratio_intervals_cover_the_true_ratio() -> None:
    rng, covered = np.random.default_rng(7), 0
    for _ in range(100):
        member = rng.integers(0, 3, 900)
        flag = rng.random(900) < np.array([0.2, 0.3, 0.4])[member]
        _, low, high = ratio(confusion(member, flag, flag, 3), "selection", rng, replicates=200)
        covered += low <= 0.5 <= high
    assert covered >= 90
    nobody = ratio(np.array([[[9, 0], [0, 0]], [[9, 0], [0, 0]]]), "selection", rng)
    assert nobody == (1.0, 0.0, 1.0)


# -- who stands alone -----------------------------------------------------------------------------------------------

AGE, CITY = Column(name="age", type="integer"), Column(name="city", type="integer")


def people(ages: int, cities: int, n: int = 500) -> Scene:
    """People of so many ages and cities; the training rows are other people like them."""
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.random(2 * n), rng.integers(0, ages, 2 * n), rng.integers(0, cities, 2 * n)]).astype(float)
    y = rng.integers(0, 2, 2 * n)
    return scene(
        Toy(lambda x: stated(np.round(x, 1))), x[:n], y[:n], (Column(name="score"), AGE, CITY),
        sensitive=("age", "city"), train=Data(x=x[n:], y=y[n:]),
    )  # fmt: skip


def test_people_who_stand_alone_are_counted() -> None:
    measured = Privacy().measure(people(60, 40))
    assert (find(measured, "singled_out").low or 0.0) > 0.5
    assert find(measured, "below_k").value == pytest.approx(1.0, abs=0.05)
    assert (find(measured, "below_l").low or 0.0) > 0.5
    assert (find(measured, "linkable").low or 0.0) > 0.1


def test_people_in_large_groups_do_not_stand_alone() -> None:
    measured = Privacy().measure(people(3, 2))
    for metric in ("singled_out", "below_k", "below_l", "linkable"):
        assert find(measured, metric).count == 0
    assert find(measured, "answers_single_out").count == 0


def test_an_answer_of_many_digits_singles_everybody_out() -> None:
    made = people(3, 2)
    exact = scene(Toy(stated), made.x, made.y, made.schema.columns, sensitive=made.sensitive, train=made.train)
    found = find(Privacy().measure(exact), "answers_single_out")
    assert found.value == 1.0
    assert dict(found.baseline)["without the answer"] == 0.0


def test_counts_of_classes_are_those_by_hand() -> None:
    x = np.array([[0, 1, 1], [0, 1, 1], [0, 2, 1], [0, 2, 1], [0, 3, 1.0]])
    y = np.array([0, 1, 1, 1, 0])
    made = scene(Toy(stated), x, y, (Column(name="score"), AGE, CITY), train=Data(x=x, y=y))
    measured = Privacy(columns=("age", "city"), k=3).measure(made)
    assert [find(measured, m).count for m in ("singled_out", "below_k", "below_l", "linkable")] == [1, 5, 3, 1]


# -- what is written down -------------------------------------------------------------------------------------------


def documented(**answers: str) -> Any:
    return Documentation(answers=tuple(answers.items())).measure(judged(50, 0, 0.0))[0]


def test_open_questions_are_told_by_name_and_todo_is_no_answer() -> None:
    full = dict.fromkeys(QUESTIONS, "as it says")
    assert documented(**full).value == 1.0
    open_ = documented(**(full | {"owner": "TODO", "limits": " ? ", "oversight": ""}))
    assert open_.value == pytest.approx(4 / 7)
    assert open_.caveats[0].count("(") == 3
    assert "who answers for it (owner)" in open_.caveats[0]


def test_a_system_described_nowhere_is_not_accused() -> None:
    assert Documentation().measure(judged(50, 0, 0.0))[0].status is Status.UNTRIED


def test_answers_come_from_the_file_by_name(tmp_path: Path) -> None:
    from temper.config.documentation import documented as read_answers
    from temper.config.reading import read

    path = tmp_path / "temper.yaml"
    path.write_text(
        "system: {purpose: finds fraud, harmed: TODO}\ndocumentation:\n  owner: cards team\npolicy: default\n",
        encoding="utf-8",
    )
    answers = read_answers(read(path))["validation.documentation"]["answers"]
    measured = Documentation(answers=answers).measure(judged(50, 0, 0.0))[0]
    assert measured.value == pytest.approx(3 / 7)


def test_what_a_draft_guesses_is_no_answer_until_somebody_confirms_it(tmp_path: Path) -> None:
    from temper.config.documentation import documented as read_answers
    from temper.config.init import draft
    from temper.config.reading import parse

    table = tmp_path / "rows.csv"
    table.write_text("a,b,y\n" + "".join(f"{n % 7},{n % 5},{n % 2}\n" for n in range(40)), encoding="utf-8")
    text = draft("model.py:predict", table, "y")
    line = next(one for one in text.splitlines() if one.startswith("documentation:"))
    assert "guessed: rows.csv, 40 rows" in line
    assert "# guessed: provenance" in line

    def answered(written: str) -> float:
        answers = read_answers(parse(written, "temper.yaml"))["validation.documentation"]["answers"]
        return float(Documentation(answers=answers).measure(judged(50, 0, 0.0))[0].value or 0.0)

    assert answered(text) == pytest.approx(1 / 7), "the policy alone"
    assert answered(text.replace("guessed: rows.csv", "rows.csv of 2026")) == pytest.approx(2 / 7)
