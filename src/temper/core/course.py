"""How an incident went: when it began, was seen, taken, contained and over, from its timeline alone."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.incident import Entry, Incident, Kind, Phase

_BY_PROGRAMS = (Kind.OPENED, Kind.SIGNAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Times in seconds since 1970, None for what has not come. `began` is the beginning of the first window that shows
    it, where windows were watched, and else when it was opened: nobody knows then how long it went unseen.
    """

    began: float
    opened: float
    taken: float | None
    contained: float | None
    eradicated: float | None
    recovered: float | None
    closed: float | None

    @property
    def detect(self) -> float:
        """Seconds until it was seen; a window is seen at its end, so this is a window at least."""
        return self.opened - self.began

    @property
    def contain(self) -> float | None:
        """Seconds from when it was seen until it spread no further."""
        return None if self.contained is None else self.contained - self.opened

    @property
    def recover(self) -> float | None:
        """Seconds from when it was seen until the service was what it was."""
        return None if self.recovered is None else self.recovered - self.opened


def course(incident: Incident) -> Course:
    """What its timeline says. A phase that people have stated counts unless something was seen wrong afterwards, and
    whoever is further has been through the phases before.
    """
    lines = incident.timeline
    stated = {phase: _stated(lines, phase) for phase in Phase}
    reached, later = dict[Phase, float | None](), None
    for phase in reversed(Phase):
        own = stated[phase]
        later = own if later is None or (own is not None and own < later) else later
        reached[phase] = later
    return Course(
        began=min([incident.opened, *(float(one.detail["since"]) for one in lines if "since" in one.detail)]),
        opened=incident.opened,
        taken=next((one.at for one in lines if _person(one, incident)), None),
        contained=reached[Phase.CONTAINED],
        eradicated=reached[Phase.ERADICATED],
        recovered=reached[Phase.RECOVERED],
        closed=incident.closed,
    )


def _stated(lines: tuple[Entry, ...], phase: Phase) -> float | None:
    """When it was first stated without anything wrong beginning after that."""
    times = (one.at for one in lines if one.detail.get("phase") == phase)
    return next((at for at in times if not any(_wrong(one, at) for one in lines)), None)


def _wrong(entry: Entry, since: float) -> bool:
    """A window that fails counts from its beginning: one that had begun before holds rows of before."""
    if entry.kind not in _BY_PROGRAMS or entry.detail.get("over"):
        return False
    return float(entry.detail.get("start", entry.at)) >= since


def _person(entry: Entry, incident: Incident) -> bool:
    """A line that no program wrote of its own accord."""
    if entry.kind is Kind.OPENED:
        return not incident.source
    return entry.kind is not Kind.SIGNAL and "untaken" not in entry.detail
