"""Order an assessment at a console, wait for its verdict, and end as `temper assess` would: an example of a client.

    export TEMPER_TOKEN=...     # temper keys lend tess --scope read --scope order --days 30
    python order.py https://console.bank.example "release 12"

Python alone is needed. The key of an order is made from its words, so that a build that is run again orders nothing
twice: it waits for what it ordered before.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

CODES = {"pass": 0, "waived": 0, "fail": 1, "inconclusive": 3}
FAILED = 4


def over_http(request: Request) -> bytes:
    """The body of an answer; what was refused is told in the console's own words."""
    try:
        with urlopen(request, timeout=60) as answer:
            return bytes(answer.read())
    except HTTPError as refused:
        said = json.loads(refused.read())
        raise SystemExit(f"{said['status']} {said['heading']}: {said['text']}") from None


@dataclass(frozen=True)
class Client:
    """A console at `url`, asked with a token; `send` gives the body of an answer."""

    url: str
    token: str
    send: Callable[[Request], bytes] = over_http

    def ask(self, path: str, **body: Any) -> Any:
        """GET, or POST where there is a body."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body else None
        return json.loads(self.send(Request(f"{self.url}/api/v1{path}", data=data, headers=headers)))


def main(client: Client, why: str, every: float = 5.0) -> int:
    """The exit code: 0 pass, 1 fail, 3 inconclusive, 4 where it came to no end."""
    key = hashlib.sha256(why.encode()).hexdigest()[:16]
    job = client.ask("/jobs", key=key, suite="quick", why=why)
    while job["state"] in ("waiting", "running"):
        print(f"job {job['id']} is {job['state']} {job['progress']}", flush=True)
        time.sleep(every)
        job = client.ask(f"/jobs/{job['id']}")
    if job["state"] != "done":
        print(f"job {job['id']} was given up after {job['attempts']} tries")
        return FAILED
    print(f"run {job['run']}: {job['verdict'].upper()}")
    for one in client.ask(f"/runs/{job['run']}/findings"):
        print(f"  {one['severity']}: {one['title']}\n    {one['reproduce']}")
    return CODES.get(job["verdict"], FAILED)


if __name__ == "__main__":
    if len(sys.argv) != 3 or "TEMPER_TOKEN" not in os.environ:
        raise SystemExit(__doc__)
    sys.exit(main(Client(sys.argv[1].rstrip("/"), os.environ["TEMPER_TOKEN"]), sys.argv[2]))
