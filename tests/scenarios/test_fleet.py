"""A fleet whose driver is killed, and one on a cluster that loses a machine: nothing finished is lost or repeated."""

import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

import temper
from temper.core.requirement import Verdict
from temper.store import fleet as kept
from unit.small_fleet import portfolio, system

WAIT = """import os, pathlib, time
if not pathlib.Path('go').exists():
    pathlib.Path('pid').write_text(str(os.getpid()))
    time.sleep(60)"""


def until(true):
    """The first true answer."""
    end = time.monotonic() + 120.0
    while not (found := true()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def alive(pid):
    """Whether this process is there, and no mere entry that nobody has asked for yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_a_fleet_whose_driver_is_killed_goes_on_where_it_was(tmp_path):
    for name in ("first", "second"):
        system(tmp_path / name, begin=WAIT if name == "second" else "")
    path = portfolio(
        tmp_path,
        "{path: first, tier: high, suite: quick, only: [stress.missing]}",
        "{path: second, tier: low, only: [stress.missing]}",
    )
    command = [sys.executable, "-m", "temper", "fleet", "assess", str(path), "--engine", "serial"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
        pid = until(lambda: (tmp_path / "second" / "pid").exists() and (tmp_path / "second" / "pid").read_text())
        driver.kill()
    until(lambda: not alive(pid))
    before = kept.read(path)
    assert (set(before.done()), before.over) == ({"first"}, False)
    (tmp_path / "second" / "go").touch()
    found = temper.fleet_assess(path, engine="serial", resume=True)
    assert [one.verdict for one in found.attempts] == ["pass", "pass"]
    assert found.attempts[0] == before.latest["first"], "it was not assessed again"
    assert kept.read(path).over


@pytest.mark.campaign
@pytest.mark.filterwarnings("ignore")
def test_a_fleet_whose_cluster_loses_a_machine_completes(tmp_path):
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    for at in range(4):
        system(tmp_path / f"s{at}", seed=at, begin="import time; time.sleep(2)")
    path = portfolio(tmp_path, '{path: "s*/temper.yaml", tier: low, only: [stress.missing]}')
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    lost = []
    with ExitStack() as stack:
        stack.callback(ray.shutdown)
        stack.callback(cluster.shutdown)
        second = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()

        def lose(event):
            if event.kind == "finished" and not lost:
                lost.append(event.task)
                cluster.remove_node(second, allow_graceful=False)

        found = temper.fleet_assess(path, engine="ray", address=cluster.address, listener=lose)
    assert lost
    assert [one.verdict for one in found.situations] == [Verdict.PASS] * 4
    assert [one.code for one in found.attempts] == [0] * 4
    assert not ray.is_initialized()


@pytest.mark.campaign
def test_a_fleet_whose_database_goes_away_waits_for_it(tmp_path, cluster):
    for at in range(3):
        system(tmp_path / f"s{at}", seed=at)
    path = portfolio(tmp_path, '{path: "s*/temper.yaml", tier: low, only: [stress.missing]}')
    said, back = [], threading.Timer(20.0, cluster.start)

    def heard(event):
        said.append(event.message)
        if event.kind == "finished" and back.ident is None:
            cluster.stop()
            back.start()

    found = temper.fleet_assess(path, engine="serial", store=cluster.database(), listener=heard)
    back.join()
    assert any("cannot be reached" in line for line in said)
    assert "the store answers again" in said
    assert [(one.verdict, one.run) for one in found.attempts] == [("pass", "0001"), ("pass", "0002"), ("pass", "0003")]
