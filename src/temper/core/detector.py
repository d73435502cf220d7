"""What watches a running model without knowing the truth, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Protocol, TypeVar, get_type_hints

import numpy as np

from temper.core.errors import StoreError
from temper.core.schema import Schema
from temper.core.watch import Shifted

Array = np.ndarray[Any, Any]
State = TypeVar("State")
Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One value per row, the stranger the higher; `alarms` are the rows over the detector's threshold, and `reason`
    says in a sentence what was seen there ("" without an alarm). `shifts` are the columns that alarmed, each once, from
    a detector that knows them.
    """

    values: Array
    alarms: Array
    reason: str = ""
    shifts: tuple[Shifted, ...] = ()


class Detector(Protocol[State]):
    """A frozen keyword-only dataclass whose state is a value: a dataclass of arrays and numbers, so that it can be
    stored, and resumed after a restart.
    """

    def fit(self, x: Array, schema: Schema) -> State:
        """The first state, from ordinary rows (n, columns)."""

    def step(self, state: State, batch: Array) -> tuple[State, Signal]:
        """The next state, and what it makes of these rows, (n, columns). It may use up the state passed in."""


def to_arrays(state: Any, above: str = "") -> dict[str, Array]:
    """A dataclass of arrays, numbers and such dataclasses as named arrays, for a file that holds nothing else.

    >>> to_arrays(Signal(values=np.zeros(2), alarms=np.zeros(2, bool)))["reason"]
    array('', dtype='<U1')
    """
    found: dict[str, Array] = {}
    for field in fields(state):
        value = getattr(state, field.name)
        if is_dataclass(value):
            found |= to_arrays(value, f"{above}{field.name}/")
        else:
            found[f"{above}{field.name}"] = np.asarray(value)
    return found


def from_arrays(kind: type[Kind], arrays: Mapping[str, Array], above: str = "") -> Kind:
    """The dataclass that `to_arrays` took apart; `StoreError` where a part is not there."""
    types: dict[str, Any] = get_type_hints(kind)
    given: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        name, wanted = f"{above}{field.name}", types[field.name]
        if isinstance(wanted, type) and is_dataclass(wanted):
            given[field.name] = from_arrays(wanted, arrays, f"{name}/")
        elif name not in arrays:
            raise StoreError(f"the stored {kind.__name__} has no {name}", fix="fit it again")
        else:
            value = arrays[name]
            given[field.name] = wanted(value.item()) if wanted in (bool, int, float, str) else value
    return kind(**given)
