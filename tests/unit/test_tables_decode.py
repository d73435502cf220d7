"""What a client sends is held against the Schema: nothing else comes through, and nothing makes it fail."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.core.schema import Column, Schema
from temper.gateway.tables.decode import Decoder, Wrong
from temper.gateway.tables.v2 import V2

SCHEMA = Schema(
    columns=(
        Column(name="amount", low=0.0, high=5_000.0),
        Column(name="hour of day", type="integer", low=0, high=23),
        Column(name="channel", type="category", categories=("chip", "online", 'say "hi":')),
        Column(name="night", type="boolean"),
        Column(name="income", missing=True),
    )
)
GOOD: dict[str, Any] = {"amount": 12.5, "hour of day": 3, "channel": "online", "night": True, "income": None}
DECODER = Decoder(schema=SCHEMA, most=5)


def _body(row: Any = None, **more: Any) -> bytes:
    return json.dumps({"row": GOOD if row is None else row, **more}).encode()


def test_a_row_comes_in_the_order_of_the_schema() -> None:
    asked = DECODER.decode(_body(id="r1"))
    np.testing.assert_array_equal(asked.rows, [[12.5, 3.0, 1.0, 1.0, np.nan]])
    assert asked.id == "r1"


def test_several_rows_and_every_way_to_write_a_value() -> None:
    rows = [GOOD, {**GOOD, "hour of day": 3.0, "night": 0}, {k: v for k, v in GOOD.items() if k != "income"}]
    assert DECODER.decode(json.dumps({"rows": rows}).encode()).rows[:, 3].tolist() == [1.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"amount": -1}, ">= 0"),
        ({"amount": 5_000.1}, "<= 5000"),
        ({"amount": "12"}, "Expected `float`"),
        ({"amount": None}, "Expected `float`"),
        ({"hour of day": 3.5}, "multiple of"),
        ({"channel": "telex"}, "outside the vocabulary - at `$.row.channel`"),
        ({"night": 2}, "<= 1"),
        ({"extra": 1}, "unknown field"),
        ({"income": True}, "Expected"),
    ],
)
def test_what_the_schema_does_not_know_is_refused_without_its_value(change: dict[str, Any], told: str) -> None:
    with pytest.raises(Wrong, match=re.escape(told)):
        DECODER.decode(_body({**GOOD, **change}))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"row": {}}',
        b'{"rows": []}',
        b"\xef\xbb\xbf" + _body(),
        _body()[:-1],
        _body() + b"x",
        b'{"row": ' + b"[" * 100_000,
        b'{"id": "' + b"x" * 129 + b'", "row": ' + json.dumps(GOOD).encode() + b"}",
        _body().replace(b"12.5", b"NaN"),
        _body().replace(b"12.5", b"1e400"),
        _body().replace(b"12.5", b"Infinity"),
        _body().replace(b'"online"', b'"\\ud800"'),
        _body().replace(b'"online"', b'"\xff"'),
        json.dumps({"rows": [GOOD] * 6}).encode(),
        json.dumps({"rows": [GOOD], "row": GOOD}).encode(),
    ],
)
def test_what_is_no_request_is_refused_in_a_sentence(body: bytes) -> None:
    with pytest.raises(Wrong) as told:
        DECODER.decode(body)
    assert len(str(told.value)) < 260


@pytest.mark.parametrize(
    "body",
    [
        b'{"row": {"amount": 1, ' + json.dumps(GOOD).encode()[1:] + b"}",
        b'{"row": {"amount" : 1, ' + json.dumps(GOOD).encode()[1:] + b"}",
        b'{"id": "a", "id": "b", "row": ' + json.dumps(GOOD).encode() + b"}",
        b'{"row": ' + json.dumps(GOOD).encode() + b', "row": ' + json.dumps(GOOD).encode() + b"}",
    ],
)
def test_a_key_that_stands_twice_is_refused(body: bytes) -> None:
    with pytest.raises(Wrong, match="twice"):
        DECODER.decode(body)


def test_a_word_that_looks_like_a_key_is_no_repeated_key() -> None:
    assert DECODER.decode(_body({**GOOD, "channel": 'say "hi":'})).rows[0, 2] == 2.0


@given(st.binary(max_size=300))
def test_any_bytes_are_answered_or_refused(body: bytes) -> None:
    for read in (DECODER.decode, V2(SCHEMA).decode):
        with suppress(Wrong):
            assert len(read(body).rows)


_ROW = st.fixed_dictionaries(
    {
        "amount": st.floats(0, 5_000),
        "hour of day": st.integers(0, 23),
        "channel": st.sampled_from(SCHEMA.columns[2].categories),
        "night": st.booleans(),
        "income": st.none() | st.floats(-1e300, 1e300),
    }
)


@given(st.lists(_ROW, min_size=1, max_size=5), st.booleans())
def test_both_protocols_read_the_same_rows(rows: list[dict[str, Any]], compact: bool) -> None:
    separators = (",", ":") if compact else None
    plain = DECODER.decode(json.dumps({"rows": rows}, separators=separators).encode()).rows
    tensors = [
        {"name": name, "shape": [len(rows)], "datatype": "FP64", "data": [row[name] for row in rows]} for name in GOOD
    ]
    columns = V2(SCHEMA).decode(json.dumps({"inputs": tensors}).encode()).rows
    coded = [None if np.isnan(value) else value for value in plain.ravel()]
    matrix = {"name": "x", "shape": list(plain.shape), "datatype": "FP64", "data": coded}
    whole = V2(SCHEMA).decode(json.dumps({"inputs": [matrix]}).encode()).rows
    np.testing.assert_array_equal(plain, columns)
    np.testing.assert_array_equal(plain, whole)


@pytest.mark.parametrize(
    "tensor",
    [
        {"shape": [1, 5], "datatype": "FP64", "data": [1.0]},
        {"shape": [-1, -5], "datatype": "FP64", "data": [1.0] * 5},
        {"shape": [1, 4], "datatype": "FP64", "data": [1.0] * 4},
        {"shape": [1, 5], "datatype": "BYTES", "data": ["a"] * 5},
        {"shape": [1, 5], "datatype": "FP64", "data": [1.0, 1.0, 7.0, 1.0, 1.0]},
        {"shape": [1, 5], "datatype": "FP64", "data": [1.0, 1.0, 0.5, 1.0, 1.0]},
        {"shape": [1, 5], "datatype": "FP64", "data": [9e9, 1.0, 0.0, 1.0, 1.0]},
        {"shape": [], "datatype": "FP64", "data": [1.0]},
    ],
)
def test_tensors_are_held_against_the_same_schema(tensor: dict[str, Any]) -> None:
    with pytest.raises(Wrong):
        V2(SCHEMA).decode(json.dumps({"inputs": [{"name": "x", **tensor}]}).encode())
