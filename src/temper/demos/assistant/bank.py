"""The bank's assistant, ready to be attacked: the stand-in in its sandbox. SIMULATED."""

from __future__ import annotations

from pathlib import Path

from temper.config.assistant import sandbox_of
from temper.config.reading import read
from temper.core.assistant import Assistant
from temper.core.chat import ChatTarget, Reply, Request
from temper.core.errors import TemperError
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


async def answer(request: Request) -> Reply:
    """What the stand-in of middling weakness says; the `callable` of the demo's temper.yaml."""
    return Mind().answer(request)


def write(folder: Path | str) -> Path:
    """Write temper.yaml and sandbox.yaml into `folder`; the path of the temper.yaml, which is not overwritten."""
    folder = Path(folder)
    system = folder / "temper.yaml"
    if system.exists():
        raise TemperError(f"{system} is already there", fix="choose an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sandbox.yaml").write_text(SANDBOX.read_text(encoding="utf-8"), encoding="utf-8")
    system.write_text(SANDBOX.with_name("temper.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    return system
