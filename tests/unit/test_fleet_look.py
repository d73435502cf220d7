"""What is known of the systems of a portfolio: read together where they share a control store, and not again in any
process while nothing has changed.
"""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from temper.api.job import running
from temper.config.portfolio import load_portfolio
from temper.core.evidence import DAY, Cause
from temper.core.job import Order
from temper.core.requirement import Verdict
from temper.core.risk import Register
from temper.core.watch import Kind, Seen, Watched
from temper.monitoring.fleet.kept import fleet
from temper.monitoring.fleet.look import Looking
from temper.store.codec import to_json
from temper.store.control import Control
from temper.store.control.windows import Windows
from temper.store.database import Store
from temper.store.looks import FILE
from temper.testing.records import record
from unit.test_case import FLAT, risk

NOW = 1_770_000_000.0
HOUR = 3_600.0
GRAVE = Register(unit="EUR", appetite=100.0, risks=(risk(),), total_before=FLAT, total=FLAT)


def system(folder, control, *runs):
    (folder / ".temper").mkdir(parents=True)
    text = f"system: {{name: {folder.name}}}\nmonitor: {{feed: /{folder.name}-feed, time: at, window: 1h}}\n"
    (folder / "temper.yaml").write_text(f"{text}guard: {{control: '{control}'}}\n")
    store = Store.open(folder)
    begun = datetime.fromtimestamp(NOW - DAY, UTC).isoformat()
    for at, more in enumerate(runs, 1):
        store.save_run(replace(record(), id=f"{at:04}", system=folder.name, started=begun, **more))
    return store


def window(start, seen=Seen.PASS):
    kind = Kind.NATURAL if seen is Seen.FAIL else None
    return Watched(start=start, ends=start + HOUR, rows=9, seen=seen, tests=3, needed=None, kind=kind)


def portfolio(folder, *names):
    path = folder / "portfolio.yaml"
    path.write_text("systems:\n" + "".join(f"  - {{path: {name}}}\n" for name in names))
    return path


def stand(path, now=NOW):
    return fleet(path, load_portfolio(path).entries, {}, now)


def settled(folder):
    """As if nothing had been written for a while."""
    for path in folder.rglob("*"):
        os.utime(path, (NOW, NOW))


def test_systems_that_share_a_control_store_are_read_of_it_together(tmp_path, monkeypatch):
    place = str(tmp_path / "control.db")
    for name, model in (("a", "m1"), ("b", "m2"), ("c", "m3")):
        system(tmp_path / name, place, {"digests": (("model", model),), "verdict": Verdict.PASS})
    control = Control.open(place)
    control.windows.keep("/a-feed", "", [window(NOW - 4 * HOUR), window(NOW - 3 * HOUR, Seen.FAIL)], NOW)
    control.windows.keep("/b-feed", "", [window(NOW - 9 * HOUR, Seen.FAIL), window(NOW - 8 * HOUR)], NOW)
    control.records.put("model", {"path": "x", "mode": "live", "digest": "m2", "name": "x"}, "ada", "why", NOW)
    control.close()
    asked, since = [], Windows.since
    monkeypatch.setattr(Windows, "since", lambda self, wanted: asked.append(len(wanted)) or since(self, wanted))
    a, b, c = stand(portfolio(tmp_path, "a", "b", "c"))
    assert asked == [3]
    assert (a.drift.partition(" since")[0], a.watched) == (Kind.NATURAL.value, 2 * HOUR)
    assert (b.drift, b.watched) == ("", 7 * HOUR), "the newest window counts"
    assert (c.drift, c.watched) == ("", None)
    models = [[one.cause for one in each.stale].count(Cause.MODEL) for each in (a, b, c)]
    assert models == [0, 0, 0], "a model that was deployed in a store of several is not everybody's"
    assert any(one.cause is Cause.ALARM for one in a.stale)


