"""The travel desk's assistant, ready to be attacked: the held-out stand-in in its sandbox. SIMULATED."""

from __future__ import annotations

from pathlib import Path

from temper.config.assistant import sandbox_of
from temper.config.reading import read
from temper.core.assistant import Assistant
from temper.core.chat import ChatTarget
from temper.demos.assistant.held_out.character import Character
from temper.demos.assistant.held_out.clerk import Clerk
from temper.targets.chat.function import ChatFunction

SANDBOX = Path(__file__).with_name("travel.yaml")


def travel(character: Character | None = None, target: ChatTarget | None = None) -> Assistant:
    """The assistant of Skerry Travel over the held-out stand-in of this character, or over another target.

    >>> travel().simulated
    True
    """
    clerk = Clerk(character=character or Character())
    target = target or ChatFunction(call=clerk.answer, version=repr(clerk), tools=True)
    return sandbox_of(read(SANDBOX), target, name="skerry-desk", purpose="help travellers", simulated=True)
