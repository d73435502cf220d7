"""A worker that is killed at any moment: its job is made by another, to its end, and never by two at once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from temper.core.job import JobState, Order
from temper.store.control import Control
from temper.store.control.jobs import LEASE
from temper.store.database import Store


def folder(tmp_path: Path) -> Path:
    """A model that tells how many processes it is asked in, and takes its time."""
    rng = np.random.default_rng(0)
    test = pd.DataFrame({"amount": rng.normal(size=600)})
    test.assign(y=(test.amount > 0).astype(int)).to_csv(tmp_path / "test.csv", index=False)
    (tmp_path / "served.py").write_text(
        "import os, time\nfrom pathlib import Path\nimport numpy as np\n\n"
        "def score(x):\n    (Path(__file__).parent / 'asked').joinpath(str(os.getpid())).touch()\n"
        "    time.sleep(0.05)\n    p = 1.0 / (1.0 + np.exp(-3.0 * x))\n    return np.c_[1.0 - p, p]\n"
    )
    (tmp_path / "asked").mkdir()
    (tmp_path / "temper.yaml").write_text(
        "system: {name: fraud}\n"
        'model: {callable: "served:score", classes: 2, kind: probabilities, version: "1"}\n'
        "data: {test: test.csv, target: y}\nschema: {columns: {amount: {type: number}}}\n"
    )
    return tmp_path


def begun(home: Path) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(home), *filter(None, [os.environ.get("PYTHONPATH")])])
    quiet, command = subprocess.DEVNULL, [sys.executable, "-m", "temper", "worker", "--once"]
    return subprocess.Popen(command, cwd=home, stdout=quiet, stderr=quiet, env={**os.environ, "PYTHONPATH": path})


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(holds, process: subprocess.Popen[bytes] | None = None):
    while not holds():
        assert process is None or process.poll() is None
        time.sleep(0.02)


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_leaves_nobody_behind(tmp_path):
    home = folder(tmp_path)
    control = Control.open(str(home / ".temper" / "control.db"))
    order = Order(
        key="k", why="w", config=str(home / "temper.yaml"), suite="quick", only=("validation",), engine="serial"
    )
    control.jobs.put(order, "ana", time.time())
    first = begun(home)
    until(lambda: any((home / "asked").iterdir()), first)
    first.send_signal(signal.SIGKILL)
    first.wait()
    pids = [int(one.name) for one in (home / "asked").iterdir()]
    until(lambda: not any(map(lives, pids)))
    assert control.jobs.get(1).state is JobState.RUNNING, "nobody said anything of it"
    assert begun(home).wait() == 0, "and nobody else has it while the lease lasts"
    assert control.jobs.get(1).attempts == 1
    with control.jobs._database.write() as tx:  # the lease is over
        tx.all("UPDATE job SET due = due - ?", LEASE)
    assert begun(home).wait() == 0
    one = control.jobs.get(1)
    assert (one.state, one.attempts) == (JobState.DONE, 2), one.log
    assert one.result["run"] == Store.open(home).run().id
    control.close()
