"""A worker beside another command: a process of its own, which ends when that command does, however that ends."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Annotated

import typer

Worker = Annotated[
    bool, typer.Option("--worker/--no-worker", help="Start a worker beside it, which carries out what is ordered.")
]
PATIENCE = 20.0
"""Seconds that a worker gets to give back what it has."""


@contextlib.contextmanager
def beside(place: str, *, trust_pickle: bool = False) -> Iterator[None]:
    """A worker on this control store. It ends with its standard input, which the kernel closes when this process is
    killed; the place may hold a password, so it goes where no list of processes shows it.
    """
    command = [sys.executable, "-m", "temper", "worker", "--tied", *(["--trust-pickle"] if trust_pickle else [])]
    child = subprocess.Popen(
        command,
        env=os.environ | {"TEMPER_CONTROL": place},
        stdin=subprocess.PIPE,
        stdout=sys.__stderr__,
        start_new_session=True,
    )
    closing = threading.Event()
    threading.Thread(target=_told, args=(child, closing), daemon=True).start()
    try:
        yield
    finally:
        closing.set()
        child.stdin.close()  # type: ignore[union-attr]
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()


def _told(child: subprocess.Popen[bytes], closing: threading.Event) -> None:
    """Say so where the worker ends before it should."""
    code = child.wait()
    if not closing.is_set():
        typer.echo(f"the worker ended by itself ({code}): jobs wait until `temper worker` is there", err=True)
