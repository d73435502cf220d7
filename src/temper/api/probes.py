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
    from temper.guard.serving.bench import Bench
    from temper.guard.serving.pasted import Pasted
    from temper.guard.serving.posed import Posed
    from temper.store.control import Control


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Something tried by hand, and what is seen of it; `missing` says why no stage was asked, `reply` why an assistant
    gave no answer.
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
    if row is not None and earlier is not None:
        raise TemperError(
            "a probe starts from a row, or goes on from another probe", fix="give one of --row and --from"
        )
    found = bench(config, trust_pickle=trust_pickle)
    start = found.kept(earlier) if earlier is not None else found.nothing() if row is None else found.row(row)
    return _edited(found, start, settings)


def brought(config: Path, file: Path, *, trust_pickle: bool = False) -> tuple[Bench, list[Pasted]]:
    """Every line of a CSV file on the bench of this temper.yaml; the columns are the model's, and `row` names the
    held-out row that a line changes. Raises `TemperError` where the file is no such table.
    """
    from temper.guard.serving.pasted import of_file, pasted

    raw, found = of_file(file), bench(config, trust_pickle=trust_pickle)
    return found, pasted(found, raw)


def of_line(bench: Bench, one: Pasted, settings: Sequence[str] = ()) -> Tried:
    """A line of a CSV file with these `column=value`; raises `TemperError` where it cannot be read."""
    if one.posed is None:
        raise TemperError(f"line {one.line} cannot be read: {one.wrong}", fix="mend it, or take other lines")
    return _edited(bench, one.posed, settings)


def bench(config: Path, *, trust_pickle: bool = False) -> Bench:
    """The bench of this temper.yaml, under the policy that its control store has in force, if there is one."""
    from temper.guard.serving.bench import Bench
    from temper.guard.serving.followed import followed
    from temper.store.control import Control

    found = Bench.at(config, trust_pickle=trust_pickle, today=datetime.now(UTC).date())
    place = "" if found.serving is None else found.serving.control
    if not place or ("://" not in place and not Path(place).exists()):
        return found
    control = Control.open(place)
    try:
        return followed(found, control)
    finally:
        control.close()


def _edited(bench: Bench, start: Posed, settings: Sequence[str]) -> Tried:
    pairs = [one.partition("=") for one in settings]
    if wrong := next((name for name, sign, _ in pairs if not sign), ""):
        raise TemperError(f"--set {wrong[:40]!r} gives no value", fix="write column=value")
    found, faults = bench.edited(start, {name.strip(): text for name, _, text in pairs})
    if faults:
        raise faults[0]
    subject = found.subject(bench.system.schema.names)
    return Tried(system=bench.name, subject=subject, look=bench.look(found), missing=bench.missing)


def said(
    config: Path, turns: Sequence[tuple[str, str]], earlier: Draft | None = None, turn: int = 0, *, asked: bool = False
) -> Tried:
    """What the guard of this temper.yaml's assistant makes of a conversation: of these turns (what the user says, and
    what an outsider has written), after those of an `earlier` probe, or of its first ones up to the one that the first
    of these stands in for (`turn`, 0 for none). Without any it is the earlier one over again. With `asked` the
    assistant answers each, as far as the guard lets it.
    """
    from temper.core.probe import OUTSIDER, USER, Turns, turns_of
    from temper.guard.spoken import Heard, Spoken, Verdicts

    spoken = Spoken.at(config, asked=asked)
    then: tuple[Turns, Verdicts] = ((), ()) if earlier is None else spoken.gone_on(earlier)
    before = turns_of(then[0])
    if turn and not (turns and 0 < turn <= len(before)):
        raise TemperError(f"there is no turn {turn} to say otherwise", fix="give --from, one of its turns, and --say")
    kept = before[: turn - 1] if turn else before
    text = tuple(one for each in kept for one in each)
    told = tuple(then[1])[: len(kept)]
    heard: Heard | None = spoken.again(text) if asked and not turns else None
    for each in turns:
        text = (*text, *((who, words) for who, words in zip((USER, OUTSIDER), each, strict=True) if words))
        if asked:
            heard = spoken.answer(text, told)
            text, told = heard.text, (*heard.look.earlier, heard.look.told)
    look = spoken.look(text, told if turns else ()) if heard is None else heard.look
    text = text if heard is None else heard.text
    return Tried(
        system=spoken.name,
        subject=spoken.subject(text),
        look=look,
        missing="" if spoken.guard is not None else "the assistant has no guard",
        reply="" if heard is None else heard.reply.invalid,
    )


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
    from temper.guard.serving.followed import followed

    path = Path(system.source)
    bench = followed(Bench.of(system, serving_of(read(path), path.absolute().parent)), control)
    return handed(bench, probe, hand, lambda: others(bench, control))


def severity_of(word: str) -> Severity:
    """The severity of this name."""
    if word not in set(Severity):
        raise TemperError(f"no severity {word[:40]!r}", fix=f"use one of {', '.join(Severity)}")
    return Severity(word)


def report(system: Protected, control: Control, by: str, suffix: str, now: float) -> str:
    """All that was tried on a system, as HTML, JSON or CSV (its probes alone) by the ending of a file. It names
    everybody, so whoever may still rate a probe is refused.
    """
    from temper.report.probes import KINDS, render, table
    from temper.store.codec import to_json
    from temper.threats import tried

    kind = suffix.removeprefix(".")
    if kind not in KINDS:
        raise TemperError(
            f"there is no report of probes as {suffix[:20]!r}", fix=f"end the name in .{', .'.join(KINDS)}"
        )
    if blind := control.probes.unrated(system.name, by):
        raise TemperError(f"{by} has not rated {blind} probes, and the report names everybody", fix="rate them first")
    rated, assumed = control.probes.of(system.name), control.probes.assumptions(system.name)
    told = tried.document(system.name, rated, assumed, tried.wanted(system), now)
    if kind == "csv":
        return table(told, system.schema)
    return to_json(told) if kind == "json" else render(told)


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
