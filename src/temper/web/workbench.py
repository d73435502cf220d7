"""The workbench: a row is picked, changed by hand, and seen before and after with what every layer says of it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from temper.core.errors import TemperError
from temper.core.probe import EMPTY, Draft, Look, Outcome, Standing
from temper.core.review import Right
from temper.core.schema import Column, Mutability
from temper.core.stage import Level
from temper.core.written import written
from temper.guard.serving.bench import Bench
from temper.guard.serving.followed import Followed
from temper.guard.serving.posed import Posed
from temper.guard.spoken import Spoken
from temper.report._inert import inert
from temper.threats.tried import techniques
from temper.web import assessed, picturing, talking
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

RIGHT = Right.ORDER
FIELDS, BYTES = 600, 512 * 1024
"""How many fields the form of a row may have, which has hundreds of columns, and bytes that of a conversation."""
TABS = (("/workbench", "Workbench"), ("/probes", "Probes"), ("/assumptions", "Assumptions"), ("/coverage", "Coverage"))
TONES = {Level.ALLOW: "pass", Level.REVISE: "waived", Level.REVIEW: "open", Level.BLOCK: "fail"}
OUTCOMES = {
    **dict.fromkeys((Outcome.NOTHING, Outcome.SAME), "nothing"),
    Outcome.BROKEN: "waived",
    **dict.fromkeys((Outcome.STAYS, Outcome.BLOCKED, Outcome.HELD_BACK), "pass"),
    Outcome.SEEN: "open",
    **dict.fromkeys((Outcome.THROUGH, Outcome.LET_BY), "fail"),
}
"""The tone is that of the system: what gets through is red."""
_POLICY = re.compile(r"policy (\d+)")
_START = re.compile(r"row (-?\d{1,18})|finding (F-[0-9a-f]{2,16}) (\d{1,4})|probe (\d{1,15})|job (\d{1,15})|empty")


def show(visit: Visit) -> Response:
    """A row as it is, to be changed."""
    if visit.desk.spoken is not None:
        return talking.page(visit)
    query = visit.request.query_params
    for name in ("finding", "probe", "job"):
        if name in query:
            return edit(visit, f"{name} {query[name]}" + f" {query.get('at', '0')}" * (name == "finding"), {})
    row = query.get("row", _first(visit.bench))
    return edit(visit, EMPTY if row == EMPTY else f"row {row}", {})


def look(visit: Visit) -> Response:
    """The same with what somebody has changed."""
    if visit.desk.spoken is not None:
        return talking.page(visit)
    return edit(visit, visit.form.get("start", ""), visit.form)


def fragment(visit: Visit) -> Response:
    """What is seen of it, by itself."""
    if visit.desk.spoken is not None:
        return talking.fragment(visit)
    if picturing.pictures(visit):
        return picturing.fragment(visit)
    one, wrong = posed(visit, visit.form.get("start", ""), visit.form)
    return visit.page("workbench_now.html", **of_bench(one, visit.bench), wrong=wrong)


def posed(visit: Visit, start: str, form: Mapping[str, str]) -> tuple[Posed, str]:
    """The row of this start with the values of a form, and what could not be read of them."""
    if picturing.pictures(visit):
        return picturing.posed(visit, start)
    bench = visit.bench
    columns = enumerate(bench.system.schema.columns)
    given = {one.name: form[f"c{at}"] for at, one in columns if f"c{at}" in form and not one.formula}
    one, wrong = bench.edited(started(visit, start), given)
    return one, inert("; ".join(f"{error.message}: {error.fix}" for error in wrong), 400)


def of_bench(one: Posed, bench: Bench) -> dict[str, Any]:
    """What is seen of what is on the bench."""
    return seen(bench.look(one), bench.system.schema.relations, bench.missing)


def seen(found: Look, relations: Sequence[str], missing: str) -> dict[str, Any]:
    """A look as its page shows it."""
    low, high = _ends(found)
    return {
        "look": found,
        "before": "" if found.before is None else shown(found.before),
        "after": "" if found.after is None else shown(found.after),
        "delta": _delta(found),
        "marks": {
            name: _place(value, low, high)
            for name, value in (("before", found.before), ("after", found.after), ("threshold", found.threshold))
            if value is not None
        },
        "ends": (shown(low), shown(high)),
        "told": [
            {"stage": one.stage, "mode": one.mode, "level": one.level, "tone": TONES[Level[one.level]]}
            | {"reason": inert(one.reason, 300), "counts": one.counts, "asked": one.mode != "aside"}
            for one in found.told
        ],
        "broken": [inert(one, 300) for one in found.broken],
        "kept": [one for one in relations if f"{one} does not hold" not in found.broken],
        "changes": [_change(one, dict(found.moved)) for one in found.changes],
        "missing": missing,
        "outcome": (found.outcome.value, OUTCOMES[found.outcome]),
    }


def shown(score: float) -> str:
    """A score as people read it.

    >>> shown(0.51234), shown(1234.5), shown(0.00001234)
    ('0.5123', '1,234', '1.234e-05')
    """
    return f"{score:,.0f}" if abs(score) >= 1_000 else f"{score:.4g}"


def tabs(visit: Visit) -> dict[str, Any]:
    """The pages around probes that whoever asks may see."""
    own = loaded(visit) is not None and visit.may(RIGHT)
    return {"tabs": TABS if own else TABS[1:]}


def system_of(visit: Visit) -> str:
    """Whose probes these are."""
    own = loaded(visit)
    return visit.assessed.system if own is None else own.name


def loaded(visit: Visit) -> Followed | Spoken | None:
    """What this console was told to load, to be tried by hand."""
    return visit.desk.bench or visit.desk.spoken


def model_of(visit: Visit) -> str:
    """The digest of what is on the bench now, "" for nothing."""
    if visit.desk.spoken is not None:
        return visit.desk.spoken.assistant.target.digest
    return "" if visit.desk.bench is None else visit.desk.bench.system.target.digest


def policy(visit: Visit, name: str) -> tuple[str, str]:
    """What judges, and its page where it has one that whoever asks may see."""
    found = _POLICY.fullmatch(name)
    return inert(name, 80), f"/policies/{found[1]}" if found and visit.may(Right.PROPOSE) else ""


def keeping(visit: Visit, system: str) -> dict[str, Any]:
    """What the form asks of whoever keeps something as a probe."""
    assumed = visit.control.probes.assumptions(system)
    return {
        "techniques": techniques(),
        "assumptions": [other for other in assumed if other.standing is not Standing.FALLEN],
        "written": {name: visit.form.get(name, "") for name in ("hypothesis", "technique")},
        "key": secrets.token_hex(8),
    }


def draft(visit: Visit, hypothesis: str, technique: str, assumptions: tuple[int, ...]) -> Draft:
    """What is saved of a row; a form with a value that cannot be read is refused."""
    bench, (one, wrong) = visit.bench, posed(visit, visit.form.get("start", ""), visit.form)
    if wrong:
        raise Refused(422, "A value cannot be read", wrong)
    return Draft(
        system=bench.name,
        hypothesis=hypothesis,
        subject=one.subject(bench.system.schema.names),
        look=bench.look(one),
        technique=technique,
        assumptions=assumptions,
    )


def edit(visit: Visit, start: str, form: Mapping[str, str]) -> Response:
    """The row of this start with the values of a form, to be changed."""
    if picturing.pictures(visit):
        return picturing.page(visit, start)
    bench, (one, wrong) = visit.bench, posed(visit, start, form)
    columns = bench.system.schema.columns
    return visit.page(
        "workbench.html",
        **tabs(visit),
        **of_bench(one, bench),
        tab="/workbench",
        system=bench.system,
        model=assessed.model(bench.system.target.digest),
        threshold=bench.threshold,
        start=start,
        origin=one.origin,
        wrong=wrong,
        said_label="" if one.label is None else bench.system.classes[one.label],
        columns=[_column(at, column, one) for at, column in enumerate(columns)],
        nearest=[(sample, shown(score)) for sample, score in bench.nearest],
        policy=policy(visit, bench.policy),
        **keeping(visit, bench.name),
    )


def _column(at: int, column: Column, one: Posed) -> dict[str, Any]:
    """A column of the form: what it was, what it is now, and what an attacker may do with it."""
    was, now = (one.row if one.base is None else one.base)[at], one.row[at]
    choices = column.categories if column.type == "category" else ("yes", "no") if column.type == "boolean" else ()
    return {
        "field": f"c{at}",
        "name": column.name,
        "was": "" if one.base is None else column.show(was),
        "now": written(column, now),
        "shown": column.show(now),
        "changed": not (was == now or (np.isnan(was) and np.isnan(now))),
        "derived": bool(column.formula),
        "choices": choices,
        "missing": column.missing or bool(np.isnan(was)),
        "range": "" if choices else f"{_end(column.low)} to {_end(column.high)}",
        "may": _may(column),
    }


def _may(column: Column) -> str:
    """What an attacker may do with a column, and at what price."""
    words = {"": "either way", "rise": "may only rise", "fall": "may only fall"}
    unit = "a category" if column.type in ("category", "boolean") else f"per {column.scale:g}"
    return {
        Mutability.FREE: f"free, {words[column.direction]}",
        Mutability.COSTLY: f"costs {column.cost:g} {unit}, {words[column.direction]}",
        Mutability.DERIVED: f"follows: {column.formula}",
        Mutability.IMMUTABLE: "out of an attacker's reach",
    }[column.attacker]


def _delta(found: Look) -> str:
    if found.before is None or found.after is None or found.before == found.after:
        return ""
    return f"{found.after - found.before:+.4g}"


def _end(value: float) -> str:
    return f"{value:,g}" if np.isfinite(value) else "any"


def _change(change: Any, moved: dict[str, float]) -> dict[str, Any]:
    return {
        "column": change.column,
        "before": change.before,
        "after": change.after,
        "cost": f"{change.cost:.3g}",
        "derived": change.derived,
        "moved": f"{moved[change.column]:+.4g}" if change.column in moved else "",
    }


def started(visit: Visit, start: str) -> Posed:
    """The row that somebody starts from."""
    bench, found = visit.bench, _START.fullmatch(start)
    if found is None:
        raise Refused(422, "No such row", "Pick a held-out row by its number, a row of a finding, or an empty one.")
    try:
        if found[2]:
            return _of_finding(visit, found[2], int(found[3]))
        if found[4]:
            return bench.kept(visit.control.probes.seen(int(found[4]), visit.me.name).probe.draft.subject)
        if found[5]:
            return _of_job(visit, int(found[5]))
        return bench.row(int(found[1])) if found[1] else bench.nothing()
    except TemperError as error:
        if type(error) is not TemperError:
            raise
        raise Refused(404, "No such row", inert(f"{error.message}. {error.fix}")) from None


def _of_job(visit: Visit, number: int) -> Posed:
    """The row that the machine found for a probe."""
    job = visit.control.jobs.get(number)
    row = job.result.get("row")
    if not job.order.probe or not isinstance(row, list) or not row:
        raise TemperError(f"job {number} has found no row", fix="pick another")
    one = visit.control.probes.seen(job.order.probe, visit.me.name).probe.draft.subject
    return visit.bench.kept(replace(one, row=tuple(row), origin=f"{one.origin}, by job {number}"))


def _of_finding(visit: Visit, name: str, at: int) -> Posed:
    """The adversarial row of a finding beside the one it was made from, where it is kept."""
    store = visit.assessed.store
    finding, _ = store.finding(name)
    if at >= len(finding.examples):
        raise TemperError(f"finding {finding.id} shows {len(finding.examples)} rows", fix="pick one of them")
    sample = finding.examples[at].sample
    one, kept = visit.bench.row(sample), store.task(finding.task) if finding.task else None
    origin = f"finding {finding.id}, row {sample}"
    if kept is None or "x_adv" not in kept[1] or sample not in kept[1]["ids"]:
        return replace(one, origin=origin)
    place = int(np.flatnonzero(kept[1]["ids"] == sample)[0])
    return replace(one, origin=origin, row=np.array(kept[1]["x_adv"][place], dtype=np.float64))


def _first(bench: Bench) -> int:
    return bench.nearest[0][0] if bench.nearest else int(bench.system.data.ids[0])


def _ends(found: Look) -> tuple[float, float]:
    """The scale of a drawing: that of a probability, or as wide as what is on it."""
    values = [one for one in (found.before, found.after, found.threshold) if one is not None]
    if not values or (min(values) >= 0 and max(values) <= 1):
        return 0.0, 1.0
    return min(values), max(max(values), min(values) + 1e-9)


def _place(value: float, low: float, high: float) -> float:
    """Where a score stands on a bar of 300 units.

    >>> _place(0.5, 0.0, 1.0)
    150.0
    """
    return round(8 + 284 * (value - low) / (high - low), 1)
