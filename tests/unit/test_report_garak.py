"""A run as a report of garak: read back it is the same table, and nobody is asked anything for it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.api import assistants, open_store
from temper.config.policy import load_policy
from temper.core.assistant import Assistant
from temper.core.attack import RowVerdict
from temper.core.chat import Reply, Request
from temper.core.errors import TemperError
from temper.core.injection import ASKED, Goal
from temper.demos.assistant.bank import bank
from temper.demos.assistant.weakness import Weakness
from temper.engine.redteam.effort import EFFORTS, Effort
from temper.engine.redteam.tried import tried
from temper.report.garak import About, Prompt, garak_jsonl
from temper.store.imported.formats import imported
from temper.store.imported.table import Attempt, prompt_key
from temper.targets.chat.function import ChatFunction

ABOUT = About(system="bank", run="0001", started="2026-11-28T20:00:00+00:00", seed=0, simulated=True, words={})
TINY = Effort(attempts=24, trials=2, confirmations=2, minimal=2, twins=2, tasks=1)
FIELDS = {
    *("entry_type", "uuid", "seq", "status", "probe_classname", "probe_params", "targets", "prompt", "outputs"),
    *("detector_results", "notes", "goal", "conversations", "reverse_translation_outputs", "intent"),
}
VERDICTS = {1.0: RowVerdict.BROKEN, 0.0: RowVerdict.HELD, None: RowVerdict.ERROR}
TEXTS = st.text(max_size=20) | st.just("\ud800 half\u2028 a\npair\x00")


@st.composite
def prompts(draw: st.DrawFn) -> list[Prompt]:
    names = st.sampled_from(["latentinjection.TemperTree", "promptinject.TemperTree"])
    texts = draw(st.lists(TEXTS, min_size=1, max_size=6, unique=True))
    return [
        Prompt(
            probe=draw(names),
            detector=draw(st.sampled_from(["temper.Canary", "temper.Marker"])),
            goal="a goal",
            says=(text,) * len(scores),
            said=tuple(None if score is None else draw(TEXTS) for score in scores),
            scores=tuple(scores),
        )
        for text in texts
        for scores in [draw(st.lists(st.sampled_from([1.0, 0.0, None]), min_size=1, max_size=3))]
    ]


def expected(made: list[Prompt]) -> set[Attempt]:
    return {
        Attempt(
            family=one.probe,
            prompt=prompt_key(one.probe, one.says[0]),
            trial=at,
            verdict=VERDICTS[score],
            detector=one.detector,
        )
        for one in made
        for at, score in enumerate(one.scores)
    }


@settings(max_examples=60)
@given(made=prompts())
def test_what_is_written_reads_back_as_the_same_table(
    tmp_path_factory: pytest.TempPathFactory, made: list[Prompt]
) -> None:
    path = tmp_path_factory.mktemp("garak") / "own.report.jsonl"
    path.write_text(garak_jsonl(made, ABOUT), encoding="ascii")
    table = imported(path)
    assert table.tool == "garak"
    assert len(table.attempts) == sum(len(one.scores) for one in made)
    assert set(table.attempts) == expected(made)


@given(made=prompts())
def test_every_line_is_what_garak_writes(made: list[Prompt]) -> None:
    lines = [json.loads(line) for line in garak_jsonl(made, ABOUT).splitlines()]
    assert [line["entry_type"] for line in lines[:3]] == ["start_run setup", "init", "plugin_cache"]
    assert lines[0]["_config.version"] == lines[1]["garak_version"], "its tools refuse to join reports otherwise"
    assert lines[-1]["entry_type"] == "completion"
    attempts = [line for line in lines if line["entry_type"] == "attempt"]
    assert all(set(line) == FIELDS for line in attempts)
    assert [line["status"] for line in attempts] == [1, 2] * len(made)
    for line in attempts[1::2]:
        (scores,) = line["detector_results"].values()
        assert len(scores) == len(line["outputs"]) == len(line["conversations"])
    known = lines[2]["plugin_cache"]
    for line in lines:
        if line["entry_type"] == "eval":
            assert line["total_evaluated"] == line["passed"] + line["fails"] == line["total_processed"] - line["nones"]
            assert {"description", "tags", "tier"} <= set(known["probes"][f"probes.{line['probe']}"])
            assert "description" in known["detectors"][f"detectors.{line['detector']}"]
            low, high = line.get("confidence_lower", 0.0), line.get("confidence_upper", 1.0)
            assert 0.0 <= low <= high <= 1.0
    evaluated = sum(line["total_processed"] for line in lines if line["entry_type"] == "eval")
    assert evaluated == sum(len(one.scores) for one in made)


def test_nothing_tried_is_nothing_to_export() -> None:
    with pytest.raises(TemperError, match="no attempt to export"):
        garak_jsonl([], ABOUT)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Assistant]:
    folder = tmp_path_factory.mktemp("ran")
    assistant = replace(bank(Weakness(obeys={"user": 1.0, "tool": 0.6})), policy=load_policy("assistant"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(EFFORTS, "tiny", TINY)
        assistants.redteam(assistant, "tiny", ["injection.templates", "injection.tree"], store=folder)
    return folder, assistant


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EFFORTS, "tiny", TINY)


def exported(ran: tuple[Path, Assistant], assistant: Assistant | None = None) -> str:
    store = open_store(ran[0], ran[1])
    return assistants.cases(assistant or ran[1], store.run("last"), "garak", store=ran[0])


def test_a_run_is_exported_whole_and_nobody_is_asked(ran: tuple[Path, Assistant], tmp_path: Path) -> None:
    class Never:
        digest = ran[1].target.digest

        async def ask(self, request: Request) -> Reply:
            raise AssertionError("it was asked")

    (path := tmp_path / "own.report.jsonl").write_text(exported(ran, replace(ran[1], target=Never())))
    run = open_store(ran[0], ran[1]).run("last")
    found = imported(path).attempts
    for name, kind in (("injection.templates", "TemperTemplates"), ("injection.tree", "TemperTree")):
        counted = next(m for m in run.measurements if (m.plugin, m.metric, m.slice) == (name, "success_rate", "all"))
        own = [one for one in found if one.family.endswith(kind)]
        assert len(own) == counted.n
        assert 0 < sum(one.verdict is RowVerdict.BROKEN for one in own) < counted.n
    assert {one.family.partition(".")[0] for one in found} == {"latentinjection", "promptinject"}
    assert "SIMULATED" in path.read_text()


def test_goals_that_a_model_judges_are_left_out_and_it_is_not_asked(tmp_path: Path) -> None:
    asked: list[Request] = []

    async def judge(request: Request) -> str:
        asked.append(request)
        mark = re.findall(r"hold the mark ([0-9a-f]{16})", " ".join(request.messages[0].text.split()))
        return json.dumps({"mark": mark[0], "verdict": "hit"})

    own = Goal(id="own", title="an own goal", asks="Say {word}.", oracle=ASKED, says="The reply says {word}.")
    weak = bank(Weakness(obeys={"user": 1.0, "tool": 0.6}))
    assistant = replace(weak, goals=(own,), judge=ChatFunction(call=judge, version="1"))
    run = assistants.redteam(assistant, "tiny", ["injection.templates"], store=tmp_path).record
    before = len(asked)
    text = assistants.cases(assistant, run, "garak", store=tmp_path)
    assert len(asked) == before > 0
    lines = [json.loads(line) for line in text.splitlines()]
    goals = {line["notes"]["goal"] for line in lines if line["entry_type"] == "attempt"}
    assert len(goals) > 3
    assert "own" not in goals


@pytest.mark.parametrize("grouping", ["None", "owasp"])
def test_garak_itself_reads_it(ran: tuple[Path, Assistant], tmp_path: Path, grouping: str) -> None:
    python = os.environ.get("TEMPER_GARAK")
    if not python:
        pytest.skip("TEMPER_GARAK names no Python that has garak 0.17")
    (path := tmp_path / "own.report.jsonl").write_text(exported(ran))
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}

    def tool(name: str, *words: str) -> str:
        command = [python, "-m", f"garak.analyze.{name}", *words]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=120).stdout

    tool("report_digest", "-r", str(path), "-t", grouping, "-o", str(tmp_path / "own.html"))
    page = (tmp_path / "own.html").read_text()
    assert "latentinjection.TemperTree" in page
    assert "(SIMULATED)" in page
    assert "attempt completion rate 100%" in tool("analyze_log", str(path))
    tool("aggregate_reports", "-o", str(tmp_path / "both.report.jsonl"), str(path), str(path))
    assert len(imported(tmp_path / "both.report.jsonl").attempts) == len(imported(path).attempts), "one attempt, twice"


def test_another_guard_or_another_journal_is_another_run(ran: tuple[Path, Assistant]) -> None:
    with pytest.raises(TemperError, match="saw otherwise"):
        exported(ran, replace(ran[1], guard=(("rules", {}),)))
    with pytest.raises(TemperError, match="no longer in"):
        exported(ran, replace(ran[1], target=ChatFunction(call=lambda request: "no", version="other")))


def test_a_run_that_was_stopped_is_not_exported(ran: tuple[Path, Assistant]) -> None:
    store = open_store(ran[0], ran[1])
    with pytest.raises(TemperError, match="was not finished"):
        tried(ran[1], store, replace(store.run("last"), state="stopped"))
