"""Nobody comes to decide cases."""

from __future__ import annotations

from dataclasses import dataclass

from temper.chaos.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """The reviewers of the drill take no case, as if all were ill: the queue grows, and cases run into their due times.

    Misleads about people: these reviewers are SIMULATED, know of no weekend and are all back at once.
    Source: Beyer et al., "Site reliability engineering", 2016, chapter 11 (being on call, and who is not).

    >>> Absent()
    Absent()
    """

    def strike(self, host: Host) -> None:
        """Do it to the reviewers; the host takes it back."""
        host.order(absent=1.0)


PLUGIN = Absent
