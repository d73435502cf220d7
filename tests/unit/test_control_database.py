"""The seam to the database: transactions are whole, both dialects have the same tables, and failures are told."""

import sqlite3

import pytest

from control_store import PEOPLE, labels, opened, peopled
from temper.core.errors import StoreError
from temper.store.control import Control, audit
from temper.store.control.migrate import migrations

COLUMNS = {
    "sqlite": "SELECT m.name AS name, c.name AS item FROM sqlite_master m, pragma_table_info(m.name) c "
    "WHERE m.type = 'table' AND m.name <> 'sqlite_sequence'",
    "postgresql": "SELECT table_name AS name, column_name AS item FROM information_schema.columns "
    "WHERE table_schema = current_schema()",
}


@pytest.fixture
def control(place):
    control = peopled(place)
    yield control
    control.close()


def put_twice(control, fails):
    with control._database.write() as tx:
        tx.all("UPDATE person SET created = 7.0 WHERE name = 'ann'")
        if fails:
            raise fails


def test_an_exception_undoes_everything(control):
    for error in (RuntimeError("x"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            put_twice(control, error)
    assert control.people.get("ann").created == 0.0
    put_twice(control, None)
    assert control.people.get("ann").created == 7.0


def test_an_acknowledgement_that_got_lost_is_made_good_by_asking_again(control, monkeypatch):
    """The commit arrives, the word of it does not: the same form sent again counts once."""
    control.reviews.enqueue("r1", {}, 1.0)
    case = control.reviews.claim("ann", 2.0)
    with control._database.read() as connection:
        kind = type(connection)
    end = kind.end
    once = []

    def cut(self, keep):
        end(self, keep)
        if keep and not once:
            once.append(1)
            raise sqlite3.OperationalError("the line went dead")

    form = (case.id, "ann", "block", "stolen", "t", case.version, 3.0)
    with monkeypatch.context() as patch:
        patch.setattr(kind, "end", cut)
        with pytest.raises((StoreError, sqlite3.OperationalError)):
            control.reviews.decide(*form)
    done = control.reviews.decide(*form)
    assert (done.state, len(done.decisions)) == ("closed", 1)
    assert control.audit.verify() == []


def test_a_connection_that_died_is_replaced(control):
    control._database._connection.close()
    assert len(control.people.all()) == 6
    control._database._connection.close()
    control.records.put("kill", True, "root", "still here", 1.0)
    assert control.records.version() == 1


@pytest.mark.slow
def test_both_dialects_have_the_same_columns(tmp_path, cluster, monkeypatch):
    found = {}
    for kind, place in (("sqlite", str(tmp_path / "control.db")), ("postgresql", cluster.database())):
        control = Control.open(place)
        with control._database.read() as tx:
            found[kind] = {(row["name"], row["item"]) for row in tx.all(COLUMNS[kind])}
        control.close()
    assert found["sqlite"] == found["postgresql"]
    assert len(found["sqlite"]) > 50


def test_both_dialects_have_the_same_numbers():
    assert len(migrations("sqlite")) == len(migrations("postgresql"))


@pytest.mark.slow
@pytest.mark.parametrize("table", ["audit", "decision", "record"])
def test_postgresql_refuses_changes_by_hand(cluster, table, monkeypatch):
    import psycopg

    place = cluster.database()
    control = peopled(place)
    control.reviews.enqueue("r", {}, 1.0)
    case = control.reviews.claim("ann", 2.0)
    control.reviews.decide(case.id, "ann", "allow", "fine", "t", case.version, 3.0)
    control.records.put("kill", True, "root", "now", 1.0)
    control.close()
    with psycopg.connect(place, autocommit=True) as raw:
        for sql in (f"UPDATE {table} SET at = 0", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="stays"):
                raw.execute(sql)
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="stays"):
            raw.execute("UPDATE review SET state = 'open', outcome = NULL")


@pytest.mark.slow
def test_the_database_of_another_program_is_refused(cluster):
    import psycopg

    place = cluster.database()
    with psycopg.connect(place, autocommit=True) as raw:
        raw.execute("CREATE TABLE theirs (x int)")
    with pytest.raises(StoreError, match="another program"):
        Control.open(place)


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("postgresql://temper:hunter2@/none?host=/nowhere", "cannot be reached"),
        ("postgresql://temper:hunter2%zz@/none", "none that PostgreSQL can read"),
        ("mysql://temper:hunter2@somewhere/none", "no control store in mysql"),
    ],
)
def test_a_url_that_leads_nowhere_is_told_without_its_password(url, match):
    with pytest.raises(StoreError, match=match) as told:
        Control.open(url)
    assert "hunter2" not in str(told.value) + repr(told.value)


@pytest.mark.slow
def test_without_the_right_pepper_no_key_is_checked(cluster, monkeypatch):
    place = cluster.database()
    monkeypatch.setenv("TEMPER_PEPPER", "a" * 40)
    control = opened(place)
    token = control.keys.add("shop", "root", 1.0)
    assert control.keys.snapshot().find(token, 2.0)
    for pepper, match in (("b" * 40, "not the one"), ("short", "under 32"), ("", "is not set")):
        monkeypatch.setenv("TEMPER_PEPPER", pepper)
        with pytest.raises(StoreError, match=match):
            control.keys.snapshot()
    control.close()


def test_a_store_of_the_first_version_keeps_its_cases_and_decisions(place, monkeypatch):
    """Columns that came later have what was true before: nothing was shown, the safe default, no exercise."""
    first = {kind: migrations(kind)[:1] for kind in ("sqlite", "postgresql")}
    with monkeypatch.context() as patch:
        patch.setattr("temper.store.control.migrate.migrations", first.get)
        old = opened(place)
        with old._database.write() as tx:
            for name, role in PEOPLE.items():
                number = ("viewer", "analyst", "approver", "admin").index(role.value)
                tx.all("INSERT INTO person (name, role, secret, created) VALUES (?, ?, 'x', 0.0)", name, number)
            tx.all(
                "INSERT INTO review (request, payload, state, priority, due, eyes, created, outcome, closed) "
                "VALUES ('r1', '{}', 'closed', 0, 9.0, 1, 1.0, 'block', 3.0), "
                "('r2', '{}', 'open', 0, 9.0, 1, 1.0, NULL, NULL)"
            )
            tx.all(
                "INSERT INTO decision (review, round, reviewer, verdict, reason, token, at) "
                "VALUES (1, 1, 'ann', 'block', 'seen', 't', 3.0)"
            )
            row = tx.one("SELECT * FROM decision") or {}
            detail = {"decision": row["seq"], "digest": audit._sha(row), "state": "closed"}
            audit.write(tx, 3.0, "ann", "review.decide", "1", **detail)
        old.close()
    control = Control.open(place)
    assert {one.name: one.role for one in control.people.all()} == PEOPLE
    case = control.reviews.get(1)
    assert (case.state, case.outcome, case.overdue, case.decisions[0].seen) == ("closed", "block", "block", "")
    assert control.audit.verify() == []
    assert [one.verdict for one in labels(control)] == ["block"]
    assert [one.id for one in control.reviews.past(2)] == [1]
    assert [one.outcome for one in control.reviews.expire(10.0)] == ["block"]
    assert control.audit.verify() == []
    control.close()
