"""Whatever is stored comes back equal, or is refused with the field's name."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.budget import NORMS, Budget
from temper.core.defence import Effect
from temper.core.errors import StoreError
from temper.core.finding import Finding
from temper.core.incident import Entry, Incident, Kind, Severity
from temper.core.measure import Better, Curve, Measurement, Point, Status
from temper.core.requirement import Judgement, Policy, Requirement, Verdict, Waiver
from temper.core.run import Record, Skipped
from temper.core.schema import Column, Mutability, Schema
from temper.core.target import Access
from temper.core.threat import Actor, Scenario, Threat
from temper.store.codec import dump, from_json, load, to_json, unwrap, wrap


@dataclass(frozen=True)
class Moment:
    """A time, with or without a zone."""

    at: datetime


texts = st.text(max_size=20)
finite = st.floats(allow_nan=False, allow_infinity=False)
curves = st.builds(
    Curve,
    name=texts,
    axis=texts,
    unit=texts,
    points=st.tuples(st.builds(Point, at=finite, value=finite, low=finite, high=finite)),
)
measurements = st.builds(
    Measurement,
    plugin=texts,
    metric=texts,
    value=st.none() | finite,
    low=st.none() | finite,
    high=st.none() | finite,
    confidence=finite,
    n=st.integers(0, 2**60),
    count=st.none() | st.integers(),
    better=st.sampled_from(Better),
    status=st.sampled_from(Status),
    reason=st.text(min_size=1, max_size=10),
    seconds=finite,
    baseline=st.lists(st.tuples(texts, finite), max_size=3).map(tuple),
    caveats=st.lists(texts, max_size=3).map(tuple),
    curve=st.none() | curves,
    simulated=st.booleans(),
)
waivers = st.builds(Waiver, by=texts, reason=texts, until=st.dates())
requirements = st.builds(
    Requirement,
    id=texts,
    metric=texts,
    at_most=finite,
    at_least=st.none(),
    confidence=st.floats(0.51, 0.99),
    slice=texts,
    reason=texts,
    severity=st.sampled_from(["critical", "high", "medium", "low"]),
    waiver=st.none() | waivers,
)
judgements = st.builds(Judgement, requirement=requirements, verdict=st.sampled_from(Verdict), value=st.none() | finite)
findings = st.from_type(Finding).filter(lambda f: _finite(f))
records = st.builds(
    Record,
    id=texts,
    system=texts,
    suite=texts,
    seed=st.integers(),
    started=texts,
    seconds=finite,
    state=texts,
    verdict=st.sampled_from(Verdict),
    judgements=st.lists(judgements, max_size=2).map(tuple),
    measurements=st.lists(measurements, max_size=2).map(tuple),
    skipped=st.lists(st.builds(Skipped, name=texts, why=texts), max_size=2).map(tuple),
    facts=st.lists(st.tuples(texts, texts), max_size=2).map(tuple),
)
budgets = st.builds(
    Budget,
    queries=st.none() | st.integers(0),
    radius=st.none() | st.floats(0, allow_infinity=False),
    share=st.none() | st.floats(0, 1),
    norm=st.sampled_from(NORMS),
)
threats = st.builds(
    Threat,
    id=texts,
    title=texts,
    goal=texts,
    asset=texts,
    access=st.integers(0, 127).map(Access),
    plugins=st.lists(texts, max_size=2).map(tuple),
    requires=st.lists(st.tuples(texts, texts), max_size=2).map(tuple),
)
actors = st.builds(Actor, name=texts, cost=st.none() | finite, writes=st.lists(texts, max_size=2).map(tuple))
scenarios = st.builds(Scenario, threat=threats, actor=actors, budget=budgets, rating=texts)
entries = st.builds(
    Entry,
    seq=st.integers(0),
    at=finite,
    who=texts,
    kind=st.sampled_from(Kind),
    text=texts,
    detail=st.just({"run": "a"}),
)
incidents = st.builds(
    Incident,
    id=st.integers(0),
    title=texts,
    severity=st.sampled_from(Severity),
    source=texts,
    opened=finite,
    by=texts,
    closed=st.none() | finite,
    timeline=st.lists(entries, max_size=2).map(tuple),
)
moments = st.builds(Moment, at=st.datetimes(timezones=st.just(UTC)) | st.datetimes())

everything = st.one_of(
    measurements, requirements, judgements, records, findings, budgets, scenarios, incidents, moments, curves
)


def _finite(value: Any) -> bool:
    try:
        dump(value)
    except StoreError:
        return False
    return True


@settings(max_examples=150, deadline=None)
@given(everything)
def test_every_noun_comes_back_equal_through_json(noun: Any) -> None:
    back = load(type(noun), from_json(to_json(dump(noun))))
    assert back == noun
    assert type(back) is type(noun)


@settings(max_examples=40, deadline=None)
@given(records)
def test_a_record_comes_back_equal_from_its_document(record: Record) -> None:
    assert unwrap("temper.run", Record, from_json(to_json(wrap("temper.run", record)))) == record


def test_an_open_range_comes_back_open() -> None:
    schema = Schema(
        columns=(Column(name="a", low=0.0, attacker=Mutability.FREE, categories=("x",)),), relations=("a <= 3",)
    )
    text = to_json(dump(schema))
    assert "Infinity" not in text
    assert load(Schema, from_json(text)) == schema


def test_numpy_numbers_are_numbers() -> None:
    plain = dump(Measurement(plugin="p", metric="m", value=np.float64(0.5), n=np.int64(3), simulated=np.bool_(True)))
    assert (plain["value"], plain["n"], plain["simulated"]) == (0.5, 3, True)
    assert type(plain["value"]) is float


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_refused_both_ways_with_its_field(bad: float) -> None:
    good = Measurement(plugin="p", metric="m", value=1.0, baseline=(("random", 0.1),))
    with pytest.raises(StoreError, match=r"value is (nan|-?inf)"):
        dump(replace(good, value=bad))
    with pytest.raises(StoreError, match=r"baseline\[0\]\[1\]"):
        dump(replace(good, baseline=(("random", bad),)))
    with pytest.raises(StoreError, match="low is"):
        load(Measurement, dump(good) | {"low": bad})
    with pytest.raises(StoreError, match="no JSON number"):
        from_json(json.dumps({"low": bad}))


def test_unknown_fields_are_refused_at_any_depth() -> None:
    requirement = Requirement(
        id="a", metric="m", at_most=0.1, waiver=Waiver(by="x", reason="y", until=date(2027, 1, 1))
    )
    plain = dump(Judgement(requirement=requirement, verdict=Verdict.PASS))
    plain["requirement"]["waiver"]["untill"] = "2028-01-01"
    with pytest.raises(StoreError, match=r"Judgement\.requirement\.waiver has the unknown field 'untill'"):
        load(Judgement, plain)


@pytest.mark.parametrize(
    ("field", "value"),
    [("n", "7"), ("n", 1.5), ("simulated", 1), ("better", "bigger"), ("caveats", "abc"), ("plugin", None)],
)
def test_a_wrong_type_is_refused_with_its_field(field: str, value: object) -> None:
    plain = dump(Measurement(plugin="p", metric="m", value=1.0)) | {field: value}
    with pytest.raises(StoreError, match=field):
        load(Measurement, plain)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("temper.run/2", "version 2"),
        ("temper.finding/1", "expected a temper.run"),
        (None, "expected"),
        ("temper.run/x", "expected"),
    ],
)
def test_a_document_of_another_format_or_a_newer_version_is_refused(name: object, says: str) -> None:
    document = wrap("temper.run", Effect(defence="d", metric="m", before=0, after=0, difference=0, low=0, high=0, n=1))
    with pytest.raises(StoreError, match=says):
        unwrap("temper.run", Effect, document | {"format": name})


def test_json_is_the_same_text_whatever_the_order() -> None:
    assert to_json({"b": 1, "a": [1.5, "é"]}) == to_json({"a": [1.5, "é"], "b": 1}) == '{"a":[1.5,"\\u00e9"],"b":1}'


def test_a_policy_with_a_naive_and_an_aware_time_come_back() -> None:
    policy = Policy(name="p", requirements=(Requirement(id="a", metric="m", at_least=0.5, line=3),), source="f.yaml")
    assert load(Policy, dump(policy)) == policy
    opened = datetime(2026, 1, 2, 3, 4, 5, 6)  # noqa: DTZ001
    assert load(Moment, dump(Moment(at=opened))).at == opened


def test_broken_json_is_a_store_error() -> None:
    with pytest.raises(StoreError, match="not JSON"):
        from_json("{")
