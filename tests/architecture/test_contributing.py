"""The plugin that CONTRIBUTING.md shows works as it stands there, and keeps the rules it is shown for."""

from __future__ import annotations

import doctest
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import temper
from architecture.source import ROOT, plant
from architecture.test_floors import imports_go_down
from architecture.test_habits import heavy_libraries_stay_inside_functions
from architecture.test_shape import plugins_have_one_shape, plugins_name_their_source, public_things_are_explained
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws
from temper.judges.misclassified import Misclassified
from temper.targets.oracle import Oracle

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
NAME = "attacks/evasion/corners.py"


@pytest.fixture
def corners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The plugin's module, from the page."""
    code = re.search(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert code is not None
    path = plant(tmp_path, NAME, code.group(1)) / NAME
    spec = importlib.util.spec_from_file_location("corners", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "corners", module)  # a dataclass looks its module up
    spec.loader.exec_module(module)
    return module


def steep(x: np.ndarray) -> np.ndarray:
    """Class 1 where the two columns together pass 1.5."""
    p = 1.0 / (1.0 + np.exp(-8.0 * (x.sum(axis=1) - 1.5)))
    return np.column_stack([1.0 - p, p])


def test_shown_attack_breaks_what_can_be_broken_and_holds_elsewhere(corners: ModuleType) -> None:
    free = [Column(name=name, low=0.0, high=1.0, attacker=Mutability.FREE) for name in "ab"]
    x = np.array([[0.6, 0.6], [0.2, 0.2]])
    scene = Scene(
        x=x,
        y=np.zeros(2, int),
        ids=np.arange(2),
        schema=Schema(columns=tuple(free)),
        budget=Budget(radius=0.3, queries=50),
        threshold=0.5,
    )
    oracle = Oracle(temper.target(steep), scene, Misclassified(), corners.PLUGIN.needs)
    corners.PLUGIN(draws=40).run(oracle, scene, Draws(0, "evasion.corners", scene.ids))
    assert list(oracle.evidence().verdicts) == ["broken", "held"]


def test_shown_attack_keeps_every_rule_of_a_plugin(corners: ModuleType, tmp_path: Path) -> None:
    root = tmp_path / "temper"
    rules = (
        plugins_have_one_shape,
        plugins_name_their_source,
        public_things_are_explained,
        heavy_libraries_stay_inside_functions,
        imports_go_down,
    )
    assert [breach for rule in rules for breach in rule(root)] == []


def test_shown_example_runs(corners: ModuleType) -> None:
    assert doctest.testmod(corners) == doctest.TestResults(failed=0, attempted=1)


def test_every_make_target_the_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = {
        word
        for words in re.findall(r"(?:^ +|`)make ([a-z ]+)(?=[ `#]|$)", TEXT, flags=re.MULTILINE)
        for word in words.split()
    }
    assert named
    assert named <= targets
