"""The control store as a SQLite file: who can read it, what tampering shows, what is refused on opening."""

import os
import sqlite3
import stat

import pytest

from control_store import PASSWORD, opened, peopled
from temper.core.errors import StoreError
from temper.store.control import audit


@pytest.fixture
def path(tmp_path):
    return tmp_path / "control.db"


@pytest.fixture
def control(path):
    control = peopled(path)
    yield control
    control.close()


def test_no_secret_is_in_the_store_or_a_repr(control, path):
    token = control.keys.add("shop", "root", 1.0)
    session = control.sessions.open("ann", 1.0)
    control.close()
    held = b"".join(file.read_bytes() for file in path.parent.glob("control.db*"))
    for secret in (token, token.partition(".")[2], session, PASSWORD, (path.parent / "pepper").read_text()):
        assert secret.encode() not in held
    told = repr(control.keys.snapshot()) + repr(control.keys.all()) + repr(control.people.all())
    for secret in (token.partition(".")[2], (path.parent / "pepper").read_text(), "argon2"):
        assert secret not in told


def test_files_are_for_their_owner_only(control, path):
    control.keys.add("shop", "root", 1.0)
    for file in (path, path.parent / "pepper"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_pepper_that_is_gone_changed_or_open_to_all_is_told(control, path):
    control.keys.add("shop", "root", 1.0)
    pepper = path.parent / "pepper"
    right = pepper.read_bytes()
    pepper.chmod(0o644)
    with pytest.raises(StoreError, match="can be read by others"):
        control.keys.snapshot()
    pepper.chmod(0o600)
    pepper.write_bytes(b"x" * 64)
    with pytest.raises(StoreError, match="not the one"):
        control.keys.snapshot()
    pepper.unlink()
    for use in (control.keys.snapshot, lambda: control.keys.add("other", "root", 2.0)):
        with pytest.raises(StoreError, match="is gone"):
            use()
    pepper.write_bytes(right)
    pepper.chmod(0o600)
    assert len(control.keys.snapshot()) == 1


@pytest.mark.parametrize(
    ("table", "tamper", "match"),
    [
        ("audit", "UPDATE audit SET who = 'ann' WHERE seq = 3", "row 3 of the audit was changed"),
        ("audit", "DELETE FROM audit WHERE seq = 3", "rows 3 to 3 of the audit are missing"),
        ("audit", "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)", "decision 1 is not the one"),
        ("decision", "UPDATE decision SET verdict = 'block'", "decision 1 is not the one"),
        ("decision", "DELETE FROM decision", "decision 1 is not the one"),
    ],
)
def test_a_change_by_hand_is_refused_and_where_it_is_forced_it_shows(control, path, table, tamper, match):
    control.reviews.enqueue("r", {}, 1.0)
    case = control.reviews.claim("ann", 2.0)
    control.reviews.decide(case.id, "ann", "allow", "fine", "t", case.version, 3.0)
    with sqlite3.connect(path) as raw:
        with pytest.raises(sqlite3.IntegrityError, match="stays"):
            raw.execute(tamper)
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        raw.execute(tamper)
    raw.close()
    assert any(match in fault for fault in control.audit.verify())


def test_a_row_that_is_forged_with_its_own_digest_breaks_the_next(control, path):
    control.close()
    with sqlite3.connect(path) as raw:
        raw.row_factory = sqlite3.Row
        raw.execute("DROP TRIGGER audit_stays")
        row = dict(raw.execute("SELECT * FROM audit WHERE seq = 3").fetchone()) | {"who": "ann"}
        raw.execute("UPDATE audit SET who = 'ann', digest = ? WHERE seq = 3", (audit._digest(row),))
    raw.close()
    assert control.audit.verify() == ["row 4 of the audit does not follow from the one before"]


@pytest.mark.parametrize(
    "sql", ["REPLACE INTO audit SELECT * FROM audit", "REPLACE INTO decision SELECT * FROM decision"]
)
def test_replacing_is_refused_too(control, path, sql):
    control.reviews.enqueue("r", {}, 1.0)
    case = control.reviews.claim("ann", 2.0)
    control.reviews.decide(case.id, "ann", "allow", "fine", "t", case.version, 3.0)
    with sqlite3.connect(path) as raw, pytest.raises(sqlite3.IntegrityError, match="stays"):
        raw.execute(sql)
    raw.close()


def test_a_store_is_opened_again_and_by_many(path):
    peopled(path).close()
    first, second = opened(path), opened(path.parent)
    first.records.put("kill", True, "root", "now", 1.0)
    assert second.records.current("kill").value is True
    first.close()
    assert first.records.version() == 1, "it opens again by itself"
    first.close()
    second.close()


def test_what_is_no_control_store_is_told(tmp_path):
    (tmp_path / "text").write_text("this is no database at all, it is a text\n" * 50)
    with pytest.raises(StoreError, match="damaged or no SQLite"):
        opened(tmp_path / "text")
    with sqlite3.connect(tmp_path / "foreign") as raw:
        raw.execute("CREATE TABLE theirs (x)")
    raw.close()
    with pytest.raises(StoreError, match="another program"):
        opened(tmp_path / "foreign")
    opened(tmp_path / "newer").close()
    with sqlite3.connect(tmp_path / "newer") as raw:
        raw.execute("INSERT INTO temper_migration VALUES (99, 'x')")
    raw.close()
    with pytest.raises(StoreError, match="newer Temper"):
        opened(tmp_path / "newer")
    with sqlite3.connect(tmp_path / "newer") as raw:
        raw.execute("DELETE FROM temper_migration WHERE number = 99")
        raw.execute("UPDATE temper_migration SET checksum = 'x'")
    raw.close()
    with pytest.raises(StoreError, match="other statements"):
        opened(tmp_path / "newer")
    assert os.listdir(tmp_path)


def test_a_full_disk_is_told_and_nothing_is_half_written(control):
    with control._database.write() as tx:
        used = tx.one("PRAGMA page_count")["page_count"]
    with control._database._lock:
        raw = control._database._connection
        raw.all(f"PRAGMA max_page_count = {used + 2}")
    kept = []
    with pytest.raises(StoreError, match="takes nothing now"):
        kept.extend(control.reviews.enqueue(f"r{n}", {"text": "x" * 1000}, 1.0) for n in range(500))
    assert [case.id for case in control.reviews.page(limit=500)] == kept
    assert control.audit.verify() == []
    raw.all("PRAGMA max_page_count = 1000000")
    assert control.reviews.enqueue("after", {}, 2.0)
    assert control.audit.verify() == []
