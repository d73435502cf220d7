"""Memory of PyRIT: its SQLite database, or the conversations it exports as JSON."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from temper.core.attack import RowVerdict
from temper.store.imported._document import document, wrong
from temper.store.imported.table import Attempt, Table, numbered, prompt_key

MAGIC = b"SQLite format 3\x00"
_OUTCOMES = {"success": RowVerdict.BROKEN, "failure": RowVerdict.HELD}


def read(path: Path) -> Table:
    """Attacks by their outcome where PyRIT has kept one, else answers by their true/false scores.

    An undetermined or failed attack is an ERROR. Attacks on one objective, answers to one prompt, are trials of it.
    """
    with path.open("rb") as file:
        database = file.read(len(MAGIC)) == MAGIC
    found = list(_stored(path) if database else _exported(path))
    if not found:
        wrong(path, 0, "this memory of PyRIT has no outcome and no true/false score", "score the run, export it again")
    return Table(tool="pyrit", source=str(path), attempts=numbered(found))


def _stored(path: Path) -> Iterator[tuple[object, Attempt]]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as store:
        store.row_factory = sqlite3.Row
        try:
            tables = {row[0] for row in store.execute("select name from sqlite_master where type = 'table'")}
            if "AttackResultEntries" in tables and (found := _outcomes(store)):
                yield from found
            elif {"PromptMemoryEntries", "ScoreEntries"} <= tables:
                pieces = [dict(row) for row in store.execute('select * from "PromptMemoryEntries"')]
                yield from _scored(pieces, [dict(row) for row in store.execute('select * from "ScoreEntries"')])
        except sqlite3.DatabaseError as error:
            wrong(path, 0, f"the database cannot be read ({error})", "copy it while PyRIT does not run")


def _outcomes(store: sqlite3.Connection) -> list[tuple[object, Attempt]]:
    """The latest outcome of each conversation."""
    latest = {row["conversation_id"]: dict(row) for row in _ordered(store, "AttackResultEntries")}
    scorers = {row["id"]: _named(row["scorer_class_identifier"]) for row in _ordered(store, "ScoreEntries")}
    return [(conversation, _outcome(row, scorers)) for conversation, row in latest.items()]


def _outcome(row: dict[str, Any], scorers: dict[Any, str]) -> Attempt:
    return Attempt(
        family=_named(row.get("attack_identifier") or row.get("atomic_attack_identifier")) or "attack",
        prompt=prompt_key(str(row["objective"])),
        trial=0,
        verdict=_OUTCOMES.get(str(row.get("outcome")), RowVerdict.ERROR),
        detector=scorers.get(row.get("last_score_id"), ""),
    )


def _ordered(store: sqlite3.Connection, table: str) -> list[sqlite3.Row]:
    columns = {row[1] for row in store.execute(f'pragma table_info("{table}")')}
    order = "timestamp, rowid" if "timestamp" in columns else "rowid"
    return store.execute(f'select * from "{table}" order by {order}').fetchall() if columns else []


def _exported(path: Path) -> Iterator[tuple[object, Attempt]]:
    pieces = document(path)
    if not isinstance(pieces, list) or not all(isinstance(piece, dict) for piece in pieces):
        wrong(path, 0, "expected a list of message pieces or of attack results", "give PyRIT's database instead")
    if all("objective" in piece for piece in pieces):
        for number, row in enumerate(pieces):
            score = row.get("last_score")
            scorer = _named(score.get("scorer_class_identifier")) if isinstance(score, dict) else ""
            yield number, _outcome(row | {"last_score_id": 0}, {0: scorer})
        return
    if not all("conversation_id" in piece for piece in pieces):
        wrong(path, 0, "message pieces lack 'conversation_id', attack results 'objective'", "export them again")
    scores = [
        score | {"prompt_request_response_id": piece.get("original_prompt_id") or piece.get("id")}
        for piece in pieces
        for score in piece.get("scores") or ()
        if isinstance(score, dict)
    ]
    yield from _scored(pieces, scores)


def _scored(pieces: list[dict[str, Any]], scores: list[dict[str, Any]]) -> Iterator[tuple[object, Attempt]]:
    """Answers with a true/false score. A blocked answer is valid; one that failed otherwise is an ERROR."""
    asked: dict[str, str] = {}
    for piece in pieces:
        if piece.get("role") == "user":
            asked.setdefault(str(piece["conversation_id"]), str(piece.get("original_value")))
    answers = {str(piece.get("original_prompt_id") or piece.get("id")): piece for piece in pieces}
    for score in scores:
        answer = str(score.get("prompt_request_response_id"))
        piece = answers.get(answer, {})
        if score.get("score_type") == "true_false" and piece.get("role", "user") != "user":
            yield answer, _answer(piece, score, asked)


def _answer(piece: dict[str, Any], score: dict[str, Any], asked: dict[str, str]) -> Attempt:
    failed = str(piece.get("response_error") or "none") not in ("none", "blocked")
    said = {"true": RowVerdict.BROKEN, "false": RowVerdict.HELD}.get(str(score.get("score_value")).lower())
    return Attempt(
        family=_named(piece.get("attack_identifier")) or "prompt",
        prompt=prompt_key(asked.get(str(piece["conversation_id"]), "")),
        trial=0,
        verdict=RowVerdict.ERROR if failed or said is None else said,
        detector=_named(score.get("scorer_class_identifier")),
    )


def _named(identifier: Any) -> str:
    """The class that an identifier names; newer versions put the technique of an attack inside."""
    if isinstance(identifier, str):
        try:
            identifier = json.loads(identifier)
        except ValueError:
            return str(identifier)
    if not isinstance(identifier, dict):
        return ""
    children = identifier.get("children")
    inner = children.get("attack_technique") or children.get("attack") if isinstance(children, dict) else None
    own = (identifier.get(key) for key in ("class_name", "__type__", "name"))
    return _named(inner) or str(next(filter(None, own), ""))
