"""The journal of answers: what was written comes back, whatever killed the writer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.chat import Call, Reply, Usage
from temper.core.errors import StoreError
from temper.store.journal import Journal


def key(number: int) -> bytes:
    return number.to_bytes(16, "little")


REPLY = Reply(text="déjà", calls=(Call(name="pay", arguments='{"a": 1}', id="c1"),), usage=Usage(read=3, written=4))


def test_what_was_written_comes_back_after_reopening(tmp_path: Path) -> None:
    with Journal(tmp_path / "answers") as journal:
        journal.put(key(1), REPLY)
        journal.put(key(1), Reply(text="another"))
    with Journal(tmp_path / "answers") as journal:
        assert journal.get(key(1)) == REPLY
        assert journal.get(key(2)) is None
        assert (len(journal), journal.lost) == (1, 0)


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(1, 400))
def test_a_torn_end_costs_what_it_tore_and_nothing_before(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("torn") / "answers"
    with Journal(path) as journal:
        for number in range(5):
            journal.put(key(number), Reply(text=f"answer {number}"))
    whole = path.read_bytes()
    path.write_bytes(whole[: max(0, len(whole) - cut)])
    with Journal(path) as journal:
        left = len(journal)
        assert [journal.get(key(n)) for n in range(left)] == [Reply(text=f"answer {n}") for n in range(left)]
        journal.put(key(left), Reply(text="again"))
    with Journal(path) as journal:
        assert len(journal) == left + 1
        assert journal.lost == 0


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "answers"
    with Journal(path) as journal:
        journal.put(key(0), Reply(text="first"))
        journal.put(key(1), Reply(text="second"))
    found = bytearray(path.read_bytes())
    found[-3] ^= 1
    path.write_bytes(bytes(found))
    with Journal(path) as journal:
        assert journal.get(key(0)) == Reply(text="first")
        assert journal.get(key(1)) is None
        assert journal.lost > 0


def test_a_second_writer_and_a_foreign_file_are_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "answers"), pytest.raises(StoreError, match="another run"):
        Journal(tmp_path / "answers")
    (tmp_path / "other").write_text("something else entirely")
    with pytest.raises(StoreError, match="no journal"):
        Journal(tmp_path / "other")


def test_lone_surrogates_are_kept_as_question_marks(tmp_path: Path) -> None:
    with Journal(tmp_path / "answers") as journal:
        journal.put(key(0), Reply(text="a\ud800b", calls=(Call(name="t", arguments='"\udfff"'),)))
        found = journal.get(key(0))
        assert found is not None
        assert (found.text, found.calls[0].arguments) == ("a?b", '"?"')


def test_a_killed_writer_loses_nothing_it_said_was_kept(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from temper.core.chat import Reply; from temper.store.journal import "
        "Journal\nj = Journal(Path(sys.argv[1]))\nfor n in range(10**9):\n    j.put(n.to_bytes(16, 'little'), "
        "Reply(text='x' * (n % 97)))\n    print(n, flush=True)\n"
    )
    path = tmp_path / "answers"
    child = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for line in child.stdout:
        if int(line) >= 500:
            break
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    with Journal(path) as journal:
        assert all(journal.get(key(n)) == Reply(text="x" * (n % 97)) for n in range(501))
