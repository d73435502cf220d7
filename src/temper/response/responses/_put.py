"""How a record is put, and how it is taken back: shared by the responses that set one."""

from __future__ import annotations

from typing import Any

from temper.core.incident import Acted
from temper.response.context import Context
from temper.response.responses.again import Again


def put(context: Context, kind: str, value: Any, found: str, does: str) -> Acted:
    """Set what holds for every gateway on the store from now on. The undo is known before anything is changed, so that
    a run that is killed in between can be taken back all the same.
    """
    before = context.control.records.current(kind)
    if not context.dry:
        context.put(kind, value, context.reason)
    undo = Again(kind=kind, seq=0 if before is None else before.seq, run=context.run)
    return Acted(found=found, does=does, undo=undo)
