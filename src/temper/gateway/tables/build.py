"""A gateway from a temper.yaml: the model, its stages, its keys, its audit, put together and served."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from temper.config.reading import read
from temper.config.serving import Behind, Serving, serving_of
from temper.config.system import load_system
from temper.core.errors import ConfigError
from temper.core.serving import Mode
from temper.core.system import Protected
from temper.gateway.keys import loopback
from temper.gateway.tables import parts
from temper.gateway.tables.app import About, Client, Tables
from temper.gateway.tables.audit import Audit, key_in
from temper.gateway.tables.counted import Counted
from temper.gateway.tables.gauges import gauges
from temper.gateway.tables.relay import Relay, reference
from temper.gateway.tables.tending import Tending
from temper.gateway.transport import Door, settings
from temper.gateway.upstream.address import Address
from temper.gateway.upstream.pool import Pool
from temper.gateway.upstream.wire import V2, Plain, Upstream
from temper.guard.serving.breaker import Breaker, BreakerConfig
from temper.guard.serving.concurrency import Limiter, LimiterConfig
from temper.guard.serving.pipeline import Pipeline
from temper.guard.serving.profile import Profile
from temper.store.control import Control
from temper.store.ledger.journal import Journal
from temper.store.ledger.personal import Personal
from temper.targets import _digest
from temper.targets.chat.line import filled
from temper.targets.served import Served, served

SCOPE = "score"
"""What a key must allow."""


@dataclass(slots=True, kw_only=True, eq=False)
class Gateway:
    """The application with what operates it: the breaker and its limiter, the door below, the journal."""

    app: Tables
    pipeline: Pipeline
    served: Served
    door: Door
    journal: Journal
    personal: Personal
    control: Control
    tending: Tending
    policy: str

    async def stop(self) -> None:
        """Write what is left and let everything go."""
        await self.tending.stop()
        self.close()

    def close(self) -> None:
        """The same where nothing was started."""
        self.journal.close()
        self.personal.close()
        self.control.close()


def load(path: Path) -> tuple[Protected, Serving]:
    """The system of this temper.yaml and the guard it wants."""
    document = read(path)
    return load_system(path), serving_of(document, path.absolute().parent)


def build(system: Protected, serving: Serving, *, node: str = "node", worker: str = "0") -> Gateway:
    """Everything between a socket and the model. The profile is fitted from the training rows where there is none."""
    model = served(system.target, system.data.x, system.threshold)
    profile = _profile(system, serving, model)
    options = parts.options_of(serving)
    chain, memory = parts.chain(options, system, Path(system.source or ".").absolute().parent)
    policy = _digest.of_object((_document(serving), profile.digest, model.digest, system.threshold))
    counted, limiter = (
        _counted(),
        Limiter(config=parts.made(LimiterConfig, "concurrency", options, start=128, cap=1_024)),
    )
    breaker = Breaker(config=parts.made(BreakerConfig, "breaker", options))
    journal, personal = _journal(serving, node, worker)
    control = Control.open(serving.control)
    audit = Audit(
        journal=journal,
        personal=personal,
        model=system.name,
        digest=model.digest,
        policy=policy,
        durable=serving.ack == "durable",
    )
    pipeline = Pipeline(
        model=_behind(serving.upstream) if serving.upstream.url else model,
        record=audit.record,
        breaker=breaker,
        limiter=limiter,
        chain=chain,
        each=parts.layers(parts.EACH, serving, profile),
        before=parts.layers(parts.BEFORE, serving, profile),
        after=parts.layers(parts.AFTER, serving, profile),
        review=parts.review(options),
        learn=None if memory is None else memory.learn,
        counts=lambda stage, level, mode: counted.add(
            "stage_decisions_total", (("stage", stage), ("level", level), ("mode", mode))
        ),
    )
    relay = Relay(
        path=journal.path,
        personal=personal,
        control=control,
        schema=system.schema,
        reference=reference(system.schema, _learnt(system)),
        wall=time.time,
        **parts.people(options),
    )
    tending = Tending(
        control=control, pipeline=pipeline, relay=relay, golden=parts.golden(options, system, model, serving)
    )
    app = Tables(
        about=About(
            name=system.name,
            model=model.digest,
            policy=policy,
            classes=(system.classes[0], system.classes[-1]),
            threshold=system.threshold,
            scores=system.exposure.returns == "score",
        ),
        schema=system.schema,
        answer=pipeline.answer,
        known=_known(serving, tending),
        counted=counted,
        wait=parts.waits(options),
        most_rows=serving.rows,
        deadline=serving.deadline,
        body_seconds=0.0,  # the door sees to that
    )
    door = Door(full=lambda: limiter.running + 1 > limiter.limit)
    found = Gateway(
        app=app,
        pipeline=pipeline,
        served=model,
        door=door,
        journal=journal,
        personal=personal,
        control=control,
        tending=tending,
        policy=policy,
    )
    app.start, app.stop = tending.start, found.stop
    gauges(found)
    return found


def serve(
    path: Path, host: str = "127.0.0.1", port: int = 8080, told: Callable[[str], None] = lambda line: None
) -> None:
    """Answer until interrupted; `told` hears what was built and where it answers."""
    import uvicorn

    system, serving = load(path)
    if serving.open and not loopback(host):
        raise ConfigError(f"{host} can be reached from elsewhere and there are no keys", fix="remove `open`, add keys")
    gateway = build(system, serving)
    for line in described(gateway, system, f"http://{host}:{port}"):
        told(line)
    uvicorn.run(gateway.app, host=host, port=port, **settings(gateway.door))


def described(gateway: Gateway, system: Protected, url: str) -> Iterator[str]:
    """What was put together, in a few lines."""
    model, pipeline = gateway.served, gateway.pipeline
    exact = f", at most {model.difference:.0e} from the model on {model.checked:,} rows" if model.checked else ""
    behind = "an upstream" if pipeline.model is not model else f"{model.engine}{exact}"
    yield f"{system.name} by {behind}"
    every = (*pipeline.each, *pipeline.before, *pipeline.after)
    yield "stages: " + ", ".join(name if mode is Mode.ENFORCE else f"{name} ({mode.value})" for name, mode, _ in every)
    links = [link.source.value for link in pipeline.chain.links]
    yield "where the model cannot answer: " + ", then ".join([*links, pipeline.chain.last.value])
    yield f"policy {gateway.policy[:12]}, every decision in {gateway.journal.path}"
    yield f"{url}/v1/score, {url}/v2, {url}/metrics (Ctrl-C ends it)"


def _behind(behind: Behind) -> Upstream:
    address = Address.of(behind.url, behind.networks)
    headers = {name: filled(text) for name, text in behind.headers.items()}
    wire = V2(output=behind.output, datatype="FP64") if behind.protocol == "v2" else Plain()
    return Upstream(pool=Pool(address=address, headers=headers, most=behind.connections), wire=wire)


def _profile(system: Protected, serving: Serving, model: Served) -> Profile:
    """What training data looked like, fitted once and kept; of another model or Schema it is refused."""
    path = Path(serving.profile)
    if path.exists():
        found = Profile.load(path)
        if found.columns != system.schema.names:
            raise ConfigError(f"{path} was fitted on other columns", fix="remove it, and it is fitted again")
        return found
    if system.train is None:
        raise ConfigError("the guard has nothing to compare requests with", fix="name the training table: data.train")
    found = Profile.fit(system.train.x, system.schema, model.score(system.train.x))
    path.parent.mkdir(parents=True, exist_ok=True)
    found.save(path)
    return found


def _document(serving: Serving) -> Any:
    return [[name, mode.value, dict(options)] for name, mode, options in serving.stages], asdict(serving)["deadline"]


def _journal(serving: Serving, node: str, worker: str) -> tuple[Journal, Personal]:
    folder = Path(serving.audit)
    key, checkpoints = key_in(folder), serving.checkpoints or None
    journal = Journal.open(folder, node, worker, key=key, wall=time.time_ns, checkpoints=checkpoints)
    return journal, Personal(folder / "personal.db", key)


def _learnt(system: Protected) -> Any:
    return (system.data if system.train is None else system.train).x


def _known(serving: Serving, tending: Tending) -> Callable[[str], Client | None]:
    """Who a token belongs to, by the keys as they were last loaded."""
    if serving.open:
        return lambda token: Client(name="local")

    def known(token: str) -> Client | None:
        key = tending.snapshot.find(token, time.time())
        if key is None or SCOPE not in key.scopes:
            return None
        return Client(name=key.name, group=key.group)

    return known


def _counted() -> Counted:
    return Counted(
        help={
            "requests_total": "Requests, by the status of their answer.",
            "stage_decisions_total": "What stages decided, but for ALLOW.",
        }
    )
