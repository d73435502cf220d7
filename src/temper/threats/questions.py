"""Questions that a description leaves open, and what each answer would change; an empty answer is a question."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from temper.core.threat_model import Question
from temper.threats.rules import catalogue
from temper.threats.shipped import in_words, table


def open_questions(
    entries: str, answered: Mapping[str, str], known: Mapping[str, str], raised: Callable[..., frozenset[str]]
) -> tuple[Question, ...]:
    """Those of the table `entries` that nobody has answered; `raised` says which threats apply if answers change."""
    now = raised({})
    return tuple(
        _question(entry, known, now, raised)
        for entry in table(entries)
        if entry["at"] not in answered and not _moot(entry, known)
    )


def _question(
    entry: Mapping[str, Any], known: Mapping[str, str], now: frozenset[str], raised: Callable[..., frozenset[str]]
) -> Question:
    key = entry.get("sets")
    if key is None:
        return Question(at=entry["at"], asks=entry["asks"], assumed=entry.get("says", "nothing"))
    assumed = known.get(key, entry["values"][0])
    changes = []
    for value in entry["values"]:
        if value != assumed:
            then = raised({key: value})
            changes.append((in_words(key, value), tuple(sorted(then - now)), tuple(sorted(now - then))))
    return Question(at=entry["at"], asks=entry["asks"], assumed=in_words(key, assumed), changes=tuple(changes))


def _moot(entry: Mapping[str, Any], known: Mapping[str, str]) -> bool:
    return any(known.get(key) in values.split("|") for key, values in entry.get("unless", {}).items())


def asked_at_first() -> Iterator[str]:
    """The questions about a table and what hangs on each, a line each, for a first temper.yaml."""
    fixed = {"data.form": "table", "schema.columns": "yes"}
    for entry in table("questions"):
        yield f"{entry['at']}: {entry['asks']}"
        for value in entry.get("values", ()):
            depend = [
                threat.id
                for threat in catalogue()
                if all(fixed[key] in wanted.split("|") for key, wanted in threat.requires if key in fixed)
                and any(key == entry["sets"] and value in wanted.split("|") for key, wanted in threat.requires)
            ]
            if depend:
                yield f"  {value} ({in_words(entry['sets'], value)}): {', '.join(depend)}"
