"""A model in a child process: it answers as it would here, and what it has no reason to do is stopped."""

from __future__ import annotations

import time
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from temper.core.errors import ContractError
from temper.targets.isolated import probe
from unit.artifact_opcodes import call

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)

HOSTILE = """
import os, socket, time
class Thing:
    def __init__(self, what, mark):
        self.what, self.mark = what, mark
    def __setstate__(self, state):
        what, mark = state["what"], state["mark"]
        if what == "write": open(mark, "w").write("owned")
        if what == "process": os.system("touch " + mark)
        if what == "network": socket.create_connection(("127.0.0.1", 9), 1)
        if what == "memory": self.much = bytearray(1 << 36)
        if what == "time":
            while True: time.sleep(1)
        if what == "exit": os._exit(3)
        if what == "lie": os.write(1, b"[[")
        self.__dict__.update(state)
"""


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Saves a Thing of a module the scanner does not know (a review, no finding)."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "strange_company.py").write_text(HOSTILE)
    monkeypatch.syspath_prepend(str(tmp_path / "own"))
    import strange_company

    def asked(what: str, **limits: int):
        path = tmp_path / f"{what}.pkl"
        joblib.dump(strange_company.Thing(what, str(tmp_path / "mark")), path)
        found = probe(path, X, paths=[tmp_path / "own"], **limits)
        assert not (tmp_path / "mark").exists()
        return found

    yield asked
    import sys

    sys.modules.pop("strange_company")


def test_an_ordinary_model_answers_as_it_would_here(tmp_path: Path) -> None:
    model = RandomForestClassifier(5, random_state=0).fit(X, Y)
    joblib.dump(model, tmp_path / "m.joblib", compress=3)
    found = probe(tmp_path / "m.joblib", X)
    assert (found.error, found.method) == ("", "predict_proba")
    assert found.kind == "sklearn.ensemble._forest.RandomForestClassifier"
    np.testing.assert_array_equal(found.scores, model.predict_proba(X))
    assert "an audit hook" in found.behind
    assert set(found.behind) | set(found.without) >= {"a namespace without network", "an empty environment"}


@pytest.mark.parametrize(
    ("what", "told"),
    [("write", "tried to write"), ("process", "tried os.system"), ("network", "tried socket"), ("memory", "Memory")],
)
def test_what_a_model_has_no_reason_to_do_is_stopped(hostile, what: str, told: str) -> None:
    found = hostile(what, memory=4 << 30)
    assert told in found.error
    assert found.scores is None


def test_a_child_that_hangs_or_ends_is_told(hostile) -> None:
    start = time.monotonic()
    assert "did not answer within 4 s" in hostile("time", seconds=4).error
    assert time.monotonic() - start < 30
    assert "ended without an answer" in hostile("exit").error
    assert hostile("lie").error == ""  # its prints go nowhere


def test_a_file_with_findings_is_not_even_loaded_there(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(call("os", "system", "true"))
    with pytest.raises(ContractError, match=r"it names os\.system"):
        probe(tmp_path / "m.pkl")


def test_without_namespaces_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from temper.targets import isolated

    monkeypatch.setattr(isolated, "_unshares", lambda: False)
    joblib.dump(RandomForestClassifier(2).fit(X, Y), tmp_path / "m.joblib")
    assert probe(tmp_path / "m.joblib", X).without == ("a namespace without network",)
