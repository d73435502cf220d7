"""Laws of a store: what is kept comes back equal, or is refused.

A law is given `there_and_back(record) -> record`: keep it, and read it again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from temper.core.errors import TemperError
from temper.core.run import Record
from temper.testing.law import LawBroken, require
from temper.testing.records import HOSTILE, record

Back = Callable[[Record], Record]


def law_what_is_kept_comes_back_equal(there_and_back: Back) -> None:
    """A full record and an empty one are read as they were written, in every state."""
    for made in (record(), record(empty=True), record(state="stopped"), record(verdict="pass")):
        back = there_and_back(made)
        require(back == made, f"changes {_parts(made, back)}")


def law_hostile_text_comes_back_equal(there_and_back: Back) -> None:
    """Quotes, markup and control characters are data: they come back as they were."""
    made = record(HOSTILE)
    back = there_and_back(made)
    require(back == made, f"changes {_parts(made, back)} where the text is hostile")


def law_numbers_come_back_exactly(there_and_back: Back) -> None:
    """Figures are kept to the last bit, and whole numbers stay whole numbers."""
    for value in (0.1 + 0.2, 1e-300, 1.7976931348623157e308, -0.0, 5e-324):
        made = record()
        first = replace(made.measurements[0], value=value, low=value, high=value)
        back = there_and_back(replace(made, measurements=(first, *made.measurements[1:])))
        found = back.measurements[0].value
        require(repr(found) == repr(value), f"changes {value!r} to {found!r}")


def law_what_is_no_number_is_refused(there_and_back: Back) -> None:
    """NaN and infinity are refused or come back as they were; they never turn into something else."""
    for value in (float("nan"), float("inf")):
        made = record()
        first = replace(made.measurements[0], value=value)
        try:
            back = there_and_back(replace(made, measurements=(first, *made.measurements[1:])))
        except (TemperError, ValueError):
            continue
        found = back.measurements[0].value
        if repr(found) != repr(value):
            raise LawBroken(f"turns {value} into {found}")


def _parts(a: Record, b: Record) -> str:
    return (
        ", ".join(name for name in type(a).__dataclass_fields__ if getattr(a, name) != getattr(b, name)) or "its type"
    )


LAWS = (
    law_what_is_kept_comes_back_equal,
    law_hostile_text_comes_back_equal,
    law_numbers_come_back_exactly,
    law_what_is_no_number_is_refused,
)
