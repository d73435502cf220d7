"""Defects kept in a folder: cases that Temper shows again, and a pytest file that needs nothing of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper.core.errors import TemperError
from temper.core.finding import Finding
from temper.core.system import Protected
from temper.engine.fuzz.run import Asked, model, served, service
from temper.engine.identity import finding_id, weakness
from temper.fuzz import _export
from temper.fuzz._oracle import LAWS, Subject
from temper.fuzz._search import Defect, Searched
from temper.report._inert import inert

_FORMAT = 1
_TOLD = ("url", "body", "answer", "ca", "key_env")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Where the cases lie, and the ids of the defects in their order."""

    cases: Path
    tests: Path | None
    ids: tuple[str, ...]


def keep(
    folder: Path, system: Protected, found: Searched, asked: Asked | None, *, strict: bool, deadline: float
) -> Kept:
    """Write `cases.json` and, where there is a defect, `test_fuzz.py`."""
    ids = tuple(defect_id(system, one) for one in found.defects)
    folder.mkdir(parents=True, exist_ok=True)
    told = None if asked is None else {name: getattr(asked, name) for name in _TOLD}
    document = {
        "format": _FORMAT,
        "system": system.name,
        "service": told,
        "strict": strict,
        "deadline": deadline,
        "started": bool(asked and asked.start),
        "defects": [{"id": id_, **one.plain()} for id_, one in zip(ids, found.defects, strict=True)],
    }
    cases = folder / "cases.json"
    cases.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    tests = None
    if found.defects:
        tests = folder / "test_fuzz.py"
        named = list(zip(ids, found.defects, strict=True))
        if asked is None:
            text = _export.model_tests(named, system.source, deadline=deadline)
        else:
            text = _export.service_tests(named, service(system, asked, strict=strict), asked.start)
        tests.write_text(text, encoding="utf-8")
    return Kept(cases=cases, tests=tests, ids=ids)


def defect_id(system: Protected, defect: Defect) -> str:
    """Stable for the same law broken for the same cause."""
    return finding_id(about(defect), system)


def about(defect: Defect) -> str:
    """The weakness that a defect is: a law, and the cause it is broken for."""
    return weakness("fuzz", f"{defect.law}: {defect.cause}")


def detail(defect: Defect) -> str:
    """Its cases and what was seen, as its finding tells them."""
    cases = "; beside ".join(inert(case, 300) for case in defect.cases[:3])
    return f"{cases}: {inert(defect.said, 300)}" + ("" if defect.repeated else " (seen once, not again)")


def replay(
    path: Path, system: Protected, wanted: Sequence[str], asked: Asked | None, confirmed: str = ""
) -> list[tuple[str, str]]:
    """(id, law and case, what is seen now; "" where the law holds) of the kept defects, or of those that are wanted.

    A service is asked as it was when they were found, unless `asked` names another; `confirmed` is its host where that
    is not this machine.
    """
    document = _document(path)
    entries = [(entry["id"], Defect.read(entry)) for entry in document["defects"]]
    if unknown := set(wanted) - {id_ for id_, _ in entries}:
        raise TemperError(f"{path} has no case {', '.join(sorted(unknown))}", fix="leave the ids out to show all")
    chosen = [(id_, one) for id_, one in entries if not wanted or id_ in wanted]
    strict = bool(document["strict"])
    if document["service"] is not None or asked is not None:
        told = asked or Asked(**document["service"], deadline=document["deadline"], confirmed=confirmed)
        if document.get("started") and not told.start and any(len(one.cases) > 1 for _, one in chosen):
            fix = f"temper fuzz {told.url} --start 'command' --replay {path}"
            raise TemperError("these cases were found at a service that was started for them", fix=fix)
        with served(system, told, strict=strict) as subject:
            return [_again(subject, id_, one) for id_, one in chosen]
    with model(system, strict=strict, deadline=document["deadline"]) as subject:
        return [_again(subject, id_, one) for id_, one in chosen]


def shown_again(system: Protected, kept: Iterable[Any], finding: Finding) -> str | None:
    """What a defect that a run has kept shows now: "" where its law holds, None where it is not among them. Kept cases
    name no finding, as systems with the same model share them.
    """
    for told in map(json.loads, map(str, kept)):
        if detail(defect := Defect.read(told)) == finding.detail:
            with model(system, strict=told["strict"], deadline=told["deadline"]) as subject:
                return _again(subject, finding.id, defect)[1]
    return None


def _again(subject: Subject, id_: str, defect: Defect) -> tuple[str, str]:
    shown = LAWS[defect.law](subject, defect.cases)
    return f"{id_} {defect.law}: {defect.cases[0]}", shown.said if shown is not None else ""


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict) or document["format"] != _FORMAT:
            raise KeyError("format")
    except (OSError, ValueError, KeyError) as fault:
        raise TemperError(f"{path} holds no fuzz cases: {fault}", fix="name the cases.json of a temper fuzz") from None
    return document
