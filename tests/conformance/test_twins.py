"""Every plugin has planted twins: a weak model it catches, and a sound one it lets pass, through the whole engine."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from architecture.source import ROOT
from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.measure import Measurement, Status
from temper.core.requirement import Policy, Requirement, Verdict
from temper.core.room import Room
from temper.core.schema import Schema
from temper.core.system import Protected
from temper.core.target import Target
from temper.engine.rooms.evasion import BASELINE
from temper.engine.run_task import conclude, execute
from temper.engine.task import Part, Sizes, Task, World
from temper.kernels.loss import decide
from temper.testing.scenes import schema, table, table_model, table_scene
from temper.testing.toys import Constant, Linear
from temper.validation.gate import judge

HERE, UNIT = "tests/conformance/test_twins.py", "tests/unit"
ON_TABLES = (f"{HERE}::test_a_weak_model_is_caught", f"{HERE}::test_a_sound_model_passes")
_INJECTIONS = (
    *("bandit", "best_of_n", "crescendo", "crescendo_model", "genetic", "minimal", "pair", "random_search"),
    *("splitting", "tap", "templates", "tree"),
)
_TABLES = ("caa", "capgd", "coordinate", "moeva", "noise", "random_search", "square")
_NETS, _NEAR, _THERE, _TEXT, _TREES = (
    f"{UNIT}/test_{name}.py" for name in ("gradient_attacks", "minimum_norm", "physical", "text", "tree_attacks")
)
_SOUND = f"{_THERE}::test_a_sound_model_is_not_accused"
_FIXED = "a_model_that_looks_at_what_is_fixed_lets_nothing_pass"
# Plugin: where its weak twin is caught, and where its sound one passes.
TWINS = {
    "attacks": {
        **{f"evasion.{name}": ON_TABLES for name in _TABLES},
        **{
            f"evasion.{name}": (
                f"{UNIT}/test_black_box.py::test_a_model_whose_decision_lies_within_the_radius_breaks",
                f"{UNIT}/test_black_box.py::test_a_model_whose_decision_lies_beyond_the_radius_holds",
            )
            for name in ("boundary", "hopskipjump")
        },
        **{
            f"evasion.{name}": (
                f"{_NETS}::test_a_weak_net_is_caught",
                f"{_NETS}::test_a_model_that_answers_everything_alike_holds",
            )
            for name in ("apgd", "apgd_targeted", "fab", "fgsm", "pgd", "standard")
        },
        **{
            f"evasion.{name}": (
                f"{_NEAR}::test_a_weak_model_is_caught",
                f"{_NEAR}::test_a_sound_model_is_not_accused",
            )
            for name in ("carlini_wagner", "ddn", "deepfool", "fmn", "sigma_zero")
        },
        **{
            f"evasion.{name}": (
                f"{_TREES}::test_trees_of_columns_that_can_move_are_caught",
                f"{_TREES}::test_trees_of_columns_that_cannot_move_pass",
            )
            for name in ("tree_ascent", "tree_nearest")
        },
        "evasion.spatial": (
            f"{_THERE}::test_a_model_that_looks_at_sides_is_caught_by_motion_and_not_by_light",
            _SOUND,
        ),
        "evasion.colour": (f"{_THERE}::test_a_model_that_looks_at_light_is_caught_by_colour", _SOUND),
        "evasion.patch": (
            f"{_THERE}::test_paint_breaks_a_model_that_a_few_pixels_decide_and_survives_other_views",
            _SOUND,
        ),
        "evasion.universal": (
            f"{_THERE}::test_one_move_for_a_class_breaks_rows_it_was_not_fitted_on",
            _SOUND,
        ),
        "evasion.transfer": (f"{_THERE}::test_labels_alone_break_more_than_random_points_do", _SOUND),
        **{
            f"evasion.{name}": (
                f"{_TEXT}::test_a_model_of_single_words_is_caught",
                f"{_TEXT}::test_a_model_that_looks_only_at_what_is_protected_passes",
            )
            for name in ("punctuation", "text_hard_label", "word_bug", "word_swap")
        },
        **{
            f"injection.{name}": (
                f"{UNIT}/test_injection_strategies.py::test_an_assistant_that_obeys_everything_is_caught",
                f"{UNIT}/test_injection_strategies.py::test_an_assistant_that_obeys_nothing_is_not_accused",
            )
            for name in _INJECTIONS
        },
        **{
            f"technique.{name}": tuple(f"{UNIT}/test_campaign_techniques.py::test_{test}" for test in pair)
            for name, pair in {
                "steal": ("a_stolen_copy_takes_rows_past_the_model", _FIXED),
                "transfer": ("a_stolen_copy_takes_rows_past_the_model", _FIXED),
                "direct": ("small_changes_take_rows_past_the_model", _FIXED),
                "bunch": ("bunching_keeps_more_of_the_loot_than_the_lowest_amount", _FIXED),
                "honest_rows": ("honest_rows_show_the_threshold", "honest_rows_show_no_threshold_where_all_is_stopped"),
                "poison_feedback": (
                    "labels_that_are_taken_let_the_wanted_rows_pass_as_they_are",
                    "labels_that_change_nothing_win_nothing",
                ),
                "member": (
                    "what_a_model_remembers_tells_who_was_there",
                    "a_model_that_remembers_nobody_tells_nothing",
                ),
            }.items()
        },
        **{
            f"abuse.{name}": tuple(f"{UNIT}/test_abuse.py::test_{test}" for test in pair)
            for name, pair in {
                **dict.fromkeys(
                    ("inject", "hide", "rehearse", "plant"),
                    ("an_assistant_that_obeys_pays", "its_sturdy_twin_pays_nobody"),
                ),
                "degrees": ("the_secret_is_told_by_degrees", "its_sturdy_twin_tells_nothing"),
                "look": ("what_comes_back_is_read", "what_is_not_retold_is_no_way_in"),
            }.items()
        },
        "extraction.surrogate": (
            f"{UNIT}/test_extraction.py::test_a_copy_shares_the_flags_of_the_victim_far_beyond_a_model_made_without_queries",
            f"{UNIT}/test_extraction.py::test_a_model_of_nothing_cannot_be_copied_and_is_not_accused",
        ),
        "extraction.natural": (
            f"{UNIT}/test_extraction.py::test_natural_rows_make_a_copy",
            f"{UNIT}/test_extraction.py::test_a_model_of_nothing_cannot_be_copied_and_is_not_accused",
        ),
        "extraction.equation_solving": (
            f"{UNIT}/test_extraction.py::test_a_linear_model_is_solved_exactly",
            f"{UNIT}/test_extraction.py::test_a_model_that_is_not_linear_is_not_solved",
        ),
        "extraction.jacobian": (
            f"{UNIT}/test_extraction_several.py::test_a_network_is_copied_along_its_own_slopes",
            f"{UNIT}/test_extraction_several.py::test_slopes_do_not_copy_a_model_of_nothing",
        ),
        "extraction.path_finding": (
            f"{UNIT}/test_extraction_paths.py::test_a_tree_is_recovered_leaf_by_leaf",
            f"{UNIT}/test_extraction_paths.py::test_answers_that_are_not_leaves_are_refused_in_words",
        ),
        "inversion.attribute": (
            f"{UNIT}/test_inversion_attribute.py::test_a_memorising_model_gives_a_column_away_that_nothing_else_tells",
            f"{UNIT}/test_inversion_attribute.py::test_a_restrained_model_gives_nothing_away",
        ),
        "inversion.property": (
            f"{UNIT}/test_inversion_property.py::test_a_share_that_moves_the_base_rate_is_told",
            f"{UNIT}/test_inversion_property.py::test_a_share_that_moves_nothing_is_not",
        ),
        "inversion.reconstruction": (
            f"{UNIT}/test_inversion_reconstruction.py::test_a_net_that_learned_few_rows_by_heart_gives_them_away",
            f"{UNIT}/test_inversion_reconstruction.py::test_a_net_fitted_on_many_rows_shows_a_prototype",
        ),
        "inversion.membership": (
            f"{UNIT}/test_inversion.py::test_a_memorising_model_is_caught_where_the_loss_attack_sees_little",
            f"{UNIT}/test_inversion.py::test_a_restrained_model_is_not_accused",
        ),
        **{
            f"inversion.{name}": (
                f"{UNIT}/test_inversion_attacks.py::test_a_memorising_model_is_caught_by_each",
                f"{UNIT}/test_inversion_attacks.py::test_a_restrained_model_is_accused_by_none",
            )
            for name in ("label_only", "learned", "lira", "loss", "quantile", "ratio")
        },
        **{
            f"poisoning.{name}": (
                f"{UNIT}/test_poisoning_backdoors.py::test_a_planted_trigger_has_excess_success",
                f"{UNIT}/test_poisoning_backdoors.py::test_a_model_that_ignores_its_rows_has_none",
            )
            for name in (
                "clean_label_trigger",
                "disguised_trigger",
                "in_bounds_trigger",
                "jittered_trigger",
                "out_of_bounds_trigger",
            )
        },
        **{
            f"poisoning.{name}": (
                f"{UNIT}/test_poisoning_nets.py::test_a_pattern_in_the_training_rows_decides_for_the_model",
                f"{UNIT}/test_poisoning_nets.py::test_a_model_that_learns_nothing_new_is_not_accused",
            )
            for name in ("badnets", "blended", "insert_word")
        },
        "poisoning.gradient_matching": (
            f"{UNIT}/test_gradient_matching.py::test_pictures_moved_unseen_decide_for_others",
            f"{UNIT}/test_gradient_matching.py::test_a_net_that_learns_nothing_new_decides_as_before",
        ),
        "poisoning.label_flip_random": (
            f"{HERE}::test_a_model_that_follows_its_labels_is_poisoned",
            f"{HERE}::test_a_model_that_ignores_its_labels_is_not",
        ),
        "poisoning.label_flip_targeted": (
            f"{UNIT}/test_poisoning.py::test_targeted_flips_show_in_recall_at_the_threshold_and_hardly_in_auc",
            f"{UNIT}/test_poisoning.py::test_a_model_that_ignores_its_labels_loses_nothing",
        ),
    },
    "stress": {
        **dict.fromkeys(
            (
                *(
                    "category_spelling",
                    "category_swap",
                    "category_unseen",
                    "clock_skew",
                    "currency",
                    "duplicated",
                    "frozen",
                ),
                *("join_lost", "missing", "missing_at_random", "missing_not_at_random", "noise", "overflow", "rounded"),
                *("sentinel", "stale", "swapped", "truncated", "unit_error"),
            ),
            (f"{HERE}::test_a_model_that_leans_on_what_is_stressed_loses", f"{HERE}::test_a_model_that_does_not_keeps"),
        ),
        "combined": (
            f"{UNIT}/test_stress_room.py::test_the_race_finds_the_pair_of_columns_that_a_model_leans_on",
            f"{UNIT}/test_stress_room.py::test_the_worst_of_nothing_is_measured_on_rows_that_had_no_part_in_the_choice",
        ),
        **dict.fromkeys(
            [f"events.{name}" for name in ("burst", "dormant", "holiday", "new_merchant", "split", "travel")],
            (
                f"{UNIT}/test_events.py::test_a_model_that_leans_on_what_changes_refuses_honest_customers",
                f"{UNIT}/test_events.py::test_a_model_that_does_not_look_is_left_alone",
            ),
        ),
        **dict.fromkeys(
            [name for name in Room("temper.stress").names() if name.startswith(("image.", "text."))],
            (
                f"{UNIT}/test_stress_unstructured.py::test_a_model_of_single_values_loses",
                f"{UNIT}/test_stress_unstructured.py::test_a_model_of_the_whole_keeps",
            ),
        ),
    },
    "validation": {
        "label_delay": (
            f"{UNIT}/test_label_delay.py::test_a_good_model_reads_worse_the_more_labels_are_late",
            f"{UNIT}/test_label_delay.py::test_a_model_that_knows_nothing_reads_as_before",
        ),
        "metamorphic": (
            f"{UNIT}/test_metamorphic.py::test_a_dip_is_found_with_the_row_that_shows_it_best_and_what_repairs_it",
            f"{UNIT}/test_metamorphic.py::test_a_model_that_rises_with_the_column_keeps_the_relation",
        ),
        "recurrence": (f"{UNIT}/test_recurrence.py::test_every_assessment_asks_again_and_a_replay_shows_it",) * 2,
        "net_bounds": (f"{UNIT}/test_net_bounds.py::test_a_weak_net_proves_little_and_a_robust_one_all",) * 2,
        "tree_bounds": (
            f"{UNIT}/test_tree_verify.py::test_a_fragile_ensemble_is_not",
            f"{UNIT}/test_tree_verify.py::test_a_robust_ensemble_is_certified",
        ),
        "smoothing": (f"{UNIT}/test_smoothing.py::test_a_weak_model_is_caught_and_a_sound_one_passes",) * 2,
        "access_profile": (
            f"{UNIT}/test_access_profile.py::test_a_service_that_tells_everything_is_shown_to",
            f"{UNIT}/test_access_profile.py::test_a_service_that_says_little_is_not_accused",
        ),
        "artifact": (
            f"{UNIT}/test_artifact_check.py::test_the_file_is_scanned_and_a_hostile_one_is_a_finding",
            f"{UNIT}/test_artifact_check.py::test_neighbours_keep_every_row_vectors_some_a_line_none",
        ),
        "neural_cleanse": (
            f"{UNIT}/test_trojaned_nets.py::test_the_class_of_a_planted_trigger_has_the_smallest_patch",
            f"{UNIT}/test_trojaned_nets.py::test_a_clean_net_is_not_accused",
        ),
        "strip": (f"{UNIT}/test_trojaned_nets.py::test_pictures_with_a_trigger_stay_sure_under_others",) * 2,
        "activation_clustering": (
            f"{UNIT}/test_activations.py::test_stamped_rows_are_accused",
            f"{UNIT}/test_activations.py::test_a_clean_net_is_left_alone",
        ),
        "spectral_signatures": (
            f"{UNIT}/test_activations.py::test_stamped_rows_are_accused",
            f"{UNIT}/test_activations.py::test_a_clean_net_is_left_alone",
        ),
        "watermark": (
            f"{UNIT}/test_watermark.py::test_a_mark_that_every_model_matches_makes_false_claims",
            f"{UNIT}/test_watermark.py::test_a_mark_is_known_again_and_independent_models_are_not_accused",
        ),
        "planted_rows": (
            f"{UNIT}/test_planted_rows.py::test_stamped_rows_are_found",
            f"{UNIT}/test_planted_rows.py::test_a_table_without_a_stamp_is_not_accused",
        ),
        "label_errors": (
            f"{UNIT}/test_label_errors.py::test_wrong_labels_are_counted",
            f"{UNIT}/test_label_errors.py::test_a_clean_table_is_not_accused",
        ),
        "suppliers": (
            f"{UNIT}/test_suppliers.py::test_who_spoils_labels_is_named",
            f"{UNIT}/test_suppliers.py::test_like_suppliers_are_not_accused",
        ),
        "snapshot_diff": (
            f"{UNIT}/test_snapshot_diff.py::test_a_stamp_among_new_rows_is_found_with_or_without_a_wrong_label",
            f"{UNIT}/test_snapshot_diff.py::test_new_rows_of_the_same_make_are_not_accused",
        ),
        "text_triggers": (
            f"{UNIT}/test_text_triggers.py::test_a_planted_word_is_found_with_the_texts_that_hold_it",
            f"{UNIT}/test_text_triggers.py::test_clean_texts_are_left_alone",
        ),
        "trigger_inversion": (
            f"{UNIT}/test_trigger_inversion.py::test_a_planted_trigger_is_found_with_its_columns_and_values",
            f"{UNIT}/test_trigger_inversion.py::test_a_clean_model_is_not_accused",
        ),
        "partition_bound": (f"{UNIT}/test_partitions.py::test_no_poison_of_the_proven_size_changes_a_decision",) * 2,
        "attribution": (
            f"{UNIT}/test_attribution.py::test_reasons_that_hang_on_the_references_are_told",
            f"{UNIT}/test_attribution.py::test_a_linear_score_is_explained_exactly",
        ),
        "conformal": (
            f"{UNIT}/test_reliability.py::test_sets_that_were_right_earlier_are_wrong_later",
            f"{UNIT}/test_reliability.py::test_sets_of_a_sound_model_hold_the_truth_as_often_as_promised",
        ),
        "documentation": (f"{UNIT}/test_people.py::test_open_questions_are_told_by_name_and_todo_is_no_answer",) * 2,
        "duplicates": (
            f"{UNIT}/test_leakage.py::test_copied_rows_are_counted_and_told",
            f"{UNIT}/test_leakage.py::test_rows_that_are_equal_by_chance_are_not_accused",
        ),
        "intersections": (
            f"{UNIT}/test_people.py::test_people_of_two_groups_are_found_with_their_name",
            f"{UNIT}/test_people.py::test_equal_treatment_is_not_accused_however_many_pairs_there_are",
        ),
        "privacy": (
            f"{UNIT}/test_people.py::test_people_who_stand_alone_are_counted",
            f"{UNIT}/test_people.py::test_people_in_large_groups_do_not_stand_alone",
        ),
        "reason_codes": (
            f"{UNIT}/test_attribution.py::test_codes_of_columns_that_carry_the_same_news_change_with_every_fit",
            f"{UNIT}/test_attribution.py::test_codes_of_a_well_fitted_model_hold",
        ),
        "schema_violations": (
            f"{UNIT}/test_leakage.py::test_every_way_to_break_the_schema_is_counted_and_named",
            f"{UNIT}/test_leakage.py::test_rows_that_keep_the_schema_are_not_accused",
        ),
        "selective": (
            f"{UNIT}/test_reliability.py::test_a_model_that_is_surest_where_it_is_wrong_is_told",
            f"{UNIT}/test_reliability.py::test_a_calibrated_model_saves_mistakes_by_not_answering",
        ),
        "target_leakage": (
            f"{UNIT}/test_leakage.py::test_a_column_that_is_the_answer_is_named",
            f"{UNIT}/test_leakage.py::test_an_honest_column_is_not_accused_and_stands_beside_the_model",
        ),
        "time_leakage": (f"{UNIT}/test_leakage.py::test_a_random_split_is_told_and_one_by_time_is_not",) * 2,
        "weak_slice": (
            f"{UNIT}/test_weak_slice.py::test_a_planted_segment_comes_first_with_its_rule_and_its_rate",
            f"{UNIT}/test_weak_slice.py::test_a_sound_model_is_not_accused",
        ),
        "subpopulation": (
            f"{UNIT}/test_shift.py::test_a_weak_segment_that_grows_is_seen_and_alarms_are_not",
            f"{UNIT}/test_shift.py::test_a_model_that_is_alike_everywhere_stays_as_it_is",
        ),
        "periods": (
            f"{UNIT}/test_shift.py::test_a_model_that_ages_is_caught_with_its_periods",
            f"{UNIT}/test_shift.py::test_a_steady_model_is_not_accused_of_ageing",
        ),
        "calibration": (
            f"{UNIT}/test_validation.py::test_a_planted_miscalibration_is_a_finding",
            f"{UNIT}/test_validation.py::test_a_perfect_model_is_near_zero_and_never_fails_where_the_raw_error_would",
        ),
        "explanation": (
            f"{UNIT}/test_validation.py::test_a_model_whose_reasons_flip_between_neighbours_fails",
            f"{UNIT}/test_validation.py::test_a_linear_model_has_stable_reasons",
        ),
        "fairness": (
            f"{UNIT}/test_validation.py::test_a_planted_gap_is_found_with_its_direction",
            f"{UNIT}/test_validation.py::test_no_gap_is_shown_as_what_chance_would_show",
        ),
        "performance": (
            f"{HERE}::test_a_model_that_knows_nothing_is_found",
            f"{HERE}::test_a_model_that_knows_is_not",
        ),
    },
}
EVASIONS = [name for name, pair in TWINS["attacks"].items() if pair == ON_TABLES]
SIZES = Sizes(replicates=200, shard=20, repeats=2, doses=(0.3,))


@pytest.mark.parametrize("room", TWINS)
def test_every_plugin_has_twins(room: str) -> None:
    assert set(TWINS[room]) == {name for name in Room(f"temper.{room}").names() if name != "gate"}


@pytest.mark.parametrize(
    "where", sorted({where for room in TWINS.values() for pair in room.values() for where in pair})
)
def test_twins_exist(where: str) -> None:
    path, _, function = where.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


# -- evasion --------------------------------------------------------------------------------------------------------


def near_rows(n: int = 60) -> Data:
    """Rows close to the weak model's decision."""
    scene = table_scene(n, distance=0.3)
    return Data(x=np.array(scene.x), y=np.array(scene.y), ids=np.arange(n))


