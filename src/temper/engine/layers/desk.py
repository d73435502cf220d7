"""What is known of the people who look at what a guard hands on: measured, written down, or taken for granted."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from temper.config.serving import Serving
from temper.core.depth import Desk, Share
from temper.core.errors import StoreError
from temper.core.event import Event, Listener
from temper.guard.serving import parts
from temper.kernels.patience import lapsing
from temper.store.control import Control
from temper.store.control.agreement import FEW, Agreement

_DAY = 86_400.0
_MEASURED = {"misses": "missed", "wrongs": "wronged", "lapsed": "lapsed"}
"""Each figure and what the control store calls it."""


def desk_of(serving: Serving, found: Agreement | None, asked: float) -> Desk:
    """People's errors as planted cases of the control store have measured them, where there are enough of them; else as
    temper.yaml says; else none. Cases that nobody looks at in time likewise, or as they follow from the load, where
    this share of honest requests is handed on.
    """
    options = parts.options_of(serving)
    written, rules = dict(parts.desk(options)), parts.people(options)
    if "cases" in written:
        written["lapsed"] = lapsing(written["requests"] * asked, written["cases"], rules["due"] / _DAY)
    told = {name: _told(found, name, written.get(name)) for name in _MEASURED}
    shares = {name: share for name, (share, _) in told.items()}
    said = (told["misses"][1], told["wrongs"][1], told["lapsed"][1])
    return Desk(**shares, overdue=rules["overdue"].value, said=said)


def _told(found: Agreement | None, name: str, written: float | None) -> tuple[Share, str]:
    measured = None if found is None else getattr(found, _MEASURED[name])
    if measured is not None and measured.n >= FEW:
        value = measured.count / measured.n
        return Share(value=value, low=measured.low, high=measured.high, n=measured.n), "measured"
    value = 0.0 if written is None else written
    return Share(value=value, low=value, high=value, n=0), "assumed" if written is None else "configured"


def agreement_of(serving: Serving, listener: Listener) -> Agreement | None:
    """What the control store knows of people; None where there is none, or it cannot be read, which is said."""
    place = serving.control
    if "://" not in place and not Path(place).exists():
        return None
    try:
        with closing(Control.open(place)) as control:
            return control.reviews.agreement()
    except StoreError as error:
        listener(Event(kind="note", message=f"people's errors are not those of the control store: {error.message}"))
        return None
