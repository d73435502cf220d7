"""The example of a plugin package: found by its entry points, off until it is named, part of what a decision names."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from small_gateway import PROFILE, asked, decisions, folder, models, written
from temper.core.errors import ConfigError, StoreError
from temper.core.serving import Scoring
from temper.gateway.tables.build import Gateway, opened
from temper.guard.serving.profile import Profile
from temper.guard.serving.stages.anomaly import Anomaly
from temper.testing import serving

__all__ = ["folder", "models"]
PACKAGE = Path(__file__).parents[2] / "examples" / "plugin"
OFFERED = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]["entry-points"]
NAMED: dict[str, Any] = {"plugins": ["input.far", "ceiling"]}
STRICT = {**NAMED, "ceiling": {"column": "b", "above": 2.0}}


@dataclass(frozen=True)
class Of:
    """A distribution."""

    name: str = "temper-example"
    version: str = "0.1.0"


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """As if the package were installed, in a version."""
    monkeypatch.syspath_prepend(str(PACKAGE))

    def install(version: str) -> None:
        def points(group: str) -> list[EntryPoint]:
            found = [EntryPoint(name, value, group) for name, value in OFFERED.get(group, {}).items()]
            return [point._for(Of(version=version)) for point in found]  # type: ignore[attr-defined]

        monkeypatch.setattr("temper.core.room.entry_points", points)

    install("0.1.0")
    return install


def small(folder: Path, **guard: Any) -> Gateway:
    (folder / PROFILE).unlink(missing_ok=True)  # that of the fixture knows no other detectors
    written(folder, f"guard: {json.dumps({'open': True, 'deadline_ms': 5_000, **guard})}\n")
    return opened(folder / "temper.yaml")


def told(gateway: Gateway, *rows: tuple[float, float, float]) -> Iterator[str]:
    try:
        for row in rows:
            yield asyncio.run(asked(gateway, row))["results"][0]["decision"]
    finally:
        gateway.close()


@pytest.mark.usefixtures("offered")
def test_it_does_nothing_until_it_is_named(folder: Path) -> None:
    assert [*told(small(folder, anomaly="off"), (0.0, 3.0, 0.0))] == ["allow"]
    with pytest.raises(ConfigError, match="guard has no stage 'ceiling'"):
        small(folder, ceiling={"column": "b", "above": 2.0})


@pytest.mark.usefixtures("offered")
def test_the_stage_stands_beside_those_of_temper_and_is_written_down(folder: Path) -> None:
    gateway = small(folder, anomaly="off", **STRICT)
    found = [*told(gateway, (0.0, 3.0, 0.0), (0.0, 1.0, 0.0))]
    assert found == ["review", "allow"]
    assert [one["stage"] for body in decisions(gateway) for one in body.get("rulings", [])] == ["ceiling"]
    shadow = small(folder, anomaly="off", **NAMED, ceiling={"mode": "shadow", **STRICT["ceiling"]})
    assert [*told(shadow, (0.0, 3.0, 0.0))] == ["allow"]


@pytest.mark.usefixtures("offered")
def test_a_stage_that_says_so_comes_after_the_model_and_sees_its_scores(folder: Path) -> None:
    late = {"plugins": ["doubt", "ceiling"], "doubt": {"column": "b", "above": 2.0, "below": 0.5}}
    gateway = small(folder, anomaly="off", output="off", **late)
    pipeline = gateway.live.pipeline
    assert [name for name, *_ in pipeline.before] == ["ceiling"]
    assert [name for name, *_ in pipeline.after] == ["doubt"]
    rows = ((0.0, 3.0, 0.0), (-9.0, 3.0, 0.0), (9.0, 3.0, 0.0), (0.0, 1.0, 0.0))
    scores = pipeline.model.score(np.array(rows))
    expected = ["review" if row[1] > 2.0 and score < 0.5 else "allow" for row, score in zip(rows, scores, strict=True)]
    assert {"review", "allow"} == set(expected[:3]), "large rows of both kinds"
    decided = [one if one == "review" else "allow" for one in told(gateway, *rows)]
    assert decided == expected
    assert {one["stage"] for body in decisions(gateway) for one in body.get("rulings", [])} == {"doubt"}


@pytest.mark.usefixtures("offered")
def test_the_detector_looks_beside_those_of_temper(folder: Path) -> None:
    gateway = small(folder, **NAMED, anomaly={"detectors": []})
    reason = gateway.live.pipeline.before[0][2].check(_scoring(np.array([[8.9, 0.0, 0.0]]))).reason
    assert "deviations from the middle" in reason
    assert [*told(gateway, (8.9, 0.0, 0.0), (0.1, 0.0, 0.0))] == ["review", "allow"]


@pytest.mark.usefixtures("offered")
def test_a_profile_fitted_without_a_detector_is_refused_with_the_way_out(tmp_path: Path) -> None:
    serving.profile().save(tmp_path / "profile.npz")
    with pytest.raises(StoreError, match=r"without the detector input\.far") as refused:
        Profile.load(tmp_path / "profile.npz", ("input.far",))
    assert "move it away" in refused.value.fix


def test_the_policy_names_the_package_and_its_version(offered: Callable[[str], None], folder: Path) -> None:
    found = []
    for version in ("0.1.0", "0.1.0", "0.2.0"):
        offered(version)
        gateway = small(folder, **STRICT)
        found.append(gateway.live.policy)
        gateway.close()
    assert found[0] == found[1] != found[2]


@pytest.mark.usefixtures("offered")
@pytest.mark.parametrize(
    ("plugins", "said"),
    [
        (["output"], "a part of Temper's own"),
        (["stream.far"], r"a detector of rows is called input\.NAME"),
        (["absent"], "0 installed packages offer"),
    ],
)
def test_a_name_that_is_taken_wrong_or_unknown_is_refused(folder: Path, plugins: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        small(folder, plugins=plugins)
    assert re.search(said, f"{refused.value} {refused.value.fix}")


def _scoring(rows: Any) -> Scoring:
    return Scoring(rows=rows, client="shop", request="r", at=0.0, deadline=1.0)


@pytest.mark.parametrize("law", serving.LAWS[1:], ids=lambda law: law.__name__)
def test_tempers_own_stage_keeps_them(law: Callable[[Any], None]) -> None:
    law(Anomaly(profile=serving.profile()))
