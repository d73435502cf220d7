"""A console on a real control store, and a browser without a window: ASGI calls with a cookie jar."""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from http.cookies import SimpleCookie
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

from temper.core.review import Role
from temper.store.control import Control
from temper.web.app import console

NOW = 1_800_000_000.0
PASSWORD = "a long and quiet sentence"
PEOPLE = {
    "vera": Role.VIEWER,
    "tess": Role.TESTER,
    "val": Role.VALIDATOR,
    "ana": Role.ANALYST,
    "ben": Role.ANALYST,
    "pia": Role.APPROVER,
    "ada": Role.ADMIN,
}
FIELDS = ("csrf", "token", "version", "seen")
"""What the form of a decision carries."""
PAYLOAD = {
    "rows": [{"amount": 9400.0, "country": "NL", "age_of_account": 3, "night": True, "device": None}],
    "score": 0.57,
    "source": "primary",
    "reasons": ["decide: score 0.57 is between 0.4 and 0.6", "anomaly: amount is far from the profile"],
    "reference": {
        "amount": {"low": 5, "high": 1200, "typical": 74.5},
        "country": {"values": ["NL", "DE", "BE"], "typical": "NL"},
        "age_of_account": {"low": 30, "high": 4000, "typical": 900},
        "night": {"values": [False], "typical": False},
    },
    "client": "fraud-web",
    "request": "8f3c-0001",
}


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    def hidden(self, name: str) -> str:
        """A hidden field of the first form that has it."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.text)
        assert found, f"no field {name} in {self.text[:400]}"
        return html.unescape(found[1])


@dataclass
class Browser:
    """Keeps cookies and nothing else; `ask` follows no redirect."""

    app: Any
    scheme: str = "http"
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, form: Mapping[str, str], **headers: str) -> Answer:
        kind = {"content-type": "application/x-www-form-urlencoded"} | headers
        return self.ask("POST", path, urlencode(form, errors="surrogatepass").encode(), kind)

    def send(self, page: str, path: str, **form: str) -> Answer:
        """Post a form with the word that `page` gives."""
        return self.post(path, {"csrf": self.get(page).hidden("csrf")} | form)

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        answer = asyncio.run(_call(self.app, self._scope(method, path, headers or {}), body))
        for key, value in answer.headers:
            if key == "set-cookie":
                self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(value).items()}
        return answer

    async def sent(self, method: str, path: str, form: Mapping[str, str]) -> Answer:
        """The same beside others; cookies that come back are dropped."""
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return await _call(self.app, self._scope(method, path, kind), urlencode(form).encode())

    def _scope(self, method: str, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
        where, _, query = path.partition("?")
        lines = {"host": "console.test", **headers}
        if self.cookies:
            lines["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": self.scheme,
            "path": where,
            "raw_path": where.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(key.encode(), value.encode("latin-1")) for key, value in lines.items()],
            "client": ("127.0.0.1", 1),
            "server": ("console.test", 80),
        }

    def login(self, name: str, password: str = PASSWORD) -> Answer:
        return self.send("/login", "/login", name=name, password=password, next="/queue")


async def _call(app: Any, scope: dict[str, Any], body: bytes) -> Answer:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    head = [(key.decode(), value.decode()) for key, value in sent[0]["headers"]]
    return Answer(sent[0]["status"], head, b"".join(one.get("body", b"") for one in sent[1:]))


@cache
def _peopled() -> tuple[bytes, list[dict[str, Any]]]:
    """A store with everybody in it, as a file and as rows, made once: five passwords take half a second of argon2."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "control.db"
        control = Control.open(str(path))
        for name, role in PEOPLE.items():
            control.people.add(name, role, PASSWORD, "setup", NOW)
        with control._database.read() as tx:
            rows = tx.all("SELECT name, role, secret, created FROM person")
        control.close()
        return path.read_bytes(), rows


def _people_into(control: Control) -> None:
    """The same people in a store that is not a file."""
    with control._database.write() as tx:
        for row in _peopled()[1]:
            tx.all("INSERT INTO person (name, role, secret, created) VALUES (?, ?, ?, ?)", *row.values())


@dataclass
class World:
    """A control store with people in it, and the console on it."""

    control: Control
    clock: Clock
    app: Any

    @staticmethod
    def at(place: Path | str, **options: Any) -> World:
        """At a folder, a file, or an empty database of PostgreSQL."""
        if "://" in str(place):
            control = Control.open(str(place))
            _people_into(control)
        else:
            file = Path(place) / "control.db" if Path(place).is_dir() else Path(place)
            file.write_bytes(_peopled()[0])
            control = Control.open(str(file))
        clock = Clock()
        return World(control, clock, console(control, clock=clock, **options))

    def close(self) -> None:
        self.control.close()

    def unguarded(self, table: str, sql: str, *values: Any) -> None:
        """A change past the store, by somebody who takes the trigger away that would refuse it."""
        with self.control._database.write() as tx:
            on = "" if type(tx).__module__.endswith("sqlite") else f" ON {table}"
            tx.all(f"DROP TRIGGER IF EXISTS {table}_stays{on}")
            tx.all(sql, *values)

    def browser(self, name: str = "", scheme: str = "http") -> Browser:
        """A browser in which this person is logged in; the password is checked in one test and not in each."""
        found = Browser(self.app, scheme)
        if name:
            key = "temper_session" if scheme == "http" else "__Host-temper_session"
            found.cookies[key] = self.control.sessions.open(name, self.clock())
        return found

    def case(self, **options: Any) -> int:
        """One more case."""
        payload = options.pop("payload", PAYLOAD)
        request = options.pop("request", f"request-{sum(self.control.reviews.counts().values())}")
        return self.control.reviews.enqueue(request, payload, NOW, **options)

    def fill(self, many: int, payload: Mapping[str, Any] = PAYLOAD, state: str = "open", **options: Any) -> None:
        """Many more cases in one transaction, past the store: each put in by itself is a write to the disk."""
        text, ended = json.dumps(payload), {"outcome": None, "closed": None} | options
        columns = "request, payload, priority, due, created, state, eyes, outcome, closed"
        sql = f"INSERT INTO review ({columns}) VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?)"
        with self.control._database.write() as tx:
            for at in range(many):
                tx.all(sql, f"many-{at}", text, at % 5, NOW + 9e4 + at, NOW, state, *ended.values())
