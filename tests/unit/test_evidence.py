"""What was measured goes stale by rule, each with a culprit and an innocent, and each cause orders its parts once."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from temper.config.reading import parse
from temper.config.triggers import triggers_of
from temper.core.errors import ConfigError
from temper.core.evidence import DAY, Cause, Evidence, Present, Triggers
from temper.core.measure import Better, Measurement, Status
from temper.core.outcome import Outcome
from temper.core.outline import outlined
from temper.core.requirement import Verdict
from temper.core.run import Record
from temper.core.watch import Kind, Seen, Watched
from temper.monitoring.evidence import evidence, parts_of, stale
from temper.monitoring.triggers import Validation, orders
from temper.report import render
from temper.report.history import lines, outdated, renewal, stale_lines
from temper.store import place
from temper.store.attacks import attacks_digest
from temper.store.control import Control
from temper.store.database import Store

PARTS = ("evasion", "stress", "validation")
DIGESTS = {"model": "m1", "held-out data": "d1", "monitoring reference": "r1", "attacks": "a1"}
RULES = Triggers(age=30 * DAY, rows=1_000, labels=300)
CONFIG = Path("/srv/fraud/temper.yaml")


def known(at=0.0, rows=0.0, **more):
    given = {"run": "0001", "model": "m1", "reference": "r1", "attacks": "a1"} | more
    return {part: Evidence(part=part, at=at, rows=rows, **given) for part in PARTS}


def present(now=DAY, **more):
    return Present(**{"now": now, "model": "m1", "reference": "r1", "attacks": "a1"} | more)


def window(day=2, kind=Kind.NATURAL, rows=100, seen=Seen.FAIL, since=None):
    return Watched(
        start=day * DAY,
        ends=(day + 1) * DAY,
        rows=rows,
        seen=seen,
        tests=3,
        needed=50,
        kind=kind if seen is Seen.FAIL else None,
        since=since,
    )


def outcome(day=2, labels=100, seen=Seen.FAIL):
    return Outcome(start=day * DAY, ends=(day + 1) * DAY, rows=9_999, labelled=labels, seen=seen)


def causes(found):
    parts = {}
    for one in found:
        parts.setdefault(one.cause, set()).add(one.part)
    return parts


def test_fresh_evidence_of_what_answers_is_not_stale():
    calm = window(seen=Seen.PASS, rows=999)
    assert (
        stale(known(), present(windows=((DAY, calm),), outcomes=((DAY, outcome(labels=299, seen=Seen.PASS)),)), RULES)
        == []
    )


ROWS = {"stress", "validation"}
EVERY = set(PARTS)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (present(31 * DAY), {Cause.AGE: EVERY}),
        (present(model="m2"), {Cause.MODEL: EVERY}),
        (present(reference="r2"), {Cause.DATA: EVERY}),
        (present(attacks="a2"), {Cause.ATTACKS: {"evasion"}}),
        (present(windows=((DAY, window(rows=1_000, seen=Seen.PASS)),)), {Cause.ROWS: ROWS}),
        (present(outcomes=((DAY, outcome(labels=300, seen=Seen.PASS)),)), {Cause.LABELS: ROWS}),
        (present(windows=((DAY, window()),)), {Cause.ALARM: ROWS}),
        (present(windows=((DAY, window(kind=Kind.ATTACK)),)), {Cause.ALARM: {"evasion"}}),
        (present(windows=((DAY, window(kind=Kind.UNKNOWN)),)), {Cause.ALARM: EVERY}),
        (present(windows=((DAY, window(kind=Kind.PIPELINE)),)), {}),
        (present(outcomes=((DAY, outcome()),)), {Cause.ALARM: {"validation"}}),
        (present(model=""), {}),
        (present(reference="", attacks=""), {}),
    ],
)
def test_each_rule_makes_its_parts_stale_and_no_others(now, expected):
    assert causes(stale(known(), now, RULES)) == expected


def test_what_was_judged_before_the_evidence_was_made_says_nothing_of_it():
    old = ((DAY, window(rows=9_999, kind=Kind.UNKNOWN)),)
    assert (
        stale(
            known(at=2 * DAY, rows=2 * DAY),
            present(3 * DAY, windows=old, outcomes=((DAY, outcome(labels=9_999)),)),
            RULES,
        )
        == []
    )


def test_the_same_rows_measured_once_more_are_still_those_from_before_the_drift():
    drift = ((DAY, window()),)
    again = known(at=2 * DAY, rows=0.0)
    assert causes(stale(again, present(3 * DAY, windows=drift), RULES)) == {Cause.ALARM: ROWS}
    attack = ((DAY, window(kind=Kind.ATTACK)),)
    assert stale(again, present(3 * DAY, windows=attack), RULES) == [], "attacks were tried again since"


def test_rules_that_are_off_are_off():
    off = Triggers(age=0.0, causes=())
    changed = present(1e9, model="m2", reference="r2", attacks="a2", windows=((DAY, window(rows=10**9)),))
    assert stale(known(), changed, off) == []


def test_nothing_assessed_is_one_word_for_everything():
    assert [(one.part, one.cause) for one in stale({}, present(), RULES)] == [("", Cause.NONE)]


# -- which runs are evidence -----------------------------------------------------------------------------------------


def figure(plugin, status=Status.OK):
    return Measurement(plugin=plugin, metric="m", value=0.5, n=9, better=Better.LOWER, status=status, reason="r")


def run(name, day, plugins=("evasion.noise", "stress.missing", "fairness"), state="finished", **digests):
    return Record(
        id=name,
        system="fraud",
        suite="quick",
        seed=0,
        started=datetime.fromtimestamp(day * DAY, UTC).isoformat(),
        seconds=1.0,
        state=state,
        verdict=Verdict.PASS,
        measurements=tuple(map(figure, plugins)),
        digests=tuple((DIGESTS | digests).items()),
    )


def runs(found):
    return {part: one.run for part, one in found.items()}


@pytest.fixture
def kept(tmp_path):
    """What is evidence once these runs are kept, of which only the newest of each family are read."""

    def found(model, *records):
        store = Store.open(tmp_path / f"{model}-{len(records)}.db")
        for record in records:
            store.save_run(record)
        return evidence(store.measured("fraud", model), model)

    return found


@pytest.mark.parametrize("state", ["finished", "stopped"])
def test_a_run_in_short_is_the_same_before_it_is_stored(tmp_path, state):
    """What the store reads of a document, and what is read of a run that has just ended."""
    store, broken = Store.open(tmp_path / "temper.db"), figure("fuzz.edges", Status.ERROR)
    ended = run("0001", 1, state=state)
    ended = replace(ended, measurements=(*ended.measurements, broken))
    store.save_run(ended)
    assert store.outlines() == [outlined(ended)]


def test_the_latest_run_of_a_part_is_its_evidence(kept):
    found = kept("m1", run("1", 1), run("2", 2, ["stress.noise"]))
    assert runs(found) == {"evasion": "1", "stress": "2", "validation": "1"}
    assert (found["stress"].at, found["stress"].rows) == (2 * DAY, DAY), "the rows are known since the first"


def test_a_run_that_was_stopped_or_a_part_without_a_figure_is_no_evidence(kept):
    broken = replace(run("3", 3), measurements=(figure("evasion.noise", Status.ERROR),))
    found = kept("m1", run("1", 1), run("2", 2, state="stopped"), broken)
    assert runs(found) == dict.fromkeys(PARTS, "1")


def test_going_back_to_a_model_goes_back_to_its_evidence(kept):
    records = [run("1", 1), run("2", 2, model="m2")]
    assert runs(kept("m2", *records)) == dict.fromkeys(PARTS, "2")
    assert runs(kept("m1", *records)) == dict.fromkeys(PARTS, "1")
    assert runs(kept("m3", *records)) == dict.fromkeys(PARTS, "2")


def many(rng, length):
    """Runs of two systems, three models and several parts, some of them stopped."""
    plugins = ("evasion.noise", "evasion.hop", "stress.missing", "fairness", "calibration", "load.open")
    for at in range(length):
        some = [name for name in plugins if rng.random() < 0.4]
        made = run(f"{at:04}", at, some, "stopped" if rng.random() < 0.2 else "finished", model=f"m{rng.integers(3)}")
        yield replace(made, system=("fraud", "signs")[rng.integers(2)])


def test_what_is_read_for_evidence_says_the_same_as_every_run_and_is_no_more_for_more_runs(tmp_path):
    store, read = Store.open(tmp_path), []
    for at, made in enumerate(many(np.random.default_rng(5), 60)):
        store.save_run(made)
        for model in ("m0", "m1", "m2", "else"):
            some = store.measured("fraud", model)
            assert evidence(some, model) == evidence(store.outlines(system="fraud")[::-1], model)
            read.append((at, len(some)))
    assert max(many for _, many in read) <= 12, "six families, of this model and of any"


def test_a_look_reads_the_document_of_no_run(validation, monkeypatch):
    for at in range(2, 30):
        validation.store.save_run(run(f"{at:04}", at))
    asked, connect = [], place._connect

    def watched(path):
        connection = connect(path)
        connection._raw.set_trace_callback(asked.append)
        return connection

    monkeypatch.setattr(place, "_connect", watched)
    validation.stale(40 * DAY)
    assert asked
    assert not [sql for sql in asked if "document" in sql]


# -- what is ordered -------------------------------------------------------------------------------------------------


def ordered(now, have=None):
    have = known() if have is None else have
    return orders(stale(have, now, RULES), have, RULES, CONFIG)


def test_a_cause_orders_what_it_makes_stale():
    (one,) = ordered(present(attacks="a2"))
    assert (one.only, one.labelled) == (("evasion",), None)
    (every,) = ordered(present(model="m2"))
    assert (every.only, every.config) == ((), str(CONFIG))
    assert "m2 answers" in every.why
    (first,) = ordered(present(), {})
    assert (first.only, first.why) == ((), "everything: nothing was assessed yet")


def test_labels_order_an_assessment_on_the_rows_that_have_them():
    came = tuple((DAY, outcome(day, labels=200, seen=Seen.PASS)) for day in (5, 6))
    (one,) = ordered(present(outcomes=came))
    assert (one.only, one.labelled) == (("stress", "validation"), 5 * DAY)


def test_a_drift_that_goes_on_is_one_cause_and_one_that_turns_into_an_attack_is_another():
    first = ((DAY, window(2, since=2 * DAY)),)
    more = (*first, (DAY, window(3, since=2 * DAY)))
    attack = (*more, (DAY, window(4, kind=Kind.ATTACK, since=4 * DAY)))
    keys = [{one.key for one in ordered(present(windows=seen))} for seen in (first, more, attack)]
    assert keys[0] == keys[1] < keys[2]
    assert [len(one) for one in keys] == [1, 1, 2]


@pytest.fixture
def validation(tmp_path):
    control = Control.open(str(tmp_path / "control.db"))
    store = Store.open(tmp_path)
    store.save_run(run("0001", 1))
    yield Validation(
        config=CONFIG,
        system="fraud",
        own="m1",
        reference="r1",
        watch=None,
        labels="",
        rules=replace(RULES, causes=(Cause.MODEL,)),
        control=control,
        store=store,
    )
    control.close()


def test_each_cause_is_ordered_once_however_often_it_is_asked(validation):
    assert validation.put("ana", 2 * DAY) == []
    (number, order) = validation.put("ana", 40 * DAY)[0]
    assert (number, order.only) == (1, ())
    assert "39 days old, and 30 are allowed" in order.why
    assert validation.put("ana", 41 * DAY) == []
    validation.store.save_run(run("0002", 42))
    assert validation.put("ana", 43 * DAY) == []
    assert [number for number, _ in validation.put("ana", 90 * DAY)] == [2], "the next period"


def test_the_model_that_answers_is_the_one_that_was_deployed(validation):
    validation.control.records.put(
        "model", {"path": "b.json", "mode": "live", "digest": "m2", "name": "b"}, "ana", "b", 2 * DAY
    )
    (one,) = [order for _, order in validation.put("ana", 3 * DAY)]
    assert "measured of the model m1; m2 answers" in one.why
    known_, found = validation.stale(3 * DAY)
    told = "\n".join([*lines(validation.runs(), known_, found), *stale_lines(found)])
    assert "0001" in told
    assert "stale: evasion, stress, validation" in told
    assert "STALE  evasion: measured of the model m1; m2 answers" in told


def test_a_report_says_what_of_its_run_is_stale_and_what_renews_it(validation):
    old = run("0001", 1)
    validation.store.save_run(run("0002", 5, ["stress.noise"], attacks=attacks_digest()))
    known_, found = validation.stale(40 * DAY)
    lines_ = outdated("0001", parts_of(old), known_, found)
    assert [(one.part, one.renewal) for one in lines_] == [
        ("stress", "read that one"),
        ("evasion", "temper assess --only evasion"),
        ("validation", "temper assess --only validation"),
    ]
    page = render(old, "html", outdated=lines_)
    assert "<li><b>stress</b>: run 0002 is the evidence by now." in page
    assert "39 days old, and 30 are allowed. Renewed by: <code>temper assess --only evasion</code>" in page
    assert 'id="stale"' not in render(old, "html")


def test_a_drift_is_renewed_by_newer_rows_and_labels_by_an_order_on_them():
    drift = stale(known(), present(windows=((DAY, window()),)), RULES)
    assert renewal([one for one in drift if one.part == "stress"]).startswith("newer rows under `data:`")
    came = stale(known(), present(outcomes=((DAY, outcome(labels=300, seen=Seen.PASS)),)), RULES)
    assert "whose labels have come" in renewal(came[:1])


def test_without_triggers_nothing_is_ordered_and_what_is_stale_is_said(validation):
    silent = replace(validation, rules=None)
    assert silent.put("ana", 1_000 * DAY) == []
    assert {one.cause for one in silent.stale(1_000 * DAY)[1]} == {Cause.AGE, Cause.ATTACKS}


def test_the_attacks_there_are_have_a_digest():
    assert len(attacks_digest()) == 64


# -- temper.yaml -----------------------------------------------------------------------------------------------------


def rules(text):
    return triggers_of(parse(f"monitor: {{feed: p, time: at{text}}}"))


def test_the_shape_of_triggers():
    assert rules("") is None
    given = rules(", triggers: {age: 7d, rows: 500, labels: 900, model: no, suite: quick, engine: serial}")
    assert (given.age, given.rows, given.labels) == (7 * DAY, 500, 900)
    assert (given.causes, given.suite) == ((Cause.DATA, Cause.ATTACKS, Cause.ALARM), "quick")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{agee: 7d}", "did you mean 'age'"),
        ("{labels: 20}", "at least 200"),
        ("{rows: -1}", "not negative"),
        ("{suite: quik}", "did you mean 'quick'"),
        ("{age: soon}", "is no time"),
    ],
)
def test_triggers_that_cannot_be_are_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        rules(f", triggers: {text}")
