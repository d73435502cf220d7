"""Room on the disk of the ledger."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from temper.core.incident import Acted
from temper.response.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """Looks how much of the disk under this machine's ledger is free, and holds it against `at_least` and `at_most`
    gigabytes.

    A quota of the user can be used up while the disk has room.
    """

    risky: ClassVar[bool] = False
    at_least: float = 0.0
    at_most: float = math.inf

    def act(self, context: Context) -> Acted:
        folder = Path(context.serving.audit)
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        free = shutil.disk_usage(folder).free / 1e9
        well = self.at_least <= free <= self.at_most
        expected = f"at most {self.at_most:g}" if free > self.at_most else f"at least {self.at_least:g}"
        said = f"{free:.1f} GB are free under {context.serving.audit}"
        return Acted(found=said + ("" if well else f", expected {expected}"), well=well)


PLUGIN = Disk
