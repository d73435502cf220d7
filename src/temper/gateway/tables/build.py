"""A gateway from a temper.yaml: the model, its stages, its keys, its audit, put together and served."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temper.config.serving import Serving
from temper.core.errors import ConfigError
from temper.core.serving import Mode
from temper.core.system import Protected
from temper.gateway.asgi import Receive, Scope, Send, lifespan
from temper.gateway.events import tell
from temper.gateway.keys import key_in, loopback
from temper.gateway.log import Log, Signals, logged
from temper.gateway.tables.alarms import alarm
from temper.gateway.tables.app import Client
from temper.gateway.tables.compared import save
from temper.gateway.tables.deploy import guard
from temper.gateway.tables.gauges import gauges
from temper.gateway.tables.leasing import Leasing
from temper.gateway.tables.metrics import HELP, Metrics
from temper.gateway.tables.minutes import Minutes
from temper.gateway.tables.presence import Presence, host
from temper.gateway.tables.recall import Recall
from temper.gateway.tables.relay import Relay, reference
from temper.gateway.tables.reload import Reloading, effective, state
from temper.gateway.tables.tending import Tending
from temper.gateway.tables.told import described, ended
from temper.gateway.tables.version import Lasting, Trial, Version, check, version
from temper.gateway.tables.watching import Watching, limits
from temper.gateway.trace import Spans
from temper.gateway.transport import Door
from temper.gateway.upstream.wire import Upstream
from temper.guard.serving import parts
from temper.guard.serving.pipeline import Pipeline
from temper.report.prometheus import Labels
from temper.store.control import Control
from temper.store.control.keys import Snapshot
from temper.store.ledger.journal import Journal
from temper.store.ledger.personal import Personal
from temper.store.ledger.segment import NAME
from temper.store.ledger.verify import logs

Named = tuple[Journal, Personal, Presence]
SCOPE = "score"
"""What a key must allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Which of several processes this is; its journal has both names."""

    node: str = "node"
    worker: str = "0"
    workers: int = 1

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.node):
            raise ConfigError(f"{self.node!r} is no name of a node", fix="use up to 64 letters, digits, - or _")

    def files(self, folder: Path) -> dict[str, Any]:
        """Where it counts, and where the others do."""
        if self.workers == 1:
            return {}
        every = [folder / f"metrics-{self.node}-{at}.json" for at in range(self.workers)]
        at = int(self.worker)
        return {"own": every[at], "others": (*every[:at], *every[at + 1 :])}

    def left(self, folder: Path) -> list[Path]:
        """Ledgers in this folder that are of none of these processes; the first of them looks after those."""
        own = {f"audit-{self.node}-{at}" for at in range(self.workers)} | {f"audit-{self.node}-{self.worker}"}
        return [one for one in logs(folder) if one.stem not in own] if self.worker == "0" else []


@dataclass(slots=True, kw_only=True, eq=False)
class Gateway:
    """The application: the version that answers now, and what operates it. One assignment of `live` changes what new
    requests meet; those under way end on the version they began with.
    """

    live: Version
    lasting: Lasting
    counted: Metrics
    figures: Path
    """Where it keeps what it sees of a model on trial."""
    door: Door
    control: Control
    tending: Tending
    reloading: Reloading | None = None
    parent: int = 0
    """The process that started this one, if it has to be there."""
    leaving: bool = False
    """Whether the process is about to end."""
    log: Log = field(default_factory=Log)
    url: str = ""
    """Where it answers, to be told."""
    minutes: Minutes = field(init=False, repr=False)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list, init=False, repr=False)

    @property
    def journal(self) -> Journal:
        """Where decisions are written."""
        return self.lasting.journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the beginning and the end of the process."""
        if scope["type"] == "lifespan":
            await lifespan(receive, send, self.stop, self.start)
        else:
            await self.live.app(scope, receive, send)

    def ready(self) -> tuple[str, ...]:
        """Why nothing should be sent here: nothing where it may. A model behind that fails later is no reason: it
        fails for every gateway, and somebody else answers.
        """
        live = self.live
        alone = not live.pipeline.chain.links and live.golden is not None  # known rows find out when it is there
        unheard = alone and isinstance(live.pipeline.model, Upstream) and not live.pipeline.model.answered
        faults = {
            "draining": self.leaving,
            "ledger": self.journal.fault is not None,
            "model": unheard,
            "name": self.tending.presence.disputed,
        }
        return tuple(name for name, wrong in faults.items() if wrong)

    def swap(self, new: Version) -> None:
        """Let this version answer from the next request on."""
        for one in new.pipelines:
            one.stopped = self.tending.stopped
        self._limited(new)
        relay = self.tending.relay
        relay.reference = reference(new.system.schema, _learnt(new.system))
        for name, value in parts.people(parts.options_of(new.serving)).items():
            setattr(relay, name, value)
        old, self.live = self.live, new
        if old.shadow is not None and old.shadow is not new.shadow:
            old.shadow.close(wait=False)

    def __post_init__(self) -> None:
        self._limited(self.live)
        self.minutes = Minutes(counted=self.counted, journal=self.journal, shed=lambda: self.door.shed)

    def _limited(self, version: Version) -> None:
        if version.quota is not None:
            self.lasting.leasing.follow(version.quota)

    def start(self) -> None:
        """Begin to follow what people set, on the running event loop."""
        tell("gateway.started", process=os.getpid(), url=self.url, **limits(self.live))
        self.tending.start()
        self.lasting.leasing.start()
        self._tasks = [asyncio.create_task(self._every_second())]
        if self.reloading is not None:
            self._tasks.append(asyncio.create_task(self.reloading.run()))

    async def stop(self) -> None:
        """Write what is left and let everything go."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.lasting.leasing.stop()
        await self.tending.stop()
        if self.lasting.spans is not None:
            await asyncio.to_thread(self.lasting.spans.close)
        self.minutes.note()
        self.close()
        tell("gateway.stopped", requests=self.counted.seconds.count, records=self.journal.seq)

    async def _every_second(self) -> None:
        watching = Watching(live=lambda: self.live, journal=self.journal, tending=self.tending, door=self.door)
        while True:
            watching.look()
            self.minutes.noted()
            await self.saved()
            if self.parent and os.getppid() != self.parent:
                os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(1.0)

    async def saved(self) -> None:
        """Let other processes, and whoever asks at the command line, see what this one has counted."""
        trial = self.live.shadow or self.live.canary
        document = None if trial is None else {"at": time.time(), **trial.document()}
        with suppress(OSError):  # a full disk is told by the journal
            await asyncio.to_thread(self.counted.save)
            await asyncio.to_thread(save, self.figures, document)

    def close(self) -> None:
        """The same where nothing was started."""
        if self.live.shadow is not None:
            self.live.shadow.close()
        self.journal.close()
        self.lasting.personal.close()
        self.tending.presence.leave()
        self.control.close()


def opened(path: Path, *, node: str = "node", worker: str = "0", workers: int = 1, otlp: str = "") -> Gateway:
    """The gateway of this temper.yaml, under the policy people have activated; it follows both. Spans go to the
    collector at `otlp`, if there is one.
    """
    spans = Spans.to(otlp, "temper-gateway") if otlp else None
    seat, serving = Seat(node=node, worker=worker, workers=workers), guard(path)
    control = Control.open(serving.control)
    seen = state(path, serving, control)
    gateway = build(*effective(path, control), seat=seat, control=control, spans=spans)
    if gateway.live.pipeline.model is gateway.live.served:  # an upstream may be down for now
        asyncio.run(check(gateway.live))
    gateway.reloading = Reloading(
        path=path,
        lasting=gateway.lasting,
        control=control,
        live=lambda: gateway.live,
        swap=gateway.swap,
        seen=(seen[0], state(path, serving, control)[1], seen[2]),  # the profile may have been fitted just now
    )
    return gateway


def build(
    system: Protected,
    serving: Serving,
    trial: Trial | None = None,
    *,
    seat: Seat = Seat(),
    control: Control | None = None,
    spans: Spans | None = None,
) -> Gateway:
    """Everything between a socket and the model. The profile is fitted from the training rows where there is none."""
    control = Control.open(serving.control) if control is None else control
    named = _named(serving, seat, control)
    try:
        return _built(system, serving, trial, seat, control, spans, named)
    except BaseException:  # whoever tries again must find the name and the ledger free
        for part in (named[0].close, named[1].close, named[2].leave):
            with suppress(Exception):
                part()
        raise


def _built(
    system: Protected,
    serving: Serving,
    trial: Trial | None,
    seat: Seat,
    control: Control,
    spans: Spans | None,
    of: Named,
) -> Gateway:
    journal, personal, presence = of
    recall = Recall.begin(control, personal, presence.worker.token)
    relay = _relay(system, serving, journal, recall, presence)
    tending = Tending(control=control, live=lambda: found.live, relay=relay, presence=presence)
    tending.left = seat.left(journal.path.parent)
    counted = Metrics(help=HELP, live=lambda: _labels(found.live, seat), **seat.files(Path(serving.audit)))
    lasting = Lasting(
        journal=journal,
        personal=personal,
        counted=counted,
        known=_known(serving, lambda: tending.snapshot, tending.uses.seen),
        ready=lambda: found.ready(),
        recall=recall,
        leasing=Leasing.of(control.quotas.pool(presence.worker.token, f"{system.name}/"), lambda: presence.live),
        spans=spans,
    )

    found = Gateway(
        live=version(system, serving, lasting, trial=trial),
        lasting=lasting,
        counted=counted,
        figures=journal.path.parent / f"trial-{seat.node}-{seat.worker}.json",
        door=Door(full=lambda entered: _full(found.live.pipeline, entered)),
        control=control,
        tending=tending,
    )
    alarm(found, f"gateway {seat.node}-{seat.worker}")
    gauges(found)
    return found


def serve(
    path: Path,
    address: str = "127.0.0.1",
    port: int = 8080,
    told: Callable[[str], None] = lambda line: None,
    workers: int = 1,
    node: str = "",
    signals: Signals = Signals(),
) -> None:
    """Answer until interrupted, by this many processes; `told` hears what was built and where it answers. Without a
    name the node has that of the machine.
    """
    with logged(signals) as log:
        _serve(path, address, port, told, workers, node or host(), log, signals)


def _serve(
    path: Path,
    address: str,
    port: int,
    told: Callable[[str], None],
    workers: int,
    node: str,
    log: Log,
    signals: Signals,
) -> None:
    from temper.gateway.tables.server import run

    gateway = opened(path, node=node, otlp=signals.otlp)
    gateway.log, gateway.url = log, f"http://{address}:{port}"
    if gateway.live.serving.open and not loopback(address):
        gateway.close()
        raise ConfigError(
            f"{address} can be reached from elsewhere and there are no keys", fix="remove `open`, add keys"
        )
    for line in described(gateway, gateway.url):
        told(line)
    if workers == 1:
        run(gateway, address, port)
        return told(ended(gateway))
    from temper.gateway.tables.workers import serve_many

    gateway.close()  # now profile and keys are there, and what has to be compiled is
    for file in Path(gateway.live.serving.audit).glob("metrics-*.json"):
        file.unlink()
    serve_many(path, address, port, workers, told, node, signals)


def _full(pipeline: Pipeline, entered: int) -> bool:
    """Whether another request would be turned away, where so many are on their way to the pipeline."""
    return pipeline.modes.concurrency is Mode.ENFORCE and pipeline.limiter.full(entered)


def _labels(live: Version, seat: Seat) -> Labels:
    return (("policy", live.policy[:12]), ("model", live.served.digest[:12]), ("node", seat.node))


def _named(serving: Serving, seat: Seat, control: Control) -> Named:
    """The ledger of this worker, which nobody else writes, and then its name, which nobody else has."""
    folder = Path(serving.audit)
    key, checkpoints = key_in(folder), serving.checkpoints or None
    journal = Journal.open(folder, seat.node, seat.worker, key=key, wall=time.time_ns, checkpoints=checkpoints)
    try:
        presence = Presence.begin(control, seat.node, seat.worker, folder)
        return journal, Personal(folder / "personal.db", key), presence
    except BaseException:
        journal.close()
        raise


def _relay(system: Protected, serving: Serving, journal: Journal, recall: Recall, presence: Presence) -> Relay:
    return Relay(
        path=journal.path,
        personal=recall.personal,
        control=recall.control,
        recall=recall,
        shared=lambda: presence.live > 1,
        schema=system.schema,
        reference=reference(system.schema, _learnt(system)),
        wall=time.time,
        **parts.people(parts.options_of(serving)),
    )


def _learnt(system: Protected) -> Any:
    return (system.data if system.train is None else system.train).x


def _known(
    serving: Serving, keys: Callable[[], Snapshot], seen: Callable[[str, float], None]
) -> Callable[[str], Client | None]:
    """Who a token belongs to, by the keys as they were last loaded; who is let in is `seen`."""
    if serving.open:
        return lambda token: Client(name="local")

    def known(token: str) -> Client | None:
        now = time.time()
        key = keys().find(token, now)
        if key is None or SCOPE not in key.scopes:
            return None
        seen(key.kid, now)
        return Client(name=key.name, group=key.group, kid=key.kid)

    return known
