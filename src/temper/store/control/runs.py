"""Runs of playbooks, each line a row of the audit: what was begun is there before it is done."""

from __future__ import annotations

from typing import Any

from temper.core.errors import TemperError
from temper.store.codec import from_json
from temper.store.control import audit, incidents, wording
from temper.store.control.database import Database

WORDS = {
    "begin": "begins:",
    "resume": "goes on:",
    "check": "looked:",
    "step": "does",
    "done": "did",
    "failed": "failed at",
    "undone": "took back",
    "end": "ended:",
}
"""What can happen in a run, and how a timeline says it."""


class Runs:
    """The runs of a control store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def tell(
        self, run: str, action: str, text: str, by: str, now: float, incident: int | None = None, **detail: Any
    ) -> None:
        """Write what happened in a run, and a line of the incident it is run for."""
        if action not in WORDS:
            raise TemperError(f"a run has no {action!r}", fix=f"use one of {', '.join(WORDS)}")
        wording.name(run, "the name of a run")
        with self._database.write() as tx:
            audit.write(tx, now, by, f"playbook.{action}", run, text=text, incident=incident, **detail)
            if incident is not None:
                step = f"{detail['step']}: " if "step" in detail else ""
                kept = str(detail.get("evidence", ""))
                incidents.told(tx, incident, f"{WORDS[action]} {step}{text}", by, now, run, kept)

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
