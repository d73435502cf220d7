"""Controls: what can be done against each family of threats, and what of it is in place, known by temper.yaml."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from temper.core.description import Control, Description
from temper.core.errors import ConfigError
from temper.core.threat_model import Answer
from temper.threats.shipped import table

_NOT_YET = ("off", "shadow", "false", "no")


def answers_to(family: str, description: Description, known: Mapping[str, str]) -> tuple[Answer, ...]:
    """What answers this family: first what is in place, each with how that is known, then what could be."""
    written = {control.name: control for control in description.controls}
    found = [
        _answer(name, entry, written.get(name), description, known)
        for name, entry in table("controls").items()
        if family in entry["against"]
    ]
    found += [
        Answer(name=one.name, title=one.note or one.name, placed=True, known=_said(one))
        for one in description.controls
        if one.name not in table("controls") and family in one.answers
    ]
    return tuple(sorted(found, key=lambda one: not one.placed))


def refuse_unknown(controls: Sequence[Control], source: str) -> None:
    """A control of one's own says which families it answers; a misspelt one would answer nothing."""
    families, known = list(table("families")), list(table("controls"))
    for control in controls:
        if control.name in known and control.answers:
            raise ConfigError(
                f"{source}:{control.line}: what the control {control.name!r} answers is known", fix="drop `answers`"
            )
        if control.name not in known and not control.answers:
            near = difflib.get_close_matches(control.name, known, n=1)
            fix = f"did you mean {near[0]!r}? else " if near else ""
            raise ConfigError(
                f"{source}:{control.line}: there is no control {control.name!r}",
                fix=f"{fix}add `answers:` with some of {', '.join(families)}",
            )
        for family in control.answers:
            if family not in families:
                near = difflib.get_close_matches(family, families, n=1)
                raise ConfigError(
                    f"{source}:{control.line}: the control {control.name!r} answers {family!r}, which is no family",
                    fix=f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(families)}",
                )


def _answer(
    name: str, entry: Mapping[str, Any], written: Control | None, description: Description, known: Mapping[str, str]
) -> Answer:
    keys = [key for key in entry.get("placed", ()) if _active(key, description.answered)]
    holds = entry.get("when", {})
    how = _said(written) if written else keys[0] if keys else ""
    if not how and holds and all(known.get(key) == value for key, value in holds.items()):
        how = ", ".join(f"{key} is {value}" for key, value in holds.items())
    return Answer(name=name, title=entry["title"], placed=bool(how), known=how, references=tuple(entry["references"]))


def _active(key: str, answered: Mapping[str, str]) -> bool:
    """Whether the key is written and its mode, where it has one, acts."""
    return key in answered and answered[key] not in _NOT_YET and answered.get(f"{key}.mode", "") not in _NOT_YET


def _said(control: Control) -> str:
    return f"line {control.line}" + (f", on {control.on}" if control.on else "")
