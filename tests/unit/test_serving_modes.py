"""The law of every part of a guard: off it never runs, in shadow it changes no answer and is counted and written down,
enforced it does what it is there for. A part without a story here fails.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from small_gateway import asked, decisions, folder, models, written
from temper.core.errors import ConfigError
from temper.core.serving import Mode
from temper.core.stage import Decision, Level
from temper.gateway.tables import app as app_module
from temper.gateway.tables.build import Gateway, opened
from temper.guard.serving import parts
from temper.guard.serving import pipeline as pipeline_module
from temper.guard.serving.breaker import Breaker
from temper.guard.serving.concurrency import Limiter
from temper.guard.serving.fallback import Rules
from temper.guard.serving.golden import Golden
from temper.guard.serving.quota import Quota
from temper.guard.serving.stages.anomaly import Anomaly
from temper.guard.serving.stages.extraction import Extraction
from temper.guard.serving.stages.output import Output
from temper.guard.serving.stages.quarantine import Quarantine

__all__ = ["folder", "models"]
OTHERS = {  # everything that would answer in another part's place
    "extraction": "off", "anomaly": "off", "output": "off", "golden": "off", "concurrency": "off", "breaker": "off",
    "fallback": "off",
}  # fmt: skip


@dataclass
class Model:
    """Scores as it is told to; None is a failure."""

    score_of: Callable[[Any], Any]
    inline: bool = True
    calls: int = field(default=0)

    def score(self, rows: Any) -> Any:
        self.calls += 1
        found = self.score_of(rows)
        if found is None:
            raise RuntimeError("the model fails")
        return found

    async def ask(self, rows: Any, seconds: float, trace: str) -> Any:
        return self.score(rows)


def _constant(score: float | None) -> Callable[[Any], Any]:
    return lambda rows: None if score is None else np.full(len(rows), score)


async def _second(gateway: Gateway, patch: pytest.MonkeyPatch) -> Any:
    await asked(gateway)
    return await asked(gateway)


async def _far(gateway: Gateway, patch: pytest.MonkeyPatch) -> Any:
    return await asked(gateway, (8.9, -8.9, 8.9))


async def _outside(gateway: Gateway, patch: pytest.MonkeyPatch) -> Any:
    return await asked(gateway, (1.0, 10.0, 0.0))


async def _suspect(gateway: Gateway, patch: pytest.MonkeyPatch) -> Any:
    def found(self: Extraction, scoring: Any) -> Decision:
        return Decision(level=Level.REVISE, reason="like an extraction")

    patch.setattr(Extraction, "check", counted(Extraction.check.__name__, found))
    return await asked(gateway)


async def _two_at_once(gateway: Gateway, patch: pytest.MonkeyPatch) -> Any:
    first, second = await asyncio.gather(asked(gateway), asked(gateway))
    assert first["status"] == 200
    return second


async def _after_failures(gateway: Gateway, patch: pytest.MonkeyPatch) -> Any:
    own = gateway.live.pipeline.model
    gateway.live.pipeline.model = Model(_constant(None))
    for _ in range(3):
        await asked(gateway)
    enforced = gateway.live.pipeline.modes.breaker is Mode.ENFORCE
    assert f"temper_breaker {2 if enforced else 0}\n" in gateway.counted.text()
    gateway.live.pipeline.model = own
    return await asked(gateway)


async def _after_wrong_scores(gateway: Gateway, patch: pytest.MonkeyPatch) -> Any:
    gateway.live.pipeline.model = Model(_constant(0.25))
    if gateway.live.golden is not None:
        await gateway.tending.probe(gateway.live, gateway.live.golden, 1e9)
    return await asked(gateway)


async def _out_of_range(gateway: Gateway, patch: pytest.MonkeyPatch) -> Any:
    gateway.live.pipeline.model = Model(_constant(7.5))
    return await asked(gateway)


async def _without_a_model(gateway: Gateway, patch: pytest.MonkeyPatch) -> Any:
    gateway.live.pipeline.model = Model(_constant(None))
    return await asked(gateway)


async def _plain(gateway: Gateway, patch: pytest.MonkeyPatch) -> Any:
    return await asked(gateway)


STORIES: dict[str, tuple[dict[str, Any], Callable[[Gateway, pytest.MonkeyPatch], Any]]] = {
    "quota": ({"per_second": 0.001, "burst": 1}, _second),
    "bounds": ({}, _outside),
    "quarantine": ({"clients": ["local"], "answer": "block"}, _plain),
    "extraction": ({}, _suspect),
    "anomaly": ({"answer": "block"}, _far),
    "concurrency": ({"start": 1, "floor": 1, "cap": 1}, _two_at_once),
    "breaker": ({"window": 2, "least": 2, "open_seconds": 60}, _after_failures),
    "golden": ({}, _after_wrong_scores),
    "output": ({}, _out_of_range),
    "fallback": ({"rules": [{"when": "a > 0", "score": 0.875}]}, _without_a_model),
    "decide": ({"review": [0.0, 1.0]}, _plain),
}
RUNS: dict[str, tuple[Any, str]] = {
    "quota": (Quota, "take"),
    "bounds": (app_module, "outside"),
    "quarantine": (Quarantine, "check"),
    "extraction": (Extraction, "check"),
    "anomaly": (Anomaly, "check"),
    "concurrency": (Limiter, "admit"),
    "breaker": (Breaker, "allow"),
    "golden": (Golden, "check"),
    "output": (Output, "check"),
    "fallback": (Rules, "answer"),
    "decide": (pipeline_module, "grey"),
}
ENFORCED: dict[str, Callable[[Any], bool]] = {
    "quota": lambda told: told["status"] == 429,
    "bounds": lambda told: told["status"] == 400,
    "quarantine": lambda told: told["results"][0]["decision"] == "block",
    "extraction": lambda told: told["results"][0]["decision"] == "revise",
    "anomaly": lambda told: told["results"][0]["decision"] == "block",
    "concurrency": lambda told: told["status"] == 503,
    "breaker": lambda told: told["source"] == "human",
    "golden": lambda told: told["source"] == "human",
    "output": lambda told: told["results"][0]["decision"] == "block",
    "fallback": lambda told: told["source"] == "rules" and told["results"][0]["score"] == 0.875,
    "decide": lambda told: told["results"][0]["decision"] == "review",
}
_ran: list[str] = []


def small(folder: Path, **guard: Any) -> Gateway:
    written(folder, f"guard: {json.dumps({'open': True, 'deadline_ms': 5_000, **guard})}\n")
    return opened(folder / "temper.yaml")


def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def spied(*given: Any, **named: Any) -> Any:
        _ran.append(name)
        return real(*given, **named)

    return spied


@dataclass
class Came:
    """What a part's story came to: the answer, how often the part ran, its counter, its rulings in the ledger."""

    told: Any
    ran: int
    metric: str
    rulings: list[tuple[str, str]]


