"""A key that is replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.core.errors import TemperError
from temper.core.incident import Acted
from temper.response.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotate:
    """Makes a key in place of another, which holds on for `hours`; the new one is shown to whoever runs this, once, and
    written nowhere.

    Whoever has the old key may use it until then: `revoke` ends it at once.
    """

    risky: ClassVar[bool] = True
    key: str = ""
    hours: float = 24.0

    def act(self, context: Context) -> Acted:
        every = context.control.keys.all()
        key = next((one for one in every if one.kid == self.key), None)
        if key is None:
            raise TemperError(f"there is no key {self.key[:80]!r}", fix="`temper keys list` shows which there are")
        if after := next((one for one in every if one.follows == key.kid), None):
            return Acted(found=f"the key {key.kid} of {key.name} was replaced by {after.kid} already")
        if context.hand is None:
            raise TemperError("nobody is there to be shown a new key", fix="run this where a person reads it")
        if not context.dry:
            token = context.control.keys.rotate(key.kid, context.by, context.clock(), overlap=3_600.0 * self.hours)
            context.hand(f"the new key of {key.name}, shown once: {token}")
        return Acted(
            found=f"the key {key.kid} of {key.name} holds",
            does=f"a new key takes the place of {key.kid}, which holds for {self.hours:g} hours longer",
            lasting="a key that was replaced stays so",
        )


PLUGIN = Rotate
