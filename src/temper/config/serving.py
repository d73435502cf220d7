"""The guard of a table model in temper.yaml: what stands between a request and the model, each off, shadow or enforce.

guard:
  deadline_ms: 250              # the longest a request may take
  drain_seconds: 5              # at SIGTERM, how long /readyz says 503 before nobody is let in any more
  control: .temper/control.db   # keys, people, reviews; or postgresql://...
  audit: {folder: .temper/audit, ack: durable}
  quota: {per_second: 10, burst: 60}
  anomaly: shadow               # looks and writes down, and changes nothing
  extraction: {mode: enforce}
  plugins: [spending, input.spending]           # of other packages: a stage and a detector, off until named here
  upstream: {url: "http://10.0.0.7:8080/v2/models/fraud/infer", protocol: v2}   # else the model runs in this process
  decide: {review: [0.4, 0.6]}  # scores a human looks at
  people: {due: 3600, overdue: block, misses: 0.1, wrongs: 0.03, cases: 200, requests: 20000}   # the last two a day
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from temper.config.document import Node, Scalar, Section, describe
from temper.config.guard import ACKS, audit_of
from temper.config.reading import parse
from temper.core.errors import ConfigError
from temper.core.serving import Mode

Stages = tuple[tuple[str, Mode, Mapping[str, Any]], ...]
PROTOCOLS = ("json", "v2")
_OWN = ("deadline_ms", "drain_seconds", "rows", "control", "audit", "profile", "open", "upstream", "plugins")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """A model in another process: its address, what it speaks, the networks it may lie in and the headers it is sent,
    which name environment variables for what is secret; `output` is the tensor with the scores ("": the only one).
    """

    url: str = ""
    protocol: str = "json"
    networks: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    output: str = ""
    connections: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How a table model is served. `stages` are (name, mode, options) as written; whoever builds them knows the names.
    Paths are absolute; `control` may be a URL. With `open` there are no keys, and only this machine is answered.
    `plugins` are of other packages: detectors of rows (`input.x`), and stages (names without a dot).
    """

    deadline: float = 0.25
    drain: float = 0.0
    rows: int = 1_000
    control: str = ".temper/control.db"
    audit: str = ".temper/audit"
    ack: str = "durable"
    checkpoints: str = ""
    profile: str = ".temper/profile.npz"
    open: bool = False
    upstream: Behind = field(default_factory=Behind)
    stages: Stages = field(default_factory=tuple)
    plugins: tuple[str, ...] = ()


def _of_assistant(document: Section, base: Path) -> Serving:
    """Where the store and the ledger of an assistant lie, which is all that playbooks ask; its guard is another."""
    usual, audit = Serving(), audit_of(document, base)
    return Serving(
        control=str(base / usual.control),
        audit=str(base / usual.audit) if audit is None else audit.folder,
        checkpoints="" if audit is None else audit.checkpoints,
    )


def control_of(document: Section, base: Path) -> str:
    """Where the control store is: a file, or a URL."""
    written = "" if document.has("assistant") else document.section("guard").text("control")
    return written if "://" in written else str(base / (written or Serving().control))


def serving_of(document: Section, base: Path) -> Serving:
    """What stands under `guard:`; the defaults where nothing does.

    >>> guard = Section(entries={"quota": Section(entries={"per_minute": Scalar("60", False, 2)}),
    ...                          "anomaly": Scalar("shadow", False, 3)})
    >>> [(name, mode.value) for name, mode, _ in serving_of(Section(entries={"guard": guard}), Path("/x")).stages]
    [('quota', 'enforce'), ('anomaly', 'shadow')]
    """
    if document.has("assistant"):
        return _of_assistant(document, base)
    section, usual = document.section("guard"), Serving()
    audit = section.section("audit") if isinstance(section.entries.get("audit"), Section) else Section()
    audit.only("folder", "ack", "checkpoints")
    checkpoints = audit.text("checkpoints")
    return Serving(
        deadline=section.number("deadline_ms", 1e3 * usual.deadline) / 1e3,
        drain=section.number("drain_seconds", usual.drain),
        rows=section.whole("rows", usual.rows),
        control=control_of(document, base),
        audit=str(base / audit.text("folder", usual.audit)),
        ack=audit.word("ack", ACKS, usual.ack),
        checkpoints=str(base / checkpoints) if checkpoints else "",
        profile=str(base / section.text("profile", usual.profile)),
        open=section.flag("open", False),
        upstream=_behind(section.section("upstream")),
        plugins=section.texts("plugins"),
        stages=tuple(_stage(section, name, node) for name, node in section.entries.items() if name not in _OWN),
    )


