"""The drills: what is done to whom. A drill is data; all of them are run alike."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from temper.core.errors import ConfigError


class Victim(StrEnum):
    """What a fault is done to: the line between gateway and model, one of the two processes, or who decides cases."""

    LINE = "line"
    MODEL = "model"
    GATEWAY = "gateway"
    PEOPLE = "people"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A fault of `temper.chaos.faults` with its options, and its victim. `told` ends the sentence "the model ...", "the
    gateway ..." or "the reviewers ...". `inside`: the victim runs under `temper.chaos.inside`.
    """

    name: str
    fault: str
    victim: Victim
    told: str
    options: Mapping[str, Any] = field(default_factory=dict)
    inside: bool = False

    @property
    def words(self) -> str:
        """What is done, as a person reads it."""
        who = {Victim.GATEWAY: "gateway", Victim.PEOPLE: "reviewers"}.get(self.victim, "model")
        return f"the {who} {self.told}"

    def having(self, options: Mapping[str, Any]) -> Drill:
        """The same with these options in place of its own, which its words say.

        >>> DRILLS["latency"].having({"ms": 300}).words
        'the model answers 200 ms later (here: ms=300)'
        """
        here = ", ".join(f"{name}={value}" for name, value in options.items())
        told = f"{self.told} (here: {here})" if options else self.told
        return replace(self, options={**self.options, **options}, told=told)


def _line(name: str, fault: str, told: str, **options: Any) -> Drill:
    return Drill(name=name, fault=fault, victim=Victim.LINE, told=told, options=options)


def _model(name: str, fault: str, told: str, **options: Any) -> Drill:
    return Drill(name=name, fault=fault, victim=Victim.MODEL, told=told, options=options)


def _gateway(name: str, fault: str, told: str, *, inside: bool = False, **options: Any) -> Drill:
    return Drill(name=name, fault=fault, victim=Victim.GATEWAY, told=told, inside=inside, options=options)


DRILLS = {
    drill.name: drill
    for drill in (
        _model("primary-down", "host.kill", "is killed, and started anew at the end of the fault"),
        _model("primary-hang", "host.stop", "is stopped: its connections stay open, and nothing comes"),
        _model("cpu", "host.cpu", "shares one core with four processes that only compute", others=4),
        _model("memory", "host.memory", "gets no more memory"),
        _model(
            "memory-pressure",
            "host.pressure",
            "runs beside a process that takes up to four fifths of the memory left, at most 8 GB",
            share=0.8,
            most_mb=8_192.0,
        ),
        _line("latency", "wire.latency", "answers 200 ms later", ms=200.0),
        _line(
            "latency-tail",
            "wire.latency",
            "answers 20 ms later in the middle, with a long tail",
            ms=20.0,
            shape="lognormal",
            sigma=1.5,
        ),
        _line(
            "latency-steps",
            "wire.latency",
            "answers 50 ms later, and 50 ms more with every second",
            ms=50.0,
            shape="step",
        ),
        _line("hang", "wire.hang", "does not answer before the fault is over"),
        _line("refuse", "wire.refuse", "breaks every line off before it answers"),
        _line("reset", "wire.reset", "breaks every line off in the middle of its answer"),
        _line("errors", "wire.status", "answers with status 503", code=503),
        _line("too-many", "wire.status", "answers with status 429", code=429),
        _line("truncated", "wire.truncated", "ends its answers in the middle"),
        _line("invalid", "wire.invalid", "answers with a page of HTML and status 200"),
        _line("wrong-version", "wire.wrong_version", "says that another version of it answers; its scores stay right"),
        _line("nan", "scores.nan", "answers NaN"),
        _line("constant", "scores.constant", "answers 0.5 to everything"),
        _line("shifted", "scores.shifted", "answers 0.2 too much"),
        _line("stale", "scores.stale", "answers with the scores of ten rows before", lag=10),
        _line("shuffled", "scores.shuffled", "mixes up the scores of rows that are asked together"),
        _gateway("disk-full", "host.disk_full", "can write no more files"),
        _gateway(
            "slow-disk", "host.slow_disk", "waits 100 ms more for its disk (simulated inside it)", inside=True, ms=100.0
        ),
        _gateway(
            "clock-jump",
            "host.clock_jump",
            "has a clock that is an hour ahead (simulated inside it)",
            inside=True,
            seconds=3_600.0,
        ),
        _gateway("store-locked", "host.store_locked", "cannot write to its control store"),
        Drill(name="reviewers-absent", fault="host.absent", victim=Victim.PEOPLE, told="(simulated) do not come"),
    )
}


def drill_of(name: str) -> Drill:
    """The drill of this name; a mistake is answered with the nearest."""
    if name not in DRILLS:
        near = difflib.get_close_matches(name, DRILLS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "`temper drill --help` shows which there are"
        raise ConfigError(f"there is no drill {name!r}", fix=hint)
    return DRILLS[name]
