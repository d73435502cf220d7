"""What is told of a model on trial: the figures of all processes, with intervals, and one sentence of advice."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from small_gateway import GUARD, asked, folder, gateway, models, written
from temper.cli import app
from temper.core.serving import Answer, Source
from temper.core.stage import Level
from temper.gateway.tables import deploy
from temper.gateway.tables.build import Gateway
from temper.gateway.tables.compared import LATEST, MOST, Arm, Changes, seen, told

__all__ = ["folder", "gateway", "models"]


def shadow(**about: Any) -> dict[str, Any]:
    usual = {
        **{"mode": "shadow", "digest": "d", "threshold": 0.5, "at": 100.0, "since": 0.0},
        **{"seen": 5_000, "failed": 0, "dropped": 3, "largest": 0.25, "up": 10, "down": 2},
        **{"who": {"shop": [4_000, 9], "till": [1_000, 3]}, "live": [0.001] * 50, "new": [0.001] * 50},
    }
    return {**usual, **about}


def arm(requests: int = 2_000, ones: int = 100, seconds: float = 0.001) -> dict[str, Any]:
    return {"requests": requests, "rows": requests, "ones": ones, "seconds": [seconds] * min(requests, 50)}


def canary(live: dict[str, Any], new: dict[str, Any], passed: int = 0) -> dict[str, Any]:
    arms = {"live": live, "new": new}
    return {
        "mode": "canary",
        "digest": "d",
        "threshold": 0.5,
        "at": 100.0,
        "since": 0.0,
        "passed": passed,
        "arms": arms,
    }


def advice(document: dict[str, Any]) -> str:
    (*_, last) = told([document], document["mode"], 101.0)
    assert last.startswith("advice: ")
    return last.removeprefix("advice: ")


def test_the_figures_of_two_processes_are_added_up() -> None:
    lines = [
        *told([shadow(), shadow(seen=1_000, up=1, down=0, who={"shop": [1_000, 1]}, largest=0.5)], "shadow", 130.0)
    ]
    assert "2 process(es) on this machine, for 2 min" in lines[0]
    assert "6,000 scored along; 0 it had no score for, 6 left out" in lines[1]
    assert "5,987 of 6,000 the same (99.5 % to 99.9 %, 95 % interval that holds however often you look)" in lines[2]
    assert "11 would reach the threshold that do not now, 2 would no longer" in lines[3]
    assert "shop 10 of 5,000, till 3 of 1,000" in lines[4]
    assert "differ by 0.5 at most" in lines[5]
    assert "live p50 1 ms, p99 1 ms; new p50 1 ms" in lines[6]
    assert "the last word is 10 min old" in next(told([shadow()], "shadow", 700.0))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (shadow(failed=2), "do not promote it: it had no score for 2 of 5,002"),
        (shadow(seen=40, up=0, down=0), "40 rows tell little"),
        (shadow(), "at most 0.537 % of the decisions would change: try it on some clients with --canary 10%"),
        (shadow(up=500), "8.5 % to 11.6 %"),
        (shadow(threshold=None), "there is no threshold"),
        (canary(arm(), arm()) | {"threshold": None}, "there is no threshold"),
        (shadow(new=[0.004] * 50), "(it takes 4.0 times as long)"),
        (canary(arm(), arm(500)), "500 rows tell little"),
        (canary(arm(), arm(), passed=100), "do not promote it: it had no answer to 100 of 2,100"),
        (canary(arm(), arm(ones=400)), "reach the threshold more often"),
        (canary(arm(), arm(ones=5)), "reach the threshold less often"),
        (canary(arm(), arm(seconds=0.01)), "nothing here speaks against --live (it takes 10.0 times as long)"),
    ],
)
def test_advice(document: dict[str, Any], said: str) -> None:
    assert said in advice(document)


def test_a_canary_shows_both_with_their_intervals() -> None:
    lines = [*told([canary(arm(), arm(0, 0))], "canary", 101.0)]
    assert "2,000 requests, 2,000 rows; 5 % at or above the threshold (3.37 % to 6.82 %)" in lines[1]
    assert lines[2].endswith("0 requests, 0 rows")
    assert "new no time yet" in lines[4]


def test_what_is_kept_is_bounded_however_many_clients_there_are() -> None:
    changes, seen_of = Changes(), Arm()
    for at in range(MOST + 500):
        changes.add([(f"c-{at}", 1)], np.array([at % 2 == 0]), np.array([True]))
        answer = Answer(scores=np.array([0.7]), levels=(Level.ALLOW,), source=Source.PRIMARY)
        seen_of.add(answer, 0.1, 0.5)
    assert len(changes.who) == MOST + 1
    assert sum(changed for _, changed in changes.who.values()) == changes.up == (MOST + 500) // 2
    assert (seen_of.ones, len(seen_of.seconds)) == (MOST + 500, LATEST)


def test_a_file_that_was_cut_off_or_of_another_trial_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "trial-node-0.json").write_text('{"mode": "sha')
    (tmp_path / "trial-node-1.json").write_text(json.dumps(shadow(digest="another")))
    (tmp_path / "trial-node-2.json").write_text(json.dumps(shadow()))
    assert len(seen(tmp_path, "shadow", "d")) == 1
    assert seen(tmp_path, "canary", "d") == []


@pytest.mark.parametrize("mode", ["shadow", "canary"])
def test_a_gateways_trial_is_told_at_the_command_line_and_gone_with_it(
    folder: Path, gateway: Gateway, mode: str
) -> None:
    config = folder / "temper.yaml"
    written(folder, GUARD + "  extraction: off\n")

    async def story() -> None:
        await gateway.reloading.once()  # type: ignore[union-attr]
        deploy.deploy(config, folder / "next.json", mode, 1.0, "ada", "a test", time.time())
        assert await gateway.reloading.once()  # type: ignore[union-attr]
        for at in range(30):
            await asked(gateway, (at / 100 - 0.15, 0.1, 0.0))
        if gateway.live.shadow is not None:
            gateway.live.shadow.close()
        await gateway.saved()

    asyncio.run(story())
    found = CliRunner().invoke(app, ["deploy", "-c", str(config), "--status"])
    assert found.exit_code == 0
    assert "heard from 1 process(es)" in found.stdout
    assert "advice: 30 rows tell little" in found.stdout
    assert ("local" in found.stdout) is (mode == "shadow" and gateway.live.shadow.changed > 0)  # type: ignore[union-attr]
    deploy.rollback(config, "ada", "a test", time.time())
    asyncio.run(ended(gateway))
    assert not gateway.figures.exists()
    assert "nothing is on trial" in CliRunner().invoke(app, ["deploy", "-c", str(config), "--status"]).stdout


async def ended(gateway: Gateway) -> None:
    assert await gateway.reloading.once()  # type: ignore[union-attr]
    await gateway.saved()
