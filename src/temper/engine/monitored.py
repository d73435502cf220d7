"""What windows of predictions will be compared with, made where the rows were assessed."""

from __future__ import annotations

from pathlib import Path

from temper.config.monitor import watch_of
from temper.config.reading import read
from temper.core.errors import TemperError
from temper.core.system import Protected


def monitored(system: Protected) -> tuple[tuple[str, str], ...]:
    """The digest of the reference that is kept for `temper monitor`, where the temper.yaml has `monitor:`.

    A system that was hardened just now is not the one that its temper.yaml serves, so nothing is kept of it. Where no
    reference can be made the record says why: a run that took hours must not fail for it.
    """
    if not system.source or system.defend is not None or not Path(system.source).is_file():
        return ()
    config = Path(system.source)
    watch = watch_of(read(config), config.absolute().parent)
    if watch is None:
        return ()
    from temper.monitoring.assessed import FILE, reference_of, written

    try:
        digest = written(reference_of(system, watch), config.absolute().parent / FILE, lambda told: None)
    except TemperError as refused:
        return (("monitoring reference", f"none: {refused.message}"),)
    return (("monitoring reference", digest),)
