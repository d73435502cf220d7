"""A key that is ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.core.errors import TemperError
from temper.core.incident import Acted
from temper.response.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke:
    """Ends a key for good: gateways that reach the control store refuse it within a second or two.

    Requests that were answered before stay answered; a response `review` puts them before people.
    """

    risky: ClassVar[bool] = True
    key: str = ""

    def act(self, context: Context) -> Acted:
        key = next((one for one in context.control.keys.all() if one.kid == self.key), None)
        if key is None:
            raise TemperError(f"there is no key {self.key[:80]!r}", fix="`temper keys list` shows which there are")
        if key.revoked is not None:
            return Acted(found=f"the key {key.kid} of {key.name} is revoked already")
        if not context.dry:
            context.control.keys.revoke(key.kid, context.by, context.clock())
        lasting = "a revoked key stays revoked; `temper keys add` makes another"
        found = f"the key {key.kid} of {key.name} holds" + (f", group {key.group}" if key.group else "")
        return Acted(found=found, does=f"the key {key.kid} is revoked", lasting=lasting)


PLUGIN = Revoke
