"""A load test as somebody orders it: which service, with what, how much; and its run from the start to the result."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from temper.config.service import METHODS, sendable
from temper.config.system import load_system
from temper.core.errors import TemperError
from temper.core.load import Glance, Limit, Loaded
from temper.core.service import Service
from temper.core.system import Protected
from temper.engine.load.asked import contents, messages
from temper.engine.load.chat import Chat
from temper.engine.load.course import Course
from temper.engine.load.gateway import QUOTA_OFF, gateway
from temper.traffic.address import Address, address
from temper.traffic.arrivals import recorded
from temper.traffic.chat import Asked
from temper.traffic.export import Script
from temper.traffic.limits.ordered import ordered
from temper.traffic.limits.started import Started
from temper.traffic.memory import Memory
from temper.traffic.plan import plan as planned
from temper.traffic.processes import Generators

SEARCH, OWN, NAMED = "search", "serve", "service"
_SLOWEST = 2.0
_FIRST = 50.0
_GENTLY, _ENOUGH, _CHAT_FIRST, _CHAT_LIMIT = 2.0, 100, 1.0, 1.0
"""Of a chat, whose answers are slow and cost: requests a second between runs, of a run, at first; and the limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTest:
    """`target` is a URL, "serve" (the gateway of `config`, started for it) or "service" (the one that `config` names);
    `plan` is "search", phases in words, or times:FILE. What is None is what temper.yaml says, or the default.
    """

    target: str
    config: Path = Path("temper.yaml")
    plan: str = SEARCH
    seconds: float = 3.0
    limit_ms: float | None = None
    most: float | None = None
    first: float | None = None
    body: Path | None = None
    method: str | None = None
    headers: tuple[str, ...] = ()
    key_env: str | None = None
    ca: Path | None = None
    confirmed: str = ""
    generators: int = 1
    connections: int = 256
    pid: int | None = None
    limits: tuple[str, ...] = ()
    seed: int = 0
    trust_pickle: bool = False
    chat: Chat | None = None

    def __post_init__(self) -> None:
        if ordered(self.limits) and self.target != OWN:
            raise TemperError("only a service that is started here has a limit", fix="stress `serve`, not a URL")

    def run(self, told: Callable[[str], None], watch: Callable[[Glance], None] | None = None) -> Loaded:
        """Do it. `told` hears a line for every finding, `watch` sees the last second, four times a second."""
        return self.of(self._system(), told=told, watch=watch)

    def of(
        self,
        system: Protected | None,
        searches: int = 3,
        told: Callable[[str], None] = lambda line: None,
        watch: Callable[[Glance], None] | None = None,
    ) -> Loaded:
        """The same with a system that is loaded already."""
        service = self._service(system)
        with ExitStack() as ended:
            service, pid, own = ended.enter_context(self._started(service, told))
            place = address(service.url, confirmed=service.confirmed, ca=service.ca)
            requests = messages(service, place, self._contents(service, system))
            senders = ended.enter_context(self._senders(service, place, watch))
            course = self._course(service, senders, requests, told)
            if self.chat is not None:
                told(self.chat.estimate(min(self._many(), self.chat.max_requests)))
            found = self._told(lambda: self._through(course, pid, searches), own)
        return replace(found, caveats=(*found.caveats, *((QUOTA_OFF,) if self.target == OWN else ())))

    def _senders(self, service: Service, place: Address, watch: Callable[[Glance], None] | None) -> Generators:
        found = Generators(
            address=place,
            many=self.generators,
            connections=self.connections,
            timeout=max(_SLOWEST, 4 * service.limit.seconds),
            limit=service.limit.seconds,
            watch=watch,
        )
        if self.chat is not None:
            found.chat, found.cap = Asked(stream=self.chat.stream), self.chat.max_requests
            found.timeout = self.chat.waits(service.limit.seconds)
        return found

    def _course(
        self, service: Service, senders: Generators, requests: list[bytes], told: Callable[[str], None]
    ) -> Course:
        first = self.first if self.first is not None else _FIRST if self.chat is None else _CHAT_FIRST
        course = Course(
            generators=senders,
            requests=requests,
            limit=service.limit,
            first=min(first, service.most),
            most=service.most,
            seconds=self.seconds,
            seed=self.seed,
            told=told,
        )
        if self.chat is not None:
            course.enough, course.gently = _ENOUGH, _GENTLY
        return course

    def _many(self) -> float:
        """Requests of the plan; nobody knows how many a search takes."""
        if self.plan == SEARCH:
            return math.inf
        if self.plan.startswith("times:"):
            return len(recorded(Path(self.plan.removeprefix("times:"))))
        return round(sum(phase.many for phase in planned(self.plan, self.seconds)))

    def _contents(self, service: Service, system: Protected | None) -> list[bytes]:
        return self.chat.bodies() if self.chat is not None else contents(service, system, self.body)

    def script(self, kind: str) -> str:
        """The plan as a script for "locust" or "k6"; nothing is sent. Errors: a search and a recording have none."""
        if self.plan == SEARCH or self.plan.startswith("times:") or self.target == OWN:
            raise TemperError(
                "only a plan in words, of a service with a URL, is a script of another tool",
                fix="add --plan constant:200 (or ramp, steps, spike)",
            )
        system = self._system()
        service = self._service(system)
        found = Script(
            phases=planned(self.plan, self.seconds),
            url=address(service.url, confirmed=service.confirmed, ca=service.ca).url,
            method=service.method,
            headers=service.headers,
            key_env=service.key_env,
            bodies=[one.decode() for one in self._contents(service, system)],
            limit=service.limit,
        )
        return found.locust() if kind == "locust" else found.k6()

    def _told(self, load: Callable[[], Loaded], own: Started | None) -> Loaded:
        """What the load found, with what the limits of the service did; one that was ended by them is told as that."""
        try:
            found = load()
        except TemperError as trouble:
            if own is None or not (how := own.explained()):
                raise
            raise TemperError(f"{trouble.message} ({how})", fix=trouble.fix) from None
        if own is None:
            return found
        return replace(found, constraints=own.constraints(), caveats=(*found.caveats, *filter(None, (own.end(),))))

    def _through(self, course: Course, pid: int | None, searches: int) -> Loaded:
        started = datetime.now(UTC).isoformat(timespec="seconds")
        if self.plan == SEARCH:
            return course.searched(started, searches)
        with ExitStack() as ended:
            memory = ended.enter_context(Memory(pid)) if pid is not None else None
            samples = memory.samples if memory is not None else []
            if self.plan.startswith("times:"):
                times = recorded(Path(self.plan.removeprefix("times:")))
                return course.timed(times, float(times[-1]) + 1e-3, self.plan, started, samples)
            words = f"{self.plan} over {self.seconds:g} s"
            return course.planned(planned(self.plan, self.seconds), words, started, samples)

    def _system(self) -> Protected | None:
        """The system of temper.yaml, for its rows and its service; none where a URL needs neither."""
        fed = (
            self.chat is not None
            or self.body is not None
            or (self.method or "").upper() == "GET"
            or not self.config.exists()
        )
        if fed and self.target not in (OWN, NAMED):
            return None
        return load_system(self.config, trust_pickle=self.trust_pickle)

    def _service(self, system: Protected | None) -> Service:
        """What temper.yaml says of the service, under what was given. What was meant for that service alone (its key
        above all) is sent to no other.
        """
        told = system.service if system is not None else None
        if self.target == NAMED and told is None:
            raise TemperError(f"{self.config} names no service", fix="write `service:` with its `url:`")
        if self.chat is not None and self.target == OWN:
            raise TemperError(
                "an assistant's gateway is not started for this", fix="start `temper serve` and name its URL"
            )
        base = told if told is not None else self._usual()
        if self.target != NAMED:
            base = replace(base, method="POST", key_env="", headers=(), ca="", confirmed="")
        if self.chat is not None and (self.body is not None or (self.method or base.method).upper() != "POST"):
            raise TemperError(
                "a chat is asked by POST with its prompts", fix="use --prompts, without --body and --method"
            )
        found = replace(
            base,
            url=base.url if self.target in (NAMED, OWN) else self.target,
            method=base.method if self.method is None else self.method.upper(),
            key_env=base.key_env if self.key_env is None else self.key_env,
            headers=(*base.headers, *map(_header, self.headers)),
            limit=base.limit if self.limit_ms is None else replace(base.limit, seconds=self.limit_ms / 1e3),
            most=base.most if self.most is None else self.most,
            ca=base.ca if self.ca is None else str(self.ca),
            confirmed=self.confirmed or base.confirmed,
        )
        if found.method not in METHODS or not (found.limit.seconds > 0 and found.most >= 1 and self.seconds > 0):
            raise TemperError(
                "a method, limit, rate or time is none that can be used",
                fix=f"--method is one of {', '.join(METHODS)}; --limit-ms, --seconds above 0; --most at least 1",
            )
        return found

    def _usual(self) -> Service:
        """A service of which nothing is known."""
        return Service(url="") if self.chat is None else Service(url="", limit=Limit(seconds=_CHAT_LIMIT))

    @contextmanager
    def _started(
        self, service: Service, told: Callable[[str], None]
    ) -> Iterator[tuple[Service, int | None, Started | None]]:
        """The service with its process, where it is known; the gateway is started and ended here, within its limits."""
        if self.target != OWN:
            yield service, self.pid, None
            return
        within = ", ".join(self.limits)
        told(f"the gateway starts{f' within {within}' if within else ''}")
        with gateway(self.config, ordered(self.limits)) as (url, own):
            for one in own.constraints():
                told(f"{one.limit} is set by {one.by}")
            yield replace(service, url=url, method="POST", body=Service(url="").body), own.process.pid, own


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not sendable(name.strip(), value.strip()):
        raise TemperError(f"{text[:60]!r} is no header", fix="write --header NAME:VALUE")
    return name.strip(), value.strip()
