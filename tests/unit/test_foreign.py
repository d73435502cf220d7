"""Plugins of other packages: off until the system names them, then beside Temper's own, never in their place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from typing import Any, ClassVar

import pytest

from temper.core.errors import ConfigError
from temper.core.room import Room
from temper.core.target import Access
from temper.engine.plan import plan
from temper.engine.run_task import execute
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


def test_a_plugin_nobody_offers_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"0 installed packages offer .*evasion\.absent"):
        planned("evasion.absent")
