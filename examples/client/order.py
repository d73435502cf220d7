"""Order an assessment at a console, wait for its verdict, and end as `temper assess` would: an example of a client.

    export TEMPER_TOKEN=...     # temper keys lend tess --scope read --scope order --days 30
    python order.py https://console.bank.example "release 12"
    python order.py https://console.bank.example "release 12" layers      # what gets through the guard
    python order.py https://console.bank.example "release 12" probes      # what people got through by hand

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
    """An assessment: the exit code, 0 pass, 1 fail, 3 inconclusive, 4 where it came to no end."""
    job = ended(client, client.ask("/jobs", key=_key(why), suite="quick", why=why), every)
    if job["state"] == "done":
        print(f"run {job['run']}: {job['verdict'].upper()}")
        for one in client.ask(f"/runs/{job['run']}/findings"):
            print(f"  {one['severity']}: {one['title']}\n    {one['reproduce']}")
    return CODES.get(job["verdict"], FAILED)


def layers(client: Client, why: str, every: float = 5.0) -> int:
    """The layers of the guard, weighed: the same codes."""
    order = client.ask("/depths", key=_key(why), suite="quick", why=why, through=0.1, refused=0.05)
    job = ended(client, order, every)
    if job["state"] == "done":
        found = client.ask(f"/depths/{job['depth']}")
        print(f"{', '.join(one['name'] for one in found['layers'])}: {job['verdict'].upper()}")
        by = found["known"] or found["fixed"]
        print(f"  {by['value']:.1%} ({by['low']:.1%} to {by['high']:.1%}, n = {by['n']}) of attacks get through all")
    return CODES.get(job["verdict"], FAILED)


def probes(client: Client, why: str, every: float = 5.0) -> int:
    """What people tried by hand and nothing stopped: 1 where there is any."""
    found = [
        one for one in client.ask("/probes?limit=200") if one["outcome"].endswith(("nothing stops it", "lets it by"))
    ]
    for one in found:
        print(f"probe {one['id']}: {one['hypothesis']} ({one['origin']}, {one['policy'] or 'policy unknown'})")
    return 1 if found else 0


def ended(client: Client, job: Any, every: float) -> Any:
    """An order when it is over."""
    while job["state"] in ("waiting", "running"):
        print(f"job {job['id']} is {job['state']} {job['progress']}", flush=True)
        time.sleep(every)
        job = client.ask(f"/jobs/{job['id']}")
    if job["state"] != "done":
        print(f"job {job['id']} was given up after {job['attempts']} tries")
    return job


def _key(why: str) -> str:
    return hashlib.sha256(why.encode()).hexdigest()[:16]


DOES = {"assess": main, "layers": layers, "probes": probes}

if __name__ == "__main__":
    what = sys.argv[3] if len(sys.argv) > 3 else "assess"
    if len(sys.argv) not in (3, 4) or what not in DOES or "TEMPER_TOKEN" not in os.environ:
        raise SystemExit(__doc__)
    sys.exit(DOES[what](Client(sys.argv[1].rstrip("/"), os.environ["TEMPER_TOKEN"]), sys.argv[2]))
