"""Imports go down the floors only, and what serves never reaches what attacks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from architecture.source import SRC, File, Rule, files, plant

FLOORS = {
    "core": 1,
    "kernels": 2,
    "targets": 3,
    "config": 4,
    "store": 4,
    "report": 4,
    "judges": 5,
    "detectors": 5,
    "threats": 6,
    "attacks": 6,
    "stress": 6,
    "traffic": 6,
    "fuzz": 6,
    "chaos": 6,
    "validation": 6,
    "hardening": 6,
    "guard": 6,
    "monitoring": 6,
    "response": 6,
    "engine": 7,
    "api": 8,
    "gateway": 9,
    "web": 9,
    "demos": 9,
    "learn": 9,
    "testing": 9,
    "cli": 10,
    "": 11,  # the package's own __init__ and __main__
}
API = FLOORS["api"]
PRODUCTION = ("gateway", "web", "guard", "monitoring")
ATTACKING = ("engine", "attacks", "stress", "traffic", "fuzz", "chaos", "hardening")


def room(module: str) -> str:
    """The first folder below temper, with the family for attacks: their families are rooms of their own."""
    parts = module.split(".")[1:]
    if not parts or parts[0].startswith("__"):
        return ""
    return ".".join(parts[:2]) if parts[0] == "attacks" and len(parts) > 1 else parts[0]


def floor(name: str) -> int | None:
    """The floor of a room, None where it has none."""
    return FLOORS.get(name.split(".")[0])


def ours(file: File) -> Iterator[tuple[str, int, bool]]:
    """(module, line, only for types) of the imports of Temper itself."""
    for found in file.imports:
        if found.module == "temper" or found.module.startswith("temper."):
            yield found.module, found.line, found.typing_only


def folders_without_floor(root: Path) -> list[str]:
    """Every folder and every file directly under temper must be named in FLOORS."""
    return sorted({f"{f.name}: {room(f.module)!r} has no floor" for f in files(root) if floor(room(f.module)) is None})


def imports_go_down(root: Path) -> list[str]:
    """A room imports lower floors and itself; the faces may import the package's own public surface."""
    return [
        f"{file.name}:{line}: {room(file.module)} imports {module}"
        for file in files(root)
        for module, line, _ in ours(file)
        if not _allowed(room(file.module), room(module))
    ]


def _allowed(importer: str, imported: str) -> bool:
    own, other = floor(importer), floor(imported)
    if own is None or other is None:
        return False
    if imported == "":
        return own > API
    shared = importer.startswith("attacks.") and imported.startswith("attacks._")
    return other < own or importer == imported or importer == "" or shared


def production_reaches_attacks(root: Path) -> list[str]:
    """No chain of imports leads from what serves to what attacks."""
    graph = {f.module: sorted({m for m, _, typing_only in ours(f) if not typing_only}) for f in files(root)}
    breaches = []
    for start in sorted(graph):
        if start.split(".")[1:2] and start.split(".")[1] in PRODUCTION:
            breaches += [f"{start} reaches {end}" for end in sorted(_reached(start, graph)) if _attacking(end)]
    return breaches


def _reached(start: str, graph: dict[str, list[str]]) -> set[str]:
    seen, queue = {start}, [start]
    while queue:
        at = queue.pop()
        parents = [at.rsplit(".", n)[0] for n in range(1, at.count("."))]
        for module in [*graph.get(at, []), *parents]:
            if module not in seen:
                seen.add(module)
                queue.append(module)
    return seen


def _attacking(module: str) -> bool:
    return module.split(".")[1:2] != [] and module.split(".")[1] in ATTACKING


RULES: list[Rule] = [folders_without_floor, imports_go_down, production_reaches_attacks]

CULPRITS: list[tuple[Rule, str, str]] = [
    (folders_without_floor, "helpers/text.py", ""),
    (folders_without_floor, "loose.py", ""),
    (imports_go_down, "core/data.py", "from temper.targets.oracle import Oracle"),
    (imports_go_down, "core/data.py", "def f():\n    import temper.engine.task"),
    (imports_go_down, "kernels/lp.py", "from ..targets import oracle"),
    (imports_go_down, "hardening/retrain.py", "from temper.attacks.evasion.noise import Noise"),
    (imports_go_down, "attacks/evasion/noise.py", "from temper.attacks.poisoning.flip import Flip"),
    (imports_go_down, "store/runs.py", "from temper.report import html"),
    (imports_go_down, "stress/noise.py", "from temper import assess"),
    (
        imports_go_down,
        "validation/gate.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import temper.cli",
    ),
    (imports_go_down, "report/html.py", "from temper.core.room import Room\nATTACKS = Room('temper.attacks')"),
    (imports_go_down, "web/page.py", "import temper.gateway"),
    (imports_go_down, "core/x.py", "import temper.nowhere"),
    (production_reaches_attacks, "gateway/app.py", "import temper.stress.noise"),
    (production_reaches_attacks, "guard/pipeline.py", "def f():\n    from temper.hardening import mesh"),
    (
        production_reaches_attacks,
        "monitoring/alarm.py",
        "from importlib import import_module\nimport_module('temper.engine')",
    ),
]

INNOCENT = [
    ("engine/plan.py", "from temper.attacks.evasion import noise\nfrom temper.core import data\nimport numpy"),
    (
        "attacks/evasion/noise.py",
        "from temper.attacks._rows import rows\nfrom temper.attacks.evasion._step import step",
    ),
    ("demos/fraud.py", "from temper import assess"),
    ("gateway/app.py", "from temper.guard.pipeline import Pipeline\nfrom temper.store import events"),
    ("__init__.py", "def __getattr__(name):\n    from temper import gateway\n    return gateway"),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_source_keeps_the_rule(rule: Rule) -> None:
    assert not (breaches := rule(SRC)), "\n".join(breaches)


@pytest.mark.parametrize(("rule", "name", "text"), CULPRITS, ids=[f"{r.__name__}-{n}" for r, n, _ in CULPRITS])
def test_planted_breach_is_caught(rule: Rule, name: str, text: str, tmp_path: Path) -> None:
    assert rule(plant(tmp_path, name, text))


@pytest.mark.parametrize(("name", "text"), INNOCENT, ids=[n for n, _ in INNOCENT])
def test_what_is_allowed_is_not_reported(name: str, text: str, tmp_path: Path) -> None:
    root = plant(tmp_path, name, text)
    assert [breach for rule in RULES for breach in rule(root)] == []


def test_a_breach_two_imports_away_is_caught(tmp_path: Path) -> None:
    plant(tmp_path, "gateway/app.py", "from temper.api import serve")
    root = plant(tmp_path, "api.py", "def assess():\n    from temper.engine import plan")
    plant(tmp_path, "engine/plan.py", "")
    assert any("gateway.app reaches temper.engine" in breach for breach in production_reaches_attacks(root))


def test_every_room_with_a_floor_that_exists_is_seen() -> None:
    assert {room(f.module).split(".")[0] for f in files(SRC)} >= {"core", "kernels", "targets", "engine"}


def test_no_room_has_the_name_of_a_public_function() -> None:
    """Python would put the room over the function as soon as somebody imports it."""
    import temper

    assert not set(temper.__all__) & set(FLOORS)