def test_a_model_that_was_deployed_for_another_system_is_neither_looked_at_nor_assessed(tmp_path, monkeypatch):
    place = str(tmp_path / "control.db")
    for name in ("a", "b"):
        system(tmp_path / name, place, {"digests": (("model", f"m-{name}"),), "verdict": Verdict.PASS})
    value = {"path": "x", "mode": "live", "digest": "new", "name": "x", "system": "b"}
    with closing(Control.open(place)) as control:
        control.records.put("model", value, "ada", "why", NOW)
    for names, renewed in ((("a", "b"), [False, True]), (("a",), [False]), (("b",), [True])):
        found = stand(portfolio(tmp_path, *names))
        assert [Cause.MODEL in {each.cause for each in one.stale} for one in found] == renewed
    here = SimpleNamespace(name="a")
    monkeypatch.setattr("temper.api.load", lambda *_, **__: here)
    assert running(Order(key="k", why="w", config=str(tmp_path / "a" / "temper.yaml"))) is here


def test_a_control_store_that_is_away_is_trouble_of_its_row_alone_and_asked_once(tmp_path, monkeypatch):
    pytest.importorskip("psycopg")
    away = "postgresql://me:hunter2@127.0.0.1:1/x?connect_timeout=2"
    for name in ("a", "b"):
        system(tmp_path / name, away, {"verdict": Verdict.PASS})
    system(tmp_path / "c", ".temper/control.db", {"verdict": Verdict.PASS})
    opened, real = [], Control.open
    monkeypatch.setattr(Control, "open", lambda place: opened.append(place) or real(place))
    a, b, c = stand(portfolio(tmp_path, "a", "b", "c"))
    assert opened == [away]
    assert "cannot be reached" in a.trouble
    assert a.trouble == b.trouble
    assert "hunter2" not in a.trouble
    assert [one.verdict for one in (a, b, c)] == [c.verdict] * 3, "what its runs say is said all the same"
    assert c.trouble == ""


def test_what_has_not_changed_is_not_looked_at_again_by_another_process(tmp_path, monkeypatch):
    for name in ("a", "b"):
        system(tmp_path / name, ".temper/control.db", {"risk": GRAVE})
    path = portfolio(tmp_path, "a", "b")
    looked, subject = [], Looking.subject
    monkeypatch.setattr(Looking, "subject", lambda self, one, turn=None: looked.append(one.name) or subject(self, one))
    monkeypatch.setattr(Store, "document", None)
    first = stand(path)
    assert (first[0].rating, first[0].unit, first[0].p90) == (risk().rating, "EUR", FLAT.p90), "of the run in short"
    assert stand(path) == first
    assert looked == ["a", "b", "a", "b"], "what was written a moment ago may be written again within the same tick"
    settled(tmp_path)
    assert stand(path) == first
    looked.clear()
    assert stand(path) == first
    assert stand(path, NOW + DAY)[0].age == 2 * DAY, "the time goes on"
    assert looked == []
    (tmp_path / "a" / "temper.yaml").write_text("system: {name: other}\n")
    assert [one.system for one in stand(path)] == ["other", "b"]
    Store.open(tmp_path / "b").save_run(replace(record(), id="0002", system="b"))
    assert stand(path)[1].run == "0002"
    assert set(looked) == {"a", "b"}
    settled(tmp_path)
    stand(path)
    for damaged in (
        "{",
        to_json({str(tmp_path / name / "temper.yaml"): 5 for name in "ab"}),
        (tmp_path / FILE).read_text().replace('"seconds"', '"second"'),
    ):
        (tmp_path / FILE).write_text(damaged)
        assert [one.system for one in stand(path)] == ["other", "b"], "what is damaged is only looked at again"


def test_a_folder_that_takes_no_file_costs_nothing_but_the_next_look(tmp_path, monkeypatch, caplog):
    from temper.store import looks

    system(tmp_path / "a", ".temper/control.db")
    settled(tmp_path)
    path = portfolio(tmp_path, "a")
    stand(path)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(looks, "mkstemp", full)
    (tmp_path / "a" / "temper.yaml").write_text("system: {name: other}\n")
    assert stand(path)[0].system == "other"
    assert "No space left" in caplog.text
