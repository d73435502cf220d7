"""The travel desk's assistant, ready to be attacked: the held-out stand-in in its sandbox. SIMULATED."""

from __future__ import annotations

import hashlib
from functools import cache
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
    target = target or ChatFunction(call=clerk.answer, version=f"{clerk!r} {_made_of()}", tools=True)
    return sandbox_of(read(SANDBOX), target, name="skerry-desk", purpose="help travellers", simulated=True)


@cache
def _made_of() -> str:
    """A digest of what it is made of: its answers change with it."""
    files = sorted(path for path in Path(__file__).parent.iterdir() if path.suffix in (".py", ".yaml"))
    return hashlib.blake2b(b"\0".join(path.read_bytes() for path in files), digest_size=8).hexdigest()
