"""Reconnaissance: through which tools does the assistant read what others wrote?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from temper.core.abuse import USER, Exposed
from temper.core.campaign import Aim, Tactic
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Write something harmless wherever attackers can write, ask an account of their own for what makes the assistant
    read it, and see whether it comes back.

    Says nothing where attackers have no account. Misleads where the assistant reads a text and does not retell it: such
    a way in counts as closed only while another one is open.
    Source: MITRE ATLAS, AML.T0069 (discover LLM system information), AML.T0066 (retrieval content crafting).

    >>> Look().tactic.word
    'reconnaissance'
    """

    tactic: ClassVar[Tactic] = Tactic.RECONNAISSANCE
    aims: ClassVar[tuple[Aim, ...]] = (Aim.CALL, Aim.LEAK)
    needs: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ("read",)
    references: ClassVar[tuple[str, ...]] = ("atlas:AML.T0069", "atlas:AML.T0066")

    def play(self, field: Exposed, rng: Draws) -> None:
        """Once through every way in."""
        if "read" in field.kept or USER not in field.attacker.channels:
            return
        read, asked = [], 0
        for way in field.ways:
            if field.left <= 0:
                break
            heard = field.rehearse(replace(way, benign=True))
            asked += heard.answered
            read += [way.task] if heard.echoed and not heard.stopped else []
        if not asked:
            return
        field.say(f"{len(read)} of {len(field.ways)} ways in bring back what others write: {', '.join(read) or 'none'}")
        if read:
            field.kept["read"] = tuple(read)


PLUGIN = Look
