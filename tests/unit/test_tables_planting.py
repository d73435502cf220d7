"""Planted cases from the data of a real gateway: among those it handed on, nobody can tell which they are."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from control_store import CHEAP, PASSWORD, labels
from small_gateway import GUARD, asked, folder, models, written
from temper.cli import app
from temper.config.system import load_system
from temper.core.errors import ConfigError, TemperError
from temper.core.review import Role, Ruling, State
from temper.gateway.tables.build import Gateway, opened
from temper.gateway.tables.planting import plantings
from temper.store.control.people import People

__all__ = ["folder", "models"]
REVIEW = GUARD + "  decide: {review: [0.01, 0.99]}\n  extraction: off\n  anomaly: off\n"


@pytest.fixture
def gateway(folder: Path) -> Iterator[Gateway]:
    """A gateway with 20 cases before people."""
    written(folder, REVIEW)
    found = opened(folder / "temper.yaml")
    rows = np.random.Generator(np.random.Philox(key=3)).normal(scale=0.3, size=(20, 3)).tolist()

    async def story() -> None:
        for row in rows:
            await asked(found, tuple(row))

    asyncio.run(story())
    found.tending.relay.once()
    yield found
    found.close()


def run(folder: Path, *words: str) -> str:
    store = str(folder / ".temper" / "control.db")
    done = CliRunner().invoke(app, [*words, "--store", store], input=f"{PASSWORD}\n")
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_a_planted_case_cannot_be_told_from_what_the_gateway_handed_on(
    folder: Path, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(People, "_hasher", CHEAP)
    control = gateway.control
    for name, role in (("pat", Role.APPROVER), ("ann", Role.ANALYST)):
        control.people.add(name, role, PASSWORD, "root", 1.0)
    config = str(folder / "temper.yaml")
    told = run(folder, "reviews", "plant", "6", "--as", "pat", "--config", config)
    assert told.endswith("planted 6 cases\n")
    cases = control.reviews.page(limit=100)
    assert len(cases) >= 16
    real, planted = cases[:-6], cases[-6:]
    assert {frozenset(case.payload) for case in cases} == {frozenset(real[0].payload)}
    assert {frozenset(case.payload["rows"][0]) for case in cases} == {frozenset("abc")}
    assert {len(case.request) for case in planted} <= {len(case.request) for case in real}
    assert {case.request.rsplit("-", 2)[0] for case in cases} == {real[0].request.rsplit("-", 2)[0]}
    scores = sorted(case.payload["score"] for case in real)
    assert all(scores[0] <= case.payload["score"] <= scores[-1] for case in planted)
    assert {round(case.due - case.created, 3) for case in cases} == {3600.0}
    with pytest.raises(TemperError, match="takes the role approver"):
        run(folder, "reviews", "plant", "6", "--as", "ann", "--config", config)
    assert run(folder, "reviews", "again", "0.25", "--as", "pat").endswith(
        "25 % of what one person closes come again\n"
    )
    assert "25 % of what one person closes come again; 6 wait" in run(folder, "reviews", "agreement")
    assert control.audit.verify() == []


def test_what_is_planted_are_labelled_rows_half_of_each_and_as_many_mislead_as_asked(folder: Path) -> None:
    written(folder, REVIEW)
    system = load_system(folder / "temper.yaml")
    known = {tuple(row): label for row, label in zip(system.data.x.tolist(), system.data.y.tolist(), strict=True)}
    found = plantings(system, 40, 0.25, seed=1)
    truths = [one.truth for one in found]
    assert Counter(truths) == {Ruling.ALLOW: 20, Ruling.BLOCK: 20}
    assert [known[tuple(one.row.values())] for one in found] == [int(truth is Ruling.BLOCK) for truth in truths]
    assert sum(one.truth is not one.lean for one in found) == 10
    assert truths != sorted(truths)
    assert plantings(system, 40, 0.25, seed=1) == found
    assert plantings(system, 40, 0.25) != plantings(system, 40, 0.25), "nobody can foretell them"


def test_what_nobody_decides_gets_what_the_policy_says_and_is_told(folder: Path) -> None:
    found: list[str] = []
    for word in ("allow", "block"):
        written(folder, REVIEW + f"  people: {{due: 0.001, overdue: {word}}}\n")
        gateway = opened(folder / "temper.yaml")
        asyncio.run(asked(gateway, (0.0, 0.0, 0.1)))
        gateway.tending.relay.once()
        time.sleep(0.01)
        gateway.tending._overdue()
        case = gateway.control.reviews.page(State.EXPIRED)[-1]
        found.append(str(case.outcome))
        assert gateway.control.audit.page(1)[0].action == "review.expire"
        assert labels(gateway.control) == []
        gateway.close()
    assert sorted(found) == ["allow", "block"]
    written(folder, REVIEW + "  people: {overdue: maybe}\n")
    with pytest.raises(ConfigError, match="overdue is 'maybe'"):
        opened(folder / "temper.yaml")


def test_what_cannot_be_planted_is_said(folder: Path) -> None:
    written(folder, REVIEW)
    system = load_system(folder / "temper.yaml")
    for many, misled in ((0, 0.5), (4, 1.5), (4, -0.1)):
        with pytest.raises(ConfigError, match="cannot be planted"):
            plantings(system, many, misled)
    with pytest.raises(ConfigError, match="training rows have the label 0"):
        plantings(system, 10_000, 0.5)
    system.data.y[:5] = 2
    system.train.y[:5] = 2
    with pytest.raises(ConfigError, match="two classes"):
        plantings(system, 4, 0.5)
