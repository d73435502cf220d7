"""A load test as a page, as JSON and in sentences."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from temper.core.load import Loaded, Trial
from temper.report._figure import number, percent
from temper.report._inert import inert
from temper.report.load_charts import drawn, timelines
from temper.report.load_chat import HEADS as SPOKEN
from temper.report.load_chat import drawn as spoken_drawn
from temper.report.load_chat import rows as spoken_rows
from temper.report.load_chat import sentences as spoken_sentences
from temper.report.load_chat import spoke

FORMAT = "temper.load/1"
HEADS = ("asked/s", "in time/s", "p50", "p99", "p99 from sending", "shed", "failed", "late", "held")
_MODEST, _SHARE = 0.8, 0.8


def held(found: Loaded) -> bool:
    """Whether the service did what it has to: at the planned load; or where a knee was looked for, at any rate at all,
    and again after an overload.
    """
    if found.knee is not None:
        return found.knee.value > 0 and (found.recovery is None or found.recovery.seconds is not None)
    return all(trial.holds(found.limit) for trial in found.trials)


def document(found: Loaded) -> str:
    """The whole as JSON."""
    return json.dumps({"format": FORMAT, **asdict(found), "held": held(found)}, indent=2, allow_nan=False)


def sentences(found: Loaded) -> Iterator[str]:
    """What was found, in the order in which a person asks."""
    wanted = _wanted(found)
    knee = found.knee
    if knee is not None and not knee.value:
        yield f"At no rate did it hold: {wanted} was not kept even at {knee.high:g} request a second."
    elif knee is not None and knee.high is None:
        most = f"{number(knee.most)} requests a second, the most that was asked"
        yield f"No limit was found: {wanted} still held at {most}."
    elif knee is not None:
        many = f"{len(knee.searches)} searches" if knee.searches else "a search that was not finished"
        yield (
            f"It bears {number(knee.value)} requests a second [{number(knee.low)}, {number(knee.high or 0)}] ({many}): "
            f"up to there, {wanted} holds."
        )
    else:
        (trial,) = found.trials
        word = "held" if trial.holds(found.limit) else "did not hold"
        yield f"{inert(found.plan, 80)}: {wanted} {word} over {trial.requests:,} requests."
    yield from spoken_sentences(found)
    yield from _constraints(found)
    yield from _beyond(found)
    yield from _growth(found)
    if found.scaling is not None and found.scaling.peak and knee is not None and knee.value:
        ratio = found.scaling.peak / knee.value
        yield (
            f"A check: the scaling law through these runs peaks at {number(found.scaling.peak)} a second, {ratio:.2f} "
            f"times the knee (relative error {percent(found.scaling.error)})."
        )


def following(found: Loaded) -> str:
    """What to do next."""
    knee = found.knee
    if knee is None:
        if held(found):
            return "Next: without --plan the highest rate it bears is looked for."
        return "Next: see in the timeline when it broke, and look for the rate it bears without --plan."
    if not knee.value:
        return "Next: is the limit the right one? Else look for what is slow in a single request."
    if knee.high is None:
        return "Next: look further with --most, and more --generators."
    if found.recovery is not None and found.recovery.seconds is None:
        return (
            "Next: bound its queue and shed early (429, 503): it does not come back by itself, people will restart it."
        )
    doubled = next((trial for times, trial in found.overload if times == 2.0), None)
    if doubled is not None and doubled.goodput < _SHARE * knee.value:
        return "Next: shed sooner: beyond the knee it works for callers who have gone already."
    return (
        f"Next: keep your peak under {number(_MODEST * knee.low)} a second ({percent(_MODEST)} of the knee's lower end)"
        f"{'' if spoke(found) else ', and require load.knee in your policy'}."
    )


def rows(found: Loaded) -> list[tuple[str, ...]]:
    """The runs as table rows, under HEADS with the name of each run before; a search's runs by rate."""
    told = [("", trial) for trial in sorted(found.trials, key=lambda one: one.rate)]
    told += [(f"{times:g} x knee", trial) for times, trial in found.overload]
    return [(name or ("holds" if one.holds(found.limit) else "breaks"), *_cells(one)) for name, one in told]


