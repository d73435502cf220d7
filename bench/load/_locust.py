"""Locust's side: PORT USERS RATE SECONDS; prints its processor seconds, requests and seconds as JSON."""

from __future__ import annotations

import sys

import gevent.monkey

gevent.monkey.patch_all()

import json  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402
from locust import FastHttpUser, constant_throughput, task  # noqa: E402
from locust.env import Environment  # noqa: E402

port, users, rate, seconds = (float(word) for word in sys.argv[1:5])


class User(FastHttpUser):
    """Posts the same body, as often as its share of the rate."""

    host = f"http://127.0.0.1:{int(port)}"
    wait_time = constant_throughput(rate / users)

    @task
    def score(self) -> None:
        """One request."""
        self.client.post("/", data=b'{"row":{"a":1}}', headers={"Content-Type": "application/json"})


environment = Environment(user_classes=[User])
runner = environment.create_local_runner()
runner.start(int(users), spawn_rate=1_000)
gevent.sleep(1.5)
before, spent, start = environment.stats.total.num_requests, time.process_time(), time.monotonic()
gevent.sleep(seconds)
found = {
    "requests": environment.stats.total.num_requests - before,
    "cpu": time.process_time() - spent,
    "seconds": time.monotonic() - start,
}
runner.quit()
print(json.dumps(found), flush=True)
