"""The threat model as people read it: concerns, what was left out, questions, controls, picture, coverage."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from temper.config.assistant import load_assistant
from temper.core.assistant import Assistant
from temper.core.description import Control, Description, Flow, Interface
from temper.core.errors import ConfigError, TemperError
from temper.core.measure import Measurement, Status
from temper.core.requirement import Claim, Judgement, Requirement, Verdict
from temper.core.run import Record
from temper.core.system import Exposure
from temper.core.threat import Actor
from temper.core.threat_model import ThreatModel
from temper.kernels.layered import lay_out
from temper.report import render
from temper.report.coverage import coverage, evidence, gaps
from temper.report.picture import picture
from temper.report.threats import Threats, document, page, save, show
from temper.store.codec import dump, load
from temper.testing.records import HOSTILE, record
from temper.threats.age import outdated
from temper.threats.controls import refuse_unknown
from temper.threats.model import threat_model
from temper.threats.questions import asked_at_first
from temper.threats.rules import scenarios
from temper.threats.shipped import table
from unit.test_threats import system

FRAUDSTER = Actor(name="fraudster", queries=200, writes=("input", "labels"))
INSIDER = Actor(name="insider", knowledge="white-box", writes=("input",))
SHIPPED = Path(__file__).parents[2] / "src" / "temper" / "demos" / "assistant"


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Assistant:
    folder = tmp_path_factory.mktemp("bank")
    (folder / "temper.yaml").write_text((SHIPPED / "temper.yaml").read_text())
    (folder / "sandbox.yaml").write_text((SHIPPED / "bank.yaml").read_text())
    return load_assistant(folder / "temper.yaml")


@pytest.fixture(scope="module")
def model() -> ThreatModel:
    return threat_model(system(actors=(FRAUDSTER, INSIDER)))


def test_every_scenario_is_in_one_concern_and_every_other_threat_left_out(model: ThreatModel) -> None:
    kept, left_out = scenarios(system(actors=(FRAUDSTER, INSIDER)))
    assert model.scenarios == len(kept)
    assert {way.threat for one in model.concerns for way in one.ways} == {one.threat.id for one in kept}
    assert sorted(id for one in model.without for id in one.threats) == sorted(one.threat.id for one in left_out)
    assert 5 <= len(model.concerns) <= 12


def test_a_concern_stands_alone_per_actor_only_where_his_budget_decides(model: ThreatModel) -> None:
    ids = [one.id for one in model.concerns]
    assert {"evasion@fraudster", "evasion@insider", "extraction"} <= set(ids)
    assert len(ids) == len(set(ids))
    (extraction,) = [one for one in model.concerns if one.id == "extraction"]
    assert extraction.actors == ("fraudster (black-box)", "insider (white-box)")


def test_the_worst_comes_first_and_every_concern_says_because(model: ThreatModel) -> None:
    order = ["low", "medium", "high", "critical"]
    assert all(order.index(a.rating) >= order.index(b.rating) for a, b in pairwise(model.concerns))
    assert all(one.because and one.harm and one.references for one in model.concerns)
    assert "outsiders see a score" in model.concerns[0].because


def test_an_assistant_has_a_threat_model_of_its_own(bank: Assistant) -> None:
    found = threat_model(bank)
    assert 5 <= len(found.concerns) <= 12
    assert {"action", "leak", "disclosure"} <= {one.id for one in found.concerns}
    assert "goal:payment" in found.concerns[0].plugins
    readers = replace(bank, services=tuple(one for one in bank.services if not one.open))
    assert "action" not in {one.id for one in threat_model(readers).concerns}


def test_unanswered_questions_say_what_would_come_and_go() -> None:
    asked = {one.at: one for one in threat_model(system()).questions}
    (change,) = asked["exposure.returns"].changes
    words, come, go = change
    assert words == "outsiders see decisions alone"
    assert "evasion-labels" in come
    assert "evasion-scores" in go
    answered = Description(answered={"exposure.returns": "score"})
    assert "exposure.returns" not in {one.at for one in threat_model(system(description=answered)).questions}
    label = threat_model(system(exposure=Exposure(returns="label")))
    assert {way.threat for one in label.concerns for way in one.ways} >= set(come)


def test_a_moot_question_is_not_asked() -> None:
    assert "schema.sensitive" not in {one.at for one in threat_model(system()).questions}  # column b is sensitive
    shut = {one.at for one in threat_model(system(exposure=Exposure(public=False))).questions}
    assert "service.url" not in shut


def test_the_first_temper_yaml_is_told_what_hangs_on_each_answer() -> None:
    lines = list(asked_at_first())
    assert lines[0].startswith("system.purpose: ")
    (label,) = [line for line in lines if line.startswith("  label ")]
    assert "evasion-labels" in label
    assert "evasion-scores" not in label


@pytest.mark.parametrize(
    ("key", "mode", "placed"),
    [("guard.anomaly", "", True), ("guard.anomaly", "shadow", False), ("guard.other", "", False)],
)
def test_a_control_is_in_place_where_it_is_written_and_acts(key: str, mode: str, placed: bool) -> None:
    found = threat_model(system(description=Description(answered={key: mode})))
    (watch,) = [one for one in found.concerns[0].answers if one.name == "input watch"]
    assert watch.placed is placed


def test_answers_and_ones_own_controls_count_too() -> None:
    own = Control(name="night desk", answers=("evasion",), note="calls back", line=7)
    found = threat_model(system(exposure=Exposure(returns="label"), description=Description(controls=(own,))))
    placed = {one.name: one.known for one in found.concerns[0].answers if one.placed}
    assert placed["night desk"] == "line 7"
    assert placed["coarse answers"] == "exposure.returns is label"


@pytest.mark.parametrize(
    ("control", "says"),
    [
        (Control(name="query limits", line=3), "did you mean 'query limit'?"),
        (Control(name="desk", answers=("evasoin",), line=3), "did you mean 'evasion'?"),
        (Control(name="query limit", answers=("evasion",), line=3), "drop `answers`"),
    ],
)
def test_a_control_that_answers_nothing_is_refused(control: Control, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        refuse_unknown((control,), "temper.yaml")
    assert caught.value.message.startswith("temper.yaml:3: ")
    assert says in caught.value.fix


def test_flows_follow_from_the_answers_and_written_ones_are_added() -> None:
    written = Flow(source="clerk", to="model", carries="files", known=True)
    about = Description(interfaces=(Interface(name="card API", returns=("score",)),), flows=(written,))
    clerk = Actor(name="clerk", queries=0)
    found = threat_model(system(actors=(FRAUDSTER, INSIDER, clerk), description=about))
    ends = {(flow.source, flow.to, flow.carries) for flow in found.flows}
    assert ("fraudster", "card API", "input") in ends
    assert ("fraudster", "training data", "labels") in ends
    assert ("model store", "insider", "model file") in ends
    assert ("supplier", "model store", "model file") in ends
    assert written in found.flows
    assert {flow.source for flow in found.flows} | {flow.to for flow in found.flows} <= {e.name for e in found.elements}


def test_a_concern_travels_its_own_actors_flows_only(model: ThreatModel) -> None:
    for concern in model.concerns:
        ends = {end for at in concern.flows for end in (model.flows[at].source, model.flows[at].to)}
        if concern.id == "evasion@fraudster":
            assert "fraudster" in ends
            assert "insider" not in ends


def run(*measured: Measurement, **about: object) -> Record:
    return replace(record(empty=True), measurements=measured, **about)  # type: ignore[arg-type]


def rate(plugin: str, status: Status = Status.OK, **about: object) -> Measurement:
    value = 0.5 if status is Status.OK else None
    return Measurement(plugin=plugin, metric="success_rate", value=value, status=status, **about)  # type: ignore[arg-type]


def states(model: ThreatModel, made: Record | None, concern: str, now: dict[str, str] | None = None) -> dict[str, str]:
    (line,) = [line for line in coverage(model, made, now) if line.concern.id == concern]
    return {test.name: test.state for test in line.tests}


def test_evidence_is_measured_inconclusive_or_untested_with_the_reason(model: ThreatModel) -> None:
    made = run(
        rate("evasion.square"),
        rate("evasion.coordinate", Status.INCONCLUSIVE, reason="gradients are masked"),
        rate("evasion.random_search", Status.ERROR, reason="it crashed"),
    )
    found = states(model, made, "evasion@fraudster")
    assert found["evasion.square"] == "measured"
    assert found["evasion.coordinate"] == "inconclusive"
    assert found["evasion.random_search"] == "untested"
    (line,) = [line for line in coverage(model, made) if line.concern.id == "evasion@fraudster"]
    assert evidence(line).startswith("1 of ")
    assert line.state == "partly"
    assert dict(gaps([line]))["it crashed"] == ("evasion.random_search",)


def test_what_is_said_of_all_attacks_together_is_said_of_the_concern(model: ThreatModel) -> None:
    both = [rate("evasion.strongest", slice=f"actor:{name}") for name in ("fraudster", "insider")]
    claims = tuple(
        Claim(measured=one.name, slice=one.slice, verdict=verdict, kept=verdict is Verdict.PASS)
        for one, verdict in zip(both, (Verdict.FAIL, Verdict.PASS), strict=True)
    )
    rule = Requirement(id="holds", metric=both[0].name, at_most=0.2)
    judged = Judgement(requirement=rule, verdict=Verdict.FAIL, measured=both[0].name, value=both[0].value)
    made = run(*both, judgements=(replace(judged, claims=claims),))
    said = {line.concern.id: line.verdicts for line in coverage(model, made)}
    assert said["evasion@fraudster"] == (Verdict.FAIL,)
    assert said["evasion@insider"] == (Verdict.PASS,), "each actor's own claim"
    assert said["extraction"] == ()


def test_figures_of_an_actor_with_another_budget_are_no_evidence() -> None:
    model = threat_model(system(actors=(FRAUDSTER, replace(INSIDER, queries=9_000))))
    made = run(rate("evasion.square", slice="actor:insider"))
    assert states(model, made, "evasion@fraudster")["evasion.square"] == "untested"
    assert states(model, made, "evasion@insider")["evasion.square"] == "measured"


def test_an_actor_with_the_same_budget_shares_the_figures() -> None:
    twins = threat_model(system(actors=(FRAUDSTER, replace(FRAUDSTER, name="colleague"))))
    alike = {one.id: one.alike for one in twins.concerns if one.id.startswith("evasion@")}
    assert alike == {"evasion@fraudster": ("colleague",), "evasion@colleague": ("fraudster",)}
    made = run(rate("evasion.square", slice="actor:fraudster"))
    assert states(twins, made, "evasion@colleague")["evasion.square"] == "measured"


@pytest.mark.parametrize(
    ("name", "stale"), [("model", True), ("held-out data", True), ("attacks", True), ("numpy", False)]
)
def test_evidence_of_something_else_is_stale(model: ThreatModel, name: str, stale: bool) -> None:
    made = run(rate("evasion.square"), digests=((name, "aa"),))
    assert states(model, made, "evasion@fraudster", {name: "bb"})["evasion.square"] == (
        "stale" if stale else "measured"
    )
    assert states(model, made, "evasion@fraudster", {name: "aa"})["evasion.square"] == "measured"


def test_new_attacks_age_attacks_alone(model: ThreatModel) -> None:
    made = run(rate("performance"), digests=(("attacks", "aa"),))
    assert states(model, made, "quality", {"attacks": "bb"})["validation.performance"] == "measured"


def test_without_a_run_nothing_is_tested(model: ThreatModel) -> None:
    assert set(states(model, None, "evasion@fraudster").values()) == {"untested"}


def test_an_assistants_evidence_is_by_goal(bank: Assistant) -> None:
    made = run(rate("injection.templates", slice="goal: payment"))
    found = states(threat_model(bank), made, "action")
    assert (found["goal:payment"], found["goal:payee"]) == ("measured", "untested")


def told(found: Threats, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    show(found, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_fits_and_hides_nothing(model: ThreatModel, width: int) -> None:
    text = told(Threats(model=model, record=run(rate("evasion.square")), warnings=("it is old",)), width)
    assert max(map(len, text.splitlines())) <= width
    flat = re.sub(r"\s+", " ", text)
    for one in model.concerns:
        assert one.title in flat
    for one in model.without:
        assert one.answer in flat
    for one in model.questions:
        assert one.at in flat
    assert "warning: it is old" in flat
    assert f"{model.scenarios} scenarios are folded" in flat


def test_hostile_words_are_inert_everywhere(tmp_path: Path) -> None:
    about = Description(controls=(Control(name=HOSTILE, answers=("evasion",), note=HOSTILE),))
    found = Threats(
        model=threat_model(system(name=HOSTILE, purpose=HOSTILE, actors=(Actor(name=HOSTILE),), description=about))
    )
    for text in (told(found, 100), page(found), picture(found.model)):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<script>" not in page(found) + picture(found.model)
    json.loads(document(found))
    with pytest.raises(TemperError, match="cannot write"):
        save(found, tmp_path / "threats.pdf")
    save(found, tmp_path / "threats.svg")
    assert "prefers-color-scheme: dark" in (tmp_path / "threats.svg").read_text()


def test_the_picture_says_in_words_what_it_shows(model: ThreatModel) -> None:
    drawn = picture(model)
    assert 'role="img"' in drawn
    title, desc = (re.search(f"<{tag}[^>]*>(.*?)</{tag}>", drawn) for tag in ("title", "desc"))
    assert title is not None
    assert desc is not None
    for flow in model.flows:
        assert f"{flow.source} to {flow.to}: {flow.carries}" in desc[1]
    assert drawn.count('class="element ') == len(model.elements)
    assert drawn.count('class="flow') - drawn.count('class="flows') == len(model.flows)


def test_a_run_keeps_its_threat_model_and_reports_show_it(model: ThreatModel) -> None:
    made = run(rate("evasion.square"), threats=model)
    html = render(made, "html")
    assert 'class="flows"' in html
    assert "1 of " in html
    assert json.loads(render(made, "json"))["record"]["threats"]["concerns"][0]["id"] == model.concerns[0].id
    assert 'class="flows"' not in render(run(), "html")


def test_a_stored_run_comes_back_with_its_threat_model(model: ThreatModel) -> None:
    made = run(threats=model)
    assert load(Record, dump(made)) == made


def test_boxes_of_a_band_never_touch_and_lines_cross_bands_between_boxes() -> None:
    bands = [0, 0, 0, 1, 1, 2, 2]
    widths = [100.0, 160.0, 120.0, 140.0, 100.0, 200.0, 90.0]
    lines = [(0, 3), (1, 3), (2, 6), (0, 5), (3, 4), (5, 6), (1, 6)]
    laid = lay_out(bands, widths, lines, [80.0] * len(lines))
    for band in set(bands):
        inside = sorted(
            (laid.x[at] - widths[at] / 2, laid.x[at] + widths[at] / 2) for at in range(7) if bands[at] == band
        )
        assert all(left[1] < right[0] for left, right in pairwise(inside))
        crossing = [x for path in laid.through for at, x in path if at == band]
        assert all(not (low <= x <= high) for x in crossing for low, high in inside)
    assert min(laid.x[at] - widths[at] / 2 for at in range(7)) >= 0
    assert laid.through[2]
    assert not laid.through[0]
    assert lay_out(bands, widths, lines, [80.0] * len(lines)) == laid


def test_neighbours_that_a_line_joins_leave_room_for_its_label() -> None:
    laid = lay_out([0, 0], [100.0, 100.0], [(0, 1)], [150.0])
    assert laid.x[1] - laid.x[0] >= 250.0


def test_a_circle_of_flows_and_no_flow_at_all_are_laid_out() -> None:
    assert len(lay_out([0, 0, 0], [10.0] * 3, [(0, 1), (1, 2), (2, 0)]).x) == 3
    assert lay_out([], [], []).x == ()
    assert picture(ThreatModel(system="nothing")) == ""


SAID = Description(digest="d" * 64)


def made(model: str, description: str, started: str = "2026-10-01T10:00:00+00:00") -> Record:
    return run(digests=(("model", model), ("description", description)), started=started)


@pytest.mark.parametrize(
    ("runs", "says"),
    [
        ([], ""),
        ([("one", "other"), ("two", "other")], ""),  # described anew since every run
        ([("two", "d" * 64)], ""),  # described for this model
        ([("one", "d" * 64), ("two", "d" * 64)], "as it was in run 0007 of 2026-10-01"),
    ],
)
def test_a_description_that_stood_still_while_the_model_changed_is_told(runs: list[tuple[str, str]], says: str) -> None:
    told = outdated(SAID, "two", [made(*one) for one in runs])
    assert (says in told) if says else not told


@pytest.mark.parametrize(("reviewed", "old"), [("2026-10-01", True), ("2026-10-02", False), ("", False)])
def test_a_review_before_the_models_file_was_written_is_told(reviewed: str, old: bool) -> None:
    told = outdated(replace(SAID, reviewed=reviewed), "two", [], date(2026, 10, 2))
    assert bool(told) is old


def test_the_tables_beside_the_rules_agree() -> None:
    families = table("families")
    for name, entry in table("controls").items():
        assert set(entry["against"]) <= set(families), name
        assert entry.get("placed") or entry.get("when") or entry["references"], name
    for entries in ("questions", "questions-assistant"):
        for entry in table(entries):
            assert entry["asks"].endswith("?")
            assert ("sets" in entry) == ("values" in entry)
