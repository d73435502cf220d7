"""What tests ask of gateways that run as processes of their own."""

import json
import socket
import time
import urllib.request
from pathlib import Path

from temper.traffic.messages import message


def asked(port, document, key="k", path="/v1/score"):
    """(status, head, document) of one request."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line, line.makefile("rb") as reader:
        line.sendall(message(json.dumps(document).encode(), key=key, path=path))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += reader.readline()
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        return int(head[9:12]), head.lower(), json.loads(reader.read(length))


def metric(port, name):
    """A gauge as Prometheus reads it."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    return next(float(one.split()[-1]) for one in text.splitlines() if one.startswith(f"temper_{name}"))


def waited(condition, seconds=20.0):
    """Until this holds; seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds, "it did not come about"
        time.sleep(0.05)
    return time.monotonic() - began


def children(pid):
    """The workers of this process: what was spawned, without what watches over semaphores."""
    found = Path(f"/proc/{pid}/task/{pid}/children")
    every = [int(one) for one in found.read_text().split()] if found.exists() else []
    return [one for one in every if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]
