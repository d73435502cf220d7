"""Rows tried by hand: what is seen of a change is what the gateway, the Schema and the model say of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.core.errors import SchemaError, TemperError
from temper.core.probe import Look, Subject
from temper.core.schema import Column
from temper.core.serving import Mode
from temper.core.stage import Level
from temper.core.written import value_of, written
from temper.store.codec import dump, load
from unit.bench_world import bench, flagged, scores


def tried(**settings: str):
    one, wrong = bench().edited(bench().row(flagged()), settings)
    assert not wrong
    return bench().look(one), one


def test_a_change_is_seen_before_and_after_with_its_cost_and_what_follows() -> None:
    look, one = tried(amount="30")
    base = bench().row(flagged()).row
    assert look.before == pytest.approx(float(scores(base[None])[0, 1]))
    assert look.after == pytest.approx(float(scores(one.row[None])[0, 1]))
    assert (look.decided_before, look.decided) == ("fraud", "honest")
    assert look.turned
    assert not look.broken
    assert look.cost == pytest.approx((base[0] - 30.0) / 100.0)
    assert [(change.column, change.derived) for change in look.changes] == [("amount", False), ("share", True)]
    assert one.row[2] == pytest.approx(30.0 / base[3])


def test_the_column_that_moved_the_score_most_comes_first() -> None:
    base = bench().row(flagged())
    other = "chip" if base.row[1] else "online"
    look, _ = tried(amount="30", channel=other)
    alone = {
        name: bench().look(tried(**{name: value})[1]).after for name, value in (("amount", "30"), ("channel", other))
    }
    assert look.moved[0][0] == "amount"
    assert dict(look.moved) == pytest.approx(
        {"amount": look.after - alone["channel"], "channel": look.after - alone["amount"]}
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"amount": "9000"}, "amount 9000 is outside [1, 5000]"),
        ({"limit": "2"}, "limit is immutable and changed"),
        ({"amount": "4999"}, "amount <= limit does not hold"),
        ({"share": "7"}, "share does not follow from its formula"),
    ],
)
def test_every_rule_that_breaks_is_named(settings: dict[str, str], said: str) -> None:
    one, _ = bench().edited(bench().row(flagged()), settings)
    look = bench().look(one)
    assert any(said in text for text in look.broken), look.broken
    assert not look.through, "what breaks a rule gets nowhere"


def test_a_row_that_the_model_gives_no_score_for_is_refused() -> None:
    with pytest.raises(TemperError, match="no finite score"):
        bench().look(bench().edited(bench().row(10), {"amount": ""})[0])


def test_stages_say_what_they_would_say_at_the_gateway() -> None:
    look, _ = tried(amount="899", channel="chip")
    told = {one.stage: one for one in look.told}
    assert told["decide"].level == "REVIEW"
    assert look.level is Level.REVIEW
    assert not look.through
    assert told["extraction"].mode == "aside"
    strange, _ = tried(amount="4999", limit="100")
    assert {one.stage: one for one in strange.told}["anomaly"].level == "REVIEW"


def test_a_stage_that_crashes_blocks() -> None:
    from dataclasses import replace

    class Broken:
        def check(self, scoring):
            raise ValueError("card 4111")

    layers = bench().layers
    assert layers is not None
    worse = replace(bench(), layers=replace(layers, before=(("anomaly", Mode.ENFORCE, Broken()),)))
    told = worse.look(bench().row(10)).told
    assert [(one.level, one.reason) for one in told if one.stage == "anomaly"] == [
        ("BLOCK", "the stage failed: ValueError")
    ]


def test_a_row_from_nothing_has_no_before_and_its_own_rules() -> None:
    one, _ = bench().edited(bench().nothing(), {"amount": "300"})
    look = bench().look(one)
    assert look.before is None
    assert not look.changes
    assert not look.turned
    assert look.broken == ("amount <= limit does not hold",)


def test_rows_that_are_not_there_and_columns_that_nobody_knows_are_refused() -> None:
    for sample in (9, -1, 10**30):
        with pytest.raises(TemperError, match="no held-out row"):
            bench().row(sample)
    with pytest.raises(SchemaError, match="amount"):
        bench().edited(bench().row(10), {"amuont": "3"})
    _, wrong = bench().edited(bench().row(10), {"amount": "<b>much</b>", "channel": "phone", "limit": "1e999"})
    assert [error.message.partition(" ")[0] for error in wrong] == ["amount", "channel", "limit"]


def test_what_is_kept_comes_back_and_another_table_is_refused() -> None:
    look, one = tried(amount="30")
    subject = one.subject(bench().system.schema.names)
    assert load(Subject, dump(subject)) == subject
    assert load(Look, dump(look)) == look
    assert bench().look(bench().kept(subject)) == look
    with pytest.raises(TemperError, match="other columns"):
        bench().kept(Subject(origin="x", columns=("a",), row=(1.0,)))


NUMBER = Column(name="n")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_back_to_the_bit(value: float) -> None:
    assert value_of(NUMBER, written(NUMBER, value)) == value


@pytest.mark.parametrize("text", ["inf", "-inf", "1e999", "nan", "1_000", "=1+1", "\x00", "9" * 50, "0x10"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(SchemaError):
        value_of(NUMBER, text)


def test_a_missing_value_and_words() -> None:
    assert math.isnan(value_of(NUMBER, " missing "))
    kind = Column(name="k", type="category", categories=("a", "b"))
    assert value_of(kind, "b") == 1.0
    with pytest.raises(SchemaError, match="one of a, b"):
        value_of(kind, "1")
    assert np.isnan(value_of(kind, ""))
