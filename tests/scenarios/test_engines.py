"""One assessment, the same figures wherever its tasks run: here, in processes, on a cluster that loses a machine."""

import contextlib
import time
from dataclasses import replace

import pytest

import temper
from scenarios.story import WRAPPED
from temper.engine.task import SUITES, Sizes

ALL = ("evasion", "poisoning", "extraction", "inversion", "stress", "validation")
FEW = ("evasion.coordinate", "evasion.random_search", "stress.missing", "validation.performance")


@pytest.fixture
def sized(monkeypatch):
    """The quick suite, smaller still; every engine gets the sizes with its tasks."""
    sizes = Sizes(
        attacked=18, held_out=300, trained=300, references=2, doses=(0.05,), repeats=1, students=100,
        replicates=40, shard=6,
    )  # fmt: skip
    monkeypatch.setitem(SUITES, "quick", sizes)


def figures(run):
    """All that was measured, but for the seconds it took."""
    return [replace(m, seconds=0.0) for m in run.measurements]


def measured(system, store, engine, only, **more):
    return temper.assess(temper.load(system.config), "quick", only, engine=engine, store=store, **more)


@pytest.mark.slow
def test_processes_find_bit_for_bit_what_one_process_finds_in_every_room(system, sized, tmp_path):
    alone = measured(system, tmp_path / "alone.db", "serial", ALL)
    spread = measured(system, tmp_path / "spread.db", "processes", ALL, workers=3)
    assert {m.status.value for m in alone.measurements} <= {"ok", "inconclusive", "untried"}
    assert figures(alone) == figures(spread)
    assert alone.findings == spread.findings
    assert alone.verdict is spread.verdict
    assert any(m.value for m in alone.measurements)
    assert spread.record.engine == "processes"


def test_the_size_of_a_shard_changes_no_row(system, sized, monkeypatch, tmp_path):
    one = measured(system, tmp_path / "one.db", "serial", ["evasion.random_search"])
    monkeypatch.setitem(SUITES, "quick", replace(SUITES["quick"], shard=7))
    other = measured(system, tmp_path / "other.db", "serial", ["evasion.random_search"])
    assert [(m.name, m.count, m.n, m.value) for m in one.measurements] == [
        (m.name, m.count, m.n, m.value) for m in other.measurements
    ]


def test_another_seed_is_another_run_and_the_same_seed_the_same(system, sized, tmp_path):
    first = measured(system, tmp_path / "1.db", "serial", ["evasion.random_search"], seed=1)
    again = measured(system, tmp_path / "2.db", "serial", ["evasion.random_search"], seed=1)
    other = measured(system, tmp_path / "3.db", "serial", ["evasion.random_search"], seed=2)
    assert figures(first) == figures(again)
    assert figures(first) != figures(other)


@pytest.fixture
def ray():
    """Ray, whose own threads and sockets warn at the end of a process; stopped whatever the story does."""
    ray = pytest.importorskip("ray")
    yield ray
    ray.shutdown()


pytest_quiet = pytest.mark.filterwarnings("ignore")


@pytest.mark.slow
@pytest_quiet
def test_a_ray_cluster_on_this_machine_finds_the_same(system, sized, tmp_path, ray):
    alone = measured(system, tmp_path / "alone.db", "serial", FEW)
    spread = measured(system, tmp_path / "spread.db", "ray", FEW, workers=2)
    assert figures(alone) == figures(spread)
    assert not ray.is_initialized()


@pytest.mark.slow
@pytest_quiet
def test_a_run_whose_cluster_loses_a_machine_completes_with_the_same_figures(system, sized, tmp_path, ray):
    from ray.cluster_utils import Cluster

    system.function(
        f"{WRAPPED}\nimport time\ndef answer(x):\n    time.sleep(0.02)\n    return scored(x)\n", version='"1"'
    )
    alone = measured(system, tmp_path / "alone.db", "serial", FEW)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    lost = []
    with contextlib.ExitStack() as stack:
        stack.callback(cluster.shutdown)
        second = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()

        def lose(event):
            if event.kind == "finished" and not lost:
                lost.append(time.monotonic())
                cluster.remove_node(second, allow_graceful=False)

        spread = measured(system, tmp_path / "spread.db", "ray", FEW, address=cluster.address, listener=lose)
    assert lost
    assert spread.record.state == "finished"
    assert {m.status.value for m in spread.measurements} <= {"ok", "inconclusive"}
    assert figures(alone) == figures(spread)


@pytest.mark.slow
@pytest_quiet
def test_a_worker_of_the_cluster_that_dies_with_its_model_is_an_error_row(system, sized, tmp_path, ray, monkeypatch):
    system.function(
        f"{WRAPPED}\nimport os, sys\ndef answer(x):\n    frame = sys._getframe()\n    while frame is not None:\n"
        "        if frame.f_code.co_filename.endswith('coordinate.py'):\n            os._exit(7)\n"
        "        frame = frame.f_back\n    return scored(x)\n",
        version='"1"',
    )
    monkeypatch.setitem(SUITES, "quick", replace(SUITES["quick"], attacked=10))
    run = measured(system, tmp_path / "s.db", "ray", ("evasion.coordinate", "validation.performance"), workers=2)
    by_plugin = {m.plugin: m for m in run.measurements}
    assert by_plugin["evasion.coordinate"].status.value == "error"
    assert by_plugin["performance"].status.value == "ok"
