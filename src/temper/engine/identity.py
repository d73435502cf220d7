"""Keys and digests: what a task's result depends on, and stable ids of findings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from enum import Enum
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.assistant import Assistant
from temper.core.data import Data
from temper.core.events import Events
from temper.core.system import Protected
from temper.engine.task import Task, World
from temper.store.attacks import attacks_digest

_LIBRARIES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "xgboost-cpu",
    "xgboost",
    "lightgbm",
    "catboost",
    "onnxruntime",
    "torch",
)
_LONGEST = 1024
_SHARED = ("core", "kernels", "judges", "targets", "engine/rooms", "engine/fuzz")


def task_key(task: Task, world_key: str) -> str:
    """The key of a task's result: everything it depends on, hashed."""
    source = source_digest(task.room, task.plugin)
    return digest_of(_plain(asdict(task)), world_key, source, library_versions())


def world_key(world: World, threshold: float | None) -> str:
    """What all tasks of an assessment share: model, data, rows, schema, threshold."""
    system = world.system
    schema = _columns(system)
    box = (str(system.schema.low), str(system.schema.high))
    tables = [data_digest(data) for data in (system.data, system.train, system.accepted)]
    parts = [system.target.digest, tables, schema, system.schema.relations]
    parts += [] if system.events is None else [_events_digest(system.events)]
    rows = [_hash_array(world.attacked), _hash_array(world.held_out), _plain(asdict(world.sizes)), world.seed]
    kind = (system.target.kind.value, system.target.stochastic, system.simulated, world.tolerance)
    cost = _plain(asdict(system.cost)) if system.cost is not None else None
    return digest_of(parts, rows, box, threshold, *kind, cost)


def weakness(plugin: str, metric: str, scenario: str = "") -> str:
    """What a finding is about; `scenario` where several budgets are tried. Answers carry it in place of an id, because
    systems with the same model share them, and each names its findings by itself.
    """
    return json.dumps([plugin, metric, scenario])


def finding_id(about: str, system: Protected) -> str:
    """Stable for the same `weakness` of the same model of this system."""
    plugin, metric, scenario = json.loads(about)
    return "F-" + digest_of(plugin, metric, system.name, system.target.digest, scenario)[:6]


def digest_of(*parts: Any) -> str:
    """SHA-256 of a JSON document with sorted keys."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, allow_nan=False).encode()).hexdigest()


def subject(system: Protected | Assistant) -> tuple[tuple[str, str], ...]:
    """What a run speaks of, by name: the model or the assistant, its data, what was said of it, and the attacks."""
    said = (("description", system.description.digest),) if system.description.digest else ()
    if isinstance(system, Assistant):
        targets = {"assistant": system.target, "judging model": system.judge}
        named = ((name, target.digest) for name, target in targets.items() if target is not None)
        told = ((name, digest or "not named: set version in temper.yaml") for name, digest in named)
        return (*told, *_around(system), *said)
    return (
        ("model", system.target.digest or "none: a callable or URL without `version`"),
        ("held-out data", data_digest(system.data)),
        ("training data", data_digest(system.train)),
        ("schema", schema_digest(system)),
        *((("accepted training data", data_digest(system.accepted)),) if system.accepted is not None else ()),
        *said,
        ("attacks", attacks_digest()),
    )


def answers(system: Protected | Assistant) -> tuple[tuple[str, str], ...]:
    """What temper.yaml said, and the policy where that is a file of its own: requirements, waivers and risks that
    somebody accepted are as good as the run's own.
    """
    files = {"temper.yaml": Path(system.source), "policy": Path(system.policy.source)}
    kept = {name: file for name, file in files.items() if file.is_file() and (file.is_absolute() or name != "policy")}
    return tuple((name, hashlib.sha256(file.read_bytes()).hexdigest()) for name, file in kept.items())


def _around(assistant: Assistant) -> tuple[tuple[str, str], ...]:
    """What else decides how an assistant answers: what it is told, the tools it has, and the guard before it."""
    tools = [_plain(asdict(tool)) for tool in assistant.tools]
    guard = [[name, _of_contents(dict(options))] for name, options in assistant.guard]
    return (
        ("instructions and tools", digest_of(assistant.instructions, tools)),
        *((("guard", digest_of(guard)),) if guard else ()),
    )


def _of_contents(value: Any) -> Any:
    """Options in which a file stands for what it holds, wherever it lies."""
    if isinstance(value, dict):
        return {str(key): _of_contents(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_of_contents(item) for item in value]
    if isinstance(value, str) and len(value) < _LONGEST and Path(value).is_file():
        return hashlib.sha256(Path(value).read_bytes()).hexdigest()
    return _plain(value)


def schema_digest(system: Protected) -> str:
    """SHA-256 of columns, relations and box: what a row may be, and what an attacker may change of it."""
    box = (str(system.schema.low), str(system.schema.high))
    return digest_of(_columns(system), system.schema.relations, box)


def _columns(system: Protected) -> list[Any]:
    return [_plain(asdict(column)) for column in system.schema.columns]


def data_digest(data: Data | None) -> str:
    """SHA-256 of rows, truths, ids and, where they are known, suppliers and times."""
    if data is None:
        return ""
    arrays = (data.x, data.y, data.ids, *(known for known in (data.supplier, data.time) if known is not None))
    return digest_of(*(_hash_array(np.asarray(array)) for array in arrays))


def _events_digest(events: Events) -> str:
    """What is known of the history and how columns are computed from it."""
    arrays = [_hash_array(values) for values in (events.time, events.x, events.y, *events.columns.values())]
    said = [list(events.columns), [_plain(asdict(aggregate)) for aggregate in events.aggregates], events.formulas]
    roles = (events.entity, events.counterparty, events.amount, events.moves, events.distance, events.start)
    return digest_of(arrays, said, roles)


@cache
def source_digest(room: str, plugin: str) -> str:
    """SHA-256 of the plugin's file and of the code every task goes through."""
    root = Path(__file__).parent.parent
    own = root / room / Path(*plugin.split(".")).with_suffix(".py")
    beside = sorted(own.parent.glob("_*.py"))
    shared: Iterable[Path] = (path for folder in _SHARED for path in sorted((root / folder).rglob("*.py")))
    total = hashlib.sha256()
    for path in (own, *beside, *shared):
        total.update(path.read_bytes() if path.exists() else b"")
    return total.hexdigest()


@cache
def folders_digest(*folders: str) -> str:
    """SHA-256 of every source file in these folders of the package."""
    root = Path(__file__).parent.parent
    paths = [path for folder in folders for path in sorted((root / folder).rglob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


@cache
def library_versions() -> dict[str, str]:
    """Versions of the numeric libraries that are installed."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _hash_array(values: np.ndarray[Any, Any]) -> str:
    head = f"{values.dtype}{values.shape}".encode()
    if values.dtype.kind == "O":  # texts: their places in memory say nothing
        return digest_of("texts", *(str(value) for value in values.ravel()))
    return hashlib.sha256(head + np.ascontiguousarray(values).tobytes()).hexdigest()


def _plain(value: Any) -> Any:
    """A JSON-able form in which infinite numbers keep their meaning."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    return repr(value) if isinstance(value, float) else value
