"""The overview: the loop from threats to response, what the store says of each stage, and what waits for somebody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from temper.core.comparison import compare
from temper.core.evidence import ATTACKS, Evidence
from temper.core.finding import Finding
from temper.core.job import JobState
from temper.core.outline import Outline
from temper.core.requirement import Verdict
from temper.core.review import Right, State
from temper.core.risk import Register, Standing
from temper.core.run import Record
from temper.core.watch import Seen
from temper.report._figure import SEVERITIES
from temper.report._story import counts
from temper.report.rows import finding_of
from temper.web import assessed, incidents, moments, operations, versions
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

TRIED = (*ATTACKS, "stress", "fuzz", "load")
"""Parts that somebody or something is tried with."""
WORST = 6
"""Findings that are shown."""
MOST = 500
Stage = dict[str, Any]


def show(visit: Visit) -> Response:
    """The whole page; where no runs are known the queue is the first one."""
    if visit.desk.assessed is None:
        return visit.go("/queue")
    return visit.page("overview.html", **_context(visit))


def fragment(visit: Visit) -> Response:
    """The part that changes."""
    return visit.page("overview_now.html", **_context(visit))


def _context(visit: Visit) -> dict[str, Any]:
    found = assessed.standing(visit)
    store, system = visit.assessed.store, visit.assessed.system
    newest = store.outlines(1, system=system, state="finished")
    record = visit.assessed.record(newest[0].run) if newest else None
    shown = sorted({one.run for one in found.known.values() if one.part in TRIED})
    weak = _open(store.findings(*shown), found.known)
    return {
        "system": system,
        "simulated": record is not None and record.simulated,
        "stages": [
            _threats(record),
            _attacks(weak, found),
            _validation(record, found),
            _hardening(visit, newest, record),
            _guard(visit),
            _monitoring(visit),
            _response(visit),
            _again(visit, found),
        ],
        "worst": [_finding(one, run) for one, run in weak[:WORST]],
        "rest": max(0, len(weak) - WORST),
        "stale": assessed.renewals(found),
        "trouble": found.trouble,
        "assessed": bool(newest),
        "may_order": visit.may(Right.ORDER),
        "at": moments.clock(visit.now),
    }


def _open(every: Sequence[tuple[Finding, str]], known: Mapping[str, Evidence]) -> list[tuple[Finding, str]]:
    """Findings of the runs that are the evidence of their part, the worst first."""
    mine = [(one, run) for one, run in every if _evidence_of(one, known) == run]
    rank = {name: at for at, name in enumerate(SEVERITIES)}
    return sorted(mine, key=lambda pair: rank.get(pair[0].severity, len(rank)))


def _evidence_of(one: Finding, known: Mapping[str, Evidence]) -> str:
    part = one.plugin.partition(".")[0]
    return known[part].run if part in known else ""


def _stage(name: str, tone: str, state: str, href: str, *lines: str, **more: Any) -> Stage:
    told = {"name": name, "tone": tone, "state": state, "href": href, "lines": [line for line in lines if line]}
    return told | {"parts": [], "missing": ""} | more


def _many(count: int, one: str, more: str) -> str:
    """A count with its word.

    >>> _many(1, "part is stale", "parts are stale")
    '1 part is stale'
    """
    return f"{count:,} {one if count == 1 else more}"


def _threats(record: Record | None) -> Stage:
    if record is None:
        return _stage("Threats", "nothing", "not looked at", "/threats", missing="temper threats")
    rated = Counter(line[1:].partition("]")[0] for line in record.scenarios if line.startswith("["))
    told = ", ".join(f"{rated[word]} {word}" for word in SEVERITIES if rated[word])
    many = len(record.scenarios)
    return _stage(
        "Threats",
        "pass" if many else "open",
        _many(many, "scenario", "scenarios"),
        "/threats",
        told,
        f"{len(record.skipped)} left out, each with its reason" if record.skipped else "",
        parts=[_risk(record.risk)],
    )


def _risk(register: Register | None) -> dict[str, str]:
    """The register in one word, a link to it."""
    if register is None or not register.risks:
        return {"name": "risk", "tone": "nothing", "said": "no register", "href": "/risk"}
    above = sum(one.rating == "critical" and not one.accepted for one in register.risks)
    open_ = sum(one.standing is not Standing.MEASURED for one in register.risks)
    said = f"{above} above the appetite, {open_} of {len(register.risks)} without a measurement that counts"
    tone = "fail" if above else "inconclusive" if open_ else "pass"
    return {"name": "risk", "tone": tone, "said": said, "href": "/risk"}


def _attacks(weak: Sequence[tuple[Finding, str]], found: assessed.Standing) -> Stage:
    tried = [part for part in TRIED if part in found.known]
    if not tried:
        return _stage("Attacks and stress", "nothing", "not tried", "/runs", missing="temper assess")
    grave = sum(one.severity in ("critical", "high") for one, _ in weak)
    many = len(weak)
    state = _many(many, "finding", "findings") if many else "nothing found"
    latest = max((found.known[part] for part in tried), key=lambda one: one.at)
    return _stage(
        "Attacks and stress",
        "fail" if grave else "open" if many else "pass",
        state,
        f"/runs/{latest.run}#findings",
        f"{grave} of them high or critical" if grave else "",
        parts=[_part(part, found) for part in TRIED],
    )


def _part(part: str, found: assessed.Standing) -> dict[str, str]:
    if part not in found.known:
        return {"name": part, "tone": "nothing", "said": "never measured", "href": ""}
    old = any(one.part == part for one in found.stale)
    run = found.known[part].run
    return {
        "name": part,
        "tone": "inconclusive" if old else "pass",
        "said": f"{'stale' if old else 'current'}, run {run}",
        "href": f"/runs/{run}/figures",
    }


def _validation(record: Record | None, found: assessed.Standing) -> Stage:
    if record is None:
        return _stage("Validation", "nothing", "no verdict", "/runs", missing="temper assess")
    many, total = counts(record), len(record.judgements)
    failed, undecided = many[Verdict.FAIL], many[Verdict.INCONCLUSIVE] + many[Verdict.ERROR]
    told = f"{many[Verdict.PASS]} of {total} requirements pass" if total else "no requirement was set"
    return _stage(
        "Validation",
        record.kind.value,
        record.kind.name,
        f"/runs/{record.id}",
        told,
        ", ".join(f"{n} {word}" for n, word in ((failed, "failed"), (undecided, "not decided")) if n),
        f"run {record.id}, {record.suite}",
        parts=[_part("validation", found)],
    )


def _hardening(visit: Visit, newest: Sequence[Outline], record: Record | None) -> Stage:
    """What became of the findings of the model before."""
    if record is None:
        return _stage("Hardening", "nothing", "nothing to harden", "/hardening", missing="temper harden")
    store, system = visit.assessed.store, visit.assessed.system
    before = store.before(system, newest[0].model)
    fixable = sum(bool(one.defences) for one in record.findings)
    told = f"{fixable} of {len(record.findings)} findings name a defence" if record.findings else ""
    if before is None:
        state = "one model so far" if record.findings else "nothing to harden"
        return _stage(
            "Hardening",
            "open" if fixable else "nothing",
            state,
            "/hardening",
            told,
            missing="temper harden" if fixable else "",
        )
    since = compare(visit.assessed.record(before), record)
    gone, left = len(since.fixed), len(since.unchanged)
    return _stage(
        "Hardening",
        "pass" if gone and not since.new else "open",
        f"{gone} of {gone + left + len(since.unknown)} fixed",
        "/hardening",
        f"since the model before (run {before})",
        f"taken: {' + '.join(record.hardening.taken)}" if record.hardening else "",
        f"{len(since.new)} new" if since.new else "",
        told,
    )


def _guard(visit: Visit) -> Stage:
    gateways = visit.control.roster.live(visit.now)
    alarms = [one for one in operations.switches(visit) if one["alarm"]]
    waiting = visit.control.reviews.counts()
    cases = sum(waiting.get(state, 0) for state in (State.OPEN, State.SECOND, State.ESCALATED))
    force = visit.control.policies.in_force()
    lines = (
        f"{versions.shown(visit)['live']} answers",
        f"policy {force.id} in force" if force else "policy of temper.yaml",
        f"{cases:,} cases wait for people" if cases else "",
    )
    if alarms:
        state = "; ".join(f"{one['name'].lower()} {one['state']}" for one in alarms)
        return _stage("Guard", "fail", state, "/dashboard", *lines)
    if not gateways:
        return _stage("Guard", "nothing", "no gateway", "/dashboard", *lines[1:], missing="temper serve")
    return _stage("Guard", "pass", _many(gateways, "worker serves", "workers serve"), "/dashboard", *lines)


def _monitoring(visit: Visit) -> Stage:
    every = visit.control.windows.watching()
    if not every:
        return _stage("Monitoring", "nothing", "nothing is watched", "/monitoring", missing="temper monitor run")
    last = [visit.control.windows.latest(one.feed, one.reference, one.width, 1)[-1] for one in every]
    late = [visit.now - one.judged > 2.0 * one.width for one in every]
    well = sum(one.seen is Seen.PASS and not old for one, old in zip(last, late, strict=True))
    failing = [one for one in last if one.seen is Seen.FAIL]
    kinds = sorted({one.kind.value for one in failing if one.kind is not None})
    return _stage(
        "Monitoring",
        "pass" if well == len(every) else "fail" if failing else "open",
        f"{well} of {len(every)} {'feed passes' if len(every) == 1 else 'feeds pass'}",
        "/monitoring",
        ", ".join(kinds),
        f"looked at {moments.ago(max(one.judged for one in every), visit.now)}",
        f"{sum(late)} not looked at for two windows" if any(late) else "",
    )


def _response(visit: Visit) -> Stage:
    still, every = visit.control.incidents.counts()
    alerts = len(visit.control.alerts.page(open_only=True, limit=MOST))
    worst = visit.control.incidents.page(True, limit=1)
    lasting = (
        f"{alerts}{'+' if alerts == MOST else ''} {'alert lasts' if alerts == 1 else 'alerts last'}" if alerts else ""
    )
    return _stage(
        "Response",
        "fail" if still else "open" if alerts else "pass" if every else "nothing",
        f"{still} open" if still else "none open" if every else "no incident yet",
        f"/incidents/{worst[0].id}" if worst else "/incidents",
        incidents.line(worst[0], visit.now)["title"] if worst else "",
        lasting,
        f"{every - still} closed" if every > still else "",
    )


def _again(visit: Visit, found: assessed.Standing) -> Stage:
    """What leads from the end of the loop to its beginning: evidence that is stale, and jobs that renew it."""
    many = visit.control.jobs.counts()
    old = len({one.part for one in found.stale})
    words = ((JobState.RUNNING, "running"), (JobState.WAITING, "waiting"))
    jobs = ", ".join(f"{many[state]} {word}" for state, word in words if many[state])
    told = f"jobs: {jobs}" if jobs else "no job is ordered"
    if not found.known:
        return _stage("Again", "nothing", "no evidence", "/jobs", told)
    state = _many(old, "part is stale", "parts are stale") if old else "evidence is current"
    return _stage("Again", "inconclusive" if old else "pass", state, "/jobs", told)


def _finding(one: Finding, run: str) -> dict[str, Any]:
    told = finding_of(one, 1)
    first = told["examples"][0]["example"] if told["examples"] else None
    return {
        "href": f"/runs/{run}/findings/{one.id}",
        "title": one.title,
        "severity": told["severity"],
        "name": told["name"],
        "run": run,
        "moved": str(first).replace(" -> ", " → ") if first and not told["examples"][0]["picture"] else "",
    }
