"""A plan as a script for somebody else's tool: Locust (Python) and k6 (JavaScript)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from temper.core.load import Limit
from temper.traffic.arrivals import Phase

_LOCUST = '''"""Written by Temper. locust -f THIS_FILE --headless
A user of Locust waits for its answer before it asks again: beyond the limit it asks less than is due, without a word.
"""
import itertools
import os

from locust import FastHttpUser, LoadTestShape, constant_throughput, task

URL, METHOD = {url}, {method}
HEADERS = {headers}
KEY = {key}
if KEY:
    HEADERS["Authorization"] = "Bearer " + os.environ[KEY]
BODIES = itertools.cycle({bodies})
PHASES = {phases}  # seconds, requests a second at the start, at the end
EACH = {each}  # requests a second of one user


class User(FastHttpUser):
    host = URL
    wait_time = constant_throughput(EACH)

    @task
    def ask(self):
        self.client.request(METHOD, URL, data=next(BODIES), headers=HEADERS)


class Shape(LoadTestShape):
    def tick(self):
        left = self.get_run_time()
        for seconds, start, end in PHASES:
            if left < seconds:
                rate = start + (end - start) * left / seconds
                users = max(1, round(rate / EACH))
                return users, max(100, users)
            left -= seconds
        return None
'''
_K6 = """// Written by Temper. k6 run THIS_FILE
// Open loop; what k6 cannot start in time it counts as dropped_iterations, and times run from when it sent.
import http from 'k6/http';

const BODIES = {bodies};
const HEADERS = {headers};
const KEY = {key};
if (KEY) HEADERS['Authorization'] = 'Bearer ' + __ENV[KEY];

export const options = {{
  scenarios: {{
    load: {{
      executor: 'ramping-arrival-rate',
      startRate: {start},
      timeUnit: '1s',
      preAllocatedVUs: {users},
      maxVUs: {most},
      stages: {stages},
    }},
  }},
  thresholds: {{
    http_req_duration: ['p(99)<{limit}'],
    http_req_failed: ['rate<{failed}'],
    dropped_iterations: ['count<1'],
  }},
}};

export default function () {{
  const body = BODIES.length ? BODIES[(__VU * 7919 + __ITER) % BODIES.length] : null;
  http.request({method}, {url}, body, {{ headers: HEADERS }});
}}
"""
_EACH, _USERS = 5.0, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A plan with all that a tool needs for it; the key stays in its variable and out of the script."""

    phases: Sequence[Phase]
    url: str
    method: str
    headers: Sequence[tuple[str, str]] = ()
    key_env: str = ""
    bodies: Sequence[str] = ()
    limit: Limit = field(default_factory=Limit)

    def locust(self) -> str:
        """A locustfile with the same phases; its times are those of a closed loop."""
        fastest = max(max(phase.start, phase.end) for phase in self.phases)
        return _LOCUST.format(
            url=repr(self.url),
            method=repr(self.method),
            headers=repr(self._headers()),
            key=repr(self.key_env),
            bodies=repr(list(self.bodies) or [None]),
            phases=repr([(phase.seconds, phase.start, phase.end) for phase in self.phases]),
            each=min(_EACH, fastest),
        )

    def k6(self) -> str:
        """A k6 script with the same phases and limit."""
        fastest = max(max(phase.start, phase.end) for phase in self.phases)
        users = max(1, round(fastest * self.limit.seconds * _USERS))
        stages: list[dict[str, object]] = []
        for phase in self.phases:
            stages += [{"target": round(phase.start), "duration": "0s"}]
            stages += [{"target": round(phase.end), "duration": f"{phase.seconds:g}s"}]
        return _K6.format(
            bodies=json.dumps(list(self.bodies)),
            headers=json.dumps(self._headers()),
            key=json.dumps(self.key_env),
            start=round(self.phases[0].start),
            users=users,
            most=max(10 * users, 100),
            stages=json.dumps(stages),
            limit=f"{1e3 * self.limit.seconds:g}",
            failed=f"{1 - self.limit.answered:.6g}",
            method=json.dumps(self.method),
            url=json.dumps(self.url),
        )

    def _headers(self) -> dict[str, str]:
        told = dict(self.headers)
        if self.bodies and "content-type" not in {name.lower() for name in told}:
            told["Content-Type"] = "application/json"
        return told
