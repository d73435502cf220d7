"""What one may rely on when the model's file is hardened: it keeps less, answers alike, and is what is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier

from temper.core.measure import Measurement, Status
from temper.core.target import ScoreKind
from temper.engine.harden import Trial, hardened
from temper.engine.harden_goal import besiege, harden_goal
from temper.engine.rooms.validation import run
from temper.engine.task import Task, World
from temper.targets import open_target
from temper.targets.answers import Rounded
from temper.targets.refitted import Refitted
from temper.targets.save import save
from temper.targets.stripped import strip
from unit.payload_world import SOUND, Boosted, rows, world

TASK = Task(room="validation", plugin="artifact", scenario="artifact@nobody")
TRAIN, OTHERS = rows(400, 1), rows(300, 2)


def here(model: Any) -> World:
    return world(open_target(model.fit(TRAIN.x, TRAIN.y)), TRAIN, OTHERS)


def forest() -> Any:
    return RandomForestClassifier(8, n_jobs=1, random_state=0)


def figures(task: Task, world: World) -> dict[str, Measurement]:
    return {m.metric: m for m in run(task, world).measurements}


def test_a_forest_that_counts_people_is_a_finding_with_its_defence() -> None:
    (finding,) = run(TASK, here(forest())).findings
    assert (finding.plugin, finding.metric) == ("artifact", "small_leaves")
    assert finding.defences == ("predict_only",)


def test_the_copy_that_says_nothing_is_taken_at_no_price() -> None:
    system = here(forest())
    result = harden_goal(besiege(system, [TASK]), ["predict_only"])
    assert result.goal == "artifact"
    assert result.chosen is not None
    small, kinds = result.chosen.effects[:2]
    assert (small.metric, small.after, kinds.metric, kinds.after) == (
        "artifact.small_leaves",
        0.0,
        "artifact.statistics_kept",
        0.0,
    )
    assert small.before > 0.3
    assert result.chosen.effect("auc").difference == 0.0  # type: ignore[union-attr]
    np.testing.assert_array_equal(result.system.target.scores(OTHERS.x), system.target.scores(OTHERS.x))
    assert not run(TASK, replace(system, system=result.system)).findings


def test_what_is_written_is_the_copy(tmp_path: Path) -> None:
    hardened = harden_goal(besiege(here(forest()), [TASK]), ["predict_only"]).system.target
    opened: Any = open_target(str(save(hardened, tmp_path)))
    assert all((tree.tree_.n_node_samples == 0).all() for tree in opened.model.estimators_)


def test_a_model_that_needs_its_rows_is_told_so() -> None:
    result = harden_goal(besiege(here(KNeighborsClassifier()), [TASK]), ["predict_only"])
    assert result.chosen is None
    assert "no trees in KNeighborsClassifier" in result.skipped[0].why


def test_whoever_strips_a_wrapped_model_strips_what_is_inside() -> None:
    target = here(forest()).target
    around = Refitted(inner=Rounded(inner=target, digits=2), make=target.refit)
    bare = strip(around, OTHERS.x).target
    assert isinstance(bare, Rounded)
    assert (bare.inner.model.estimators_[0].tree_.n_node_samples == 0).all()  # type: ignore[attr-defined]
    np.testing.assert_array_equal(bare.scores(OTHERS.x), around.scores(OTHERS.x))


def test_a_black_box_leaves_nothing_to_compare() -> None:
    sound = Boosted.fitted(TRAIN, **SOUND)
    with pytest.raises(Exception, match="nothing to compare"):
        besiege(world(replace(sound, model=None), TRAIN, OTHERS), [TASK])


def test_the_file_that_hardening_writes_is_scanned_and_not_the_one_it_came_from(tmp_path: Path) -> None:
    (tmp_path / "bad.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    before, options = here(forest()), {"validation.artifact": {"file": str(tmp_path / "bad.pkl"), "few": 7}}
    system = replace(before.system, options=options)
    task = Task(room="validation", plugin="artifact", options=tuple(options["validation.artifact"].items()))
    assert figures(task, before)["findings"].value == 1.0
    bare = strip(before.target, TRAIN.x).target
    after = hardened(system, Trial(defence="predict_only", target=bare, threshold=None, effects=()))
    asked = after.options["validation.artifact"]
    assert asked == {"few": 7, "written": True}
    told = figures(replace(task, options=tuple(asked.items())), replace(before, system=after))
    assert (told["findings"].value, told["needs_review"].value) == (0.0, 0.0)
    assert "as it is written of the hardened model" in told["findings"].method


def test_a_hardened_model_that_cannot_be_written_is_untried_with_the_reason() -> None:
    task = Task(room="validation", plugin="artifact", options=(("written", True),))
    target = open_target(lambda x: np.full((len(x), 2), 0.5), kind=ScoreKind.PROBABILITIES, classes=2)
    told = figures(task, world(target, TRAIN, OTHERS))
    assert told["findings"].status is Status.UNTRIED
    assert "cannot be written back to a file" in told["findings"].reason
