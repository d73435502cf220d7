"""Credit transfers of a bank's customers, day by day, SIMULATED: the held-out make of the bank's world.

It shares no mechanism with the other demos: customers are renewal processes on a clock of their own, excited by what
they spent, on a graph of payees that grows by preferential attachment; fraud is the trade of rings whose strategies are
vectors under selection and mutation. What is claimed on the other world must hold here too. Figures from it say nothing
about real payments.
"""

from __future__ import annotations

from temper.demos.held_out_bank.columns import schema
from temper.demos.held_out_bank.world import HeldOutWorld

__all__ = ["HeldOutWorld", "schema"]
