"""Logs of AgentDojo: one JSON document per user task and injection task, in folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from temper.core.attack import RowVerdict
from temper.store.imported._document import document, field, wrong
from temper.store.imported.table import Attempt, Table, Work, numbered

MOST = 200_000


def read(path: Path) -> Table:
    """Attacks by AgentDojo's own check of the environment, and whether the user's task was done, with and without one.

    Its `security` is true where the attacker's goal was reached, and also where a run failed: such a run, and one that
    was cut off, is an ERROR here. An injection task is one prompt, the user tasks it was tried in are its trials.
    """
    files = sorted(path.rglob("*.json"))[:MOST] if path.is_dir() else [path]
    logs = [(file, document(file)) for file in files]
    runs = [(file, log) for file, log in logs if isinstance(log, dict) and "user_task_id" in log]
    if not runs:
        wrong(path, 0, "there is no log of AgentDojo here", "give the folder named by --logdir, or one JSON of it")
    attempts = [(file, _attempt(file, log)) for file, log in runs if log.get("injection_task_id")]
    work = [
        Work(
            task=f"{log.get('suite_name')}/{log['user_task_id']}",
            attacked=bool(log.get("injection_task_id")),
            done=field(log, "utility", bool, file, 0),
        )
        for file, log in runs
        if "utility" in log and not log.get("error") and not str(log["user_task_id"]).startswith("injection_task")
    ]
    return Table(tool="agentdojo", source=str(path), attempts=numbered(attempts), work=tuple(work))


def _attempt(path: Path, log: dict[str, Any]) -> Attempt:
    finished = "security" in log and not log.get("error")
    reached = finished and field(log, "security", bool, path, 0)
    return Attempt(
        family=f"{field(log, 'suite_name', str, path, 0)}/{log.get('attack_type') or 'none'}",
        prompt=f"{log.get('pipeline_name')}/{log['suite_name']}/{log['injection_task_id']}",
        trial=0,
        verdict=(RowVerdict.BROKEN if reached else RowVerdict.HELD) if finished else RowVerdict.ERROR,
        detector="environment",
    )
