"""The ledger, held against itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from temper.core.errors import ConfigError
from temper.core.incident import Acted
from temper.response.context import Context
from temper.store.ledger.inspect import verified


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """Reads every log of this machine's ledger and says whether it `holds` or `fails`, as was expected.

    Without checkpoints elsewhere it shows only that the ledger agrees with itself.
    """

    risky: ClassVar[bool] = False
    expect: str = "holds"

    def __post_init__(self) -> None:
        if self.expect not in ("holds", "fails"):
            raise ConfigError(f"a ledger cannot be expected to be {self.expect!r}", fix="use holds or fails")

    def act(self, context: Context) -> Acted:
        folder, marks = Path(context.serving.audit), context.serving.checkpoints
        key = folder / "ledger.pub" if marks else None
        held, told = verified(folder, Path(marks) if marks else None, key, None)
        faults = [line.strip() for line in told if line.strip().startswith("fault")]
        says = "the ledger holds" if held else f"the ledger fails: {'; '.join(faults[:3]) or told[-1]}"
        return Acted(found=says, well=held == (self.expect == "holds"))


PLUGIN = Verify
