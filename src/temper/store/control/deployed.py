"""Which version of a model is live and which is on trial: the records people put, folded in their order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from temper.core.errors import ConfigError
from temper.core.system import Protected
from temper.core.target import Target
from temper.store.control import Control
from temper.targets.load import open_target

MODES = ("shadow", "canary", "live")
BACK: Mapping[str, Any] = {"mode": "live", "back": True}
"""The record that ends a trial, or else the last version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """The models that were live, the first being temper.yaml's own (None) and the last the one that is now; and the one
    on trial, if any.
    """

    lives: tuple[Mapping[str, Any] | None, ...] = (None,)
    trial: Mapping[str, Any] | None = None

    @property
    def live(self) -> Mapping[str, Any] | None:
        """The one that answers."""
        return self.lives[-1]


def folded(values: Iterable[Any]) -> Deployed:
    """What holds after these values of records, the oldest first. Going back ends a trial, or else the last version.

    >>> a, b = ({"path": name, "mode": "live"} for name in "ab")
    >>> back = {"mode": "live", "back": True}
    >>> folded([a, b, back]).live == a, folded([a, b, back, back]).live, folded([a, {"mode": "shadow"}, back]).live == a
    (True, None, True)
    """
    lives: list[Mapping[str, Any] | None] = [None]
    trial: Mapping[str, Any] | None = None
    for value in values:
        if not isinstance(value, Mapping) or value.get("mode") not in MODES:
            raise ConfigError(f"a record of the model says {value!r}", fix=f"put a mode: {', '.join(MODES)}")
        if value["mode"] != "live":
            trial = value
            continue
        if not value.get("back"):
            lives.append(value)
        elif trial is None and len(lives) > 1:
            lives.pop()
        trial = None
    return Deployed(lives=tuple(lives), trial=trial)


def deployed(control: Control, system: str = "") -> Deployed:
    """What people have put, for this system alone where it is named."""
    return folded(own(put(control), system))


def put(control: Control) -> list[Any]:
    """The values of the records, the oldest first."""
    return [record.value for record in reversed(control.records.history("model"))]


def own(values: Iterable[Any], system: str) -> list[Any]:
    """Those of this system, of whatever shares its control store; one that names none is everybody's.

    >>> own([{"system": "a"}, {"system": "b"}, {"mode": "live"}], "a")
    [{'system': 'a'}, {'mode': 'live'}]
    """
    named = ((one, one.get("system", "") if isinstance(one, Mapping) else "") for one in values)
    return [one for one, whose in named if not (system and whose) or whose == system]


def loaded(system: Protected, value: Mapping[str, Any]) -> Target:
    """The model of a record, after the scan of its file, as exactly the one it was when the record was put."""
    own = system.target
    target = open_target(str(value["path"]), schema=system.schema, kind=own.kind, classes=own.classes)
    if target.digest != value["digest"]:
        raise ConfigError(f"{value['path']} is not the model it was when it was deployed", fix="deploy it again")
    return target


def named(value: Mapping[str, Any] | None) -> str:
    """A version as people read it."""
    return "the model of temper.yaml" if value is None else f"{value['name']} ({value['digest'][:12]})"