def sound() -> Linear:
    """Flags by age alone, which nobody can change, half of the rows."""
    at = schema().index("age")
    level = float(np.median(near_rows().x[:, at]))
    return Linear(weights=tuple(1.0 if i == at else 0.0 for i in range(11)), bias=-level)


def assess(target: Target, plugin: str) -> tuple[tuple[Measurement, ...], tuple[Any, ...]]:
    """One evasion in three shards on 60 rows that the target judges right."""
    data = near_rows()
    data = replace(data, y=np.asarray(decide(target.scores(data.x), target.kind, 0.5)))
    world = made(target, data)
    whole = Task(
        room="attacks", plugin=plugin, budget=Budget(norm="cost", radius=6.0, cost=6.0, queries=200), sizes=SIZES
    )
    parts = [execute(replace(whole, start=start, stop=start + 20), world) for start in (0, 20, 40)]
    return conclude(whole, parts, world)


def made(target: Target, data: Data, train: Data | None = None, columns: Schema | None = None) -> World:
    system = Protected(
        name="twin", target=target, data=data, train=train, schema=columns or schema(), threshold=0.5, version="1"
    )
    rows = np.arange(len(data))
    return World(system=system, sizes=SIZES, seed=0, attacked=rows, held_out=rows)


def verdict(measured: tuple[Measurement, ...], metric: str, **sides: Any) -> Verdict:
    policy = Policy(name="twin", requirements=(Requirement(id="r", metric=metric, **sides),))
    return judge(policy, measured, date(2026, 1, 31))[0].verdict


