"""A process within limits: each mechanism of this machine against one that takes too much, and taken back always."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from small_gateway import folder, models
from temper.core.errors import TemperError
from temper.core.load import Constraint, Limit, Loaded, Trial
from temper.engine.load.order import LoadTest
from temper.report.load import document, page, sentences
from temper.traffic.limits import cgroup, hierarchy
from temper.traffic.limits.cgroup import CgroupV1, CgroupV2
from temper.traffic.limits.hierarchy import PREFIX, left_behind, own, swept, tag
from temper.traffic.limits.mechanism import Refused
from temper.traffic.limits.ordered import Ordered, ordered
from temper.traffic.limits.started import Started, started

__all__ = ["folder", "models"]
SPINS = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"
FILLS = "x = bytearray({size} << 20)\nfor at in range(0, len(x), 4096): x[at] = 1\nprint('had it')"
OPENS = "held = [open('/dev/null') for _ in range({many})]\nprint('had them')"
WRITES = "open({file!r}, 'wb').write(bytes({size} << 10))\nprint('wrote it')"
NO_GROUPS = "29 1 0:25 / /sys rw - sysfs sysfs rw\n"


def _writable(controller: str) -> bool:
    try:
        return os.access(own(controller), os.W_OK)
    except (Refused, OSError):
        return False


def _mountable() -> bool:
    words = ["unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=1M", "temper", "/mnt"]
    return os.geteuid() == 0 and subprocess.run(words, capture_output=True, check=False).returncode == 0


V1_CPU, V1_MEMORY, MOUNTS = _writable("cpu"), _writable("memory"), _mountable()
with_cpu = pytest.mark.skipif(not V1_CPU, reason="no control group of processors may be written here")
with_memory = pytest.mark.skipif(not V1_MEMORY, reason="no control group of memory may be written here")
with_mounts = pytest.mark.skipif(not MOUNTS, reason="nothing may be mounted here")


def _until(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


def _ran(code: str, limits: Sequence[str], folder: Path, seconds: float = 20.0) -> tuple[Started, Constraint, str]:
    """A process with its first limit and what it said, once it has ended or the time is over."""
    folder.joinpath("disk").mkdir(exist_ok=True)
    log = folder / "log"
    with started([sys.executable, "-c", code], ordered(limits), log, folder / "disk") as found:
        found.constraints()
        _until(lambda: bool(found.end()), seconds)
        return found, found.constraints()[0], log.read_text(encoding="utf-8")


@with_cpu
def test_who_spins_has_its_share_and_no_more(tmp_path: Path) -> None:
    _, told, _ = _ran(SPINS, ["cpu=0.3"], tmp_path, seconds=2.5)
    assert told.by in ("cgroup v1", "cgroup v2")
    used = float(told.seen.split()[1])
    assert 0.05 < used < 0.4, told.seen
    assert int(told.seen.partition("back in ")[2].partition(" %")[0]) > 10


@with_memory
def test_who_fills_memory_is_ended_by_the_kernel_and_told_so(tmp_path: Path) -> None:
    found, told, said = _ran(FILLS.format(size=120), ["memory=60M"], tmp_path)
    assert "SIGKILL" in found.end()
    assert "had it" not in said
    assert "at most 60 MiB" in told.seen
    assert "the kernel ended 1 of its processes" in told.seen
    assert "had it" in _ran(FILLS.format(size=20), ["memory=60M"], tmp_path)[2]


def test_without_groups_memory_falls_back_to_addresses_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _proc(tmp_path, monkeypatch, NO_GROUPS, "0::/\n")
    found, told, said = _ran(FILLS.format(size=600), ["memory=300M"], tmp_path)
    assert told.by.startswith("prlimit, on the address space")
    assert found.end() == "the service ended with code 1"
    assert "MemoryError" in said
    assert "its log says 'MemoryError' 1 time" in told.seen


def test_without_groups_a_processor_share_is_refused_with_the_reasons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _proc(tmp_path, monkeypatch, NO_GROUPS, "0::/\n")
    with pytest.raises(TemperError, match=r"cpu=0.5 could not be set .*v2: not mounted; .*v1: no hierarchy") as told:
        _ran("print('had it')", ["cpu=0.5"], tmp_path)
    assert "nothing was sent" in told.value.message
    assert "cores=1" in told.value.fix
    assert "had it" not in (tmp_path / "log").read_text()


def test_who_opens_too_many_files_is_stopped(tmp_path: Path) -> None:
    found, told, _ = _ran(OPENS.format(many=100), ["files=32"], tmp_path)
    assert found.end() == "the service ended with code 1"
    assert "'Too many open files' 1 time" in told.seen
    assert "had them" in _ran(OPENS.format(many=10), ["files=32"], tmp_path)[2]


def test_one_core_is_one_core(tmp_path: Path) -> None:
    said = _ran("import os\nprint(len(os.sched_getaffinity(0)))", ["cores=1"], tmp_path)[2]
    assert said.strip() == "1"
    with pytest.raises(TemperError, match=r"only \d+ may be used here"):
        _ran("", ["cores=5000"], tmp_path)


@with_mounts
def test_a_full_disk_is_full_for_the_service_alone(tmp_path: Path) -> None:
    file = str(tmp_path / "disk" / "file")
    found, told, _ = _ran(WRITES.format(file=file, size=2048), ["disk=1M"], tmp_path)
    assert found.end() == "the service ended with code 1"
    assert "'No space left on device' 1 time" in told.seen
    assert "wrote it" in _ran(WRITES.format(file=file, size=512), ["disk=1M"], tmp_path)[2]
    assert not Path(file).exists()
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="takes a right away that only root has")
def test_a_disk_that_may_not_be_mounted_is_refused_before_anything_runs(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom temper.traffic.limits.ordered import ordered\n"
        "from temper.traffic.limits.started import started\nfolder = Path(sys.argv[1])\n"
        "with started(['echo', 'had it'], ordered(['disk=1M']), folder / 'log', folder): pass"
    )
    words = ["setpriv", "--bounding-set=-all", sys.executable, "-c", code, str(tmp_path)]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "disk could not be set" in ended.stderr
    assert "not permitted" in ended.stderr
    assert "had it" not in (tmp_path / "log").read_text()


def test_several_limits_hold_at_once(tmp_path: Path) -> None:
    found, _, said = _ran("import os\nprint(len(os.sched_getaffinity(0)))", ["cores=1", "files=40"], tmp_path)
    assert [one.limit for one in found.constraints()] == ["cores=1", "files=40"]
    assert said.strip() == "1"


@pytest.mark.parametrize(
    "text", ["", "cpu", "cpu=", "cpu=-1", "cpu=nan", "memory=4X", "files=1.5", "gpu=1", "disk=1e9"]
)
def test_what_is_no_limit_is_told(text: str) -> None:
    with pytest.raises(TemperError, match="is no limit"):
        ordered([text])


@pytest.mark.parametrize("texts", [["cpu=0"], ["files=3"], ["memory=5"], ["cores=1", "cores=2"]])
def test_what_no_service_could_live_with_is_refused(texts: list[str]) -> None:
    with pytest.raises(TemperError):
        ordered(texts)


def test_what_is_no_limit_is_told_before_anything_is_loaded() -> None:
    with pytest.raises(TemperError, match="is no limit"):
        LoadTest(target="serve", limits=("memory=abc",))


def test_a_service_that_somebody_else_started_has_no_limit() -> None:
    with pytest.raises(TemperError, match="only a service that is started here"):
        LoadTest(target="http://127.0.0.1:9/", limits=("cores=1",))


def test_how_a_service_ended_is_told_with_its_limits(tmp_path: Path) -> None:
    found, _, _ = _ran("raise SystemExit(3)", ["cores=1", "files=40"], tmp_path)
    assert found.explained().startswith("the service ended with code 3; cores=1 by sched_setaffinity")


def test_every_form_of_the_result_says_the_limit_and_by_what() -> None:
    one = Constraint(limit="cpu=0.5", by="cgroup v1", seen="held <b>back</b>")
    counts = {"requests": 5, "good": 5, "late": 0, "shed": 0, "failed": 0, "unsent": 0}
    times = dict.fromkeys(("p50", "p99", "p99_low", "p99_high", "service_p99", "mean"), 0.01)
    trial = Trial(rate=5.0, seconds=1.0, held=0.0, lateness=0.0, cpu=0.0, **counts, **times)  # type: ignore[arg-type]
    of: dict[str, Any] = {"url": "u", "plan": "p", "started": "2026-01-01T00:00:00", "trials": (trial,)}
    found = Loaded(limit=Limit(), generators=1, constraints=(one,), **of)
    assert json.loads(document(found))["constraints"][0]["by"] == "cgroup v1"
    assert "Within cpu=0.5, by cgroup v1: held <b>back</b>." in list(sentences(found))
    assert "<span>cpu=0.5 (cgroup v1)</span>" in page(found)
    assert "<b>back" not in page(found)


@pytest.mark.slow
def test_the_gateway_is_put_under_load_within_limits(folder: Path) -> None:
    told: list[str] = []
    limits = ["files=200", "cores=1", *(["memory=900M"] if V1_MEMORY else []), *(["disk=40M"] if MOUNTS else [])]
    config = folder / "temper.yaml"
    test = LoadTest(target="serve", config=config, plan="constant:40", seconds=2.0, limit_ms=2000, limits=tuple(limits))
    found = test.run(told.append)
    assert [one.limit for one in found.constraints] == limits
    assert sum("is set by" in line for line in told) == len(limits)
    assert found.trials[0].good > 60
    assert not [*folder.rglob("*.db")] or not MOUNTS


LIMITED = """
import sys, time
from pathlib import Path
from temper.traffic.limits.ordered import ordered
from temper.traffic.limits.started import started
limits = ordered([one for one in sys.argv[2].split() if one])
with started(["sleep", "600"], limits, Path(sys.argv[1]) / "log", Path(sys.argv[1])) as found:
    print(found.process.pid, flush=True)
    time.sleep(600)
