"""A stage of the guard in another mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.core.errors import ConfigError
from temper.core.incident import Acted
from temper.core.serving import Mode
from temper.response.context import Context
from temper.response.responses._policy import policy_of
from temper.response.responses._put import put


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Sets a stage of the guard to off, shadow or enforce, with the options it has. It becomes a policy of the control
    store, which from then on stands before the stages of temper.yaml.

    A gateway that cannot use the new policy refuses it in its log and goes on with the old one.
    """

    risky: ClassVar[bool] = True
    stage: str = ""
    mode: str = "enforce"

    def __post_init__(self) -> None:
        if self.mode not in (modes := [one.value for one in Mode]):
            raise ConfigError(f"a stage cannot be {self.mode!r}", fix=f"use one of {', '.join(modes)}")

    def act(self, context: Context) -> Acted:
        if self.stage not in context.parts:
            raise ConfigError(f"the guard has no stage {self.stage!r}", fix=f"there are {', '.join(context.parts)}")
        policy = policy_of(context)
        options = dict(policy.get(self.stage) or {})
        now = options.get("mode", "as it comes")
        if now == self.mode:
            return Acted(found=f"{self.stage} is {now} already")
        changed = policy | {self.stage: options | {"mode": self.mode}}
        return put(context, "policy", changed, f"{self.stage} is {now}", f"{self.stage} is set to {self.mode}")


PLUGIN = Stage
