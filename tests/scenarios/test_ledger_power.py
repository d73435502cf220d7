"""An audit journal whose disk loses power (SIMULATED) or is full: nothing acknowledged is lost, and it goes on."""

import asyncio
import os
import shutil
import subprocess
import time

import pytest

from bench.guard._powercut import cuts
from temper.core.errors import StoreError
from temper.store.ledger.journal import Journal
from temper.store.ledger.record import decode
from temper.store.ledger.verify import records, verify

CUTS = 200


@pytest.mark.slow
def test_two_hundred_power_cuts_lose_nothing_that_was_acknowledged(tmp_path):
    found = list(cuts(tmp_path, range(CUTS)))
    assert [(seed, lost, wrong) for seed, (_, lost, wrong) in enumerate(found) if lost or wrong] == []
    assert sum(acknowledged for acknowledged, _, _ in found) > CUTS * 100


def test_without_syncs_power_cuts_do_lose(tmp_path):
    """The control: if NORMAL lost nothing, the cuts would show nothing."""
    found = list(cuts(tmp_path, range(25), synchronous="NORMAL"))
    assert sum(lost for _, lost, _ in found) > 0
    assert [wrong for _, _, wrong in found if wrong] == [], "what is left of it is whole all the same"


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 1 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("a small disk is mounted by root only")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_is_told_within_a_second_and_gone_on_from(small_disk):
    (small_disk / "filler").write_bytes(bytes(300_000))

    async def story(journal):
        kept, told = [], None
        for n in range(100_000):
            start = time.monotonic()
            try:
                kept.append((await journal.append("decision", {"n": n, "more": "x" * 500}), n))
            except StoreError as error:
                told = error
                break
        assert time.monotonic() - start < 1.0
        assert "disk is full" in told.message
        assert "goes on by itself" in told.fix
        journal.put("decision", {"n": -1})
        with pytest.raises(StoreError, match="disk is full"):
            await journal.append("decision", {"n": -2, "more": "x" * 500_000})
        (small_disk / "filler").unlink()
        start = time.monotonic()
        while journal.at_risk:
            assert time.monotonic() - start < 1.0
            await asyncio.sleep(0.01)
        kept.append((await journal.append("decision", {"n": n}), n))
        return kept

    with Journal.open(small_disk, "n1", 0, key=bytes(32), wall=lambda: 1) as journal:
        kept = asyncio.run(story(journal))
    log = small_disk / "audit-n1-0.db"
    found = {seq: decode(data).document()["body"].get("n") for seq, data in records(log)}
    assert [found[seq] for seq, _ in kept] == [n for _, n in kept]
    assert list(found.values())[-2:] == [-1, kept[-1][1]]
    assert verify(log).holds


def test_a_folder_that_is_read_only_is_told(small_disk):
    Journal.open(small_disk, "n1", 0, key=bytes(32), wall=lambda: 1).close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(StoreError):
        Journal.open(small_disk, "n1", 0, key=bytes(32), wall=lambda: 1)
    assert verify(small_disk / "audit-n1-0.db").holds, "it can be verified there"
