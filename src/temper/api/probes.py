"""Rows tried by hand from Python and from the terminal: the bench of a temper.yaml, and what is saved of a try."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from temper.core.data import Array
from temper.core.errors import TemperError
from temper.core.job import Order
from temper.core.probe import Draft, Hand, Look, Probe, Severity, Standing, Subject

if TYPE_CHECKING:
    from temper.core.system import Protected
    from temper.engine.probing import Handed
    from temper.store.control import Control


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Something tried by hand, and what is seen of it; `missing` says why no stage was asked, `reply` what an assistant
    answered.
    """

    system: str
    subject: Subject
    look: Look
    missing: str = ""
    reply: str = ""

    def draft(self, hypothesis: str, technique: str = "", assumptions: tuple[int, ...] = ()) -> Draft:
        """What is saved of it; a technique that ATLAS does not know is refused."""
        from temper.threats.taxonomies import taxonomies

        if technique and technique not in taxonomies()["atlas"].titles:
            raise TemperError(f"ATLAS knows no technique {technique[:40]!r}", fix="write its id, such as AML.T0015")
        about = {"system": self.system, "hypothesis": hypothesis, "technique": technique}
        return Draft(subject=self.subject, look=self.look, assumptions=assumptions, **about)


def tried(
    config: Path, row: int | None, earlier: Subject | None, settings: Sequence[str], *, trust_pickle: bool = False
) -> Tried:
    """A row of the system of this temper.yaml with these `column=value`, from a held-out row, an earlier probe or
    nothing. Raises `TemperError` for what cannot be read.
    """
    from temper.guard.serving.bench import Bench

    if row is not None and earlier is not None:
        raise TemperError(
            "a probe starts from a row, or goes on from another probe", fix="give one of --row and --from"
        )
    pairs = [one.partition("=") for one in settings]
    if wrong := next((name for name, sign, _ in pairs if not sign), ""):
        raise TemperError(f"--set {wrong[:40]!r} gives no value", fix="write column=value")
    bench = Bench.at(config, trust_pickle=trust_pickle, today=datetime.now(UTC).date())
    start = bench.kept(earlier) if earlier is not None else bench.nothing() if row is None else bench.row(row)
    found, faults = bench.edited(start, {name.strip(): text for name, _, text in pairs})
    if faults:
        raise faults[0]
    subject = found.subject(bench.system.schema.names)
    return Tried(system=bench.name, subject=subject, look=bench.look(found), missing=bench.missing)


def said(config: Path, user: str, outsider: str = "", *, asked: bool = False) -> Tried:
    """What the guard of this temper.yaml's assistant makes of a prompt, and of what an outsider has written; with
    `asked` the assistant answers, as far as the guard lets it.
    """
    from temper.guard.spoken import OUTSIDER, USER, Spoken

    spoken = Spoken.at(config, asked=asked)
    turns = tuple((who, text) for who, text in ((USER, user), (OUTSIDER, outsider)) if text)
    missing = "" if spoken.guard is not None else "the assistant has no guard"
    look, reply = spoken.answer(turns) if asked else (spoken.look(turns), None)
    told = "" if reply is None else reply.invalid or reply.text or reply.blocked
    return Tried(system=spoken.name, subject=spoken.subject(turns), look=look, missing=missing, reply=told)


def system(config: Path) -> str:
    """The name of the system of this temper.yaml."""
    from temper.config.reading import read

    return read(config).section("system").text("name", config.absolute().parent.name)


def corruptions(seed: int = 0) -> dict[str, Callable[[Array, int], Array]]:
    """What can be done to pictures, by name, each given pictures and a severity; the same numbers every time."""
    from temper.core.room import Room
    from temper.core.seed import Draws

    room = Room("temper.stress")

    def doing(name: str) -> Callable[[Array, int], Array]:
        def done(pictures: Array, severity: int) -> Array:
            rng = Draws(seed, name, np.arange(len(pictures)), pictures)
            return np.asarray(room.build(name, {}).apply(pictures, severity, rng))

        return done

    return {name.removeprefix("image."): doing(name) for name in room.names() if name.startswith("image.")}


def carried(system: Protected, probe: Probe, hand: Hand, control: Control) -> Handed:
    """What came of handing a probe to the machine: on this system behind its guard, beside the other models that the
    control store and temper.yaml know.
    """
    from temper.config.reading import read
    from temper.config.serving import serving_of
    from temper.engine.probing import handed, others
    from temper.guard.serving.bench import Bench

    path = Path(system.source)
    serving = serving_of(read(path), path.absolute().parent)
    bench = Bench.of(system, serving)
    return handed(bench, probe, hand, lambda: others(bench, serving, control))


def severity_of(word: str) -> Severity:
    """The severity of this name."""
    if word not in set(Severity):
        raise TemperError(f"no severity {word[:40]!r}", fix=f"use one of {', '.join(Severity)}")
    return Severity(word)


def report(system: Protected, control: Control, by: str, suffix: str, now: float) -> str:
    """All that was tried on a system, as HTML or JSON by the ending of a file. It names everybody, so whoever may still
    rate a probe is refused.
    """
    from temper.report.probes import render
    from temper.store.codec import to_json
    from temper.threats import tried

    if suffix not in (".html", ".json"):
        raise TemperError(f"there is no report of probes as {suffix[:20]!r}", fix="name a file .html or .json")
    if blind := control.probes.unrated(system.name, by):
        raise TemperError(f"{by} has not rated {blind} probes, and the report names everybody", fix="rate them first")
    rated, assumed = control.probes.of(system.name), control.probes.assumptions(system.name)
    told = tried.document(system.name, rated, assumed, tried.wanted(system), now)
    return to_json(told) if suffix == ".json" else render(told)


def standing_of(word: str) -> Standing:
    """How an assumption stands, by the word."""
    if word not in set(Standing):
        raise TemperError(f"an assumption is not {word[:40]!r}", fix="say stands or fallen")
    return Standing(word)


def hand_of(word: str) -> Hand:
    """What a machine is asked to do, by its name."""
    if word not in set(Hand):
        raise TemperError(f"nothing is done by {word[:40]!r}", fix=f"use one of {', '.join(Hand)}")
    return Hand(word)


def order(number: int, hand: Hand, config: Path, key: str) -> Order:
    """The same left to a worker."""
    return Order(key=key, why=f"probe {number}: {hand}", config=str(config.absolute()), probe=number, hand=hand.value)
