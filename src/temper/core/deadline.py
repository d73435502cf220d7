"""Wait for a call, but not for ever: models hang, and Ctrl-C must still work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")


class TooLate(Exception):
    """The call did not come back in time; its thread is abandoned."""


def within(seconds: float, call: Callable[[], Result]) -> Result:
    """Run `call` in a daemon thread and wait; its exception is raised here.

    >>> within(5, lambda: 2 + 2)
    4
    """
    box: dict[str, Any] = {}

    def work() -> None:
        try:
            box["result"] = call()
        except BaseException as error:
            box["error"] = error

    thread = threading.Thread(target=work, daemon=True, name="temper-call")
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TooLate
    if "error" in box:
        raise box["error"]
    result: Result = box["result"]
    return result
