"""Nodes by name: in ledgers, metrics and cases; never two of one name, and nothing is left in ledgers that are done."""

from __future__ import annotations

import asyncio

import pytest

from small_gateway import GUARD, YAML, asked, folder, models, written
from temper.core.errors import ConfigError, StoreError
from temper.gateway.tables.build import opened
from temper.gateway.tables.presence import host

__all__ = ["folder", "models"]
REVIEWED = GUARD + "  decide: {review: [0.0, 1.0]}\n"


def test_the_name_stands_in_files_metrics_records_and_cases(folder):
    written(folder, REVIEWED)
    gateway = opened(folder / "temper.yaml", node="east-1")
    try:
        assert gateway.journal.path.name == "audit-east-1-0.db"
        assert 'node="east-1"' in gateway.counted.text()
        assert asyncio.run(asked(gateway))["results"][0]["decision"] == "review"
        assert gateway.tending.relay.once() == 1
        (case,) = gateway.control.reviews.page()
        assert case.payload["node"] == "east-1"
        assert case.request.startswith("east-1-0-")
    finally:
        gateway.close()


def test_a_second_gateway_of_that_name_is_refused_and_touches_nothing(folder, tmp_path_factory):
    first = opened(folder / "temper.yaml", node="a")
    other = tmp_path_factory.mktemp("other")
    for file in ("model.json", "test.csv"):
        (other / file).write_bytes((folder / file).read_bytes())
    guard = f"{GUARD}  control: {folder / '.temper' / 'control.db'}\n"
    (other / "temper.yaml").write_text(YAML.format(guard=guard, threshold=0.5))
    try:
        with pytest.raises(StoreError, match="called a/0"):
            opened(other / "temper.yaml", node="a")
        with pytest.raises(StoreError, match="another process"):
            opened(folder / "temper.yaml", node="a")
        second = opened(other / "temper.yaml", node="b")
        first.tending.presence.present()
        assert first.tending.presence.live == 2
        second.close()
    finally:
        first.close()
    opened(other / "temper.yaml", node="a").close()  # it is free at once


def test_who_lost_its_name_says_so_and_takes_it_back(folder):
    gateway = opened(folder / "temper.yaml", node="a")
    try:
        presence = gateway.tending.presence
        twin = type(presence).begin(gateway.control, "a", "0", folder / ".temper" / "audit")  # a copy of the folder
        presence.present()
        assert presence.disputed
        assert "name" in gateway.ready()
        assert "temper_name_disputed 1" in gateway.counted.text()
        twin.leave()
        presence._renewed = 0.0
        presence.present()
        assert gateway.ready() == ()
    finally:
        gateway.close()


def test_cases_in_the_ledger_of_a_node_that_was_renamed_are_handed_on(folder):
    written(folder, REVIEWED)
    old = opened(folder / "temper.yaml", node="old")
    asyncio.run(asked(old, id_="r1"))
    old.close()  # before anything was handed on
    new = opened(folder / "temper.yaml", node="new")
    try:
        assert [one.name for one in new.tending.left] == ["audit-old-0.db"]
        new.tending._left()
        assert [case.payload["request"] for case in new.control.reviews.page()] == ["r1"]
        assert new.tending.relay.relayed == 1
        new.tending._left()
        assert len(new.control.reviews.page()) == 1
    finally:
        new.close()


@pytest.mark.parametrize("name", ["a/b", "../x", "", "a.b", "x" * 65])
def test_a_name_that_cannot_stand_in_a_file_is_refused(folder, name):
    with pytest.raises(ConfigError, match="no name of a node"):
        opened(folder / "temper.yaml", node=name)


def test_the_name_of_this_machine_can_stand_in_a_file(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "db1.internal.example")
    assert host() == "db1-internal-example"
