"""Account-to-account payment fraud, SIMULATED: the held-out generator.

It shares no mechanism with the other demos: agents (payers, payees, mule networks, devices) act, self-exciting
campaigns decide when fraud happens, a copula ties the session figures together, and a ledger decides what a payment
can be.
What is claimed on another generator must hold here too. Figures from it say nothing about real payments.
"""

from __future__ import annotations

from temper.demos.held_out.columns import schema
from temper.demos.held_out.model import matrix, split, train, write
from temper.demos.held_out.simulation import generate

__all__ = ["generate", "matrix", "schema", "split", "train", "write"]
