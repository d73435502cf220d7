"""An assurance case supports nothing that is not in a ledger that verifies, and every missing piece is a defeater."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from control_store import peopled
from temper.core.assurance import Case, Doubt, Kind, State
from temper.core.errors import TemperError
from temper.core.incident import Severity
from temper.core.measure import Status
from temper.core.requirement import Judgement, Requirement, Verdict, Waiver
from temper.core.risk import Acceptance, Register, Risk, Spread, Standing
from temper.core.run import Record
from temper.core.threat_model import Concern, Question, ThreatModel, Way, Without
from temper.engine.case import known_of
from temper.report import assurance, gsn, render
from temper.report._inert import inert
from temper.store.database import Store
from temper.store.evidence.approving import approve, ask, end
from temper.store.evidence.following import follow
from temper.store.signed import public_of
from temper.testing.records import HOSTILE
from temper.threats.case import Known, Old, case
from unit.test_approvals import KEYS, NOW, quietly, record

TODAY = datetime.fromtimestamp(NOW, UTC).date()
FLAT = Spread(middle=1.0, low=0.5, high=2.0, p90=1.5)


def judgement(name: str, measured: str, verdict: Verdict = Verdict.PASS, waiver: Waiver | None = None) -> Judgement:
    rule = Requirement(id=name, metric=measured, at_most=0.5, waiver=waiver)
    return Judgement(requirement=rule, verdict=verdict, measured=measured, value=0.1, n=100, explanation="as it is")


def risk(rating: str = "low", standing: Standing = Standing.MEASURED, **more: str) -> Risk:
    spreads = dict.fromkeys(("attempts", "loss", "chance_before", "chance", "annual_before", "annual"), FLAT)
    return Risk(
        scenario="evade-scores@fraudster", title="evading", actor="fraudster", standing=standing,
        rating_before="high", rating=rating, decides="temper assess", **spreads, **more,
    )  # fmt: skip


def sound(**more: object) -> Record:
    """A run in which everything was tried, judged and kept."""
    concern = Concern(
        id="evasion@fraudster", title="Payments slip through", rating="high", harm="money is lost",
        ways=(Way(threat="evade-scores", title="evading", plugins=("evasion.noise",)),),
    )  # fmt: skip
    plain = record(
        judgements=(judgement("evasion", "evasion.noise.success_rate"), judgement("worth", "performance.auc")),
        threats=ThreatModel(system="fraud", purpose="stop fraud", concerns=(concern,), scenarios=1),
        risk=Register(unit="EUR", appetite=100.0, risks=(risk(),), total_before=FLAT, total=FLAT),
    )
    return replace(plain, **more)


class Place:
    """A store with this run, a control store with people, and the run approved by one of them."""

    def __init__(self, base: Path, run: Record, by: str = "pat") -> None:
        self.base, self.store = base, Store.open(base)
        self.control = peopled(base / ".temper" / "control.db")
        for name, key in KEYS.items():
            self.control.signers.add(name, public_of(key), "root", 1.0)
        self.store.save_run(run)
        if by:
            ask(self.store, self.control, "0001", 1, "ann", "please look", NOW)
            approve(self.store, self.control, "0001", by, "seen it", KEYS[by], NOW + 1, despite=run.verdict.value)

    def known(self, **more: object) -> Known:
        follow(self.store.evidence, self.control, int(NOW * 1e9)) if not self.store.evidence.faults() else None
        return replace(known_of(self.store.run("0001"), self.store, self.control, NOW), **more)

    def case(self, **more: object) -> Case:
        return case(self.known(**more))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    found = Place(tmp_path_factory.mktemp("sound"), sound())
    yield found
    found.control.close()


@pytest.fixture(scope="module")
def known(place):
    return place.known()


@pytest.fixture
def changed(tmp_path):
    made = []

    def make(run: Record, by: str = "pat") -> Place:
        made.append(Place(tmp_path / str(len(made)), run, by))
        return made[-1]

    (tmp_path / "0").mkdir()
    yield make
    for one in made:
        one.control.close()


def doubts(found: Case) -> set[Doubt]:
    return {one.doubt for _, one in found.doubts()}


def leaves(found: Case) -> list:
    return [node for node in found.nodes if node.kind is Kind.SOLUTION]


def test_everything_there_and_nothing_against_it_is_supported(known):
    found = case(known)
    assert [*found.doubts()] == []
    assert found.state("G1") is State.SUPPORTED
    assert {found.state(node.id) for node in found.nodes} == {State.SUPPORTED}
    assert all(node.cited for node in leaves(found))
    assert len(leaves(found)) == 7, "threat model, tests, two requirements, risk, approval, ledger"
    assert assurance.step(found) == "temper audit export --out audit.zip"


def test_removing_any_one_piece_of_evidence_from_the_ledger_opens_a_defeater(known):
    """Each leaf in turn: what it cites was never told."""
    seq, run = known.told.run
    pieces = [one.what for node in leaves(case(known)) for one in node.cited]
    assert len(pieces) == 7
    for part in ("threats", "risk", "judgements.0", "judgements.1", "measurements.1", "id"):
        less = {name: digest for name, digest in run.parts.items() if name != part}
        told = replace(known.told, run=(seq, type(run)(**{**plain(run), "parts": less})))
        found = case(replace(known, told=told))
        assert doubts(found) == {Doubt.UNTOLD}, part
        assert found.state("G1") is State.DEFEATED
    unsaid = replace(known.told, changes=())
    assert doubts(case(replace(known, told=unsaid))) == {Doubt.UNTOLD}, "the approval"


def plain(run):
    return {name: getattr(run, name) for name in run.__struct_fields__}


@pytest.mark.parametrize(
    ("change", "doubt"),
    [
        ({"measurements": ()}, Doubt.UNTESTED),
        ({"judgements": sound().judgements[1:]}, Doubt.UNTESTED),
        ({"threats": None}, None),
        ({"judgements": ()}, Doubt.UNTESTED),
        ({"state": "stopped"}, Doubt.UNTESTED),
        ({"simulated": True}, Doubt.SIMULATED),
        ({"author": ""}, Doubt.UNAPPROVED),
    ],
)
def test_removing_what_was_measured_judged_or_modelled_leaves_the_whole_unsupported(known, change, doubt):
    found = case(replace(known, record=replace(known.record, **change)))
    assert found.state("G1") is not State.SUPPORTED
    assert doubt is None or doubt in doubts(found)


def test_a_tampered_ledger_supports_nothing(changed):
    place = changed(sound())
    assert place.case().state("G1") is State.SUPPORTED
    quietly(place.store, "UPDATE runs SET document = replace(document, '\"value\":0.1', '\"value\":0.0')")
    found = place.case()
    goals = [node for node in found.nodes if node.kind in (Kind.GOAL, Kind.SOLUTION, Kind.STRATEGY)]
    assert State.SUPPORTED not in {found.state(node.id) for node in goals}
    assert not any(node.cited for node in found.nodes)
    first = next(found.doubts())[1]
    assert first.doubt is Doubt.TAMPERED
    assert "run 0001 was changed" in first.text


def test_a_run_that_the_ledger_heard_of_late_or_never_is_unsupported(known):
    seq, run = known.told.run
    late = replace(known.told, run=(seq, type(run)(**{**plain(run), "late": True})))
    assert doubts(case(replace(known, told=late))) == {Doubt.UNTOLD}
    assert case(replace(known, told=replace(known.told, run=None))).goals(State.SUPPORTED) == [], "not one"
    assert doubts(case(replace(known, told=replace(known.told, signed=seq)))) == {Doubt.UNSIGNED}


def test_approvals_are_counted_by_people_and_fall_when_they_are_withdrawn(changed, known):
    assert doubts(case(replace(known, needs=2))) == {Doubt.UNAPPROVED}
    place = changed(sound(), by="")
    found = place.case()
    assert doubts(found) == {Doubt.UNAPPROVED}
    assert assurance.step(found) == "temper approvals ask 0001 --as NAME --reason WHY"
    ask(place.store, place.control, "0001", 1, "ann", "please look", NOW)
    assert assurance.step(place.case()) == "temper approve 0001 --as NAME --key NAME.key --reason WHY"
    approve(place.store, place.control, "0001", "pat", "seen", KEYS["pat"], NOW + 1)
    assert place.case().state("G1") is State.SUPPORTED
    end(place.store, place.control, "0001", "withdraw", "pat", "no", NOW + 2)
    assert "withdrawn" in next(place.case().doubts())[1].text


@pytest.mark.parametrize(
    ("verdict", "doubt"),
    [
        (Verdict.FAIL, Doubt.FAILING),
        (Verdict.INCONCLUSIVE, Doubt.INCONCLUSIVE),
        (Verdict.ERROR, Doubt.UNTESTED),
    ],
)
def test_a_requirement_that_did_not_pass_is_a_defeater(known, verdict, doubt):
    bad = judgement("evasion", "evasion.noise.success_rate", verdict)
    assert doubts(case(judged(known, bad))) == {doubt}


def judged(known: Known, *judgements: Judgement) -> Known:
    return replace(known, record=replace(known.record, judgements=(*judgements, known.record.judgements[1])))


def test_a_waiver_bears_a_breach_until_its_last_day(known):
    until = Waiver(by="ann", reason="rewritten in spring", until=TODAY)
    waived = judged(known, judgement("evasion", "evasion.noise.success_rate", Verdict.WAIVED, until))
    found = case(waived)
    assert found.state("G1") is State.SUPPORTED
    assert [one.accepted for _, one in found.borne()] == [f"ann until {TODAY}: rewritten in spring"]
    later = case(replace(waived, today=date.fromordinal(TODAY.toordinal() + 1)))
    assert doubts(later) == {Doubt.EXPIRED}


@pytest.mark.parametrize(
    ("one", "doubt"),
    [
        (risk("critical"), Doubt.FAILING),
        (risk("critical", lapsed="its acceptance lapsed"), Doubt.EXPIRED),
        (risk(standing=Standing.UNTESTED), Doubt.UNTESTED),
        (risk(standing=Standing.STALE), Doubt.STALE),
    ],
)
def test_what_is_left_of_a_risk_is_a_defeater_where_nobody_bears_it(known, one, doubt):
    assert doubts(case(risky(known, one))) == {doubt}


def risky(known: Known, one: Risk) -> Known:
    return replace(known, record=replace(known.record, risk=replace(known.record.risk, risks=(one,))))


def test_an_accepted_risk_is_borne_until_the_acceptance_lapses(known):
    borne = risky(known, risk("critical", accepted="accepted by ann until 2027-12-31: small"))
    assert case(borne).state("G1") is State.SUPPORTED
    lapsed = Acceptance(threat="evade-*", by="ann", reason="small", until=date(2026, 1, 1))
    assert doubts(case(replace(borne, accepted=(lapsed,)))) == {Doubt.EXPIRED}
    assert doubts(case(replace(borne, accepted=()))) == {Doubt.EXPIRED}
    held = replace(lapsed, until=TODAY)
    assert case(replace(borne, accepted=(held,))).state("G1") is State.SUPPORTED


def test_stale_evidence_is_a_defeater_whoever_says_so(known):
    old = Old(why="91 days old, and 90 are allowed", renewal="temper assess --only evasion")
    found = case(replace(known, old={"evasion": old}))
    assert doubts(found) == {Doubt.STALE}
    assert assurance.step(found) == "temper assess --only evasion"
    assert doubts(case(replace(known, now={"model": "another"}))) == {Doubt.STALE}
    assert doubts(case(replace(known, warnings=("the description is older",)))) == {Doubt.STALE}


def test_doubtful_and_untried_tests_are_defeaters_with_their_reason(known):
    for status, doubt in ((Status.INCONCLUSIVE, Doubt.INCONCLUSIVE), (Status.UNTRIED, Doubt.UNTESTED)):
        weak = replace(known.record.measurements[1], status=status, reason="no power")
        measured = replace(known.record, measurements=(known.record.measurements[0], weak))
        found = case(replace(known, record=measured))
        assert doubt in doubts(found)
        assert any("evasion.noise: no power" in one.text for _, one in found.doubts())


def test_questions_are_defeaters_and_what_is_left_out_is_said(known):
    question = Question(at="exposure.auth", asks="Who may ask?", assumed="anybody")
    without = Without(why="nobody trains it", answer="retrained is no", threats=("poison",), titles=("Poisoning",))
    model = replace(known.record.threats, questions=(question,), without=(without,))
    found = case(replace(known, record=replace(known.record, threats=model)))
    assert doubts(found) == {Doubt.UNANSWERED}
    assert assurance.step(found) == "answer exposure.auth in temper.yaml"
    assert "1 threat left out because nobody trains it: Poisoning." in found.uncovered


def test_an_incident_takes_an_end_and_a_regression_test(changed):
    place = changed(sound())
    number = place.control.incidents.open("slipped through", Severity.MAJOR, "ann", NOW)
    assert doubts(place.case()) == {Doubt.INCIDENT}
    assert len([*place.case().doubts()]) == 2, "open, and without a test"
    place.control.incidents.close(number, "over", "ann", NOW + 1)
    assert assurance.step(place.case()) == f"temper incidents test {number}"
    place.control.incidents.tested(number, "a test", "regressions/1 sha256:ab", "ann", NOW + 2)
    found = place.case()
    assert found.state("G1") is State.SUPPORTED
    assert not any(node.kind is Kind.ASSUMPTION for node in found.nodes), "silence is assumed no more"


# -- what people see -------------------------------------------------------------------------------------------------


def test_hostile_words_are_inert_wherever_they_are_shown(known, capsys):
    words = HOSTILE
    question = Question(at="exposure.auth", asks=words, assumed=words)
    model = replace(known.record.threats, purpose=words, harmed=words, questions=(question,))
    found = case(replace(known, record=replace(known.record, system=words, threats=model)))
    for text in (assurance.page(found), gsn.standalone(found), render(record(), "html", case=found)):
        assert "<script" not in text
        assert "\x1b" not in text
    assurance.show(found)
    assert "\x1b]0" not in capsys.readouterr().out
    assert inert(words)


def test_a_picture_has_every_goal_once_and_no_box_on_another(known):
    question = Question(at="exposure.auth", asks="Who may ask?", assumed="anybody")
    model = replace(known.record.threats, questions=(question,))
    found = case(replace(known, record=replace(known.record, threats=model)))
    sheet = gsn._laid(found)
    boxes = {id: (x, y, gsn._high(found.by_id[id], found)) for id, (x, y) in sheet.at.items()}
    hung = (Kind.SOLUTION, Kind.STRATEGY)
    assert set(boxes) == {node.id for node in found.nodes if node.kind not in hung}
    for one, (x, y, high) in boxes.items():
        for other, (x2, y2, high2) in boxes.items():
            assert one == other or x != x2 or abs(y - y2) >= (high + high2) / 2 + 10, (one, other)
    drawn = gsn.picture(found)
    assert drawn.count("<title>") == len(leaves(found)), "each piece of evidence says what it is"
    assert all(f"<tspan>{node.id}</tspan>" in drawn for node in found.nodes if node.kind is not Kind.SOLUTION)


def test_the_document_says_the_same_as_the_tree(known, capsys):
    found = case(replace(known, needs=2))
    plain_ = json.loads(assurance.document(found))
    assert plain_["state"] == "open defeaters"
    assert {node["id"]: node["state"] for node in plain_["nodes"]} == {
        node.id: found.state(node.id).value for node in found.nodes
    }
    assurance.show(found)
    shown = capsys.readouterr().out
    assert "NOT SUPPORTED: 1 defeater open." in shown
    assert "5 of 7 claims supported" in shown
    assert shown.rstrip().endswith("next: temper approvals ask 0001 --as NAME --reason WHY")


def test_a_file_is_written_by_its_ending(known, tmp_path):
    found = case(known)
    for name in ("a.html", "a.svg", "a.json"):
        assurance.save(found, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1_000
    with pytest.raises(TemperError, match="cannot write an assurance case"):
        assurance.save(found, tmp_path / "a.pdf")
