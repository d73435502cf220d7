"""The stages around a table model, put together as its temper.yaml wants them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from temper.config.serving import Serving
from temper.core.system import Protected
from temper.guard.serving import parts
from temper.guard.serving.breaker import Breaker, BreakerConfig
from temper.guard.serving.concurrency import Limiter, LimiterConfig
from temper.guard.serving.pipeline import Model, Pipeline, Record
from temper.guard.serving.profile import Profile
from temper.targets import _digest
from temper.targets.served import Served

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


def assembled(
    system: Protected, serving: Serving, profile: Profile, model: Model, digest: str, kept: Kept, record: Record
) -> Pipeline:
    """The stages around `model`, whose digest is given, as this guard wants them."""
    options = parts.options_of(serving)
    base = Path(system.source or ".").absolute().parent
    fallback = (options.get("fallback"), digest, system.threshold, _stamp(options, base))
    chain, memory = kept.part("fallback", fallback, lambda: parts.chain(options, system, base))

    def stage(name: str, given: Any) -> Any:
        of = (given, profile.digest)
        return kept.part(name, of, lambda: parts.room(serving).build(name, {"profile": profile, **given}))

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
        each=parts.layers(parts.EACH, serving, stage),
        before=parts.layers((*parts.BEFORE, *parts.foreign(serving)), serving, stage),
        after=parts.layers(parts.AFTER, serving, stage),
        review=parts.review(options),
        modes=parts.modes(serving),
        fair=serving.deadline / 2,
        learn=None if memory is None else memory.learn,
    )


def policy_of(system: Protected, serving: Serving, profile: Profile, model: Served) -> str:
    """The digest of all that decides: the stages as written, what they compare with, the model and its threshold."""
    stages = [[name, mode.value, dict(options)] for name, mode, options in serving.stages]
    room = parts.room(serving)
    others = [[name, room.maker(name)] for name in parts.foreign(serving)]
    written = (stages, serving.deadline, others) if others else (stages, serving.deadline)
    return _digest.of_object((written, profile.digest, model.digest, system.threshold))


def _stamp(options: parts.Options, base: Path) -> Any:
    """When a challenger's file was last written."""
    given = options.get("fallback", {}).get("challenger")
    path = base / str(given.get("path", "") if isinstance(given, dict) else given or "")
    return [path.stat().st_mtime_ns, path.stat().st_size] if given and path.is_file() else None
