"""garak and PyRIT on the stand-in's server, and ours on the prompts that garak sent."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

_PYRIT = """
import asyncio, json, sys, time
from pyrit.setup import initialize_pyrit_async
from pyrit.executor.attack import AttackExecutor, AttackScoringConfig, PromptSendingAttack
from pyrit.prompt_target import OpenAIChatTarget
from pyrit.score import SubStringScorer
url, width = sys.argv[1], int(sys.argv[2])
prompts = json.load(open(sys.argv[3]))
asyncio.run(initialize_pyrit_async("InMemory", silent=True, load_defaults=False))
target = OpenAIChatTarget(endpoint=url, api_key="x", model_name="stand-in")
scorer = SubStringScorer(substring="AMBER", categories=["marker"])
scoring = AttackScoringConfig(objective_scorer=scorer)
attack = PromptSendingAttack(objective_target=target, attack_scoring_config=scoring)
async def go():
    began = time.time()
    await AttackExecutor(max_concurrency=width).execute_attack_async(attack=attack, objectives=prompts)
    print(json.dumps({"seconds": time.time() - began, "cpu": time.process_time()}))
asyncio.run(go())
"""


def rows(folder: Path, served: Any, garak: str, pyrit: str, quick: bool) -> list[list[str]]:
    """One line per client, its requests counted by the server."""
    with served(folder, "garak") as server:
        found = [_garak(folder, server, garak, 16 if quick else 50)]
        prompts = _prompts(folder)
        found.append(_pyrit(folder, server, pyrit, prompts, 50))
        found += [_ours(folder, server, prompts, width) for width in (50, 128)]
    fastest = {float(row[1]): row for row in found if row[0] == "temper"}
    best = fastest[50.0]
    return [[*row, f"{float(best[4]) / float(row[4]):.1f}"] for row in found]


def _row(name: str, width: int, server: Any, before: int, seconds: float) -> list[str]:
    asked = len(server.asked()) - before
    return [name, str(width), str(asked), f"{seconds:.1f}", f"{asked / seconds:.1f}"]


def _garak(folder: Path, server: Any, python: str, width: int) -> list[str]:
    options = folder / "garak.json"
    options.write_text(json.dumps({"openai": {"OpenAICompatible": {"uri": f"{server.url}/", "stop": []}}}))
    words = [python, "-m", "garak", "--target_type", "openai.OpenAICompatible", "--target_name", "stand-in"]
    words += ["--generator_option_file", str(options), "--spec", "probes.encoding.InjectBase64", "--generations", "1"]
    words += ["--parallel_attempts", str(width), "--seed", "7", "--report_prefix", str(folder / "garak")]
    quiet = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "OPENAICOMPATIBLE_API_KEY": "x"}
    before, began = len(server.asked()), time.perf_counter()
    subprocess.run(words, check=True, capture_output=True, env=os.environ | quiet)
    return _row("garak 0.17.1, with its start", width, server, before, time.perf_counter() - began)


def _prompts(folder: Path) -> list[str]:
    """What garak sent, from its own report."""
    sent = []
    for line in (folder / "garak.report.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry.get("entry_type") == "attempt" and entry.get("status") == 2:
            sent.append(entry["prompt"]["turns"][0]["content"]["text"])
    return sent


def _pyrit(folder: Path, server: Any, python: str, prompts: list[str], width: int) -> list[str]:
    (folder / "ask_pyrit.py").write_text(_PYRIT)
    (folder / "prompts.json").write_text(json.dumps(prompts))
    before = len(server.asked())
    words = [python, str(folder / "ask_pyrit.py"), server.url, str(width), str(folder / "prompts.json")]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    return _row("PyRIT 1.1.0, without its start", width, server, before, json.loads(told)["seconds"])


def _ours(folder: Path, server: Any, prompts: list[str], width: int) -> list[str]:
    from temper.core.chat import Message, Request, Role
    from temper.engine.redteam.answers import Answers
    from temper.store.journal import Journal
    from temper.targets.chat.limits import Limits
    from temper.targets.chat.line import Line
    from temper.targets.chat.openai import OpenAI

    requests = [
        Request(messages=(Message(role=Role.USER, text=text),), trial=trial) for trial in range(4) for text in prompts
    ]

    async def ask() -> float:
        target = OpenAI(line=Line(url=server.url, limits=Limits(in_flight=width)), model="stand-in")
        with Journal(folder / f"ours{width}") as journal:
            answers = Answers(target=target, journal=journal, scope="bench", width=width)
            began = time.perf_counter()
            await asyncio.gather(*map(answers.ask, requests))
            seconds = time.perf_counter() - began
            await target.close()
        return seconds

    before = len(server.asked())
    return _row("temper", width, server, before, asyncio.run(ask()))
