"""What a served model's traffic is compared with: everything fitted once, from its training data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from temper.core.detector import from_arrays, to_arrays
from temper.core.errors import ConfigError, StoreError
from temper.core.room import Room
from temper.core.schema import Schema
from temper.store.arrays import digest, load, save

Array = np.ndarray[Any, Any]
_OF_ONE_ROW = ("input.ecod", "input.mahalanobis", "input.missing")
ON_ROWS = (*_OF_ONE_ROW, "stream.extraction")
ON_SCORES = "output.sane"
_FORMAT, _RATE = 2, 0.001


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profile:
    """The names of the columns, and the first state of every detector by its name; `plugins` are of other packages.

    It is trusted like the model it belongs to: whoever can write it can make its detectors see nothing.

    >>> rows = np.random.Generator(np.random.Philox(key=0)).normal(size=(4_000, 3))
    >>> sorted(Profile.fit(rows, Schema(), np.array([0.0, 1.0])).states)
    ['input.ecod', 'input.mahalanobis', 'input.missing', 'output.sane', 'stream.extraction']
    """

    columns: tuple[str, ...]
    states: Mapping[str, Any]
    plugins: tuple[str, ...] = ()

    @staticmethod
    def fit(
        x: Array,
        schema: Schema,
        scores: Array,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        plugins: tuple[str, ...] = (),
    ) -> Profile:
        """From training rows (n, d) and the model's scores of them; `options` are of detectors, by name.

        Rows the model is served, not ones it was tested with: what is not in them is strange. Unless `options` say
        otherwise a detector alarms at one ordinary row in a thousand, and of a small table at the fewest it can show:
        `rates` says at how many.
        """
        usual = {"rate": max(_RATE, 1.0 / (len(x) // 2 + 1))}
        given: dict[str, Mapping[str, Any]] = dict.fromkeys(_OF_ONE_ROW, usual)
        given |= {name: {**given.get(name, {}), **told} for name, told in (options or {}).items()}
        on_rows, room = (*ON_ROWS, *plugins), _room(plugins)
        if unknown := sorted(set(given) - {*on_rows, ON_SCORES}):
            raise ConfigError(f"no detector {unknown[0]!r}", fix=f"there are {', '.join((*on_rows, ON_SCORES))}")
        states = {name: room.build(name, dict(given.get(name, {}))).fit(x, schema) for name in on_rows}
        told = np.asarray(scores, dtype=float).reshape((len(scores), -1))
        states[ON_SCORES] = room.build(ON_SCORES, dict(given.get(ON_SCORES, {}))).fit(told, schema)
        return Profile(columns=schema.names, states=states, plugins=plugins)

    @property
    def digest(self) -> str:
        """SHA-256 of all that is in it: two profiles with the same digest see the same."""
        return digest(self._arrays())

    @property
    def rates(self) -> dict[str, float]:
        """The share of ordinary rows at which each detector of single rows alarms, as promised."""
        return {name: self.states[name].limit.rate for name in _OF_ONE_ROW if name in self.states}

    def state(self, name: str) -> Any:
        """The first state of a detector."""
        if name not in self.states:
            raise ConfigError(f"the profile knows nothing for {name}", fix="fit it again")
        return self.states[name]

    def detector(self, name: str) -> Any:
        """The detector of this name, with its usual settings."""
        return _room(self.plugins).build(name)

    def save(self, path: Path) -> None:
        """One npz file of plain arrays, in place of an older one as a whole or not at all."""
        save(path, self._arrays())

    @staticmethod
    def load(path: Path, plugins: tuple[str, ...] = ()) -> Profile:
        """What was saved, or `StoreError` where it is damaged, of another format or of other `plugins`."""
        arrays = load(path, "a profile")
        if int(arrays["format"]) != _FORMAT:
            raise StoreError(
                f"{path} was fitted for other detectors (format {arrays['format']}, not {_FORMAT})",
                fix="move it away, and `temper serve` fits it again",
            )
        if missing := [name for name in plugins if not any(key.startswith(f"{name}/") for key in arrays)]:
            raise StoreError(
                f"{path} was fitted without the detector {missing[0]}",
                fix="move it away, and `temper serve` fits it again",
            )
        room = _room(plugins)
        states = {name: _state(room, name, arrays) for name in (*ON_ROWS, *plugins, ON_SCORES)}
        return Profile(columns=tuple(map(str, arrays["columns"])), states=states, plugins=plugins)

    def _arrays(self) -> dict[str, Array]:
        found = {"format": np.array(_FORMAT), "columns": np.array(self.columns, dtype=np.str_)}
        for name, state in self.states.items():
            found |= to_arrays(state, f"{name}/")
        return found


def _room(plugins: tuple[str, ...]) -> Room:
    return Room("temper.detectors", allowed=plugins)


def _state(room: Room, name: str, arrays: Mapping[str, Array]) -> Any:
    kind = get_type_hints(room.get(name).fit)["return"]
    return from_arrays(kind, arrays, f"{name}/")
