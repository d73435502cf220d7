"""Plugins of other packages: off until the system names them, then beside Temper's own, never in their place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from typing import Any, ClassVar

import numpy as np
import pytest

from temper.api import attack
from temper.core.budget import Budget
from temper.core.errors import ConfigError, TemperError
from temper.core.room import Room
from temper.core.target import Access
from temper.engine.plan import plan
from temper.engine.risk import _names
from temper.engine.run_task import execute
from temper.testing.scenes import table, table_model
from unit.test_threats import system


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """Sets the first column to zero. Misleads always. Source: none."""

    needs: ClassVar[Access] = Access.SCORES

    def run(self, oracle: Any, scene: Any, rng: Any) -> None:
        x = scene.x.copy()
        x[:, 0] = 0.0
        oracle.scores(x, range(len(x)))
        oracle.done(range(len(x)))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def offered(group: str) -> list[EntryPoint]:
        names = ("evasion.vendor", "evasion.noise")
        return [EntryPoint(name, f"{__name__}:Vendor", group) for name in names if group == "temper.attacks"]

    monkeypatch.setattr("temper.core.room.entry_points", offered)


def planned(*plugins: str) -> set[str]:
    return {task.plugin for task in plan(system(plugins=plugins), "quick", ["evasion"]).tasks}


@pytest.mark.usefixtures("installed")
def test_an_installed_plugin_does_nothing_until_it_is_named() -> None:
    assert "evasion.vendor" not in planned()
    assert "evasion.vendor" not in Room("temper.attacks").names()
    assert planned("evasion.vendor") == planned() | {"evasion.vendor"}


@pytest.mark.usefixtures("installed")
def test_a_named_plugin_runs_against_the_same_oracle() -> None:
    laid = plan(system(plugins=("evasion.vendor",)), "quick", ["evasion"])
    (task,) = [task for task in laid.tasks if task.plugin == "evasion.vendor"]
    part = execute(replace(task, seconds=60), laid.world)
    assert part.reason == ""
    assert (part.evidence["verdicts"] == "broken").all()


@pytest.mark.usefixtures("installed")
def test_a_foreign_plugin_never_takes_the_name_of_one_of_ours() -> None:
    with pytest.raises(ConfigError, match="already the name"):
        Room("temper.attacks", allowed=("evasion.noise",)).get("evasion.noise")


@pytest.mark.usefixtures("installed")
def test_a_named_plugin_can_be_asked_for_alone() -> None:
    laid = plan(system(plugins=("evasion.vendor",)), "quick", ["evasion.vendor"])
    assert {task.plugin for task in laid.tasks} == {"evasion.vendor"}
    with pytest.raises(TemperError, match="no family or plugin"):
        plan(system(), "quick", ["evasion.vendor"])


@pytest.mark.usefixtures("installed")
def test_a_named_plugin_takes_options_and_stands_in_the_register() -> None:
    named = system(plugins=("evasion.vendor",), options={"evasion.vendor": {}})
    assert plan(named, "quick", ["evasion.vendor"]).tasks
    scenario = next(one for one in plan(named, "quick").scenarios if one.threat.id.startswith("evasion"))
    assert "evasion.vendor" in _names(scenario, named)
    with pytest.raises(ConfigError, match=r"options for 'evasion\.vendor', which is no plugin"):
        plan(system(options={"evasion.vendor": {}}), "quick")


@pytest.mark.usefixtures("installed")
def test_whoever_calls_an_attack_by_its_name_has_named_it() -> None:
    found = attack(table_model(), "evasion.vendor", table(4), np.ones(4, dtype=int), budget=Budget(queries=3))
    assert len(found.verdicts) == 4
    with pytest.raises(ConfigError, match="no plugin"):
        attack(table_model(), "evasion.vendors", table(4), np.ones(4, dtype=int), budget=Budget(queries=3))


def test_a_plugin_nobody_offers_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"0 installed packages offer .*evasion\.absent"):
        planned("evasion.absent")
