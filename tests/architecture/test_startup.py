"""Starting is quick because nothing heavy is loaded before it is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from architecture.source import SRC
from bench.startup import HEAVY, best, loaded

SECONDS = 0.3
HELP = """
import sys, temper.cli
sys.argv = ["temper", "--help"]
try:
    temper.cli.main()
except SystemExit:
    pass
"""


@pytest.mark.parametrize("statement", ["import temper", "import temper.cli"])
def test_import_loads_nothing_heavy(statement: str) -> None:
    assert sorted(loaded(statement) & set(HEAVY)) == []


def test_help_loads_nothing_heavy() -> None:
    assert sorted(loaded(HELP) & set(HEAVY)) == []


@pytest.mark.parametrize("words", [("-c", "import temper"), ("-m", "temper", "--help")], ids=" ".join)
def test_start_takes_less_than_a_third_of_a_second(words: tuple[str, ...]) -> None:
    """Processor time, so that a busy machine is not held against the source."""
    assert best(words, 5)[1] < SECONDS


def test_a_heavy_import_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "lead.py").write_text("import scipy\n", encoding="utf-8")
    assert "scipy" in loaded(f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import lead")


def test_a_slow_start_is_noticed() -> None:
    busy = f"import time\nend = time.process_time() + {SECONDS}\nwhile time.process_time() < end: pass"
    assert best(("-c", busy), 1)[1] > SECONDS


def test_import_says_nothing_and_writes_nothing(tmp_path: Path) -> None:
    settings = os.environ | {"PYTHONPATH": str(SRC.parent)}
    words = [sys.executable, "-c", "import temper.cli"]
    done = subprocess.run(words, cwd=tmp_path, env=settings, capture_output=True, check=True)
    assert (done.stdout, done.stderr, list(tmp_path.iterdir())) == (b"", b"", [])
