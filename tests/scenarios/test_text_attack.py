"""The text example runs on its made-up messages and on the real ones, and says which it was."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments):
    command = [sys.executable, str(ROOT / "examples" / "text" / "run.py"), *map(str, arguments)]
    settings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src"), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=180, env=settings, cwd=ROOT)


def rates(said):
    """Attack: (broken, by random edits, rows)."""
    found = re.findall(
        r"^evasion\.(\w+), at most \d+ \w+: ([\d.]+)% broken .*n (\d+)\); .*: ([\d.]+)%;", said, flags=re.MULTILINE
    )
    return {name: (float(broken), float(chance), int(n)) for name, broken, n, chance in found}


@pytest.mark.slow
def test_messages_made_by_code_are_attacked_and_called_simulated():
    done = run("--messages", 25)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("SIMULATED")
    found = rates(done.stdout)
    assert set(found) == {"word_bug", "punctuation", "word_swap"}
    broken, chance, n = found["word_bug"]
    assert n == 25
    assert broken > chance
    assert re.search(r"^  word \d+ .+ -> ", done.stdout, flags=re.MULTILINE)


def test_the_real_messages_are_read_and_attacked(data_dir):
    if not (data_dir / "sms_spam").is_dir():
        pytest.skip("the SMS messages are absent: set TEMPER_DATA")
    done = run("--data", data_dir, "--messages", 10)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("REAL")
    assert rates(done.stdout)["word_bug"][2] == 10


def test_a_folder_without_messages_is_named(tmp_path):
    done = run("--data", tmp_path)
    assert done.returncode != 0
    assert "SMSSpamCollection.tsv" in done.stderr
