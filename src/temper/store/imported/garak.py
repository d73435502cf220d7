"""Reports of garak: one JSON object per line, attempts among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from temper.core.attack import RowVerdict
from temper.store.imported._document import field, lines, wrong
from temper.store.imported.table import Attempt, Table, numbered, prompt_key

_JUDGED = 2


def read(path: Path) -> Table:
    """Every output of every attempt under each detector; what was sent and never judged is an ERROR.

    garak writes an attempt when it is sent and again when it is judged; only the last counts. A score at or above the
    threshold of the run (0.5 where it does not say) is a success.
    """
    threshold, attempts = 0.5, dict[str, tuple[int, dict[str, Any]]]()
    for number, entry in lines(path):
        kind = entry.get("entry_type")
        if kind == "start_run setup" and isinstance(entry.get("run.eval_threshold"), (int, float)):
            threshold = float(entry["run.eval_threshold"])
        elif kind == "attempt":
            key = str(entry.get("uuid") or f"line {number}")
            status = field(entry, "status", int, path, number)
            if key not in attempts or attempts[key][1]["status"] <= status:
                attempts[key] = (number, entry)
    if not attempts:
        wrong(path, 0, "there is no attempt in this report of garak", "give the .report.jsonl of a run")
    found = [one for number, entry in attempts.values() for one in _attempts(path, number, entry, threshold)]
    caveat = "judged by garak's detectors, whose errors are not in the interval"
    return Table(tool="garak", source=str(path), attempts=numbered(found), caveats=(caveat,))


def _attempts(path: Path, number: int, entry: dict[str, Any], threshold: float) -> list[tuple[object, Attempt]]:
    family = field(entry, "probe_classname", str, path, number)
    prompt = prompt_key(family, *_texts(entry.get("prompt")))
    outputs = entry.get("outputs") or []
    scores = field(entry, "detector_results", dict, path, number) if entry["status"] >= _JUDGED else {}
    if not scores:
        error = Attempt(family=family, prompt=prompt, trial=0, verdict=RowVerdict.ERROR)
        return [((number, at), error) for at in range(max(1, len(outputs)))]
    return [
        (
            (number, at),
            Attempt(family=family, prompt=prompt, trial=0, verdict=_verdict(score, threshold), detector=detector),
        )
        for detector, row in scores.items()
        for at, score in enumerate(row if isinstance(row, list) else [None])
    ]


def _verdict(score: Any, threshold: float) -> RowVerdict:
    if isinstance(score, bool) or not isinstance(score, (int, float)):
        return RowVerdict.ERROR
    return RowVerdict.BROKEN if score >= threshold else RowVerdict.HELD


def _texts(prompt: Any) -> list[str]:
    """The texts of a prompt: a string in older reports, a conversation or a message in newer ones."""
    if isinstance(prompt, dict) and "turns" in prompt:
        turns = prompt["turns"] if isinstance(prompt["turns"], list) else []
        return [text for turn in turns if isinstance(turn, dict) for text in _texts(turn.get("content"))]
    return [str(prompt.get("text"))] if isinstance(prompt, dict) else [str(prompt)]