def under(serving: Serving, policy: Any, source: str = "the policy") -> tuple[Serving, float | None]:
    """This guard with the stages of an activated policy in place of its own, and the policy's threshold if it has one.

    A policy is a mapping of stages as in `guard:`, with `deadline_ms` and `threshold`. Where the gateway writes, who
    may ask and where the model is are not for a policy to say.

    >>> found, threshold = under(Serving(), {"anomaly": "shadow", "threshold": 0.4})
    >>> [(name, mode.value) for name, mode, _ in found.stages], threshold
    ([('anomaly', 'shadow')], 0.4)
    """
    section = parse(json.dumps(policy), source)
    if fixed := [name for name in _OWN if name != "deadline_ms" and name in section.entries]:
        raise section.error(f"a policy cannot set {fixed[0]}", fixed[0], fix="set it in temper.yaml")
    stages = tuple(
        _stage(section, name, node)
        for name, node in section.entries.items()
        if name not in ("deadline_ms", "threshold")
    )
    deadline = section.number("deadline_ms", 1e3 * serving.deadline) / 1e3
    return replace(serving, stages=stages, deadline=deadline), section.maybe("threshold")


def plain(serving: Serving, threshold: float | None) -> dict[str, Any]:
    """The policy of this guard, as `under` takes it.

    >>> serving, _ = under(Serving(), {"anomaly": "shadow", "decide": {"review": [0.4, 0.6]}})
    >>> plain(serving, 0.5)["anomaly"], under(Serving(), plain(serving, 0.5)) == (serving, 0.5)
    ({'mode': 'shadow'}, True)
    """
    stages = {name: {"mode": mode.value, **options} for name, mode, options in serving.stages}
    limits = {"deadline_ms": round(1e3 * serving.deadline, 6)}
    return stages | limits | ({} if threshold is None else {"threshold": threshold})


def _behind(section: Section) -> Behind:
    section.only("url", "protocol", "networks", "headers", "output", "connections")
    if section.entries and not section.has("url"):
        raise section.error("guard.upstream has no url", fix="add `url:`")
    return Behind(
        url=section.text("url"),
        protocol=section.word("protocol", PROTOCOLS, "json"),
        networks=section.texts("networks"),
        headers={name: str(value) for name, value in section.section("headers").plain().items()},
        output=section.text("output"),
        connections=section.whole("connections", 64),
    )


def _stage(section: Section, name: str, node: Node) -> tuple[str, Mode, Mapping[str, Any]]:
    if isinstance(node, Scalar):
        return name, _mode(section, name, "" if node.empty else node.text), {}
    if not isinstance(node, Section):
        raise section.error(f"guard.{name} is {describe(node)}, expected a mode or options", name)
    options = node.plain()
    return name, _mode(section, name, str(options.pop("mode", ""))), options


def _mode(section: Section, name: str, word: str) -> Mode:
    # YAML reads a bare `off` as false.
    word = {"": "enforce", "False": "off", "false": "off"}.get(word, word)
    try:
        return Mode(word)
    except ValueError:
        raise ConfigError(
            section.error(f"guard.{name} is {word!r}", name).message, fix="use off, shadow or enforce"
        ) from None


__all__ = ["ACKS", "PROTOCOLS", "Behind", "Serving", "Stages", "plain", "serving_of", "under"]
