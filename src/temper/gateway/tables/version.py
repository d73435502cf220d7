"""One version of what is served: a model under a policy with everything around it, and what outlives a version."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from temper.config.serving import Behind, Serving
from temper.core.errors import ConfigError
from temper.core.quota import QuotaConfig
from temper.core.serving import Scoring, Source
from temper.core.system import Protected
from temper.core.target import Target
from temper.gateway.tables.app import About, Client, Tables
from temper.gateway.tables.audit import Audit
from temper.gateway.tables.counted import Counted
from temper.gateway.tables.leasing import Leasing
from temper.gateway.tables.recall import Recall
from temper.gateway.tables.trial import Canary, Shadow, Ways, only_own
from temper.gateway.trace import Spans
from temper.gateway.upstream.address import Address
from temper.gateway.upstream.pool import Pool
from temper.gateway.upstream.wire import V2, Plain, Upstream
from temper.guard.serving import parts
from temper.guard.serving.assembled import Kept, TableGuard, assembled, unrecorded
from temper.guard.serving.breaker import Breaker, BreakerConfig
from temper.guard.serving.concurrency import Limiter
from temper.guard.serving.fallback import Chain
from temper.guard.serving.golden import Golden
from temper.guard.serving.idempotency import Idempotency
from temper.guard.serving.pipeline import Layer, Model, Pipeline, Record
from temper.guard.serving.profile import Profile
from temper.store.ledger.journal import Journal
from temper.store.ledger.personal import Personal
from temper.targets.chat.line import filled
from temper.targets.served import Served, served

Learn = Callable[[Any, Any], None]
_SECONDS = 60.0
"""What a probe of a new version may take: some of it may have to be compiled first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lasting:
    """What every version of one gateway shares: where it writes, what it counts, whom it knows, what it answered."""

    journal: Journal
    personal: Personal
    counted: Counted
    known: Callable[[str], Client | None]
    leasing: Leasing
    recall: Recall
    ready: Callable[[], tuple[str, ...]] = lambda: ()
    spans: Spans | None = None
    once: Idempotency = field(default_factory=Idempotency)
    sealing: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "sealing"))


class Trial(NamedTuple):
    """A model beside the live one, how it is tried, and on which share of clients."""

    mode: str
    target: Target
    share: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Version:
    """A model under a policy, ready to answer. `policy` is the digest that every decision of it names."""

    system: Protected
    serving: Serving
    profile: Profile
    served: Served
    pipeline: Pipeline
    app: Tables
    golden: Golden | None
    quota: QuotaConfig | None
    policy: str
    kept: Kept
    shadow: Shadow | None = None
    canary: Canary | None = None
    at: float = field(default_factory=time.time)

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """Every way to a model."""
        return (self.pipeline,) if self.canary is None else self.canary.pipelines


def version(
    system: Protected,
    serving: Serving,
    lasting: Lasting,
    old: Version | None = None,
    trial: Trial | None = None,
) -> Version:
    """What this system and this guard ask for; what `old` would be the same is taken over as it is, with its memory."""
    kept = Kept(old=old.kept.parts if old else {})
    guard = TableGuard.of(system, serving)
    model, policy = guard.model, guard.policy
    pipeline = made(guard, kept, _audit(system, serving, lasting, model.digest, policy))
    pipeline.counts = _counting(lasting.counted)
    golden = parts.golden(parts.options_of(serving), system, model, serving)
    if golden is not None:
        pipeline.learn = _both(pipeline.learn, lambda rows, scores: golden.watch(scores))
    shadow, canary = _tried(trial, guard, lasting, kept, pipeline)
    app = Tables(
        about=_about(system, model, policy),
        schema=system.schema,
        answer=pipeline.answer if canary is None else canary.answer,
        known=lasting.known,
        counted=lasting.counted,
        once=lasting.once,
        recall=lasting.recall,
        spans=lasting.spans,
        quota=guard.mode("quota"),
        bounds=guard.bounds,
        ready=lasting.ready,
        limits=None if guard.quota is None else lasting.leasing,
        most_rows=serving.rows,
        deadline=serving.deadline,
        body_seconds=0.0,  # the door sees to that
    )
    return Version(
        quota=guard.quota,
        system=system,
        serving=serving,
        profile=guard.profile,
        served=model,
        pipeline=pipeline,
        app=app,
        golden=golden,
        policy=policy,
        kept=kept,
        shadow=shadow,
        canary=canary,
    )


def decider(system: Protected, serving: Serving, kept: Kept) -> tuple[Pipeline, str]:
    """The pipeline by itself, to be asked again what it was asked before, and the digest of its policy."""
    guard = TableGuard.of(system, serving)
    return made(guard, kept, unrecorded), guard.policy


