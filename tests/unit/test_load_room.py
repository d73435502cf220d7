"""`temper assess` of a system with a service: figures a policy can name, and an ERROR where nobody answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.load._server import served
from temper import api
from temper.config.reading import parse
from temper.config.service import headers_of, service_of
from temper.core.errors import ConfigError, TemperError
from temper.core.load import Knee, Limit, Loaded, Recovery, Trial
from temper.core.measure import Measurement, Status
from temper.core.service import Service
from temper.core.system import Protected
from temper.engine.load.order import LoadTest
from temper.engine.rooms import load
from temper.engine.task import SUITES, Task, World

SERVICE = """
service:
  url: {url}
  limit_ms: 1000
  most: 700
policy:
  - {{id: bears, metric: load.knee, at_least: 100}}
  - {{id: returns, metric: load.recovery, at_most: 5}}
"""
YAML = """system: {name: small}
model: {callable: "model:scores", kind: probabilities, classes: 2}
data: {test: test.csv, target: y, positive: "1"}
schema:
  columns:
    a: {type: number, low: 0, high: 9}
    n: {type: integer, low: 0, high: 9}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.py").write_text(
        "import numpy as np\ndef scores(x):\n    p = np.clip(x[:, 0] / 9, 0, 1)\n    return np.stack([1 - p, p], 1)\n"
    )
    (tmp_path / "test.csv").write_text("a,n,y\n" + "\n".join(f"{i % 9}.5,{i % 7},{int(i % 9 > 4)}" for i in range(300)))
    return tmp_path


def _system(folder: Path, url: str) -> Protected:
    (folder / "temper.yaml").write_text(YAML + SERVICE.format(url=url))
    return api.load(folder / "temper.yaml")


@pytest.mark.slow
def test_an_assessment_puts_the_service_under_load(folder: Path) -> None:
    with served(0.003, queue=40) as (port, _):
        system = _system(folder, f"http://127.0.0.1:{port}/score")
        for again in range(3):  # a generator that was late on a busy machine grades nothing, and says so
            run = api.assess(system, "quick", ["load"], store=folder / f"store-{again}.db", engine="serial")
            found = {m.name: m for m in run.record.measurements}
            if "load.knee" in found:
                break
        assert found["load.knee"].value == pytest.approx(333, rel=0.2)
        assert found["load.knee"].curve is not None
        assert found["load.shed_2x"].value == pytest.approx(0.5, abs=0.12)
        assert {j.requirement.id: j.verdict.value for j in run.record.judgements} == {
            "bears": "pass",
            "returns": "pass",
        }


def test_a_service_that_is_not_there_is_an_error(folder: Path) -> None:
    system = _system(folder, "http://127.0.0.1:9/")
    again = api.assess(system, "quick", ["load"], store=folder / "store.db", engine="serial")
    (lost,) = again.record.measurements
    assert lost.status is Status.ERROR
    assert "takes no connection" in lost.reason
    assert {j.verdict.value for j in again.record.judgements} == {"error"}


def test_no_service_is_not_missed_and_others_are_left_alone(folder: Path) -> None:
    (folder / "temper.yaml").write_text(YAML)
    assert api.load(folder / "temper.yaml").service is None
    with pytest.raises(TemperError, match="nothing to do"):
        api.assess(api.load(folder / "temper.yaml"), "quick", ["load"], store=folder / "store.db")


def _trial(rate: float, good: int, shed: int) -> Trial:
    times = dict.fromkeys(("p50", "p99", "p99_low", "p99_high", "service_p99", "mean"), 0.05)
    counts = {"requests": good + shed, "good": good, "shed": shed, "late": 0, "failed": 0, "unsent": 0}
    return Trial(rate=rate, seconds=10.0, held=0.0, lateness=0.0, cpu=0.0, **times, **counts)  # type: ignore[arg-type]


