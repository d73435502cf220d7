"""Generators as processes: one run from several, clear words where a service cannot be asked, no load left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bench.load._server import served
from own_certificate import own_certificate
from temper.core.errors import TemperError
from temper.core.load import Glance
from temper.traffic.address import address
from temper.traffic.arrivals import constant, due
from temper.traffic.processes import Generators

ASKED = [b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"]


def test_several_generators_are_one_run() -> None:
    seen: list[Glance] = []
    with (
        served(0.001) as (port, _),
        Generators(address=address(f"http://127.0.0.1:{port}/"), many=2, watch=seen.append) as many,
    ):
        for rate in (200.0, 300.0):
            found = many.play(ASKED, due(constant(rate, 1.5)))
            assert np.array_equal(found.due, due(constant(rate, 1.5)))
            assert (found.status == 200).mean() > 0.99
            assert found.cpu > 0
    assert seen
    assert any(50 < one.offered < 400 for one in seen)


def test_a_service_that_dies_is_told_by_its_requests() -> None:
    with served(0.0, dies=0.5) as (port, _), Generators(address=address(f"http://127.0.0.1:{port}/")) as one:
        found = one.play(ASKED, due(constant(200.0, 1.0)))
    assert (found.status == 0).sum() == pytest.approx(100, abs=30)
    assert found.refused > 0


def test_nobody_there_is_one_sentence() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        place = address(f"http://127.0.0.1:{held.getsockname()[1]}/")
        with Generators(address=place) as one, pytest.raises(TemperError, match="takes no connection"):
            one.play(ASKED, due(constant(10.0, 1.0)))


def test_a_certificate_of_its_own_is_trusted_only_by_name(tmp_path: Path) -> None:
    pem = own_certificate(tmp_path)
    with served(0.0, cert=pem) as (port, _):
        url = f"https://localhost:{port}/"
        with Generators(address=address(url)) as one, pytest.raises(TemperError, match=r"not trusted.*self-signed"):
            one.play(ASKED, due(constant(10.0, 0.5)))
        with Generators(address=address(url, ca=str(pem)), connections=4) as one:
            assert (one.play(ASKED, due(constant(20.0, 0.5))).status == 200).all()
        with pytest.raises(TemperError, match="no file of certificates"):
            address(url, ca=str(tmp_path / "none")).context()


_ORPHAN = """
import sys
from temper.traffic.address import address
from temper.traffic.arrivals import constant, due
from temper.traffic.processes import Generators
if __name__ == "__main__":
    with Generators(address=address(sys.argv[1])) as one:
        print(one._children[0].pid, flush=True)
        one.play([b"GET / HTTP/1.1\\r\\nhost: a\\r\\n\\r\\n"], due(constant(50.0, 60.0)))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_load_outlives_who_asked_for_it(tmp_path: Path, how: signal.Signals) -> None:
    script = tmp_path / "orphan.py"
    script.write_text(_ORPHAN)
    with served(0.0) as (port, _):
        command = [sys.executable, str(script), f"http://127.0.0.1:{port}/"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=_interruptible
        ) as parent:
            assert parent.stdout is not None
            child = int(parent.stdout.readline())
            time.sleep(0.7)
            parent.send_signal(how)
            parent.wait(10)
        for _ in range(300):
            if not _alive(child):
                break
            time.sleep(0.02)
        else:
            os.kill(child, signal.SIGKILL)
            pytest.fail("the generator goes on")


def _interruptible() -> None:
    """A shell starts what runs in the background deaf to Ctrl-C, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
