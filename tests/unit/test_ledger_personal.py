"""Personal data beside the ledger: sealed, bound to by commitments, and erasable without breaking a proof."""

import asyncio
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from temper.cli import app
from temper.core.errors import StoreError
from temper.store.ledger import checkpoint as notes
from temper.store.ledger import record as lines
from temper.store.ledger import tree
from temper.store.ledger.journal import Journal
from temper.store.ledger.personal import Opening, Personal
from temper.store.ledger.verify import proof, records, verify
from temper.targets.signature import new_key

KEY = bytes(range(32))
SECRET = b"IBAN DE02 1203 0000 0000 2020 51 and an income of 30,000"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "personal.db"


def everything(folder):
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


def test_what_is_kept_comes_back_and_is_bound_to(file):
    with Personal(file, KEY) as personal:
        bound = [personal.keep(f"client {n % 3}", b"%d" % n) for n in range(9)]
    with Personal(file, KEY) as personal:
        openings = [personal.open(one) for one in bound]
    assert [one.data for one in openings] == [b"%d" % n for n in range(9)]
    assert [one.commitment() for one in openings] == bound


def test_equal_data_of_one_person_is_not_told_to_be_equal(file):
    with Personal(file, KEY) as personal:
        assert personal.keep("a", b"same") != personal.keep("a", b"same")


def test_the_file_tells_neither_data_nor_names(file):
    with Personal(file, KEY) as personal:
        personal.keep("Jane Doe of the bank", SECRET)
        kept = everything(file.parent)
    assert SECRET not in kept
    assert b"Jane Doe" not in kept


def test_erasing_takes_one_person_and_every_trace_of_the_key(file):
    with Personal(file, KEY) as personal:
        gone, stays = [personal.keep("one", SECRET) for _ in range(50)], personal.keep("two", b"other")
        with closing(sqlite3.connect(file)) as base:
            key = base.execute("SELECT key FROM subject WHERE name = ?", (personal._name("one"),)).fetchone()[0]
            sealed = [row[0] for row in base.execute("SELECT sealed FROM item WHERE length(sealed) > 90")]
        assert key in everything(file.parent)
        assert personal.erase("one") == 50
        assert [personal.open(one) for one in gone] == [None] * 50
        assert personal.open(stays).data == b"other"
        left = everything(file.parent)
        assert key not in left
        assert not any(one in left for one in sealed)
        assert personal.erase("one") == 0
        assert personal.erase("nobody") == 0


def test_a_ledger_whose_person_was_erased_verifies_and_proves_as_before(tmp_path, file):
    async def story(journal, personal):
        for n in range(20):
            bound = personal.keep(f"client {n % 4}", SECRET)
            await journal.append("decision", {"client": n % 4, "commitment": bound})

    log, far = tmp_path / "audit-n1-0.db", tmp_path / "far"
    with (
        Personal(file, KEY) as personal,
        Journal.open(tmp_path, "n1", 0, key=KEY, wall=lambda: 1, checkpoints=far) as journal,
    ):
        asyncio.run(story(journal, personal))
    before = verify(log, far, notes.public(KEY))
    with Personal(file, KEY) as personal:
        assert personal.erase("client 2") == 5
        for _, data in records(log):
            body = lines.decode(data).document()["body"]
            if "commitment" in body:
                assert (personal.open(body["commitment"]) is None) == (body["client"] == 2)
    after = verify(log, far, notes.public(KEY))
    assert after == before
    assert after.holds
    hashed, path, root = proof(log, 3, after.size)
    assert tree.included(hashed, 3, after.size, path, root)
    assert SECRET not in log.read_bytes()


def test_another_key_opens_nothing(file):
    with Personal(file, KEY) as personal:
        bound = personal.keep("a", b"x")
    with Personal(file, bytes(32)) as personal:
        assert personal.erase("a") == 0, "it does not even find the name"
        with pytest.raises(StoreError, match="the key is another"):
            personal.open(bound)


def test_a_changed_entry_is_told(file):
    with Personal(file, KEY) as personal:
        bound = personal.keep("a", b"x")
        with closing(sqlite3.connect(file)) as base, base:
            base.execute("UPDATE item SET sealed = zeroblob(length(sealed))")
        with pytest.raises(StoreError, match="was changed"):
            personal.open(bound)


def test_an_entry_put_under_another_commitment_is_told(file):
    with Personal(file, KEY) as personal:
        one, two = personal.keep("a", b"approved"), personal.keep("a", b"refused")
        with closing(sqlite3.connect(file)) as base, base:
            base.execute("DELETE FROM item WHERE commitment = ?", (one,))
            base.execute("UPDATE item SET commitment = ? WHERE commitment = ?", (one, two))
        with pytest.raises(StoreError, match="was changed"):
            personal.open(one)


@given(st.binary(max_size=200), st.binary(min_size=32, max_size=32), st.binary(max_size=200))
def test_an_opening_fits_one_commitment(data, blinding, other):
    if other != data:
        assert Opening(data, blinding).commitment() != Opening(other, blinding).commitment()


def test_other_files_are_left_alone(file):
    with closing(sqlite3.connect(file)) as base:
        base.execute("CREATE TABLE t (a)")
    with pytest.raises(StoreError, match="holds no personal data"):
        Personal(file, KEY)
    with pytest.raises(StoreError, match="key of 1 bytes"):
        Personal(file, b"k")


def test_the_command_erases(tmp_path, file):
    secret, _ = new_key(tmp_path / "signer")
    with Personal(file, notes.private_key(secret)) as personal:
        bound = personal.keep("client 7", SECRET)

    def run(*words):
        return CliRunner().invoke(app, ["ledger", "erase", *map(str, words)])

    blind = run(file, "--subject", "client 7", "--key", secret)
    assert "no ledger" in str(blind.exception), "cases are found by the ledger"
    told = run(file, "--subject", "client 7", "--key", secret, "--no-cases")
    assert told.exit_code == 0, told.output
    assert "1 item" in told.output
    assert "backups" in told.output
    with Personal(file, notes.private_key(secret)) as personal:
        assert personal.open(bound) is None
    missing = run(tmp_path / "no.db", "--subject", "client 7", "--key", secret)
    assert "there is no" in str(missing.exception)
    assert not (tmp_path / "no.db").exists()
    nobody = run(file.parent, "--subject", "client 8", "--key", secret)
    assert "nothing" in str(nobody.exception)
