"""A game day: several drills, one after the other, and one report of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from temper.chaos.arithmetic import over_drills
from temper.chaos.injector import built
from temper.config.document import Section
from temper.config.reading import read
from temper.config.system import load_system
from temper.core.errors import ConfigError, TemperError
from temper.core.gameday import GameDay, Rehearsal, Spread
from temper.core.requirement import Verdict
from temper.core.seed import Draws
from temper.engine.drill.catalogue import DRILLS, Drill, drill_of
from temper.engine.drill.outcome import Drilled
from temper.engine.drill.run import run
from temper.engine.drill.terms import Load
from temper.engine.gateway import alone
from temper.report.gameday import document, render

Plan = Sequence[tuple[Drill, Load]]
_SPREAD = (
    ("time to detect", "detected"),
    ("to the next good answer", "fallback"),
    ("time to recover", "answered_again"),
    ("time to full quality", "restored"),
)


def everything(load: Load, names: Sequence[str] = ()) -> Plan:
    """All drills, or those named, under the same load.

    >>> [drill.name for drill, _ in everything(Load(), ["nan", "hang"])]
    ['nan', 'hang']
    """
    return [(drill_of(name), load) for name in names or DRILLS]


def planned(path: Path, usual: Load) -> Plan:
    """The drills of a file: under `drills:` a mapping each, of `name`, what differs from the usual load (`rate`,
    `seconds`, `share`, `seed`, `slo`), and `options` of the fault.
    """
    sections = read(path).only("drills").sections("drills")
    if not sections:
        raise ConfigError(f"{path} lists no drills", fix="write `drills:` and below it `- name: primary-down`")
    return [_planned(section, usual) for section in sections]


def game_day(
    config: Path, plan: Plan, told: Callable[[str], None], by: str = "drill", drilled: Callable[..., Drilled] = run
) -> GameDay:
    """Do all of them. One that cannot be run is told as such, and the others go on; Ctrl-C ends the day after the drill
    that is under way was taken back, and what was done by then is kept.
    Errors: one day of a temper.yaml at a time.
    """
    with alone(config.absolute().parent / ".temper" / "gameday", "game day"):
        return _day(config, plan, told, by, drilled)


def _day(config: Path, plan: Plan, told: Callable[[str], None], by: str, drilled: Callable[..., Drilled]) -> GameDay:
    started, cut, found = time.time(), False, []
    told(f"{len(plan)} drills, {sum(load.seconds for _, load in plan) / 60:.0f} minutes of load and as many starts")
    for drill, load in plan:
        try:
            found.append(rehearsal(drilled(config, drill, load, told, by), drill.words))
            told(_said(found[-1]))
        except KeyboardInterrupt:
            cut = True
            told(f"stopped in the drill {drill.name}; everything was taken back")
            break
        except TemperError as error:
            told(f"{drill.name}: {error.message}")
            found.append(Rehearsal(name=drill.name, fault=drill.words, verdict=Verdict.ERROR, reasons=(error.message,)))
    return GameDay(
        system=load_system(config).name,
        started=started,
        slo=max((load.slo for _, load in plan), default=0.0),
        rehearsals=tuple(found),
        spreads=tuple(_spreads(found)),
        cut=cut,
    )


def _said(one: Rehearsal) -> str:
    why = f"; {one.reasons[0]}" if one.reasons else ""
    return f"{one.name}: {one.verdict.value}, {one.figures['answered']:.2%} answered in time{why}"


def written(day: GameDay, folder: Path) -> tuple[Path, Path]:
    """The report as HTML and JSON in this folder, named by when the day began."""
    name = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime(day.started))
    folder.mkdir(parents=True, exist_ok=True)
    page, data = folder / f"{name}.html", folder / f"{name}.json"
    page.write_text(render(day), encoding="utf-8")
    data.write_text(document(day), encoding="utf-8")
    return page, data


def rehearsal(found: Drilled, words: str) -> Rehearsal:
    """A drill as the report takes it."""
    marks = [(alert.rule, alert.at) for alert in found.alerts]
    if found.breaker is not None:
        marks.append(("breaker open", found.began + found.breaker))
    if found.reviewed is not None and found.reviewed.noticed is not None:
        marks.append(("incident about cases", found.began + found.reviewed.noticed))
    if found.restored:
        marks.append(("full quality again", found.began + found.restored))
    return Rehearsal(
        name=found.name,
        fault=words,
        seconds=found.seconds,
        verdict=found.verdict,
        reasons=tuple(why for verdict, why in found.reasons if verdict is not Verdict.PASS),
        figures={**found.figures(), "answered_interval": found.good.interval, "full_interval": found.full.interval},
        began=found.began,
        over=found.over,
        width=found.width,
        slots=tuple(tuple(int(many) for many in row) for row in found.slots),
        marks=tuple(sorted(marks, key=lambda mark: mark[1])),
        notes=() if found.reviewed is None else found.reviewed.lines(),
    )


def _spreads(found: Sequence[Rehearsal]) -> Iterator[Spread]:
    for words, name in _SPREAD:
        values = [float(value) for one in found if (value := one.figures.get(name)) is not None]
        if values:
            mean = over_drills(values, Draws(0, f"gameday/{name}"))
            single = mean.n == 1
            yield Spread(
                name=words,
                n=mean.n,
                mean=mean.value,
                low=None if single else mean.low,
                high=None if single else mean.high,
                worst=mean.worst,
            )


def _planned(section: Section, usual: Load) -> tuple[Drill, Load]:
    section.only("name", "rate", "seconds", "share", "seed", "slo", "options")
    try:
        drill = drill_of(section.needed("name"))
        if section.has("options"):
            drill = drill.having(section.section("options").plain())
        built(drill.fault, drill.options)
        load = replace(
            usual,
            seed=section.whole("seed", usual.seed),
            **{name: section.number(name, getattr(usual, name)) for name in ("rate", "seconds", "share", "slo")},
        )
    except ConfigError as wrong:
        place = f"{section.source}:"
        if wrong.message.startswith(place):
            raise
        raise section.error(wrong.message, "name", fix=wrong.fix) from None
    return drill, load
