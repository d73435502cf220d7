"""A planted weakness: what it is, and what a user is told of it and of its sound twin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Which side is asked for (`weak`, else the sound twin), the seed, and an empty folder to work in."""

    weak: bool
    seed: int
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One weakness of a `room`, in words, and `told`: what the public surface says of this kind, nothing if sound.

    `told` builds both sides, so that nothing but `setting.weak` tells them apart. `held_out` says that it was written
    by somebody who had not read the code that has to find it; a twin that is also in the tests is not.
    """

    room: str
    name: str
    about: str
    told: Callable[[Setting], Sequence[str]]
    held_out: bool = True