async def check(new: Version, old: Version | None = None) -> None:
    """Let a new version score real rows before anybody else asks it. Raises `ConfigError` where it does not answer by
    itself, a stage of it fails, or rows whose scores are known get others.

    The first version of a process has nobody else's trails in it, so its stages that know clients are asked too: what
    is compiled at its first call is compiled before a client waits for it.
    """
    each = new.pipeline.each if old is None else ()
    golden = new.golden
    rows = new.system.data.x[:4] if golden is None else golden.probes.rows
    found = await _probed(new, rows, each)
    if old is not None and old.served.digest == new.served.digest and old.golden is not None:
        golden = old.golden
        found = found if golden.probes.rows is rows else await _probed(new, golden.probes.rows, each)
    if new.canary is not None:
        await _probed(new, rows, (), new.canary.new)
    if golden is not None and (fault := golden.probes.fault(found)):
        raise ConfigError(f"known rows: {fault}", fix="serve the model these rows were scored with")


async def _probed(new: Version, rows: Any, each: tuple[Layer, ...], pipeline: Pipeline | None = None) -> Any:
    """Scores of these rows through a pipeline of its own: no client's trail, no breaker, no record hears of it."""
    at = time.monotonic()
    scoring = Scoring(rows=rows, client="", request="", at=at, deadline=at + _SECONDS)
    probe = replace(
        pipeline or new.pipeline,
        record=unrecorded,
        each=each,
        learn=None,
        heard=None,
        breaker=Breaker(),
        limiter=Limiter(),
    )
    probe.stopped, probe.doubted = False, ""
    await probe.answer(scoring)
    if broken := [one for one in scoring.decisions if one.reason.startswith("the stage failed")]:
        raise ConfigError(f"{broken[0].stage}: {broken[0].reason}", fix="look at its options")
    if scoring.source is not Source.PRIMARY or scoring.scores is None:
        raise ConfigError("the model does not answer ordinary rows", fix="see that it does, and send SIGHUP")
    return scoring.scores


def _audit(system: Protected, serving: Serving, lasting: Lasting, digest: str, policy: str) -> Record:
    return Audit(
        journal=lasting.journal,
        personal=lasting.personal,
        model=system.name,
        digest=digest,
        policy=policy,
        secret=lasting.recall.secret,
        sealing=lasting.sealing,
        durable=serving.ack == "durable",
    ).record


def _counting(counted: Counted) -> Callable[[str, str, str], None]:
    return lambda stage, level, mode: counted.add(
        "stage_decisions_total", (("stage", stage), ("level", level), ("mode", mode))
    )


def _tried(
    trial: Trial | None, guard: TableGuard, lasting: Lasting, kept: Kept, pipeline: Pipeline
) -> tuple[Shadow | None, Canary | None]:
    """The model on trial beside this pipeline: behind it as a shadow, or before it as a canary."""
    if trial is None:
        return None, None
    system, serving = guard.system, guard.serving
    model = served(trial.target, system.data.x, system.threshold)
    if trial.mode == "shadow":
        of = (model.digest, system.target.digest, system.threshold)
        shadow = kept.part("shadow", of, lambda: Shadow(model=model, threshold=system.threshold))
        pipeline.heard = shadow.heard
        return shadow, None
    policy = replace(guard, model=model).policy
    options = parts.options_of(serving)
    config = parts.made(BreakerConfig, "breaker", options)
    new = replace(
        pipeline,
        model=model,
        record=only_own(_audit(system, serving, lasting, model.digest, policy)),
        breaker=kept.part("canary", (options.get("breaker"), model.digest), lambda: Breaker(config=config)),
        chain=Chain(),
        learn=None,
    )
    same = (model.digest, system.target.digest, trial.share, system.threshold)
    canary = Canary(
        old=pipeline,
        new=new,
        share=trial.share,
        model=model.digest,
        policy=policy,
        threshold=system.threshold,
        ways=kept.part("ways", same, Ways),
    )
    return None, canary


def made(guard: TableGuard, kept: Kept, record: Record) -> Pipeline:
    """The stages around this model, or around the one behind a URL."""
    behind: Model = guard.model
    if (upstream := guard.serving.upstream).url:
        behind = kept.part("upstream", asdict(upstream), lambda: _behind(upstream))
    return assembled(guard, behind, kept, record)


def _both(first: Learn | None, second: Learn) -> Learn:
    def learn(rows: Any, scores: Any) -> None:
        if first is not None:
            first(rows, scores)
        second(rows, scores)

    return learn


def _about(system: Protected, model: Served, policy: str) -> About:
    return About(
        name=system.name,
        model=model.digest,
        policy=policy,
        classes=(system.classes[0], system.classes[-1]),
        threshold=system.threshold,
        scores=system.exposure.returns == "score",
    )


def _behind(behind: Behind) -> Upstream:
    address = Address.of(behind.url, behind.networks)
    headers = {name: filled(text) for name, text in behind.headers.items()}
    wire = V2(output=behind.output, datatype="FP64") if behind.protocol == "v2" else Plain()
    return Upstream(pool=Pool(address=address, headers=headers, most=behind.connections), wire=wire)
