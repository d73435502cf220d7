"""What is asked of an upstream and what is taken for an answer; and where an upstream may be."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from temper.core.errors import ConfigError
from temper.core.schema import Column, Schema
from temper.gateway.upstream.address import Address
from temper.gateway.upstream.connection import UpstreamError
from temper.gateway.upstream.wire import V2, Plain, Upstream

ROWS = np.array([[1.5, np.nan], [0.1, -2.0]], np.float32)


def told(**answer: Any) -> bytes:
    return json.dumps(answer).encode()


def v2(data: list[Any], shape: list[int], name: str = "p", **more: Any) -> bytes:
    return told(outputs=[{"name": name, "shape": shape, "datatype": "FP32", "data": data}], **more)


def test_plain_json_asks_rows_and_sends_missing_values_as_null() -> None:
    assert json.loads(Plain().ask(ROWS, "1")) == {"rows": [[1.5, None], [pytest.approx(0.1), -2.0]]}


def test_records_are_those_the_target_over_http_sends() -> None:
    from temper.targets.http import Http

    schema = Schema(
        columns=(
            Column(name="amount", missing=True),
            Column(name="age", type="integer", missing=True),
            Column(name="country", type="category", categories=("DE", "FR", "3"), missing=True),
            Column(name="night", type="boolean"),
        )
    )
    rng = np.random.default_rng(0)
    rows = np.column_stack(
        [rng.normal(size=40), rng.integers(0, 90, 40), rng.integers(0, 3, 40), rng.integers(0, 2, 40)]
    )
    rows[rng.random(rows.shape) * [1, 1, 1, 0] > 0.8] = np.nan
    sent = Http(url="http://127.0.0.1:1/", schema=schema).records(rows)
    assert json.loads(Plain(schema=schema).ask(rows, ""))["rows"] == json.loads(json.dumps(sent))


def test_v2_asks_one_tensor() -> None:
    asked = json.loads(V2(input="x", datatype="FP64").ask(ROWS[1:], "temper-1"))
    assert asked == {
        "id": "temper-1",
        "inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [pytest.approx(0.1), -2.0]}],
    }


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=1, max_size=9))
def test_numbers_arrive_as_they_were(values: list[float]) -> None:
    rows = np.array([values], np.float32)
    assert np.array(json.loads(Plain().ask(rows, ""))["rows"], np.float32).tolist() == rows.tolist()


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        (Plain(), told(scores=[0.25, 0.5])),
        (Plain(), told(scores=[[0.75, 0.25], [0.5, 0.5]])),
        (Plain(), told(scores=[[0.25], [0.5]], model="a", scores_of=[1])),
        (V2(), v2([0.25, 0.5], [2])),
        (V2(), v2([0.25, 0.5], [2, 1], id="temper-1", model_name="a")),
        (V2(), v2([0.75, 0.25, 0.5, 0.5], [2, 2])),
        (V2(output="p"), told(outputs=[
            {"name": "label", "shape": [2], "datatype": "INT64", "data": [0, 1]},
            {"name": "p", "shape": [2], "datatype": "FP32", "data": [0.25, 0.5]},
        ])),
    ],
)  # fmt: skip
def test_scores_are_read_in_every_form(wire: Any, body: bytes) -> None:
    assert wire.read(body, 2, "temper-1").tolist() == [0.25, 0.5]


WRONG = [
    (Plain(), b""),
    (Plain(), b"{"),
    (Plain(), b"[" * 100_000),
    (Plain(), b'{"scores": [0.1, 0.2]} trailing'),
    (Plain(), b'{"scores": [0.1, "\xff"]}'),
    (Plain(), told(score=[0.1, 0.2])),
    (Plain(), told(scores=[0.1])),
    (Plain(), told(scores=[0.1, 0.2, 0.3])),
    (Plain(), told(scores=[[], []])),
    (Plain(), told(scores=[0.1, [0.2]])),
    (Plain(), told(scores=[[0.1, 0.9], [0.2]])),
    (Plain(), told(scores=["0.1", "0.2"])),
    (Plain(), told(scores=[0.1, None])),
    (Plain(), told(scores=[0.1, True])),
    (Plain(), b'{"scores": [0.1, NaN]}'),
    (Plain(), b'{"scores": [0.1, 1e999]}'),
    (V2(), v2([0.1, 0.2], [2], id="temper-2")),
    (V2(), v2([0.1, 0.2], [1])),
    (V2(), v2([0.1, 0.2], [-1, -2])),
    (V2(), v2([0.1], [1])),
    (V2(), v2([], [2, 0])),
    (V2(), v2([0.1, 0.2], [2, 1, 1])),
    (V2(), v2([[0.1, 0.2]], [2])),
    (V2(), told(outputs=[])),
    (V2(output="q"), v2([0.1, 0.2], [2])),
    (V2(), told(outputs=[{"name": n, "shape": [2], "datatype": "FP32", "data": [0.1, 0.2]} for n in "ab"])),
]


@pytest.mark.parametrize(("wire", "body"), WRONG, ids=range(len(WRONG)))
def test_what_is_no_score_for_each_row_is_an_error(wire: Any, body: bytes) -> None:
    with pytest.raises(ValueError, match="the answer"):
        wire.read(body, 2, "temper-1")


class Said:
    """A pool that says this."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status, self.body, self.asked = status, body, []

    async def post(self, body: bytes, deadline: float, trace: str = "") -> tuple[int, bytes]:
        self.asked.append(body)
        return self.status, self.body


