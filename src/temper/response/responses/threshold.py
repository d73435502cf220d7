"""A lower threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.core.errors import ConfigError
from temper.core.incident import Acted
from temper.response.context import Context
from temper.response.responses._policy import policy_of
from temper.response.responses._put import put


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Lowers the score from which on a row is flagged; one that is lower already stays.

    More honest rows are flagged, too, and an attacker who finds the new threshold goes below it.
    """

    risky: ClassVar[bool] = True
    to: float | None = None

    def act(self, context: Context) -> Acted:
        if self.to is None:
            raise ConfigError("no threshold is named", fix="add `to:` and the score")
        policy = policy_of(context)
        now = policy.get("threshold", context.threshold)
        said = "the model's own" if now is None else f"{now:g}"
        if now is not None and now <= self.to:
            return Acted(found=f"the threshold is {said} already")
        changed = policy | {"threshold": self.to}
        return put(context, "policy", changed, f"the threshold is {said}", f"the threshold is lowered to {self.to:g}")


PLUGIN = Threshold
