"""A policy proposed for the system of a temper.yaml: built once with its model before anybody is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from temper.config.reading import parse, read
from temper.config.serving import Serving, plain, under
from temper.core.errors import ConfigError
from temper.core.system import Protected
from temper.gateway.tables.reload import effective
from temper.gateway.tables.version import decider
from temper.guard.serving import parts
from temper.guard.serving.assembled import Kept
from temper.store.control import Control
from temper.store.control.policies import Proposal
from temper.targets.served import served


def propose(
    config: Path, control: Control, file: Path | None, sets: Sequence[str], by: str, reason: str, now: float
) -> Proposal:
    """Propose the policy in this file, or the one that holds, with options set: `decide.review=[0.3, 0.6]`.

    Raises `ConfigError` for what no gateway could follow. The digest is the one that decisions will name as long as the
    model stays the one that is live.
    """
    system, serving, _ = effective(config, control)
    before = plain(serving, system.threshold)
    value = before if file is None else read(file).plain()
    for one in sets:
        value = changed(value, one)
    wanted, threshold = under(serving, value, "the policy")
    system = system if threshold is None else replace(system, threshold=threshold)
    digest = _tried(system, wanted)
    return control.policies.propose(plain(wanted, system.threshold), before, digest, by, reason, now)


def changed(policy: Mapping[str, Any], assignment: str) -> dict[str, Any]:
    """The policy with one option set; the value is read as YAML.

    >>> changed({"anomaly": {"mode": "shadow"}}, "anomaly.mode=enforce")
    {'anomaly': {'mode': 'enforce'}}
    >>> changed({"anomaly": "shadow"}, "decide.review=[0.3, 0.6]")
    {'anomaly': 'shadow', 'decide': {'review': (0.3, 0.6)}}
    """
    path, equals, text = assignment.partition("=")
    first, *rest = path.strip().split(".")
    if not equals or not all((first, *rest)):
        raise ConfigError(f"{assignment[:80]!r} sets nothing", fix="write decide.review=[0.3, 0.6]")
    value = parse(f"value: {text}", "the value").plain()["value"]
    for name in reversed(rest):
        value = {name: value}
    inner = policy.get(first)
    inner = {"mode": inner} if rest and isinstance(inner, str) else inner
    return {**policy, first: _laid(inner, value)}


def _laid(old: Any, new: Any) -> Any:
    """One mapping over another, as deep as both go."""
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return new
    return {**old, **{name: _laid(old.get(name), value) for name, value in new.items()}}


def _tried(system: Protected, serving: Serving) -> str:
    """The digest of a policy all of whose parts could be built."""
    options = parts.options_of(serving)
    parts.quota(options)
    parts.people(options)
    parts.golden(options, system, served(system.target, system.data.x, system.threshold), serving)
    return decider(system, serving, Kept())[1]