def _figures(monkeypatch: pytest.MonkeyPatch, **more: Any) -> tuple[dict[str, Measurement], int]:
    settings: dict[str, Any] = {
        "knee": Knee(value=100.0, low=95.0, high=105.0, searches=(100.0,), most=500.0),
        "overload": ((0.5, _trial(50.0, 500, 0)), (2.0, _trial(200.0, 900, 1_100))),
        "recovery": Recovery(before=50.0, during=400.0, start=3.0, end=6.0, watched=10.0, seconds=1.5, timeline=()),
    } | more
    found = Loaded(url="", limit=Limit(), plan="", generators=1, started="", trials=(_trial(50.0, 500, 0),), **settings)
    monkeypatch.setattr(LoadTest, "of", lambda *words: found)
    system = Protected(name="s", target=_Target(), data=None, schema=None)  # type: ignore[arg-type]
    world = World(system=system, sizes=SUITES["quick"], seed=0, attacked=None, held_out=None)  # type: ignore[arg-type]
    part = load.run(Task(room="load", plugin="load"), world)
    return {m.metric: m for m in part.measurements}, len(part.findings)


class _Target:
    digest = "d"


def test_figures_have_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    found, findings = _figures(monkeypatch)
    assert (found["knee"].low, found["knee"].value, found["knee"].high) == (95.0, 100.0, 105.0)
    assert found["goodput_2x"].value == pytest.approx(0.9)
    assert found["goodput_2x"].low < 0.9 < found["goodput_2x"].high  # type: ignore[operator]
    assert found["shed_2x"].value == pytest.approx(0.55)
    assert found["lost_2x"].value == 0
    assert found["p99_at_half_knee"].value == pytest.approx(50)
    assert (found["recovery"].value, findings) == (1.5, 0)


def test_what_was_never_seen_is_no_number_to_pass_with(monkeypatch: pytest.MonkeyPatch) -> None:
    never = Recovery(before=50.0, during=400.0, start=3.0, end=6.0, watched=10.0, seconds=None, timeline=())
    found, findings = _figures(
        monkeypatch, recovery=never, knee=Knee(value=500.0, low=500.0, high=None, searches=(500.0,), most=500.0)
    )
    assert (found["recovery"].low, found["recovery"].value, findings) == (10.0, 86_400.0, 1)
    assert (found["knee"].low, found["knee"].high) == (500.0, 50_000.0)
    assert "no limit" in found["knee"].caveats[-1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("service: {limit_ms: 5}", "service.url is missing"),
        ("service: {url: a, limt_ms: 5}", "did you mean 'limit_ms'"),
        ("service: {url: a, limit_ms: 0}", "above 0"),
        ("service: {url: a, answered: 2}", "at most 1"),
        ("service: {url: a, most: 0}", "at least 1"),
        ("service: {url: a, method: GETT}", "did you mean 'GET'"),
        ('service: {url: a, headers: {X: "a\\r\\nY: b"}}', "cannot be sent"),
    ],
)
def test_a_mistake_in_the_section_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        service_of(parse(text, "temper.yaml"), Path("/x"))


@pytest.mark.parametrize("target", ["http://127.0.0.1:9/", "serve"])
def test_the_key_of_a_service_is_sent_to_no_other(folder: Path, target: str) -> None:
    (folder / "temper.yaml").write_text(
        YAML + "service: {url: u, key_env: K, headers: {X: y}, ca: c, yes_this_host: h, limit_ms: 7}"
    )
    system = api.load(folder / "temper.yaml")
    found = LoadTest(target=target)._service(system)
    assert (found.key_env, found.headers, found.ca, found.confirmed) == ("", (), "", "")
    assert found.limit.seconds == 0.007
    assert LoadTest(target="service")._service(system).key_env == "K"


def test_the_section_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "service: {url: u, key_env: K, limit_ms: 50, answered: 0.9, headers: {X-A: b}, ca: c.pem, most: 9}"
    found = service_of(parse(text, "temper.yaml"), Path("/x"))
    assert found is not None
    assert (found.limit, found.ca, found.most) == (Limit(seconds=0.05, answered=0.9), "/x/c.pem", 9.0)
    monkeypatch.setenv("K", "secret")
    assert headers_of(found) == (("X-A", "b"), ("Authorization", "Bearer secret"))
    monkeypatch.delenv("K")
    with pytest.raises(TemperError, match="K holds no key"):
        headers_of(Service(url="u", key_env="K"))
