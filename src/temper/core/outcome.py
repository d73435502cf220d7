"""What became of the predictions of a window, once their labels have come."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.measure import Measurement
from temper.core.requirement import Judgement
from temper.core.watch import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Where labels come from: a table or a folder of tables, `label` the column that holds the class. A prediction
    counts once it is `maturity` seconds old.
    """

    labels: str
    label: str
    maturity: float = 0.0

    @property
    def kept_as(self) -> str:
        """The name under which outcomes are kept; labels may lie in the tables of the predictions."""
        return f"{self.labels}#{self.label}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the labels of one window say: of `rows` predictions `labelled` have one. `judgements` are on what the policy
    promises of the `figures`, and `told` what a reader has to know, the age of the evidence among it.
    """

    start: float
    ends: float
    rows: int
    labelled: int
    seen: Seen
    judgements: tuple[Judgement, ...] = ()
    figures: tuple[Measurement, ...] = ()
    told: tuple[str, ...] = ()

    @property
    def decided(self) -> bool:
        """Whether more labels would change nothing."""
        return self.seen in (Seen.PASS, Seen.FAIL)
