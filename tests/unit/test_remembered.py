"""A request with an id is decided once: after a restart, and at another gateway a moment later."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from small_gateway import GUARD, YAML, asked, decisions, folder, models, written
from temper.core.serving import Answer, Source
from temper.core.stage import Level
from temper.gateway.tables.build import opened
from temper.guard.serving.idempotency import Conflict
from temper.guard.serving.remembered import Remembered, Said, same
from temper.store.control import Control
from temper.store.control.answers import Answered

__all__ = ["folder", "models"]
REVIEWED = GUARD + "  decide: {review: [0.0, 1.0]}\n"
SHARED = "  control: {control}\n"


def said(digest: bytes = b"d", at: float = 100.0) -> Said:
    answer = Answer(scores=np.array([0.5]), levels=(Level.ALLOW,), source=Source.PRIMARY)
    return Said(answer, digest, at)


def test_it_is_said_again_to_the_same_client_and_rows_for_so_long():
    remembered = Remembered(seconds=60.0)
    remembered.put([("shop", "7", said())])
    assert remembered.find("shop", "7", b"d", 150.0).scores == [0.5]
    assert remembered.find("shop", "7", b"d", 160.0) is None
    assert remembered.find("other", "7", b"d", 150.0) is None
    with pytest.raises(Conflict):
        remembered.find("shop", "7", b"e", 150.0)
    remembered.put([("shop", "gone", said(b""))])
    with pytest.raises(Conflict):
        remembered.find("shop", "gone", b"d", 150.0)


def test_memory_is_bounded_and_the_first_answer_stays():
    remembered = Remembered(answers=100)
    remembered.put(("shop", f"{at}", said(b"%d" % at)) for at in range(1_000))
    assert len(remembered) == 100
    remembered.put([("shop", "999", said(b"later"))])
    assert remembered.find("shop", "999", b"999", 100.0) is not None


def test_what_tells_rows_apart_needs_the_secret():
    assert same(b"a" * 32, b"row") != same(b"b" * 32, b"row")
    assert same(b"a" * 32, b"row") == same(b"a" * 32, b"row") != same(b"a" * 32, b"other")


@pytest.mark.slow
def test_a_control_store_tells_answers_to_the_others_once_and_forgets_them(place):
    control = Control.open(place)
    try:
        assert control.answers.secret() == control.answers.secret() != b""
        one = [Answered(client="c", request=f"{at}", digest="ab", at=100.0 + at, answer="{}") for at in range(450)]
        control.answers.put("a", one)
        control.answers.put("b", [Answered(client="c", request="7", digest="cd", at=300.0, answer="[]")])
        control.answers.put("a", [])
        seq, found = control.answers.since("b", 0)
        assert found == one
        assert control.answers.since("a", 0) == (seq, [])
        assert control.answers.since("b", seq) == (seq, [])
        assert len(control.answers.since("b", 0, most=10)[1]) == 10
        control.answers.prune(1_000.0)
        assert control.answers.since("b", 0)[1] == []
        control.answers.put("a", [Answered(client="c", request="new", digest="ab", at=2_000.0, answer="{}")])
        assert [one.request for one in control.answers.since("b", seq)[1]] == ["new"], "numbers are not used again"
    finally:
        control.close()


@pytest.mark.parametrize("guard", [GUARD, REVIEWED], ids=["allow", "review"])
def test_after_a_restart_an_id_gets_the_answer_of_before(folder, guard):
    written(folder, guard)
    before = opened(folder / "temper.yaml", node="a")
    first = asyncio.run(asked(before, id_="r1"))
    asyncio.run(asked(before))  # without an id there is nothing to know it by
    before.close()
    after = opened(folder / "temper.yaml", node="renamed")
    try:
        assert asyncio.run(asked(after, id_="r1")) == first
        assert asyncio.run(asked(after, id_="r1")) == first
        assert asyncio.run(asked(after, (2.0, 0.0, 0.0), id_="r1"))["status"] == 409
        assert decisions(after) == []
        assert asyncio.run(asked(after, id_="r2"))["status"] == 200
        assert [one["request"] for one in decisions(after)] == ["r2"]
        assert len(after.lasting.recall.remembered) == 1
    finally:
        after.close()


def test_an_answer_under_another_policy_keeps_its_decision_and_leaves_the_label_out(folder):
    before = opened(folder / "temper.yaml")
    first = asyncio.run(asked(before, id_="r1"))
    before.close()
    written(folder, threshold=0.99)
    after = opened(folder / "temper.yaml")
    try:
        again = asyncio.run(asked(after, id_="r1"))
        assert again["policy"] == first["policy"] != after.live.policy[:12]
        assert again["results"] == [{k: v for k, v in first["results"][0].items() if k != "label"}]
    finally:
        after.close()


def test_rows_that_were_erased_are_not_decided_again(folder):
    written(folder, REVIEWED)
    before = opened(folder / "temper.yaml")
    asyncio.run(asked(before, id_="r1"))
    assert before.lasting.personal.erase("r1") == 1
    before.close()
    after = opened(folder / "temper.yaml")
    try:
        assert asyncio.run(asked(after, id_="r1"))["status"] == 409
    finally:
        after.close()


def test_another_gateway_knows_it_after_the_relay(folder, tmp_path_factory):
    written(folder, REVIEWED)
    one = opened(folder / "temper.yaml", node="a")
    place = tmp_path_factory.mktemp("other")
    for file in ("model.json", "test.csv"):
        (place / file).write_bytes((folder / file).read_bytes())
    guard = REVIEWED + SHARED.format(control=folder / ".temper" / "control.db")
    (place / "temper.yaml").write_text(YAML.format(guard=guard, threshold=0.5))
    other = opened(place / "temper.yaml", node="b")
    try:
        asyncio.run(asked(one, id_="alone"))
        one.tending.relay.once()  # it does not know yet that there is another
        for gateway in (one, other):
            gateway.tending.presence.present()
            assert gateway.tending.presence.live == 2
        first = asyncio.run(asked(one, id_="r1"))
        one.tending.relay.once()
        other.tending._answered()
        assert asyncio.run(asked(other, id_="r1"))["results"] == first["results"]
        assert asyncio.run(asked(other, (2.0, 0.0, 0.0), id_="r1"))["status"] == 409
        assert decisions(other) == []
        assert len(one.lasting.recall.remembered) == 0
        one.tending._answered()
        assert len(one.lasting.recall.remembered) == 0, "its own answers it knows"
    finally:
        other.close()
        one.close()
