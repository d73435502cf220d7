"""A console that answers on a port of its own, and Debian's chromium in front of it."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from unit.web_desk import World

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
marks = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed (Debian: apt-get install chromium)"),
]


@contextmanager
def served(place: Path | str, **options: Any) -> Iterator[tuple[World, str]]:
    """A world and the address of its console."""
    import uvicorn

    world = World.at(place, **options)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(world.app, log_level="warning", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield world, f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
        world.close()


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; what it says and does is the test's to watch."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@cache
def _axe() -> Any:
    from axe_playwright_python.sync_playwright import Axe

    return Axe()


def ailments(page: Any) -> list[str]:
    """What axe-core finds wrong with a page: the rule, what it asks for, and the element."""
    found = _axe().run(page).response["violations"]
    return [f"{one['id']}: {one['help']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


def tab(browser: Any, world: World, at: str, name: str, **options: Any) -> Any:
    """A window of its own in which this person is logged in."""
    context = browser.new_context(base_url=at, **options)
    context.set_default_timeout(10_000)
    secret = world.control.sessions.open(name, world.clock())
    context.add_cookies([{"name": "temper_session", "value": secret, "url": at}])
    return context.new_page()
