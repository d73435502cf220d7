"""A monitor that is killed at any moment: no window or row of a stream is lost or counted twice or in two ways."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from temper.store.control import Control

DAYS, KILLS = 40, 8


def folder(tmp_path: Path) -> Path:
    """A model of one column, a reference and forty days of predictions; one of them has drifted."""
    rng = np.random.default_rng(0)
    test = pd.DataFrame({"amount": rng.normal(size=2_000)})
    test.assign(y=(test.amount > 0).astype(int)).to_csv(tmp_path / "test.csv", index=False)
    (tmp_path / "served.py").write_text(
        "import numpy as np\n\ndef score(x):\n    return np.c_[x <= 0, x > 0].astype(float)\n"
    )
    (tmp_path / "predictions").mkdir()
    for day in range(DAYS):
        amount = rng.normal(2.0 * (day == 7), 1.0, 1_500)
        at = (day + np.sort(rng.random(1_500))) * 86_400.0
        pd.DataFrame({"amount": amount, "at": at}).to_csv(tmp_path / "predictions" / f"{day:02}.csv", index=False)
    (tmp_path / "temper.yaml").write_text(
        'model: {callable: "served:score", classes: 2, kind: probabilities, version: "1"}\n'
        "data: {test: test.csv, target: y}\nschema: {columns: {amount: {type: number}}}\n"
        "monitor: {feed: predictions, time: at, stream: {one_false_alarm_per: 1e7}}\n"
    )
    return tmp_path


def begun(home: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "temper", "monitor", "run", "--json"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        command, cwd=home, stdout=quiet, stderr=quiet, env={**os.environ, "PYTHONPATH": _path(home)}
    )


def _path(home: Path) -> str:
    return os.pathsep.join([str(home), *filter(None, [os.environ.get("PYTHONPATH")])])


@pytest.mark.slow
def test_a_killed_monitor_goes_on_where_it_was(tmp_path):
    home = folder(tmp_path)
    started = time.monotonic()
    assert begun(home).wait(120) == 1, "one day has drifted"
    whole = time.monotonic() - started
    with_all = windows(home)
    (home / ".temper" / "control.db").unlink()
    rng = np.random.default_rng(1)
    for _ in range(KILLS):
        process = begun(home)
        time.sleep(float(rng.uniform(0.3, 1.1)) * whole)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert begun(home).wait(120) in (0, 1, 3)
    after = windows(home)
    assert after == with_all
    assert len({one.start for one in after}) == len(after)
    assert [one.streamed for one in reversed(after) if one.rows] == [1_500 * (day + 1) for day in range(DAYS)]
    assert next(one for one in reversed(after) if one.shifts).start == 7 * 86_400.0


def windows(home: Path) -> list:
    control = Control.open(str(home / ".temper" / "control.db"))
    try:
        return control.windows.page(str(home / "predictions"), 10_000)
    finally:
        control.close()
