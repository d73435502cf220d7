"""`--runs`: where runs are is said on the command line to all that a command opens, and no secret is told."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from temper.cli import app
from temper.cli._fail import explain
from temper.core.errors import StoreError
from temper.store.database import STORE, Store
from temper.store.place import named
from temper.testing.records import record
from unit.small_fleet import portfolio, system


def told(words, capsys):
    """What the command prints, or says of why it cannot be done."""
    done = CliRunner().invoke(app, words)
    if isinstance(done.exception, Exception):
        return explain(done.exception), capsys.readouterr().err
    return done.exit_code, done.output


def test_runs_are_where_the_option_says_and_nowhere_else(tmp_path, monkeypatch, capsys):
    where = "elsewhere"
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(STORE, raising=False)
    (tmp_path / "temper.yaml").write_text("system: {name: s}\n")
    store = Store.open(where)
    for name in ("0001", "0002"):
        store.save_run(replace(record(), id=name))
    code, text = told(["compare", "1", "2", "--runs", where], capsys)
    assert (code, "0002" in text) == (0, True)
    assert STORE not in os.environ, "the next command knows nothing of it"
    assert "there is no run" in told(["compare", "1", "2"], capsys)[1]
    monkeypatch.setenv(STORE, where)
    assert told(["compare", "1", "2"], capsys)[0] == 0, "as the variable does"
    assert told(["ledger", "verify", "--runs", where], capsys)[0] == 0


def test_a_fleet_is_looked_at_in_the_store_that_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    system(tmp_path / "a")
    portfolio(tmp_path, "{path: a}")
    Store.open(tmp_path / "all.db").save_run(replace(record(), system="a"))
    assert '"run":"' in told(["fleet", "status", "--json", "--runs", "all.db"], capsys)[1]
    assert '"run":null' in told(["fleet", "status", "--json"], capsys)[1]


@pytest.mark.parametrize(("place", "why"), [
    ("mysql://me:hunter2@host/db", "cannot be kept in 'mysql'"), ("me:hunter2@host://db", "cannot be kept there"),
    ("postgresql:me:hunter2@host/db", "neither an address"), ("me:hunter2@host/db", "neither an address"),
    ("postgresql://me:hunter2@127.0.0.1:1/db?connect_timeout=2", "cannot be reached"),
    ("postgresql://me:hunter2%zz@/db", "none that PostgreSQL can read"),
])  # fmt: skip
def test_what_cannot_be_a_run_store_is_refused_without_a_word_of_its_secret(tmp_path, monkeypatch, capsys, place, why):
    pytest.importorskip("psycopg")
    monkeypatch.chdir(tmp_path)
    code, text = told(["compare", "1", "2", "--runs", place], capsys)
    assert code in (2, 4)
    assert why in text
    assert "hunter2" not in text
    assert [*tmp_path.iterdir()] == [], "nothing is made of it"
    assert STORE not in os.environ


def test_a_place_is_an_address_or_a_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert named("postgresql://me@host/db") == "postgresql://me@host/db"
    assert named("runs") == str(tmp_path / "runs")
    with pytest.raises(StoreError):
        named("s3://bucket/folder")
