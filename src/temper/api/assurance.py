"""The assurance case of a run: why a system may be relied on, on which evidence, and what speaks against it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from temper.api import load, open_store
from temper.api.assistants import is_assistant, load_assistant
from temper.core.assurance import Case

if TYPE_CHECKING:
    from temper.store.control import Control


def assurance_case(
    config: str | Path, run: str, control: Control, now: float, *, trust_pickle: bool = False
) -> Case:
    """The case over this run of the system, held against what answers now."""
    from temper.engine.case import case_now

    system = load_assistant(config) if is_assistant(config) else load(config, trust_pickle=trust_pickle)
    return case_now(system, open_store(None, system), control, run, now)