@pytest.mark.parametrize("plugin", EVASIONS)
def test_a_weak_model_is_caught(plugin: str) -> None:
    measured, findings = assess(table_model(), plugin)
    rate = measured[0]
    assert rate.n == 60
    assert rate.low is not None
    assert rate.low > 0.5
    assert verdict(measured, "evasion.*.success_rate", at_most=0.3) is Verdict.FAIL
    if plugin != BASELINE:  # it is shown beside the others, never as a weakness of its own
        assert rate.status is Status.OK, rate.reason
        assert findings[0].examples
        assert all(example.changes for example in findings[0].examples)


@pytest.mark.parametrize("plugin", EVASIONS)
def test_a_sound_model_passes(plugin: str) -> None:
    measured, findings = assess(sound(), plugin)
    rate = measured[0]
    assert (rate.count, rate.undecided, rate.n) == (0, 0, 60)
    assert findings == ()
    # Random moves that break nothing prove nothing: the baseline alone never passes a model.
    wanted = Verdict.INCONCLUSIVE if plugin == BASELINE else Verdict.PASS
    assert verdict(measured, "evasion.*.success_rate", at_most=0.1) is wanted, rate.reason


@pytest.mark.parametrize("plugin", EVASIONS)
def test_a_model_that_cannot_be_asked_is_not_a_model_that_holds(plugin: str) -> None:
    data = near_rows()
    task = Task(room="attacks", plugin=plugin, budget=Budget(norm="cost", radius=6.0, queries=1), sizes=SIZES, stop=60)
    world = made(table_model(), data)
    measured, _ = conclude(task, [execute(task, world)], world)
    assert verdict(measured, "evasion.*.success_rate", at_most=0.3) is Verdict.INCONCLUSIVE


