"""Rows are kept by the person they are about: one call erases all of a person, and proofs stay valid."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from control_store import opened as opened_control
from small_gateway import GUARD, asked, decisions, folder, models, written
from temper.cli import app
from temper.core.review import Role
from temper.core.schema import Column, Schema
from temper.gateway.tables.build import opened
from temper.gateway.tables.decode import Decoder, Wrong
from temper.gateway.tables.replay import replayed
from temper.gateway.tables.v2 import V2

__all__ = ["folder", "models"]
REVIEWED = GUARD + "  decide: {review: [0.0, 1.0]}\n"
SCHEMA = Schema(columns=(Column(name="a"),))


def run(*words: Any) -> Any:
    return CliRunner().invoke(app, ["ledger", *map(str, words)])


def test_one_call_erases_all_rows_of_a_person_and_nobody_else_s(folder: Path) -> None:
    written(folder, REVIEWED)
    gateway = opened(folder / "temper.yaml")

    async def story() -> None:
        for at in range(3):
            await asked(gateway, (float(at), 0.0, 0.0), id_=f"r{at}", subject="Jane Doe")
        await asked(gateway, (5.0, 0.0, 0.0), id_="other", subject="John")
        await asked(gateway, (6.0, 0.0, 0.0), id_="nobody")

    asyncio.run(story())
    bound = {one["request"]: one["commitment"] for one in decisions(gateway)}
    gateway.close()
    audit = folder / ".temper" / "audit"
    key = audit / "ledger.key"
    assert b"Jane" not in b"".join(file.read_bytes() for file in audit.iterdir() if file.is_file())
    before = run("verify", audit)
    told = run("erase", audit, "--subject", "local:Jane Doe", "--key", key)
    assert (told.exit_code, "3 item(s)" in told.output) == (0, True)
    after = run("verify", audit)
    assert (before.exit_code, after.exit_code, after.output) == (0, 0, before.output)
    for request, found in bound.items():
        shown = run("open", audit, base64.b64encode(found).decode(), "--key", key)
        assert (shown.exit_code == 0) is (request in ("other", "nobody")), request
    several = run("erase", audit, "--subject", "local:John", "--subject", "nobody", "--key", key)
    assert several.output.count("1 item(s)") == 2
    assert run("erase", audit, "--subject", "local:John", "--key", key).exit_code != 0
    assert replayed(audit, folder / "temper.yaml").left == {"have no input that was kept, or it was erased": 5}


def test_the_name_of_a_person_is_in_no_record_and_no_case(folder: Path) -> None:
    written(folder, REVIEWED)
    gateway = opened(folder / "temper.yaml")
    try:
        asyncio.run(asked(gateway, subject="Jane Doe"))
        gateway.tending.relay.once()
        (case,) = gateway.control.reviews.page()
        assert "Jane" not in json.dumps(case.payload)
        assert "Jane" not in str(decisions(gateway))
    finally:
        gateway.close()


def test_erasing_a_person_reaches_their_cases_and_nobody_else_s(folder: Path) -> None:
    written(folder, REVIEWED)
    gateway = opened(folder / "temper.yaml")
    audit = folder / ".temper" / "audit"

    async def story() -> None:
        for at, subject in enumerate(("Jane Doe", "Jane Doe", "John")):
            await asked(gateway, (1.234375 + at, 0.0, 0.0), id_=f"r{at}", subject=subject)

    asyncio.run(story())
    gateway.tending.relay.once()
    reviews = gateway.control.reviews
    gateway.control.people.add("ann", Role.ANALYST, "a sentence to remember", "root", time.time())
    closed = reviews.claim("ann", time.time())
    assert closed is not None
    reviews.decide(closed.id, "ann", "block", "seen", "t", closed.version, time.time())
    before = {case.id: reviews.get(case.id) for case in [closed, *reviews.page()]}
    gateway.close()
    erase = ("erase", audit, "--subject", "local:Jane Doe", "--key", audit / "ledger.key")
    assert run(*erase, "--store", folder / "x.db").exit_code != 0
    opened_control(folder / "y.db").close()
    assert run(*erase, "--store", folder / "y.db").exit_code != 0, "nothing is erased while its cases cannot be found"
    told = run(*erase)
    assert (told.exit_code, "2 item(s) of 'local:Jane Doe' erased, and the rows in 2 case(s)" in told.output) == (
        0,
        True,
    )
    control = opened_control(folder / ".temper" / "control.db")
    after = {number: control.reviews.get(number) for number in before}
    kept = [number for number, case in after.items() if case.payload == before[number].payload]
    assert [before[number].payload["rows"][0]["a"] for number in kept] == [3.234375], "John's"
    assert [dict(case.payload) for number, case in after.items() if number not in kept] == [{"erased": True}] * 2
    assert replace(after[closed.id], payload={}) == replace(before[closed.id], payload={}), "what was decided stays"
    (label,) = control.outbox.after(0)
    assert dict(label.label.payload) == {"erased": True}
    assert control.audit.verify() == []
    assert [one.action for one in control.audit.page(2)] == ["review.erase"] * 2
    control.close()
    assert b"1.234375" not in (folder / ".temper" / "control.db").read_bytes()
    assert run("verify", audit).exit_code == 0


def test_both_protocols_name_a_person_and_refuse_what_is_no_name() -> None:
    one, v2 = Decoder(schema=SCHEMA), V2(SCHEMA)
    assert one.decode(b'{"subject": "a:b", "row": {"a": 1}}').subject == "a:b"
    assert one.decode(b'{"row": {"a": 1}}').subject == ""
    tensor = {"name": "x", "shape": [1, 1], "datatype": "FP64", "data": [1.0]}

    def asks(**more: Any) -> bytes:
        return json.dumps({"inputs": [tensor], **more}).encode()

    assert v2.decode(asks(parameters={"subject": "Jane"})).subject == "Jane"
    assert v2.decode(asks(parameters={"other": 1})).subject == ""
    for body in (b'{"subject": 7, "row": {"a": 1}}', b'{"subject": "%s", "row": {"a": 1}}' % (b"x" * 129)):
        refused(lambda body=body: one.decode(body))
    refused(lambda: one.decode(b'{"subject": "a", "subject": "b", "row": {"a": 1}}'))
    for wrong in (7, ["x"], "x" * 129):
        refused(lambda wrong=wrong: v2.decode(asks(parameters={"subject": wrong})))


def refused(work: Any) -> None:
    try:
        work()
    except Wrong:
        return
    raise AssertionError("it was taken")
