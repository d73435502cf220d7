"""The policy of a system with the waivers that two people made in its control store."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

from temper.core.errors import StoreError
from temper.core.event import Event, Listener
from temper.core.requirement import Policy
from temper.store.database import Store

CONTROL = "TEMPER_CONTROL"
"""The place of the control store, where the environment names it."""


def waived(policy: Policy, system: str, source: str, store: Store, today: date, listener: Listener) -> Policy:
    """The policy as it counts on this day. Without a control store it is as it was written; one that cannot be read
    waives nothing, and that is said.
    """
    from temper.store.control import Control
    from temper.store.control.waivers import accepting

    place = _place(source, store)
    if not place:
        return policy
    try:
        control = Control.open(place)
    except StoreError as error:
        listener(Event(kind="note", message=f"waivers of the control store do not count in this run: {error.message}"))
        return policy
    try:
        found, astray = accepting(policy, control.waivers.standing(system, today), today)
    finally:
        control.close()
    for words in astray:
        listener(Event(kind="note", message=words))
    return found


def _place(source: str, store: Store) -> str:
    """Where the control store is: as the environment or temper.yaml says, else beside the store of runs; "" for
    nowhere.
    """
    from temper.config.reading import read
    from temper.config.serving import control_of

    config = Path(source)
    written = control_of(read(config), config.absolute().parent) if source and config.is_file() else ""
    for place in (os.environ.get(CONTROL, ""), written, str(store.path.parent / "control.db")):
        if "://" in place or (place and Path(place).exists()):
            return place
    return ""
