"""Cases come back as they were kept, and the edges mean what they say to a service that checks everything."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.errors import TemperError
from temper.core.schema import Column, Schema
from temper.fuzz._case import Case, Change, Edge, Fate, Literal, plain, quoted, read
from temper.fuzz._edges import fields_of, settled
from temper.fuzz._oracle import judged
from temper.fuzz._search import Defect
from temper.fuzz._walled import asked
from temper.fuzz._wire import Form, message_fields
from temper.targets.function import Function
from temper.testing import planted

VALUES = st.one_of(st.floats(), st.text(max_size=5))
PIECES = st.lists(st.tuples(st.text(max_size=4), st.integers(1, 3)), max_size=3).map(tuple)
EDGES = st.builds(
    Edge, label=st.text(max_size=5), family=st.text(max_size=5), fate=st.sampled_from(Fate),
    value=st.none() | VALUES, literal=st.none() | PIECES.map(Literal), same=st.booleans(),
)  # fmt: skip
CHANGES = st.builds(
    Change, field=st.text(max_size=4), places=st.lists(st.integers(0, 9), max_size=2).map(tuple), edge=EDGES
)
CASES = st.builds(Case, base=st.lists(VALUES, max_size=4).map(tuple), changes=st.lists(CHANGES, max_size=3).map(tuple))


@given(CASES)
@settings(max_examples=60, deadline=None)
def test_a_case_comes_back_equal(case: Case) -> None:
    again = read(json.loads(json.dumps(plain(case))))
    assert repr(again) == repr(case)  # NaN and -0.0 are told apart by their print


@pytest.mark.parametrize("document", [{}, {"base": [], "changes": [{}]}, {"base": ["zz"], "changes": []}])
def test_what_is_no_case_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(TemperError, match="no fuzz case"):
        read(document)


def base() -> Case:
    return Case(base=tuple(planted.rows(1)[0].tolist()))


def wire_cases() -> list[Case]:
    schema = planted.schema()
    fields = (*fields_of(schema, 8, wire=True), *message_fields(schema))
    return [settled(Case(base=base().base, changes=(one,)), schema) for field in fields for one in field.changes()]


def test_every_edge_means_to_a_sound_service_what_it_says() -> None:
    scorer, form, schema = planted.Scorer(), Form(), planted.schema()
    wrong = []
    for case in wire_cases():
        if case.frame:
            continue
        text = form.body(schema, [case])
        try:
            scorer.answer(text.encode("utf-8", "surrogatepass"))
            answered = True
        except planted.Invalid:
            answered = False
        due = case.changes[0].edge.fate
        if (due is Fate.ANSWER and not answered) or (due is Fate.REFUSE and answered):
            wrong.append(f"{case}: {due}, answered: {answered}")
    assert not wrong, "\n".join(wrong)


def test_there_is_an_edge_of_every_kind_that_the_page_names() -> None:
    families = {case.family for case in wire_cases()}
    assert {"a bound", "out of the range", "next to zero", "a huge number", "not finite", "a missing value",
            "another type", "a field left out", "an unknown key", "a key twice", "an unseen word", "a vast text",
            "deep nesting", "a lone surrogate", "a code outside of the words", "in chunks", "slowly",
            "with nothing in it", "after a byte order mark", "twice on one connection"} <= families  # fmt: skip


def test_bounds_are_one_step_apart() -> None:
    column = Column(name="a", low=0.25, high=2.0)
    values = {edge.label: edge.value for edge in fields_of(Schema(columns=(column,)), 1)[0].edges}
    assert values["a step above the highest"] == np.nextafter(2.0, 3.0)
    assert values["one step within the lowest value"] == np.nextafter(0.25, 1.0)
    assert repr(values["minus zero"]) == "-0.0"


def test_an_edge_that_breaks_a_relation_is_doubtful() -> None:
    columns = (Column(name="a", low=0, high=9), Column(name="b", low=0, high=9))
    schema = Schema(columns=columns, relations=("a <= b",))
    high = next(c for c in fields_of(schema, 2)[0].changes() if c.edge.value == 9.0)
    (change,) = settled(Case(base=(1.0, 5.0), changes=(high,)), schema).changes
    assert change.edge.fate is Fate.EITHER
    (kept,) = settled(Case(base=(1.0, 9.0), changes=(high,)), schema).changes
    assert kept.edge.fate is Fate.ANSWER


def test_ten_megabytes_are_kept_in_a_line() -> None:
    literal = Literal.of('"').then("a", 10_000_000).then('"')
    assert len(literal.text) == 10_000_002
    assert len(literal.short) < 60
    assert len(json.dumps(literal.pieces)) < 60


def test_half_a_character_is_written_in_ascii() -> None:
    assert quoted("\ud800").text == '"\\ud800"'


@pytest.mark.parametrize(
    ("document", "scores"),
    [
        ({"score": 0.5}, [0.5]),
        ({"results": [{"decision": "allow", "score": 0.25}]}, [0.25]),
        ({"predictions": [[0.9, 0.1]]}, [0.1]),
        ({"score": True}, None),
        ({"detail": "no"}, None),
        ([1], None),
    ],
)
def test_scores_are_found_in_the_usual_places(document: object, scores: object) -> None:
    assert Form().scores(document, 1) == scores


def test_bodies_of_three_kinds() -> None:
    schema = Schema(columns=(Column(name="a"), Column(name="b", type="category", categories=("x", "y"))))
    rows = [Case(base=(1.5, 1.0)), Case(base=(math.nan, 0.0))]
    assert json.loads(Form().body(schema, rows)) == {"rows": [{"a": 1.5, "b": "y"}, {"a": None, "b": "x"}]}
    assert json.loads(Form.of('{"instances": $rows}').body(schema, rows[:1])) == {"instances": [{"a": 1.5, "b": "y"}]}
    tensors = json.loads(Form.of("v2").body(schema, rows))["inputs"]
    assert [(one["name"], one["datatype"], one["data"]) for one in tensors] == [
        ("a", "FP64", [1.5, None]), ("b", "BYTES", ["y", "x"])
    ]  # fmt: skip
    with pytest.raises(TemperError, match="no place for rows"):
        Form.of('{"instances": 3}')


def test_a_refusal_is_no_failure_but_half_a_character_is() -> None:
    def fails(kind: type[Exception]) -> Function:
        def call(x: object) -> object:
            raise kind("no") if kind is not UnicodeEncodeError else UnicodeEncodeError("utf-8", "\ud800", 0, 1, "no")

        return Function(call=call)

    x = planted.rows(1)
    assert [asked(fails(kind), x).outcome.value for kind in (ValueError, KeyError, UnicodeEncodeError)] == [
        "refused", "failed", "failed"
    ]  # fmt: skip


def test_a_defect_comes_back_equal() -> None:
    case = base()
    kept = Defect(law="alone", cause="c", said="s", cases=(case, case), repeated=False)
    assert repr(Defect.read(json.loads(json.dumps(kept.plain())))) == repr(kept)
    reply = asked(Function(call=planted.Scorer()), np.array([case.row]))
    assert judged(_Subject(), case, reply) is None


class _Subject:
    strict, stochastic, low, high = True, False, 0.0, 1.0
    kind = Function(call=len).kind
