"""An audit journal under any order of records, failing disks and new starts: what was acknowledged is there, once."""

import asyncio
import itertools
import shutil
import sqlite3
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from temper.core.errors import StoreError
from temper.store.ledger import checkpoint as notes
from temper.store.ledger import segment
from temper.store.ledger.journal import Journal
from temper.store.ledger.record import decode
from temper.store.ledger.verify import records, verify

KEY = bytes(range(32))


class Disk:
    """Fails at one kind of statement, before or after it has done its work."""

    def __init__(self):
        self.fails, self.afterwards = "", False

    def connect(self, path):
        return _Connection(segment.connected(path), self)


class _Connection:
    def __init__(self, base, disk):
        self.base, self.disk = base, disk

    def execute(self, sql, values=()):
        if self.disk.fails and sql.startswith(self.disk.fails):
            if self.disk.afterwards:
                self.base.execute(sql, values)
            raise sqlite3.OperationalError("disk I/O error")
        return self.base.execute(sql, values)

    def close(self):
        self.base.close()


class Journals(RuleBasedStateMachine):
    @initialize(largest=st.sampled_from([500, 5_000, 10**7]))
    def begin(self, largest):
        self.folder, self.largest, self.disk = Path(tempfile.mkdtemp()), largest, Disk()
        self.names, self.ticks = itertools.count(), itertools.count(1)
        self.kept, self.refused, self.put = {}, set(), []
        self.journal = self.opened()

    def opened(self):
        return Journal.open(
            self.folder, "n1", 0, key=KEY, wall=lambda: next(self.ticks), checkpoints=self.folder / "far",
            largest=self.largest, connect=self.disk.connect, window=0.001,
        )  # fmt: skip

    @rule(many=st.integers(1, 9), put=st.booleans())
    def records(self, many, put):
        async def append(name):
            try:
                self.kept[await self.journal.append("decision", {"name": name})] = name
            except StoreError:
                self.refused.add(name)

        async def story():
            for name in itertools.islice(self.names, many if put else 0):
                self.journal.put("decision", {"name": name})
                self.put.append(name)
            await asyncio.gather(*(append(name) for name in itertools.islice(self.names, many)))

        asyncio.run(story())

    @rule(fails=st.sampled_from(["BEGIN", "INSERT INTO batch", "COMMIT", "PRAGMA"]), afterwards=st.booleans())
    def break_the_disk(self, fails, afterwards):
        self.disk.fails, self.disk.afterwards = fails, afterwards

    @rule()
    def mend_the_disk(self):
        self.disk.fails = ""

    @rule()
    def start_again(self):
        self.disk.fails = ""
        self.journal.close()
        assert self.journal.at_risk == 0
        self.journal = self.opened()

    @invariant()
    def nothing_acknowledged_is_lost(self):
        assert self.journal.at_risk <= len(self.put)

    def teardown(self):
        if not hasattr(self, "journal"):
            return
        self.disk.fails = ""
        self.journal.close()
        log = self.folder / "audit-n1-0.db"
        found = [(seq, decode(data)) for seq, data in records(log)]
        bodies = {seq: one.document()["body"]["name"] for seq, one in found if one.kind == "decision"}
        assert [seq for seq, _ in found] == list(range(len(found)))
        assert {seq: bodies.get(seq) for seq in self.kept} == self.kept
        counted = Counter(bodies.values())
        assert set(counted.values()) <= {1}, "nothing stands twice"
        assert set(self.put) <= set(counted), "what was put is written once the disk is well again"
        assert set(counted) <= set(self.put) | set(self.kept.values()) | self.refused
        assert verify(log, self.folder / "far", notes.public(KEY)).faults == []
        shutil.rmtree(self.folder)


TestJournals = Journals.TestCase
TestJournals.settings = settings(max_examples=25, stateful_step_count=20)
