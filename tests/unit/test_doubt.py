"""Doubts: each indicator of a failed attack is told in words, and a healthy attack raises none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from temper.attacks.evasion._gradient import Trace
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.schema import Schema
from temper.core.target import ScoreKind
from temper.engine.adaptive import Measured, agreement, joined, part
from temper.engine.doubt import doubts_of, tried_again
from temper.targets.oracle import Evidence
from temper.testing.scenes import picture_model, picture_scene

N = 10
NAN = np.full(N, np.nan)


def merged(broken: int = 0, **notes: Any) -> dict[str, Any]:
    verdicts = np.where(np.arange(N) < broken, "broken", "held")
    healthy = {"zero_gradient": np.zeros(N), "bad_gradient": np.zeros(N), "first_loss": np.zeros(N)}
    told = healthy | {"best_loss": np.ones(N), "late_rise": np.full(N, 0.1)} | notes
    return {"verdicts": verdicts, "noise": np.full(N, "held")} | {f"note_{name}": told[name] for name in told}


def test_a_healthy_attack_raises_no_doubt() -> None:
    notes = {"agreement": np.full(N, 0.99), "halved": np.zeros(N), "random_scores": np.zeros(N)}
    assert doubts_of("evasion.pgd", merged(**notes)) == []


@pytest.mark.parametrize(
    ("notes", "says"),
    [
        ({"zero_gradient": np.ones(N)}, "masked gradients: on 10 of 10"),
        ({"bad_gradient": np.ones(N)}, "not finite"),
        ({"best_loss": np.zeros(N)}, "the loss did not rise on 10 of 10"),
        ({"late_rise": np.full(N, 0.7)}, "still rising on 10 of 10 rows that held: more steps would help"),
        ({"agreement": np.full(N, 0.05)}, "misleading gradients: on 10 of 10 rows looked at"),
        ({"halved": np.r_[1.0, NAN[1:]]}, "in half the ball it broke 1 rows"),
        ({"measured": np.r_[np.ones(6), NAN[6:]]}, "a slope measured from the answers broke 6 rows"),
        ({"averaged": np.r_[1.0, NAN[1:]]}, "random model: the mean of many draws broke 1 rows"),
        ({"random_scores": np.ones(N)}, "differently when asked again"),
    ],
)
def test_every_indicator_of_failure_is_told(notes: dict[str, Any], says: str) -> None:
    (doubt,) = doubts_of("evasion.pgd", merged(**notes))
    assert says in doubt


@pytest.mark.parametrize("name", ["zero_gradient", "bad_gradient", "late_rise", "random_scores"])
def test_what_was_wrong_with_rows_that_broke_all_the_same_does_not_matter(name: str) -> None:
    assert doubts_of("evasion.pgd", merged(broken=N, **{name: np.ones(N)})) == []


def test_a_few_rows_are_no_reason_to_doubt_the_rest() -> None:
    few = np.r_[1.0, np.zeros(N - 1)]
    assert doubts_of("evasion.pgd", merged(zero_gradient=few, agreement=1.0 - few, random_scores=few)) == []


def test_random_answers_are_no_doubt_once_they_were_averaged() -> None:
    assert doubts_of("evasion.pgd", merged(random_scores=np.ones(N), averaged=np.zeros(N))) == []


def test_what_the_second_attempt_did_is_said_in_words() -> None:
    said = tried_again(merged(measured=np.r_[1.0, 0.0, NAN[2:]]))
    assert said == ["adaptive: a slope measured from the answers (finite differences) broke 1 of 2 rows that had held"]
    assert tried_again(merged()) == []


@pytest.mark.parametrize(("losses", "late"), [(np.arange(32.0), True), (1 - 0.5 ** np.arange(32), False)])
def test_a_loss_that_rises_to_the_end_is_told_from_one_that_has_settled(losses: Any, late: bool) -> None:
    trace, rows = Trace.of(1), np.array([0])
    for loss in losses:
        trace.add(rows, np.array([loss]), np.ones(1))
    assert bool(trace.late_rise(rows)[0] > 0.5) is late


def test_too_few_steps_say_nothing_of_the_end() -> None:
    trace, rows = Trace.of(1), np.array([0])
    for loss in (0.0, 1.0, 2.0):
        trace.add(rows, np.array([loss]), np.ones(1))
    assert np.isnan(trace.late_rise(rows)).all()


# -- the measured slope ----------------------------------------------------------------------------------------------


def pictures(n: int = 6) -> Scene:
    scene = picture_scene(n)
    return Scene(x=np.array(scene.x), y=np.array(scene.y), ids=scene.ids, schema=Schema.box(0, 1), budget=scene.budget)


def measured(width: float = 1e-3, pairs: int = 24) -> Measured:
    return Measured(inner=picture_model(), width=width, low=0.0, high=1.0, pairs=pairs)


def up(scores: Any) -> Any:
    return np.stack([-np.ones(len(scores)), np.ones(len(scores))], axis=1)


def test_a_measured_slope_points_where_the_true_one_does() -> None:
    x = pictures().x
    scores, slope = measured(pairs=2_000).gradient(x, up)
    own, true = picture_model().gradient(x, up)
    np.testing.assert_array_equal(scores, own)
    flat, wanted = slope.reshape(6, -1), true.reshape(6, -1)
    cosine = (flat * wanted).sum(1) / np.linalg.norm(flat, axis=1) / np.linalg.norm(wanted, axis=1)
    assert (cosine > 0.95).all()


def test_a_measured_slope_depends_on_the_row_alone() -> None:
    x = pictures().x
    together = measured().gradient(x, up)[1]
    alone = np.concatenate([measured().gradient(x[at : at + 1], up)[1] for at in (3, 1)])
    np.testing.assert_allclose(together[[3, 1]], alone, rtol=1e-12)


def test_true_gradients_predict_the_answers_and_others_do_not() -> None:
    scene, rows = pictures(), np.arange(6)
    assert (agreement(picture_model(), scene, rows, 0) > 0.95).all()

    class Turned(type(picture_model())):  # type: ignore[misc]
        def gradient(self, x: Any, cotangent: Any) -> Any:
            scores, slope = super().gradient(x, cotangent)
            return scores, abs(slope)

    turned = Turned(weights=picture_model().weights)
    assert (abs(agreement(turned, scene, rows, 0)) < 0.5).all()


def evidence(verdicts: list[str]) -> Evidence:
    n = len(verdicts)
    broken = np.array(verdicts) == "broken"
    return Evidence(
        verdicts=np.array(verdicts),
        reasons=("",) * n,
        distance=np.where(broken, 0.1, np.inf),
        cost=np.where(broken, 1.0, np.nan),
        queries=np.full(n, 10),
        broken_at=np.where(broken, 5, -1),
        x_adv=np.arange(n * 1.0)[:, None] + 100 * broken[:, None],
        clean_score=np.zeros(n),
        score=np.zeros(n),
        gradients=3,
        seconds=1.0,
    )


def test_what_either_attempt_broke_is_broken_and_every_query_is_counted() -> None:
    rows = np.array([False, True, True])
    both = joined(evidence(["broken", "held", "held"]), evidence(["broken", "held"]), rows, "measured")
    assert both.verdicts.tolist() == ["broken", "broken", "held"]
    assert both.queries.tolist() == [10, 20, 20]
    assert both.broken_at.tolist() == [5, 15, -1]
    assert np.isfinite(both.distance).tolist() == [True, True, False]
    assert both.x_adv[:, 0].tolist() == [100.0, 100.0, 2.0]
    np.testing.assert_array_equal(both.notes["measured"], [np.nan, 1.0, 0.0])


def test_a_part_of_a_scene_keeps_the_ids_of_its_rows() -> None:
    few = part(pictures(), np.array([False, True] * 3))
    assert (len(few.x), few.kind, few.budget) == (
        3,
        ScoreKind.PROBABILITIES,
        Budget(norm="linf", radius=0.2, queries=60),
    )
    assert few.ids.tolist() == pictures().ids[1::2].tolist()
