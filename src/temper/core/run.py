"""A run: the immutable record of one assessment."""

from __future__ import annotations

from dataclasses import dataclass, field

from temper.core.defence import Tried
from temper.core.finding import Finding
from temper.core.measure import Cross, Measurement
from temper.core.requirement import Judgement, Verdict
from temper.core.risk import Register
from temper.core.threat_model import ThreatModel
from temper.core.waged import Waged


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A plugin or threat that was left out, and the answer that excluded it."""

    name: str
    why: str


_ROWS = ("training data", "accepted training data", "held-out data", "monitoring reference")
_SAID = ("description", "schema", "attacks", "temper.yaml", "policy")
_SUBJECTS = ("model", "assistant", "instructions and tools", "guard", "judging model", "assessment", *_SAID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What one assessment found. `state` is finished | stopped | failed; `digests` names what it speaks of.

    `scenarios` and `facts` (row counts, budgets, versions) are printed as they are; `tasks` are the keys of its tasks;
    `misleads` says for every plugin that ran when its figures mislead; `crosses` are counts by two kinds at once,
    `titles` what the ids of taxonomies in its findings are called; `threats` is the threat model it was planned from,
    `risk` the register as it stood when the run ended, `hardening` what was tried where it is of a hardened system.
    `campaign` is how a red team's was waged. `author` is who had it made: somebody else approves.
    """

    id: str
    system: str
    suite: str
    seed: int
    started: str
    seconds: float
    state: str
    verdict: Verdict
    judgements: tuple[Judgement, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    findings: tuple[Finding, ...] = ()
    scenarios: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    digests: tuple[tuple[str, str], ...] = ()
    tasks: tuple[str, ...] = ()
    engine: str = "serial"
    source: str = ""
    simulated: bool = False
    misleads: tuple[tuple[str, str], ...] = ()
    crosses: tuple[Cross, ...] = ()
    titles: tuple[tuple[str, str], ...] = ()
    threats: ThreatModel | None = None
    author: str = ""
    risk: Register | None = None
    hardening: Tried | None = None
    campaign: Waged | None = None
    version: int = field(default=1)

    @property
    def kind(self) -> Verdict:
        """The verdict it is shown with: a run that is not complete, or judged nothing, is never shown as passed."""
        whole = self.state == "finished" and self.judgements
        return Verdict.INCONCLUSIVE if self.verdict is Verdict.PASS and not whole else self.verdict

    @property
    def libraries(self) -> tuple[tuple[str, str], ...]:
        """The versions it was made with: whatever in its digests is nothing it speaks of."""
        return tuple(pair for pair in self.digests if pair[0] not in (*_SUBJECTS, *_ROWS))

    @property
    def code(self) -> int:
        """The exit code of a command that made it; a run that was stopped could not finish."""
        return self.verdict.code if self.state == "finished" else 4