def lived(folder: Path, part: str, mode: str, patch: pytest.MonkeyPatch) -> Came:
    """Let the story of a part happen to a gateway that has nothing else on."""
    options, story = STORIES[part]
    others = {name: one for name, one in OTHERS.items() if name != part}
    gateway = small(folder, **others, **{part: {"mode": mode, **options}})
    owner, name = RUNS[part]
    patch.setattr(owner, name, counted(name, getattr(owner, name)))
    _ran.clear()
    try:
        told = asyncio.run(story(gateway, patch))
        ran = len(_ran)
        text = gateway.counted.text()
        gateway.journal.close()
        rulings = [(one["stage"], one["reason"]) for body in decisions(gateway) for one in body.get("rulings", [])]
    finally:
        gateway.close()
    metric = "\n".join(one for one in text.splitlines() if f'stage="{part}"' in one)
    return Came(told=told, ran=ran, metric=metric, rulings=[one for one in rulings if one[0] == part])


def _answer(told: Any) -> Any:
    return {key: value for key, value in told.items() if key not in ("id", "policy")}


def test_every_part_has_a_story() -> None:
    assert [*STORIES] == [name for name in parts.PARTS if name != "people"]
    assert STORIES.keys() == RUNS.keys() == ENFORCED.keys()


@pytest.mark.parametrize("part", STORIES)
def test_off_it_never_runs(folder: Path, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    came = lived(folder, part, "off", monkeypatch)
    assert came.told["status"] == 200
    assert (came.ran, came.metric, came.rulings) == (0, "", [])


@pytest.mark.parametrize("part", STORIES)
def test_in_shadow_it_changes_no_answer_and_is_counted_and_written_down(folder: Path, part: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        off = lived(folder, part, "off", patch)
    with pytest.MonkeyPatch.context() as patch:
        came = lived(folder, part, "shadow", patch)
    assert _answer(came.told) == _answer(off.told)
    assert came.ran > 0
    assert 'mode="shadow"' in came.metric
    assert 'mode="enforce"' not in came.metric
    assert came.rulings
    assert all(reason.startswith("shadow, ") for _, reason in came.rulings)


@pytest.mark.parametrize("part", STORIES)
def test_enforced_it_does_what_it_is_there_for(folder: Path, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    came = lived(folder, part, "enforce", monkeypatch)
    assert ENFORCED[part](came.told), came.told
    if part != "bounds":  # a value out of bounds is not even read
        assert came.ran > 0
        assert 'mode="enforce"' in came.metric
    assert 'mode="shadow"' not in came.metric


@pytest.mark.parametrize("mode", ["off", "shadow", "enforce"])
def test_an_operators_word_counts_in_every_mode(folder: Path, mode: str) -> None:
    gateway = small(folder, **OTHERS | {"breaker": mode})

    async def story() -> list[str]:
        found = [(await asked(gateway))["source"]]
        gateway.live.pipeline.breaker.force_open(0.0)
        found.append((await asked(gateway))["source"])
        gateway.live.pipeline.breaker.automatic(0.0)
        found.append((await asked(gateway))["source"])
        gateway.live.pipeline.stopped = True
        return [*found, (await asked(gateway))["source"]]

    assert asyncio.run(story()) == ["primary", "human", "primary", "human"]
    gateway.close()


@pytest.mark.parametrize("breaker", ["off", "shadow", "enforce"])
def test_known_rows_count_whatever_the_breaker_does_and_right_ones_end_it(folder: Path, breaker: str) -> None:
    gateway = small(folder, **OTHERS | {"breaker": breaker, "golden": "enforce"})
    own, golden = gateway.live.pipeline.model, gateway.live.golden
    assert golden is not None

    async def story() -> list[str]:
        found = []
        for model in (Model(_constant(0.25)), Model(_constant(None)), own):
            gateway.live.pipeline.model = model
            await gateway.tending.probe(gateway.live, golden, 0.0)
            found.append((await asked(gateway))["source"])
        return found

    assert asyncio.run(story()) == ["human", "human", "primary"]
    gateway.close()


def test_a_challenger_that_hangs_in_shadow_takes_nobodys_time(folder: Path) -> None:
    gateway = small(folder, **OTHERS | {"fallback": {"mode": "shadow", "challenger": "next.json"}, "deadline_ms": 400})

    async def hangs(rows: Any) -> Any:
        await asyncio.sleep(30)

    (link,) = gateway.live.pipeline.chain.links
    object.__setattr__(link, "predict", hangs)
    gateway.live.pipeline.model = Model(_constant(None))
    found = asyncio.run(asked(gateway))
    assert (found["status"], found["source"]) == (200, "human")
    gateway.close()


@pytest.mark.parametrize(
    ("name", "written", "said"),
    [("people", "shadow", "people has no mode"), ("bounds", {"low": 3}, "bounds has no option 'low'")],
)
def test_what_is_no_stage_has_no_mode_and_bounds_have_no_options(
    folder: Path, name: str, written: Any, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        small(folder, **{name: written})
