"""Decisions that were written down come out the same when they are made again, and a change is found."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from small_gateway import GUARD, asked, folder, models, written
from temper.gateway.tables.build import Gateway, opened
from temper.gateway.tables.replay import replayed

__all__ = ["folder", "models"]
REVIEW = GUARD + "  decide: {review: [0.3, 0.7]}\n  extraction: off\n"


@pytest.fixture
def gateway(folder: Path) -> Iterator[Gateway]:
    written(folder, REVIEW)
    found = opened(folder / "temper.yaml")
    yield found
    found.close()


def test_what_was_kept_is_decided_again_as_it_was(folder: Path, gateway: Gateway) -> None:
    rows = np.random.Generator(np.random.Philox(key=3)).normal(size=(60, 3)).tolist()

    async def story() -> list[str]:
        levels = [(await asked(gateway, tuple(row)))["results"][0]["decision"] for row in rows]
        gateway.live.pipeline.breaker.force_open(time.monotonic())
        await asked(gateway, (0.0, 0.0, 9.0))  # the chain's answer, and strange
        return levels

    levels = asyncio.run(story())
    reviewed = levels.count("review")
    assert 5 < reviewed < 60
    found = replayed(folder / ".temper" / "audit", folder / "temper.yaml")
    assert (found.same, found.different) == (reviewed, [])
    assert dict(found.left) == {
        "have no input that was kept, or it was erased": 60 - reviewed,
        "were not the model's: how it was then is not written down": 1,
    }
    assert f"{reviewed} decisions made again, {reviewed} as they were; {61 - reviewed} could not be:" in found.told()
    (folder / "temper.yaml").write_text((folder / "temper.yaml").read_text().replace("[0.3, 0.7]", "[0.2, 0.7]"))
    assert dict(replayed(folder / ".temper" / "audit", folder / "temper.yaml").left) == {
        "were made under another policy or model": 61
    }


def test_a_model_that_decides_otherwise_under_the_same_name_is_found(folder: Path, gateway: Gateway) -> None:
    right = gateway.live.served.score
    object.__setattr__(gateway.live.served, "score", lambda rows: np.full(len(rows), 0.5) + 1e-3 * right(rows))
    asyncio.run(asked(gateway))
    found = replayed(folder / ".temper" / "audit", folder / "temper.yaml")
    assert found.same == 0
    assert len(found.different) == 1
    assert "scores" in found.different[0]
