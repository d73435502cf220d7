"""How much a red team does; printed with every run, so that figures say what they stand on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """`attempts`: injections per strategy; `trials` of each; `confirmations`: fresh trials of the strongest attack per
    goal; `minimal`: attempts to make it smaller; `twins`: benign twins, `tasks`: trials of every user task.
    """

    attempts: int = 300
    trials: int = 3
    confirmations: int = 60
    minimal: int = 60
    twins: int = 150
    tasks: int = 10


EFFORTS = {
    "quick": Effort(attempts=80, trials=2, confirmations=20, minimal=30, twins=40, tasks=3),
    "standard": Effort(),
    "deep": Effort(attempts=3_000, trials=5, confirmations=300, minimal=200, twins=600, tasks=30),
}
