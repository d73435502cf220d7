"""Playbooks: YAML files that say when they are for, what is looked at first, what is done, and how one sees it worked.

title: A key was stolen
when: A client says that its key is in other hands, or the ledger shows requests that are not theirs.
severity: major                    # minor, major or critical
undone: A revoked key stays revoked; make the client a new one.
reaches: contained                 # what a run for an incident has reached once it worked: that, eradicated, recovered
settings:
  key: {about: the part of the key before the dot}      # must be set: --set key=...
  minutes: {about: how far to look back, usual: "60"}
checks:                            # where one does not fit, this may be the wrong playbook
  - {name: the store answers, do: store}
steps:                             # in this order; `do` is a response, with its options
  - {name: end the key, do: revoke, key: "{key}", why: nobody may use it from here on}
worked:                            # what is true afterwards
  - {name: the gateway answers, do: probe, at_least: 1, seconds: 10}
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

from temper.config.document import Node, Scalar, Section
from temper.config.reading import parse, read
from temper.core.errors import ConfigError
from temper.core.incident import Phase, Response, Severity
from temper.core.room import Room

RESPONSES = Room("temper.response.responses")
_PLACE = re.compile(r"\{(\w+)\}")
_OWN = ("name", "do", "why")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of a playbook: a name, why it is there, and what is done, as it was written."""

    name: str
    why: str
    do: str
    section: Section

    def response(self, settings: Mapping[str, str]) -> Response:
        """What is done, under these settings. Options that cannot be are refused with file and line."""
        options = {key: node for key, node in self.section.entries.items() if key not in _OWN}
        filled = Section(
            self.section.source,
            self.section.path,
            self.section.line,
            {key: _filled(node, settings) for key, node in options.items()},
            self.section.lines,
        )
        kind = RESPONSES.get(self.do)
        try:
            found: Response = kind(**dict(_options(kind, filled)))
        except ConfigError as wrong:
            if wrong.message.startswith(self.section.source):
                raise
            raise self.section.error(f"step {self.name!r}: {wrong.message}", "do", fix=wrong.fix) from None
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What has to be known before a playbook can run; without `usual` somebody has to say it."""

    name: str
    about: str
    usual: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbook:
    """Responses in order for a kind of incident; `place` is how it was asked for, `digest` that of its text."""

    name: str
    title: str
    when: str
    severity: Severity
    undone: str
    settings: tuple[Setting, ...]
    checks: tuple[Step, ...]
    steps: tuple[Step, ...]
    worked: tuple[Step, ...]
    reaches: Phase | None = None
    place: str = ""
    digest: str = ""

    def set(self, given: Mapping[str, str]) -> dict[str, str]:
        """Every setting, the given ones over the usual ones; what is missing or unknown is refused."""
        known = {one.name: one for one in self.settings}
        for name in given:
            if name not in known:
                there = f"there are {', '.join(known)}" if known else "it has none"
                raise ConfigError(f"playbook {self.name} has no setting {name[:80]!r}", fix=there)
        found = {one.name: given.get(one.name, one.usual) for one in self.settings}
        for name, value in found.items():
            if value is None:
                raise ConfigError(f"playbook {self.name} needs {known[name].about}", fix=f"add --set {name}=...")
        return {name: value for name, value in found.items() if value is not None}


def names() -> tuple[str, ...]:
    """The playbooks that come with Temper."""
    folder = resources.files("temper.response") / "playbooks"
    return tuple(sorted(one.name.removesuffix(".yaml") for one in folder.iterdir() if one.name.endswith(".yaml")))


def playbook(name: str) -> Playbook:
    """The playbook of this name, or in the file at this path."""
    if name in names():
        text = (resources.files("temper.response") / "playbooks" / f"{name}.yaml").read_text(encoding="utf-8")
        return replace(_playbook(parse(text, f"{name}.yaml"), name), place=name, digest=_digest(text.encode()))
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        found = _playbook(read(path), path.stem)
        return replace(found, place=str(path.absolute()), digest=_digest(path.read_bytes()))
    raise ConfigError(
        f"there is no playbook {name[:80]!r}", fix=f"there are {', '.join(names())}; or name a .yaml file"
    )


def _playbook(section: Section, name: str) -> Playbook:
    section.only("title", "when", "severity", "undone", "reaches", "settings", "checks", "steps", "worked")
    settings = tuple(_settings(section.section("settings")))
    known = {one.name for one in settings}
    parts = {part: tuple(_step(one, known) for one in section.sections(part)) for part in ("checks", "steps", "worked")}
    if not parts["steps"] or not parts["worked"]:
        missing = "steps" if not parts["steps"] else "worked"
        raise section.error(f"a playbook without {missing}", missing, fix=f"add `{missing}:` with one step at least")
    names = [one.name for one in parts["steps"]]
    if twice := sorted(name for name in set(names) if names.count(name) > 1):
        raise section.error(f"two steps are called {twice[0]!r}", "steps", fix="a run goes on by their names")
    reaches = section.word("reaches", ["", *Phase], "")
    return Playbook(
        name=name,
        reaches=Phase(reaches) if reaches else None,
        title=section.needed("title"),
        when=" ".join(section.needed("when").split()),
        severity=Severity(section.word("severity", list(Severity), "")),
        undone=" ".join(section.needed("undone").split()),
        settings=settings,
        checks=parts["checks"],
        steps=parts["steps"],
        worked=parts["worked"],
    )


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _settings(section: Section) -> Iterator[Setting]:
    for name in section.entries:
        one = section.section(name).only("about", "usual")
        yield Setting(name=name, about=one.needed("about"), usual=one.text("usual") if "usual" in one.entries else None)


def _step(section: Section, settings: set[str]) -> Step:
    do = section.needed("do")
    if do not in (known := RESPONSES.names()):
        raise section.error(f"no response is called {do!r}", "do", fix=f"there are {', '.join(known)}")
    section.only(*_OWN, *(one.name for one in fields(RESPONSES.get(do))))
    for key, node in section.entries.items():
        for place in _PLACE.findall(node.text) if isinstance(node, Scalar) else ():
            if place not in settings:
                raise section.error(f"{{{place}}} is no setting of this playbook", key, fix="name it under `settings:`")
    return Step(name=section.needed("name"), why=" ".join(section.text("why").split()), do=do, section=section)


def _filled(node: Node, settings: Mapping[str, str]) -> Node:
    """A value with its settings put in; text stays one value, whatever somebody set."""
    if not isinstance(node, Scalar):
        return node
    text = _PLACE.sub(lambda found: settings[found[1]], node.text)
    return Scalar(text, node.quoted and text == node.text, node.line)


def _options(kind: type[Any], section: Section) -> Iterator[tuple[str, Any]]:
    """The options of a response, read as what its fields are."""
    readers: dict[str, Callable[[str, Any], Any]] = {
        "str": section.text,
        "float": section.number,
        "int": section.whole,
        "bool": section.flag,
        "float | None": lambda key, usual: section.maybe(key),
    }
    for one in fields(kind):
        if one.name in section.entries:
            yield one.name, readers[str(one.type)](one.name, one.default)
