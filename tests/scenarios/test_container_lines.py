"""The lines of the Containerfile, followed one by one in a folder, end in a healthy gateway that goes when told."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from small_gateway import folder, models

__all__ = ["folder", "models"]

ROOT = Path(__file__).parents[2]
NO_CODE = shutil.ignore_patterns("__pycache__", "*.egg-info")
START = 120.0
pytestmark = pytest.mark.slow


def said(word: str) -> list[str]:
    """What stands behind this instruction, with continued lines joined."""
    text = (ROOT / "examples" / "serving" / "Containerfile").read_text(encoding="utf-8")
    return re.findall(rf"^{word} (.+)$", re.sub(r" *\\\n *", " ", text), re.MULTILINE)


def built(home: Path, variables: dict[str, str]) -> Path:
    """What its first stage makes, by COPY and RUN; the folder that the second one takes over."""
    source, made = home / "src", home / "made"
    source.mkdir()
    for line in said("COPY")[:2]:
        for name in line.split()[:-1]:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, source / name, ignore=NO_CODE)
            else:
                shutil.copy(ROOT / name, source / name)
    for command in said("RUN")[0].split("&&"):
        words = shlex.split(command.replace("/opt/temper", str(made)))
        words[0] = sys.executable if words[0] == "python" else words[0]
        subprocess.run(words, cwd=source, env=variables, check=True)
    return made


@contextmanager
def started(config: Path, port: int, variables: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """What ENTRYPOINT starts, in this folder and at this port, for this machine alone."""
    own = {"/etc/temper/temper.yaml": str(config), "0.0.0.0": "127.0.0.1", "8080": str(port)}
    words = [own.get(word, word) for word in json.loads(said("ENTRYPOINT")[0])]
    process = subprocess.Popen([shutil.which(words[0], path=variables["PATH"]) or "", *words[1:]], env=variables)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_its_lines_make_a_gateway_that_is_healthy_and_goes_when_told(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "container"
    home.mkdir()
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    made = built(home, variables)
    variables |= {"PATH": f"{made}/bin:{variables['PATH']}", "NUMBA_CACHE_DIR": str(home / "numba")}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    asks = json.loads(said("HEALTHCHECK")[0].partition("CMD ")[2].replace(":8080", f":{port}"))
    asks[0] = f"{made}/bin/python"
    with started(folder / "temper.yaml", port, variables) as process:
        end = time.monotonic() + START
        while subprocess.run(asks, env=variables, stderr=subprocess.DEVNULL, check=False).returncode:
            assert process.poll() is None, "the gateway ended by itself"
            assert time.monotonic() < end, f"not healthy within the start period of {START:.0f} s"
            time.sleep(0.2)
        told = getattr(signal, said("STOPSIGNAL")[0])
        process.send_signal(told)
        assert process.wait(30.0) in (0, -told)  # uvicorn raises the signal again once everything is closed
