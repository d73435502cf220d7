"""A table model behind its guard in one process: every part as its temper.yaml wants it, and the pipeline of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from temper.config.serving import Serving
from temper.core.quota import QuotaConfig
from temper.core.serving import Mode, Scoring, ServingStage
from temper.core.system import Protected
from temper.guard.serving import parts
from temper.guard.serving.breaker import Breaker, BreakerConfig
from temper.guard.serving.concurrency import Limiter, LimiterConfig
from temper.guard.serving.pipeline import Layer, Model, Pipeline, Record, Waiting
from temper.guard.serving.profile import Profile
from temper.targets import _digest
from temper.targets.served import Served, served

Made = TypeVar("Made")


@dataclass(slots=True, kw_only=True, eq=False)
class Kept:
    """Parts with a memory (breaker, limiter, quota, trails), each with a digest of what it was made from: the next
    version takes over those that it would make in the same way.

    >>> old = Kept()
    >>> first = old.part("list", {"size": 1}, list)
    >>> new = Kept(old=old.parts)
    >>> new.part("list", {"size": 1}, list) is first, Kept(old=old.parts).part("list", {"size": 2}, list) is first
    (True, False)
    """

    old: dict[str, tuple[str, Any]] = field(default_factory=dict)
    parts: dict[str, tuple[str, Any]] = field(default_factory=dict)

    def part(self, name: str, of: Any, make: Callable[[], Made]) -> Made:
        """The part of this name as it is, where it was made of the same, else a new one."""
        digest = _digest.of_object(of)
        found = self.old.get(name)
        self.parts[name] = found if found is not None and found[0] == digest else (digest, make())
        return self.parts[name][1]  # type: ignore[no-any-return]


@dataclass(frozen=True, kw_only=True, eq=False)
class TableGuard:
    """One system behind one guard: the model as it is served, what its training rows looked like, and what is written
    of every part. `quota` is None where nobody is limited, `review` where no score goes to a person.
    """

    system: Protected
    serving: Serving
    model: Served
    profile: Profile
    quota: QuotaConfig | None
    bounds: Mode
    review: tuple[float, float] | None

    @classmethod
    def of(cls, system: Protected, serving: Serving) -> Self:
        """This guard around this system's model; a part or an option that nobody knows is refused."""
        model = served(system.target, system.data.x, system.threshold)
        profile = parts.profile(system, serving, model)
        return cls(system=system, serving=serving, model=model, profile=profile, **_read(serving))

    def under(self, system: Protected, serving: Serving, model: Served) -> Self:
        """The same profile under another policy."""
        return replace(self, system=system, serving=serving, model=model, **_read(serving))

    def mode(self, name: str) -> Mode:
        """The mode of this part."""
        return parts.mode_of(self.serving, name)

    def acts(self, name: str) -> bool:
        """Whether a request can feel this part: its mode counts, and it has somebody to limit or a score to hand on."""
        idle = {"quota": self.quota is None, "decide": self.review is None}
        return self.mode(name) is Mode.ENFORCE and not idle.get(name, False)

    def written(self, name: str) -> Mapping[str, Any]:
        """The options of this part, on or off."""
        return next((options for written, _, options in self.serving.stages if written == name), {})

    def stage(self, name: str) -> ServingStage:
        """A stage of its own for whoever asks: it has met nobody yet."""
        made: ServingStage = parts.room(self.serving).build(name, {"profile": self.profile, **self.written(name)})
        return made

    def layers(self, names: Iterable[str], stage: Callable[[str], ServingStage]) -> tuple[Layer, ...]:
        """Those of these stages that are not off, made by `stage`."""
        return tuple((name, self.mode(name), stage(name)) for name in names if self.mode(name) is not Mode.OFF)

    @property
    def policy(self) -> str:
        """The digest of all that decides: stages as written, what they compare with, the model and its threshold."""
        serving, room = self.serving, parts.room(self.serving)
        stages = [[name, mode.value, dict(options)] for name, mode, options in serving.stages]
        others = [[name, room.maker(name)] for name in parts.foreign(serving)]
        written = (stages, serving.deadline, others) if others else (stages, serving.deadline)
        return _digest.of_object((written, self.profile.digest, self.model.digest, self.system.threshold))


def _read(serving: Serving) -> dict[str, Any]:
    """What is written of the parts that are asked for one by one."""
    options = parts.options_of(serving)
    return {"quota": parts.quota(options), "bounds": parts.bounds(serving), "review": parts.review(options)}


def assembled(guard: TableGuard, model: Model, kept: Kept, record: Record) -> Pipeline:
    """The pipeline of this guard. `model` is what it asks: the guard's own, or what stands in its place behind a URL or
    before a journal. Parts with a memory are taken from `kept` where they would be made in the same way.
    """
    system, serving, digest = guard.system, guard.serving, guard.model.digest
    options = parts.options_of(serving)
    base = Path(system.source or ".").absolute().parent
    fallback = (options.get("fallback"), digest, system.threshold, _stamp(options, base))
    chain, memory = kept.part("fallback", fallback, lambda: parts.chain(options, system, base))

    def stage(name: str) -> ServingStage:
        return kept.part(name, (guard.written(name), guard.profile.digest), partial(guard.stage, name))

    def limiter() -> Limiter:
        return Limiter(config=parts.made(LimiterConfig, "concurrency", options, start=128, cap=1_024))

    def breaker() -> Breaker:
        return Breaker(config=parts.made(BreakerConfig, "breaker", options))

    return Pipeline(
        model=model,
        record=record,
        breaker=kept.part("breaker", (options.get("breaker"), digest), breaker),
        limiter=kept.part("concurrency", options.get("concurrency"), limiter),
        chain=chain,
        each=guard.layers(parts.EACH, stage),
        before=guard.layers(parts.before(serving), stage),
        after=guard.layers(parts.after(serving), stage),
        review=guard.review,
        modes=parts.modes(serving),
        fair=serving.deadline / 2,
        learn=None if memory is None else memory.learn,
    )


def unrecorded(scoring: Scoring, waiting: Waiting) -> None:
    """The record of a pipeline whose answers nobody acts on: there is none."""
    waiting.set_result(-1)


def _stamp(options: parts.Options, base: Path) -> Any:
    """When a challenger's file was last written."""
    given = options.get("fallback", {}).get("challenger")
    path = base / str(given.get("path", "") if isinstance(given, dict) else given or "")
    return [path.stat().st_mtime_ns, path.stat().st_size] if given and path.is_file() else None
