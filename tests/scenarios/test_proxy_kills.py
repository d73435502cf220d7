"""An assistant's gateway is killed 20 times under load: what a client heard anything of stands in the ledger, once."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from random import Random

import pytest

from scenarios.story import ENVIRONMENT
from temper.store.ledger import record as lines
from temper.store.ledger.verify import records, verify

KILLS = 20
CLIENTS = 4
OWN = """
import asyncio
from temper.core.chat import Reply

async def answer(request):
    await asyncio.sleep(0.002)
    return Reply(text="It is at the harbour, and somebody will bring it tomorrow, as it was said. " * 30)
"""
SYSTEM = """
assistant: {callable: "own.py:answer"}
guard:
  stages: [canary, output]
  audit: {folder: audit, texts: all}
"""


def started(folder):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    words = [sys.executable, "-m", "temper", "serve", "-c", str(folder / "temper.yaml"), "--port", str(port)]
    process = subprocess.Popen(words, env=os.environ | ENVIRONMENT, stderr=subprocess.DEVNULL)
    for _ in range(600):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            assert connection.getresponse().status == 200
            return process, port
        except OSError:
            assert process.poll() is None, "it ended by itself"
            time.sleep(0.05)
        finally:
            connection.close()
    raise AssertionError("it did not start")


def asking(port, stream, heard):
    """Ask until the gateway is gone; what is heard of an exchange is its id, and whether it was heard to its end."""
    body = json.dumps({"messages": [{"role": "user", "content": "where is it"}], "stream": stream, "user": "ann"})
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("POST", "/v1/chat/completions", body)
            reply = connection.getresponse()
            if stream:
                first = reply.readline()
                name = json.loads(first.removeprefix(b"data: "))["id"]
                heard.append((name, False))
                heard.append((name, b"[DONE]" in reply.read()))
            else:
                heard.append((json.loads(reply.read())["id"], True))
        except (OSError, http.client.HTTPException, ValueError):
            return
        finally:
            connection.close()


@pytest.mark.slow
def test_kills_lose_no_exchange_anybody_has_heard_of(tmp_path):
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    (tmp_path / "temper.yaml").write_text(SYSTEM, encoding="utf-8")
    moments, heard = Random(6), []
    for _ in range(KILLS):
        process, port = started(tmp_path)
        clients = [threading.Thread(target=asking, args=(port, at % 2 == 0, heard)) for at in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(moments.uniform(0.05, 0.4))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        for client in clients:
            client.join()
    log = tmp_path / "audit" / "audit-node-0.db"
    found = [lines.decode(data) for _, data in records(log)]
    assert verify(log).holds
    kinds = {kind: Counter(one.document()["body"]["request"] for one in found if one.kind == kind)
             for kind in ("begun", "exchange")}  # fmt: skip
    assert set(kinds["exchange"].values()) | set(kinds["begun"].values()) == {1}, "nothing stands twice"
    assert [name for name, whole in heard if whole and name not in kinds["exchange"]] == []
    assert [name for name, _ in heard if name not in kinds["exchange"] and name not in kinds["begun"]] == []
    assert len(heard) > 10 * KILLS
    assert sum(one.kind == "opened" for one in found) == KILLS
