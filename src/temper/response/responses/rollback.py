"""The model version before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.core.incident import Acted
from temper.response.context import Context
from temper.response.responses._put import put
from temper.response.responses.again import Again
from temper.store.control.deployed import BACK, deployed, folded, named


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """Ends the trial of a model there is, or else goes back to the model that was live before.

    Where nothing was ever deployed there is nothing to go back to, since the model of temper.yaml is the only one: that
    fails where going back is `needed`.
    """

    risky: ClassVar[bool] = True
    needed: bool = False

    def act(self, context: Context) -> Acted:
        records = context.control.records.history("model")
        found = deployed(context.control)
        if records and records[0].value == BACK and context.reason == records[0].reason:
            return Acted(found=f"this run has gone back already, to {named(found.live)}")
        if found.trial is None and found.live is None:
            return Acted(found="nothing was deployed, so there is nothing to go back to", well=not self.needed)
        ends = found.trial or found.live
        after = folded([*(record.value for record in reversed(records)), BACK])
        trial = f", and the {found.trial['mode']} of {named(found.trial)} ends" if found.trial else ""
        does = f"live is {named(after.live)}{trial}"
        done = put(context, "model", dict(BACK), f"live is {named(found.live)}", does)
        seq = next(record.seq for record in records if record.value == ends)
        return Acted(found=done.found, does=done.does, undo=Again(kind="model", seq=seq, run=context.run))


PLUGIN = Rollback