"""


ORDERS = " ".join(filter(None, ("cores=1", "cpu=0.5" if V1_CPU else "", "memory=90M" if V1_MEMORY else "")))


def _limited(folder: Path, orders: str = ORDERS) -> tuple[subprocess.Popen[str], int]:
    """A process that holds a service, and the service's number."""
    process = subprocess.Popen([sys.executable, "-c", LIMITED, str(folder), orders], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as said:
        return process, int(said.readline())


def _groups(pid: int) -> list[Path]:
    roots = [own(one) for one, there in (("cpu", V1_CPU), ("memory", V1_MEMORY)) if there]
    return [path for root in roots for path in root.glob(f"{PREFIX}*-{pid}-*")]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("word", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_however_it_ends_the_service_ends_and_no_group_is_left(word: int, tmp_path: Path) -> None:
    process, service = _limited(tmp_path)
    assert len(_groups(process.pid)) == V1_CPU + V1_MEMORY
    assert _runs(service)
    process.send_signal(word)
    process.wait()
    assert _until(lambda: not _runs(service) and not _groups(process.pid))


@pytest.mark.parametrize("word", [signal.SIGKILL, signal.SIGTERM])
def test_a_service_without_limits_ends_with_who_started_it_too(word: int, tmp_path: Path) -> None:
    process, service = _limited(tmp_path, "")
    assert _runs(service)
    process.send_signal(word)
    process.wait()
    assert _until(lambda: not _runs(service))


@with_cpu
def test_what_even_the_watcher_left_is_swept_by_the_next_start(tmp_path: Path) -> None:
    process, service = _limited(tmp_path)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    (watcher,) = (int(one) for one in children if int(one) != service)
    os.kill(watcher, signal.SIGKILL)
    process.kill()
    process.wait()
    assert _groups(process.pid)
    assert _runs(service)
    assert any(f"-{process.pid}-" in one for one in left_behind())
    _ran("", ["cores=1"], tmp_path)
    assert not _groups(process.pid)
    assert not _runs(service)


@with_cpu
def test_groups_of_the_living_are_left_alone(tmp_path: Path) -> None:
    process, service = _limited(tmp_path)
    assert not any(f"-{process.pid}-" in one for one in left_behind())
    process.kill()
    process.wait()
    assert _until(lambda: not _runs(service))


def _proc(folder: Path, monkeypatch: pytest.MonkeyPatch, mounts: str, groups: str) -> None:
    proc = folder / "proc"
    proc.mkdir()
    (proc / "mountinfo").write_text(mounts)
    (proc / "cgroup").write_text(groups)
    monkeypatch.setattr(hierarchy, "SELF", proc)


def _made(group: Path, pid: int) -> None:
    """What a kernel puts into a group that is made."""
    hierarchy.join(group, pid)
    (group / "cpu.stat").write_text("usage_usec 0\nnr_periods 0\nnr_throttled 0\n")
    (group / "memory.events").write_text("oom 2\noom_kill 2\n")
    (group / "memory.peak").write_text(str(64 << 20))


@pytest.fixture
def second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A SIMULATED hierarchy of version 2 of plain files: the group above this process gives the controllers on."""
    root = tmp_path / "groups"
    (root / "user" / "mine").mkdir(parents=True)
    for place, given in ((root, "cpu memory"), (root / "user", "cpu memory"), (root / "user" / "mine", "")):
        (place / "cgroup.subtree_control").write_text(given)
    _proc(tmp_path, monkeypatch, f"31 1 0:26 / {root} rw - cgroup2 cgroup2 rw\n", "0::/user/mine\n")
    monkeypatch.setattr(cgroup, "join", _made)
    return root


def _order(text: str) -> Ordered:
    return ordered([text])[0]


def test_version_two_takes_the_nearest_group_that_gives_on(second: Path) -> None:
    name = tag()
    quota, memory = CgroupV2(), CgroupV2()
    assert quota.place(os.getpid(), _order("cpu=0.25"), name) == 0.25
    assert memory.place(os.getpid(), _order("memory=64M"), name) == 64 << 20
    group = second / "user" / name
    assert (group / "cpu.max").read_text() == f"25000 {cgroup.PERIOD}"
    assert (group / "memory.swap.max").read_text() == "0"
    assert (group / "cgroup.procs").read_text() == str(os.getpid())
    (group / "cpu.stat").write_text("usage_usec 9\nnr_periods 8\nnr_throttled 2\n")
    assert quota.seen(os.getpid()).endswith("held back in 25 % of 8 periods")
    assert memory.seen(os.getpid()) == "at most 64 MiB, the kernel ended 2 of its processes for want of memory"


def test_version_two_goes_up_where_it_may_not_write_and_refuses_at_the_top(
    second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    join, refused = cgroup.join, [second / "user"]

    def joined(group: Path, pid: int) -> None:
        if group.parent in refused:
            raise PermissionError(13, "Permission denied")
        join(group, pid)

    monkeypatch.setattr(cgroup, "join", joined)
    name = tag()
    CgroupV2().place(os.getpid(), _order("cpu=0.5"), name)
    assert (second / name / "cpu.max").exists()
    assert not (second / "user" / name).exists()
    refused.append(second)
    with pytest.raises(Refused, match="gives cpu on"):
        CgroupV2().place(os.getpid(), _order("cpu=0.5"), tag())


def test_a_kernel_that_says_something_else_is_not_believed_to_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in (CgroupV1, CgroupV2):
        monkeypatch.setattr(kind, "place", lambda self, pid, order, tag: 2.0)
    with pytest.raises(TemperError, match="the kernel says 2"):
        _ran("", ["cpu=0.5"], tmp_path)


def test_what_is_swept_twice_is_swept_once() -> None:
    swept(tag())