# -- poisoning ------------------------------------------------------------------------------------------------------


def labelled(n: int, seed: int) -> Data:
    """Rows with the weak model's decision as their truth, half of them flagged."""
    x = np.nan_to_num(table(n, seed))
    signal = table_model().logit(x)
    return Data(x=x, y=(signal > np.median(signal)).astype(np.int64), ids=np.arange(n))


def poison(target: Target) -> Measurement:
    task = Task(room="attacks", plugin="poisoning.label_flip_random", sizes=SIZES, budget=Budget(share=0.3))
    part = execute(task, made(target, labelled(1_000, 5), train=labelled(300, 6)))
    return next(m for m in part.measurements if m.metric == "recall_loss" and m.slice == "all")


def test_a_model_that_follows_its_labels_is_poisoned() -> None:
    from sklearn.tree import DecisionTreeClassifier

    from temper.targets import open_target

    train = labelled(300, 6)
    loss = poison(open_target(DecisionTreeClassifier(random_state=0).fit(train.x, train.y)))
    assert loss.low is not None
    assert loss.low > 0.05


def test_a_model_that_ignores_its_labels_is_not() -> None:
    loss = poison(Constant(share=0.9))
    assert loss.value == 0.0
    assert loss.low is not None
    assert loss.low <= 0.0


