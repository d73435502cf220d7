"""What a list shows of a run, and what rules ask of it, without its figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from temper.core.measure import Status
from temper.core.requirement import Verdict
from temper.core.risk import worst
from temper.core.run import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A run in short. `judged`, `figures` and `findings` count, `families` are those of which something was measured;
    `model`, `data`, `reference` and `attacks` are digests. `first` is when the first run on its rows was started.
    `annual` and `p90` of a year's loss in `unit`, and the worst `rating` that nobody has accepted, are its register in
    short; None and "" where it has none.
    """

    run: str
    system: str
    suite: str
    started: str
    seconds: float
    state: str
    verdict: Verdict
    simulated: bool
    judged: int
    figures: int
    findings: int
    model: str
    data: str
    reference: str
    attacks: str
    families: tuple[str, ...]
    first: str
    unit: str = ""
    annual: float | None = None
    p90: float | None = None
    rating: str = ""

    @property
    def began(self) -> float:
        """When it began, in seconds since 1970."""
        return moment(self.started)

    @property
    def kind(self) -> Verdict:
        """The verdict it is shown with: a run that is not complete, or judged nothing, is never shown as passed."""
        whole = self.state == "finished" and self.judged
        return Verdict.INCONCLUSIVE if self.verdict is Verdict.PASS and not whole else self.verdict


def moment(started: str) -> float:
    """When a run began, in seconds since 1970; a time without a zone is UTC.

    >>> moment("1970-01-02T00:00:00"), moment("1970-01-02T01:00:00+01:00")
    (86400.0, 86400.0)
    """
    found = datetime.fromisoformat(started)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def outlined(record: Record) -> Outline:
    """A run in short that is perhaps in no store yet, as the first one on its rows."""
    digests = dict(record.digests)
    known = (one.plugin for one in record.measurements if one.status in (Status.OK, Status.INCONCLUSIVE))
    return Outline(
        run=record.id,
        system=record.system,
        suite=record.suite,
        started=record.started,
        seconds=record.seconds,
        state=record.state,
        verdict=record.verdict,
        simulated=record.simulated,
        judged=len(record.judgements),
        figures=len(record.measurements),
        findings=len(record.findings),
        model=digests.get("model", ""),
        data=digests.get("held-out data", record.id),
        reference=digests.get("monitoring reference", ""),
        attacks=digests.get("attacks", ""),
        families=tuple(sorted({plugin.partition(".")[0] for plugin in known})),
        first=record.started,
        unit=record.risk.unit if record.risk else "",
        annual=record.risk.total.middle if record.risk else None,
        p90=record.risk.total.p90 if record.risk else None,
        rating=worst(record.risk),
    )
