"""Runs of playbooks, each line a row of the audit: what was begun is there before it is done."""

from __future__ import annotations

from typing import Any

from temper.core.errors import TemperError
from temper.store.codec import from_json
from temper.store.control import audit, wording
from temper.store.control.database import Database

ACTIONS = ("begin", "check", "step", "done", "failed", "undone", "end")


class Runs:
    """The runs of a control store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def tell(self, run: str, action: str, text: str, by: str, now: float, **detail: Any) -> None:
        """Write what happened in a run."""
        if action not in ACTIONS:
            raise TemperError(f"a run has no {action!r}", fix=f"use one of {', '.join(ACTIONS)}")
        wording.name(run, "the name of a run")
        with self._database.write() as tx:
            audit.write(tx, now, by, f"playbook.{action}", run, text=text, **detail)

    def read(self, run: str) -> list[dict[str, Any]]:
        """What happened in a run, in its order: `action`, `text`, `at`, `who` and what else was told."""
        with self._database.read() as tx:
            sql = (
                "SELECT at, who, action, detail FROM audit WHERE subject = ? AND action LIKE 'playbook.%' ORDER BY seq"
            )
            rows = tx.all(sql, run)
        return [
            {
                **from_json(row["detail"]),
                "at": row["at"],
                "who": row["who"],
                "action": row["action"].removeprefix("playbook."),
            }
            for row in rows
        ]
