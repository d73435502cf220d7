"""Laws of reports: the same record is the same text, and no text from outside can act in it.

A law is given `render(record) -> str`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

from temper.core.run import Record
from temper.testing.law import LawBroken, require
from temper.testing.records import HOSTILE, TAME, record

Render = Callable[[Record], str]
_ACTING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def law_same_record_same_text(render: Render) -> None:
    """Rendering again gives the same bytes, so a report can be compared and signed."""
    require(render(record()) == render(record()), "gives another text for the same record")


def law_no_text_can_act(render: Render) -> None:
    """Terminal escapes, control characters, text-direction marks and half characters do not reach the reader."""
    text = render(record(HOSTILE))
    for part in (text, *_strings(text)):
        found = _ACTING.search(part)
        require(found is None, f"lets U+{ord(found.group()):04X} through" if found else "")


def law_hostile_text_adds_no_element(render: Render) -> None:
    """A page or document has the same elements whatever the words in it are."""
    kind = render(record()).lstrip()[:1]
    tame, hostile = (_skeleton(render(record(words)), kind) for words in (TAME, HOSTILE))
    require(tame == hostile, f"has other elements with hostile words in it: {_first_difference(tame, hostile)}")


def law_a_failed_run_never_reads_as_passed(render: Render) -> None:
    """A run that broke a requirement or was cut off is told apart from one that met it."""
    passed, failed, stopped = (
        render(record(verdict=verdict, state=state))
        for verdict, state in (("pass", "finished"), ("fail", "finished"), ("pass", "stopped"))
    )
    require(passed != failed, "reads the same whether the run passed or failed")
    require(passed != stopped, "reads the same whether the run was finished or cut off")


def law_an_empty_record_is_a_report(render: Render) -> None:
    """Nothing measured, nothing found, nothing judged is a report too."""
    try:
        text = render(record(empty=True))
    except Exception as crash:
        raise LawBroken(f"crashes on a record without measurements: {type(crash).__name__}: {crash}") from crash
    require(text.strip(), "says nothing of a record without measurements")


class _Elements(HTMLParser):
    """Names of elements and of their attributes, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One element."""
        self.found.append(" ".join([tag, *sorted(name for name, _ in attrs)]))


def _skeleton(text: str, kind: str) -> list[str]:
    """Keys and places of a JSON document, elements of a marked-up one, nothing of plain text."""
    if kind in ("{", "["):
        return sorted(_places(json.loads(text), ""))
    if kind != "<":
        return []
    parser = _Elements()
    parser.feed(text)
    return parser.found


def _places(value: Any, at: str) -> list[str]:
    if isinstance(value, dict):
        return [place for key, part in value.items() for place in [f"{at}.{key}", *_places(part, f"{at}.{key}")]]
    if isinstance(value, list):
        return [place for i, part in enumerate(value) for place in [f"{at}[{i}]", *_places(part, f"{at}[{i}]")]]
    return []


def _strings(text: str) -> list[str]:
    """The texts a SARIF reader would show; a record's own JSON is data and is kept as it is."""
    if not text.lstrip().startswith("{"):
        return []
    document = json.loads(text)
    return _texts(document) if "$schema" in document and "runs" in document else []


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in _texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    return [value] if isinstance(value, str) else []


def _first_difference(a: list[str], b: list[str]) -> str:
    for one, two in zip(a, b, strict=False):
        if one != two:
            return f"{one!r} became {two!r}"
    return f"{len(a)} elements became {len(b)}"


LAWS = (
    law_same_record_same_text,
    law_no_text_can_act,
    law_hostile_text_adds_no_element,
    law_a_failed_run_never_reads_as_passed,
    law_an_empty_record_is_a_report,
)