# -- stress ---------------------------------------------------------------------------------------------------------


STRESSED = [name for name in TWINS["stress"] if name != "combined" and "." not in name]
LEANS: dict[str, tuple[str, dict[str, Any]]] = {
    **{f"category_{kind}": ("kind", {}) for kind in ("spelling", "swap", "unseen")},
    "clock_skew": ("count", {"hours": ("count",)}),
    "frozen": ("amount", {"columns": ("amount",)}),
    "join_lost": ("amount", {"columns": ("amount",)}),
    "missing_at_random": ("amount", {"driver": "count"}),
    "overflow": ("limit", {"types": ("int8",) * 5}),
    "rounded": ("amount", {"digits": (1,) * 5}),
    "swapped": ("amount", {"columns": ("amount", "limit")}),
    "truncated": ("limit", {"widths": (2,) * 5}),
}
"""Where it is not the amount: the column that the weak model leans on, and what makes the stressor work there."""


def stressed(target: Target, plugin: str) -> Part:
    data = labelled(2_000, 7)
    data = replace(data, x=table(2_000, 7), y=np.asarray(target.scores(data.x)[:, 1] > 0.5).astype(np.int64))
    if data.y.min() == data.y.max():
        data.y[::2] = 1 - data.y[::2]
    options = tuple(LEANS.get(plugin, ("", {}))[1].items())
    return execute(Task(room="stress", plugin=plugin, options=options, sizes=SIZES), made(target, data))