def _cells(one: Trial) -> tuple[str, ...]:
    shares = (percent(part / one.requests) for part in (one.shed, one.failed))
    return (
        number(one.rate),
        number(one.goodput),
        milliseconds(one.p50),
        milliseconds(one.p99),
        milliseconds(one.service_p99),
        *shares,
        milliseconds(one.lateness),
        percent(one.held),
    )


def milliseconds(seconds: float | None) -> str:
    """A time as people compare it.

    >>> milliseconds(0.0123), milliseconds(None)
    ('12.3 ms', 'never')
    """
    return "never" if seconds is None else f"{number(1e3 * seconds)} ms"


def _wanted(found: Loaded) -> str:
    limit, what = found.limit, "of first tokens " if spoke(found) else ""
    whole = " whole" if what else ""
    return f"“99 % {what}within {milliseconds(limit.seconds)}, {percent(limit.answered)} answered{whole}”"


def _beyond(found: Loaded) -> Iterator[str]:
    knee = found.knee.value if found.knee is not None else 0.0
    for times, trial in found.overload:
        if times in (2.0, 4.0):
            away, late, failed = (percent(part / trial.requests) for part in (trial.shed, trial.late, trial.failed))
            yield (
                f"At {times:g} times the knee {number(trial.goodput)} a second are answered in time "
                f"({percent(trial.goodput / knee)} of the knee); {away} turned away, {late} late, {failed} failed."
            )
    back = found.recovery
    if back is not None and back.seconds is not None:
        lasted = f"{back.end - back.start:g} s at {number(back.during)} a second"
        soon = f"within {back.seconds:.1f} s" if back.seconds >= 0.1 else "at once"
        yield f"After {lasted} it is well again {soon}."
    elif back is not None:
        yield (
            f"After {back.end - back.start:g} s at {number(back.during)} a second it was not well again in the "
            f"{back.watched:g} s that anybody looked, at half the knee (a metastable failure)."
        )


def _constraints(found: Loaded) -> Iterator[str]:
    for one in found.constraints:
        yield f"Within {inert(one.limit, 40)}, by {one.by}{': ' if one.seen else ''}{inert(one.seen, 300)}."


def _growth(found: Loaded) -> Iterator[str]:
    grown = found.growth
    if grown is not None:
        word = "grows" if grown.sure else "does not grow beyond doubt"
        slope, low, high = (number(one / 2**20) for one in (grown.slope, grown.low, grown.high))
        yield (
            f"Its memory {word}: {slope} MiB an hour [{low}, {high}], from {number(grown.start / 2**20)} to "
            f"{number(grown.end / 2**20)} MiB."
        )


def page(found: Loaded) -> str:
    """One static page: no script, no network, light and dark."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.finalize = _finalize
    return environment.from_string(_file("load.html")).render(
        style=Markup(_file("style.css")),
        found=found,
        ok=held(found),
        title=_title(found),
        sentences=list(sentences(found)),
        following=following(found),
        charts=[*spoken_drawn(found), *drawn(found)],
        timelines=timelines(found),
        heads=HEADS,
        rows=rows(found),
        spoken=spoken_rows(found),
        spoken_heads=SPOKEN,
        started=found.started.replace("T", " ").replace("+00:00", " UTC"),
        cpu=_cpu(found),
        markup=Markup,
    )


def _title(found: Loaded) -> str:
    knee = found.knee
    if knee is None:
        return "It held" if held(found) else "It did not hold"
    if not knee.value:
        return "It never held"
    if knee.high is None:
        return "No limit found"
    back = "" if held(found) else ", and does not come back by itself from more"
    return f"It bears {number(knee.value)} requests a second{back}"


def _cpu(found: Loaded) -> str:
    spent = [trial.cpu for trial in found.trials]
    return f"{1e6 * sum(spent) / len(spent):,.0f} µs of processor a request" if spent else ""


def _finalize(value: Any) -> Any:
    return value if hasattr(value, "__html__") else inert(value)


def _file(name: str) -> str:
    return files("temper.report").joinpath("templates", name).read_text(encoding="utf-8")
