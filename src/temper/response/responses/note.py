"""A step that only a person can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.core.errors import ConfigError
from temper.core.incident import Acted
from temper.response.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Tells a person what to do, and goes on once they say that it is done.

    Whether it was done nobody can see here: the record says who confirmed it, or that nobody was asked.
    """

    risky: ClassVar[bool] = False
    text: str = ""

    def __post_init__(self) -> None:
        if not self.text:
            raise ConfigError("a note has no text", fix="add `text:`")

    def act(self, context: Context) -> Acted:
        said = " ".join(self.text.split())
        if context.dry:
            return Acted(found=said, does="a person is asked whether it is done")
        done = context.asked(f"{said}\n    Is it done?")
        if done is None:
            return Acted(found=said, does="left to a person: nobody was asked", lasting="it was a person's to do")
        return Acted(
            found=said,
            does=f"{context.by} {'confirms it' if done else 'says no'}",
            well=done,
            lasting="it was a person's to do",
        )


PLUGIN = Note