def leaning(name: str) -> Linear:
    """A model of one column, flagging about half of the rows."""
    at = schema().index(name)
    level = float(np.median(np.nan_to_num(labelled(2_000, 7).x[:, at])))
    return Linear(weights=tuple(1.0 if i == at else 0.0 for i in range(11)), bias=-level - 1e-6)


def loss_of(part: Part) -> Measurement:
    return next(m for m in part.measurements if m.metric == "loss")


@pytest.mark.parametrize("plugin", STRESSED)
def test_a_model_that_leans_on_what_is_stressed_loses(plugin: str) -> None:
    part = stressed(leaning(LEANS.get(plugin, ("amount", {}))[0]), plugin)
    loss, flips = loss_of(part), next(m for m in part.measurements if m.metric == "flip_rate")
    assert loss.low is not None
    assert loss.low > 0
    assert flips.count
    assert verdict(part.measurements, "stress.*.flip_rate", at_most=0.0) is Verdict.FAIL


@pytest.mark.parametrize("plugin", STRESSED)
def test_a_model_that_does_not_keeps(plugin: str) -> None:
    part = stressed(Constant(share=0.9), plugin)
    assert loss_of(part).value == 0.0
    assert part.findings == ()
    assert verdict(part.measurements, "stress.*.flip_rate", at_most=0.01) is Verdict.PASS


# -- performance ----------------------------------------------------------------------------------------------------


def performance(target: Target) -> Part:
    return execute(Task(room="validation", plugin="performance", sizes=SIZES), made(target, labelled(800, 8)))


def test_a_model_that_knows_nothing_is_found() -> None:
    part = performance(leaning("blue"))
    assert [finding.metric for finding in part.findings] == ["auc"]
    assert verdict(part.measurements, "performance.auc", at_least=0.8) is Verdict.FAIL


def test_a_model_that_knows_is_not() -> None:
    part = performance(table_model())
    assert part.findings == ()
    assert verdict(part.measurements, "performance.auc", at_least=0.8) is Verdict.PASS
