"""Goals of the user's own in temper.yaml, and replies whose truth the user knows."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from temper.config.document import Section
from temper.core.chat import Call
from temper.core.errors import ConfigError
from temper.core.injection import ASKED, Goal, Labelled

LARGEST = 32 * 2**20
"""Bytes a file of labelled replies may have."""

_FIX = "each row has goal: (an id of goals:), reply: and label: hit or miss"


def goals(document: Section, judged: bool) -> tuple[Goal, ...]:
    """The goals under `goals:`. One that is stated in words (`says:`) takes a model that judges; one with an `oracle:`
    is judged by looking, and no model is asked about it.

    >>> from temper.config.reading import parse
    >>> text = "goals: [{id: a, title: A, asks: Promise it., twin: A promise., says: It has promised something.}]"
    >>> goals(parse(text), judged=True)[0].oracle
    'asked'
    """
    return tuple(_goal(entry, judged) for entry in document.sections("goals"))


def labelled(path: Path, own: Sequence[Goal]) -> tuple[Labelled, ...]:
    """The replies in a CSV or JSONL file with the columns goal, reply and label; of JSONL also calls (name, arguments).

    `goal` is the id of one of the user's goals that is stated in words, `label` says hit or miss.
    """
    stated = {goal.id: goal.says for goal in own if goal.oracle == ASKED}
    return tuple(_reply(f"{path}:{line}", row, stated) for line, row in _rows(path))


def _goal(section: Section, judged: bool) -> Goal:
    section.only("id", "title", "asks", "twin", "says", "oracle", "needs", "from_users", "tags")
    if section.has("says") == section.has("oracle"):
        words = (
            f"the goal {section.needed('id')} has says: (a model judges) or oracle: (a judge that looks), one of them"
        )
        raise section.error(words, "says", fix='add `says: "The assistant has ..."`')
    if section.has("says") and not judged:
        words = f"the goal {section.needed('id')} is stated in words, which takes a model that judges"
        raise section.error(words, "says", fix="add judge: with url: and model:, or give the goal an oracle:")
    return Goal(
        id=section.needed("id"),
        title=section.needed("title"),
        asks=section.needed("asks"),
        twin=section.needed("twin"),
        oracle=section.text("oracle", ASKED),
        says=section.text("says"),
        needs=section.texts("needs"),
        from_users=section.flag("from_users", True),
        tags=section.texts("tags"),
    )


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Every row with its line."""
    try:
        if path.stat().st_size > LARGEST:
            raise ConfigError(
                f"{path} is larger than {LARGEST:,} bytes", fix="label fewer replies: hundreds are plenty"
            )
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the labelled replies in {path}: {error}", fix="judge: labelled: FILE") from None
    if path.suffix == ".csv":
        reader = csv.DictReader(text.splitlines(keepends=True))
        for row in reader:
            yield reader.line_num, row
        return
    for line, entry in enumerate(text.splitlines(), start=1):
        if entry.strip():
            yield line, _object(f"{path}:{line}", entry)


def _object(place: str, entry: str) -> Mapping[str, Any]:
    try:
        found = json.loads(entry)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ConfigError(f"{place}: no JSON object", fix=_FIX)
    return found


def _reply(place: str, row: Mapping[str, Any], stated: Mapping[str, str]) -> Labelled:
    goal, said, label = (row.get(key) for key in ("goal", "reply", "label"))
    if not isinstance(said, str) or label not in ("hit", "miss"):
        raise ConfigError(f"{place}: a row without a reply, or with the label {label!r}", fix=_FIX)
    if str(goal) not in stated or "{" in stated[str(goal)]:
        known = ", ".join(name for name, says in stated.items() if "{" not in says) or "none"
        raise ConfigError(f"{place}: {goal!r} is no goal stated in words without places", fix=f"there are: {known}")
    try:
        calls = tuple(
            Call(name=str(call["name"]), arguments=json.dumps(call.get("arguments", {})))
            for call in row.get("calls") or ()
        )
    except (TypeError, KeyError, AttributeError):
        raise ConfigError(f"{place}: calls are no list of name and arguments", fix=_FIX) from None
    return Labelled(says=stated[str(goal)], said=said, hit=label == "hit", calls=calls)
