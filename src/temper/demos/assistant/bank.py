"""The bank's assistant, ready to be attacked: the stand-in in its sandbox. SIMULATED."""

from __future__ import annotations

from pathlib import Path

from temper.config.assistant import sandbox_of
from temper.config.reading import read
from temper.core.assistant import Assistant
from temper.core.chat import ChatTarget
from temper.demos.assistant.mind import Mind
from temper.demos.assistant.weakness import Weakness
from temper.targets.chat.function import ChatFunction

SANDBOX = Path(__file__).with_name("bank.yaml")


def bank(weakness: Weakness | None = None, target: ChatTarget | None = None) -> Assistant:
    """The assistant of Larch Bank over the stand-in of this weakness, or over another target.

    >>> bank().simulated
    True
    """
    mind = Mind(weakness=weakness or Weakness())
    target = target or ChatFunction(call=mind.answer, version=repr(mind.weakness), tools=True)
    return sandbox_of(read(SANDBOX), target, name="larch-assistant", purpose="help customers", simulated=True)
