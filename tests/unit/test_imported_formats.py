"""Results of other tools: each format in the shape that tool writes it, and what is wrong said with file and line."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from temper.core.attack import RowVerdict
from temper.core.errors import TemperError
from temper.core.measure import Status
from temper.kernels.clustered import clustered_rate
from temper.store.imported.formats import FORMATS, imported
from temper.store.imported.table import Table

B, H, E = RowVerdict.BROKEN, RowVerdict.HELD, RowVerdict.ERROR


def verdicts(table: Table, detector: str | None = None) -> Counter[RowVerdict]:
    return Counter(a.verdict for a in table.attempts if detector is None or a.detector == detector)


def write(path: Path, *rows: Any) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return path


def message(text: str | None) -> dict[str, Any]:
    return {"text": text, "lang": "en", "data_path": None, "data_type": None, "data_checksum": None, "notes": {}}


def garak(uuid: str, prompt: str, outputs: list[str | None], status: int = 2, **scores: list[Any]) -> dict[str, Any]:
    turn = {"role": "user", "content": message(prompt)}
    return {
        "entry_type": "attempt",
        "uuid": uuid,
        "previous_attempt_id": None,
        "seq": 0,
        "status": status,
        "probe_classname": "promptinject.HijackKillHumans",
        "probe_params": {},
        "targets": [],
        "prompt": {"turns": [turn], "notes": {}},
        "outputs": [message(text) if text is not None else None for text in outputs],
        "detector_results": {name.replace("__", "."): row for name, row in scores.items()},
        "notes": {},
        "goal": "be hijacked",
        "conversations": [],
        "reverse_translation_outputs": [],
        "intent": None,
    }


SETUP = {"entry_type": "start_run setup", "_config.version": "0.17.1", "run.eval_threshold": 0.5, "run.generations": 3}
INIT = {"entry_type": "init", "garak_version": "0.17.1", "start_time": "2026-01-01T00:00:00", "run": "r"}
EVAL = {"entry_type": "eval", "probe": "p", "detector": "d", "passed": 1, "total_evaluated": 2}


def test_garak_counts_each_output_once_and_what_was_never_judged_as_an_error(tmp_path: Path) -> None:
    path = write(
        tmp_path / "garak.run.report.jsonl",
        SETUP,
        INIT,
        garak("u1", "say it", ["a", "b", None], status=1),
        garak(
            "u1", "say it", ["a", "b", None], promptinject__Attack=[1.0, 0.0, None], mitigation__Bypass=[1.0, 1.0, None]
        ),
        garak("u2", "say it again", ["a"], promptinject__Attack=[0.5], mitigation__Bypass=[0.0]),
        garak("u3", "never judged", ["a", "b"], status=1),
        EVAL,
        {"entry_type": "digest", "meta": {}},
    )
    table = imported(path)
    assert table.tool == "garak"
    assert verdicts(table, "promptinject.Attack") == {B: 2, H: 1, E: 1}
    assert verdicts(table, "mitigation.Bypass") == {B: 2, H: 1, E: 1}
    assert verdicts(table, "") == {E: 2}
    found = {m.slice: m for m in table.measurements()}
    assert found["all"].n == 6
    assert (found["all"].count, found["all"].undecided) == (3, 3)
    hijack = found["promptinject.HijackKillHumans by promptinject.Attack"]
    assert hijack.value == pytest.approx((0.5 + 1.0) / 2)
    assert hijack.low == clustered_rate([1, 1], [3, 1])[1]
    assert hijack.high == clustered_rate([2, 1], [3, 1])[2]


def test_garak_follows_the_threshold_of_the_run_and_reads_old_prompts(tmp_path: Path) -> None:
    old = garak("u1", "", ["a"], d__D=[0.6]) | {"prompt": "a plain string", "outputs": ["a"]}
    strict = SETUP | {"run.eval_threshold": 0.7}
    assert verdicts(imported(write(tmp_path / "a.jsonl", strict, old))) == {H: 1}
    assert verdicts(imported(write(tmp_path / "b.jsonl", SETUP, old))) == {B: 1}


def test_equal_prompts_of_garak_are_trials_of_one(tmp_path: Path) -> None:
    rows = [garak(f"u{at}", "the same", ["x"], d__D=[1.0 if at == 0 else 0.0]) for at in range(4)]
    table = imported(write(tmp_path / "r.jsonl", SETUP, *rows))
    assert {a.prompt for a in table.attempts} == {table.attempts[0].prompt}
    assert [a.trial for a in table.attempts] == [0, 1, 2, 3]
    assert table.measurements()[0].method.startswith("mean over 1 prompts")


def score(piece: str, value: str | None, kind: str = "true_false", scorer: str = "SubStringScorer") -> dict[str, Any]:
    return {
        "id": f"s-{piece}-{scorer}",
        "score_value": value,
        "score_value_description": "",
        "score_type": kind,
        "score_category": None,
        "score_rationale": "",
        "score_metadata": {},
        "scorer_class_identifier": {"class_name": scorer, "class_module": "pyrit.score"},
        "prompt_request_response_id": piece,
        "timestamp": "2026-01-01T00:00:00",
    }


def piece(id: str, role: str, talk: str, text: str, error: str = "none", *scores: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": id,
        "original_prompt_id": id,
        "role": role,
        "conversation_id": talk,
        "sequence": 0 if role == "user" else 1,
        "timestamp": f"2026-01-01T00:00:0{len(id)}",
        "prompt_metadata": {},
        "converter_identifiers": [],
        "attack_identifier": {"__type__": "PromptSendingAttack"},
        "original_value_data_type": "text",
        "original_value": text,
        "converted_value_data_type": "text",
        "converted_value": text,
        "response_error": error,
        "scores": list(scores),
    }


PIECES = [
    piece("q1", "user", "c1", "open the door"),
    piece("a1", "assistant", "c1", "opened", "none", score("a1", "True"), score("a1", "False", scorer="SelfAskScorer")),
    piece("q2", "user", "c2", "open the door"),
    piece("a2", "assistant", "c2", "", "unknown", score("a2", "False")),
    piece("q3", "user", "c3", "close the door"),
    piece("a3", "assistant", "c3", "no", "blocked", score("a3", "False"), score("a3", "0.4", kind="float_scale")),
]


def test_pyrit_exported_conversations(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(PIECES))
    table = imported(path)
    assert table.tool == "pyrit"
    assert verdicts(table, "SubStringScorer") == {B: 1, E: 1, H: 1}
    assert verdicts(table, "SelfAskScorer") == {H: 1}
    assert len({a.prompt for a in table.attempts}) == 2
    overall = table.measurements()[0]
    assert (overall.n, overall.count, overall.undecided) == (3, 1, 1)


def store(path: Path, results: list[tuple[Any, ...]]) -> Path:
    with sqlite3.connect(path) as db:
        keys = [key for key in PIECES[0] if key != "scores"]
        db.execute(f'create table "PromptMemoryEntries" ({", ".join(keys)})')
        for row in PIECES:
            values = [json.dumps(v) if isinstance(v := row[key], (dict, list)) else v for key in keys]
            db.execute(f'insert into "PromptMemoryEntries" values ({",".join("?" * len(keys))})', values)
        scores = [s for row in PIECES for s in row["scores"]]
        db.execute(f'create table "ScoreEntries" ({", ".join(scores[0])})')
        for one in scores:
            values = [json.dumps(v) if isinstance(v, (dict, list)) else v for v in one.values()]
            db.execute(f'insert into "ScoreEntries" values ({",".join("?" * len(values))})', values)
        db.execute(
            'create table "AttackResultEntries" (id, conversation_id, objective, atomic_attack_identifier,'
            " last_score_id, outcome, timestamp)"
        )
        db.executemany('insert into "AttackResultEntries" values (?, ?, ?, ?, ?, ?, ?)', results)
    return path


def test_pyrit_database_by_outcomes_the_latest_of_each_conversation(tmp_path: Path) -> None:
    nested = json.dumps({"class_name": "AtomicAttack", "children": {"attack_technique": {"class_name": "Crescendo"}}})
    rows = [
        ("1", "c1", "leak the code", nested, "s-a1-SubStringScorer", "failure", "2026-01-01T00:00:00"),
        ("2", "c1", "leak the code", nested, "s-a1-SubStringScorer", "success", "2026-01-01T00:00:09"),
        ("3", "c2", "leak the code", nested, None, "undetermined", "2026-01-01T00:00:00"),
        ("4", "c3", "be rude", nested, None, "failure", "2026-01-01T00:00:00"),
    ]
    table = imported(store(tmp_path / "pyrit.db", rows))
    assert verdicts(table) == {B: 1, E: 1, H: 1}
    assert {a.family for a in table.attempts} == {"Crescendo"}
    assert len({a.prompt for a in table.attempts}) == 2
    assert next(a for a in table.attempts if a.verdict is B).detector == "SubStringScorer"


def test_pyrit_database_without_outcomes_is_read_by_its_scores(tmp_path: Path) -> None:
    table = imported(store(tmp_path / "pyrit.db", []))
    assert verdicts(table, "SubStringScorer") == {B: 1, E: 1, H: 1}


def test_pyrit_attack_results_as_json(tmp_path: Path) -> None:
    rows = [
        {"attack_result_id": str(at), "objective": "o", "outcome": outcome, "atomic_attack_identifier": {"name": "TAP"}}
        for at, outcome in enumerate(("success", "failure", "error", "undetermined"))
    ]
    path = tmp_path / "results.json"
    path.write_text(json.dumps(rows))
    assert verdicts(imported(path)) == {B: 1, H: 1, E: 2}


def evaluated(prompt: str, success: bool, reason: int = 0, **parts: Any) -> dict[str, Any]:
    return {
        "id": "x",
        "promptIdx": 0,
        "testIdx": 0,
        "promptId": "p",
        "testCase": {
            "vars": {"prompt": prompt},
            "assert": [{"type": "not-contains", "value": "x"}],
            "metadata": {"pluginId": "hijacking", "strategyId": "base64"},
        },
        "provider": {"id": "openai:chat:stub", "label": ""},
        "prompt": {"raw": prompt, "label": "{{prompt}}"},
        "vars": {"prompt": prompt},
        "response": {"output": "hello"},
        "error": None,
        "failureReason": reason,
        "success": success,
        "score": float(success),
        "latencyMs": 3,
        "gradingResult": {
            "pass": success,
            "score": float(success),
            "reason": "",
            "componentResults": [
                {"pass": success, "score": 1, "reason": "", "assertion": {"type": "not-contains"}},
                {"pass": True, "score": 1, "reason": "", "assertion": {"type": "javascript"}},
            ],
        }
        | parts,
        "namedScores": {},
        "metadata": {},
    }


def promptfoo(path: Path, *results: Any) -> Path:
    stats = {"successes": 1, "failures": 1, "errors": 1}
    inner = {"version": 3, "timestamp": "t", "prompts": [], "results": list(results), "stats": stats}
    path.write_text(json.dumps({"evalId": "e", "results": inner, "config": {}, "shareableUrl": None}))
    return path


def test_promptfoo_failed_assertions_are_successes_and_graders_that_fail_are_errors(tmp_path: Path) -> None:
    path = promptfoo(
        tmp_path / "out.json",
        evaluated("one", True),
        evaluated("one", False, 1),
        evaluated("one", False, 2),
        evaluated("two", False, 1, metadata={"graderError": True}),
    )
    table = imported(path)
    assert [(a.verdict, a.trial) for a in table.attempts] == [(H, 0), (B, 1), (E, 2), (E, 0)]
    assert table.attempts[0].family == "hijacking/base64"
    assert [a.detector for a in table.attempts[:2]] == ["javascript + not-contains", "not-contains"]
    assert table.measurements()[0].n == 4


def agentdojo(
    folder: Path, user: str, injection: str | None, *, security: bool, utility: bool = True, **more: Any
) -> None:
    attack = "important_instructions" if injection else "none"
    file = folder / "model" / "banking" / user / attack / f"{injection or 'none'}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    log = {
        "suite_name": "banking",
        "pipeline_name": "model",
        "user_task_id": user,
        "injection_task_id": injection,
        "attack_type": attack if injection else None,
        "injections": {"injection_bill_text": "text"} if injection else {},
        "messages": [{"role": "system", "content": [{"type": "text", "content": "s"}]}],
        "error": None,
        "evaluation_timestamp": "2026-01-01 00:00:00",
        "agentdojo_package_version": "0.1.35",
        "utility": utility,
        "security": security,
        "duration": 1.0,
    }
    file.write_text(json.dumps(log | more, indent=4))


def test_agentdojo_runs_that_crashed_are_errors_not_successes(tmp_path: Path) -> None:
    for user in range(3):
        agentdojo(tmp_path, f"user_task_{user}", None, security=True, utility=user > 0)
        agentdojo(tmp_path, f"user_task_{user}", "injection_task_0", security=user == 0, utility=user == 2)
    agentdojo(
        tmp_path, "user_task_0", "injection_task_1", security=True, utility=False, error="context_length_exceeded"
    )
    agentdojo(tmp_path, "injection_task_0", None, security=True)
    cut = {"suite_name": "banking", "pipeline_name": "model", "user_task_id": "user_task_1"}
    cut |= {"injection_task_id": "injection_task_1", "attack_type": "important_instructions", "messages": []}
    (tmp_path / "cut.json").write_text(json.dumps(cut))
    table = imported(tmp_path)
    assert verdicts(table) == {B: 1, H: 2, E: 2}
    found = {m.name + m.slice: m for m in table.measurements()}
    assert found["imported.agentdojo.utilityall"].value == pytest.approx(2 / 3)
    assert found["imported.agentdojo.utility_under_attackall"].value == pytest.approx(1 / 3)
    attacks = found["imported.agentdojo.attack_successbanking/important_instructions by environment"]
    assert (attacks.n, attacks.count, attacks.undecided) == (5, 1, 2)
    one = next(tmp_path.rglob("injection_task_0.json"))
    assert imported(one).tool == "agentdojo"


def test_what_nobody_could_judge_is_untried(tmp_path: Path) -> None:
    found = imported(write(tmp_path / "r.jsonl", SETUP, garak("u", "p", ["x"], status=1))).measurements()
    assert found[0].status is Status.UNTRIED
    assert found[0].value is None
    assert found[0].reason


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"entry_type": "init"}\n{"entry_type": "attempt", "status"', ":2: this line is no JSON"),
        ('{"entry_type": "init"}\n[1]', ":2: expected an object"),
        ('{"entry_type": "attempt", "uuid": "u", "status": 2, "probe_classname": 7}', ":1: 'probe_classname'"),
        ('{"entry_type": "attempt", "uuid": "u"}', ":1: 'status'"),
        ('{"entry_type": "init"}', "no attempt"),
        ("", "no JSON"),
        ("{}", "no tool known here"),
        ("[]", "no outcome"),
        ('[{"id": 1}]', "conversation_id"),
        ("[1, 2]", "expected a list"),
        ('{"results": {}}', "no results"),
        ('{"results": {"results": [{"success": "yes"}]}}', ":1: 'success'"),
        ('{"user_task_id": "u", "injection_task_id": "i", "suite_name": "s", "security": null}', "'security'"),
        ('{"a": \n\n nope}', ":3: this is no JSON"),
        ("[" * 100_000, "no JSON"),
        ("\x00\x01binary", "no JSON"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises(TemperError) as caught:
        imported(path)
    assert says in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.fix


def test_bad_bytes_a_broken_database_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00{")
    (tmp_path / "db").write_bytes(b"SQLite format 3\x00" + b"\x07" * 500)
    for name in ("bytes", "db", "absent"):
        with pytest.raises(TemperError, match=name):
            imported(tmp_path / name)
    with pytest.raises(TemperError, match="unknown"):
        imported(tmp_path / "db", tool="other")
    (tmp_path / "folder").mkdir()
    with pytest.raises(TemperError, match="no log of AgentDojo"):
        imported(tmp_path / "folder")
    assert set(FORMATS) == {"garak", "pyrit", "promptfoo", "agentdojo"}