@pytest.mark.parametrize(("status", "body"), [(500, b"card 4929 is unknown"), (200, told(scores=["card 4929"]))])
def test_trouble_has_its_status_and_nothing_of_what_was_written(status: int, body: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        asyncio.run(Upstream(pool=Said(status, body)).ask(ROWS, 1.0))  # type: ignore[arg-type]
    assert caught.value.status == status
    assert "4929" not in str(caught.value)


def test_every_request_has_a_number_of_its_own_in_every_gateway() -> None:
    pool = Said(200, v2([0.25, 0.5], [2]))
    for _ in range(2):  # another gateway, or this one started again
        upstream = Upstream(pool=pool, wire=V2())  # type: ignore[arg-type]
        for _ in range(3):
            assert asyncio.run(upstream.ask(ROWS, 1.0)).tolist() == [0.25, 0.5]
    assert len({json.loads(body)["id"] for body in pool.asked}) == 6


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://a/",
        "http://",
        "http:///a",
        "http://user:secret@a/",
        "http://user@a/",
        "http://:@a/",
        "http://a:99999/",
        "http://a:0/",
        "http://a/b c",
        "http://a/\r\nX: y",
        "http://a/\u00e9",
        "http://a/#b",
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://224.0.0.1/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::]/",
    ],
)
def test_what_is_no_place_for_a_model_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Address.of(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("http://127.0.0.1:9000/score", "127.0.0.1:9000", "/score"),
        ("http://10.1.2.3", "10.1.2.3", "/"),
        ("https://models.example.org/v2/models/a/infer?x=1", "models.example.org", "/v2/models/a/infer?x=1"),
        ("http://[::1]:81/a", "[::1]:81", "/a"),
        ("http://localhost:8000/a", "localhost:8000", "/a"),
    ],
)
def test_an_address_is_taken_apart(url: str, authority: str, path: str) -> None:
    found = Address.of(url)
    assert (found.authority, found.path) == (authority, path)


@pytest.mark.parametrize(
    ("ip", "networks", "may"),
    [
        ("93.184.216.34", (), True),
        ("10.0.0.5", (), False),
        ("10.0.0.5", ("10.0.0.0/8",), True),
        ("127.0.0.1", (), False),
        ("::ffff:10.0.0.5", (), False),
        ("::ffff:10.0.0.5", ("10.0.0.0/8",), True),
        ("64:ff9b::a00:5", (), False),
        ("fd00::1", (), False),
        ("fd00::1", ("fd00::/8",), True),
        ("169.254.169.254", ("169.254.0.0/16",), False),
        ("100.64.0.1", (), False),
        ("192.168.1.1", ("10.0.0.0/8",), False),
    ],
)
def test_a_name_leads_to_public_addresses_and_to_networks_that_are_named(
    ip: str, networks: tuple[str, ...], may: bool
) -> None:
    class Loop:
        async def getaddrinfo(self, host: str, port: int, **more: Any) -> list[Any]:
            return [(0, 0, 0, "", (ip, port))]

    address = Address.of("http://models.example.org/a", networks)
    assert address.may(ipaddress.ip_address(ip)) is may
    if may:
        assert asyncio.run(address.place(Loop())) == (ip, 80)  # type: ignore[arg-type]
    else:
        with pytest.raises(OSError, match="no address that is allowed"):
            asyncio.run(address.place(Loop()))  # type: ignore[arg-type]


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="no network"):
        Address.of("http://a/", ("10.0.0.1/8",))
