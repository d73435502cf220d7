"""Probes: what people tried by hand, what they expected and what was seen, rated by others who do not know whose."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from temper.core.errors import TemperError
from temper.core.probe import OWN_POLICY, Draft, Look, Severity
from temper.core.review import Right
from temper.report._inert import inert
from temper.store.control.probes import Seen
from temper.threats.tried import techniques
from temper.web import assessed, machine, moments, talking, workbench
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

PAGE = 30
HIDDEN = "hidden until you have rated it"
_KEY = re.compile(r"[0-9a-f]{16}")


def show(visit: Visit) -> Response:
    """The newest first."""
    page, system = visit.number("page"), workbench.system_of(visit)
    found = visit.control.probes.page(system, visit.me.name, PAGE + 1, PAGE * (page - 1))
    return visit.page(
        "probes.html",
        **workbench.tabs(visit),
        tab="/probes",
        system=system,
        probes=[line(one, visit.now) for one in found[:PAGE]],
        page=page,
        more=len(found) > PAGE,
        bench=workbench.loaded(visit) is not None,
    )


def save(visit: Visit) -> Response:
    """Keep what is on the bench; the form carries its key, so that one that is sent twice is kept once."""
    key, about = kept(visit)
    make = workbench.draft if visit.desk.spoken is None else talking.draft
    one = visit.control.probes.save(key, make(visit, *about), visit.me.name, visit.now)
    return visit.go(f"/probes/{one.id}", "probed")


def kept(visit: Visit) -> tuple[str, tuple[str, str, tuple[int, ...]]]:
    """The key under which a form wants something kept; and with which hypothesis, technique and assumptions."""
    key, system = visit.text("key"), workbench.system_of(visit)
    technique = visit.form.get("technique", "")
    if not _KEY.fullmatch(key) or (technique and technique not in techniques()):
        raise Refused(422, "No such probe", "Open the workbench again.")
    hypothesis, assumed = visit.text("hypothesis"), visit.control.probes.assumptions(system)
    chosen = tuple(one.id for one in assumed if visit.form.get(f"assumption-{one.id}"))
    return f"console:{key}", (hypothesis, technique, chosen)


def one(visit: Visit) -> Response:
    """One probe: what was expected, what was seen then and is seen now, and how bad others find it."""
    found = found_in(visit)
    draft, again = found.probe.draft, _again(visit, found.probe.draft)
    assumed = {other.id: other for other in visit.control.probes.assumptions(draft.system)}
    return visit.page(
        "probe.html",
        **workbench.tabs(visit),
        tab="/probes",
        probe=line(found, visit.now),
        then=told(visit, draft.look),
        talk=talking.transcript(draft.subject.text, draft.look),
        now=again,
        talk_now=[] if again is None else talking.transcript(draft.subject.text, again["look"]),
        same=_same(visit, draft.look),
        origin=draft.subject.origin,
        policy=workbench.policy(visit, draft.look.policy),
        challenges=[assumed[number] for number in draft.assumptions if number in assumed],
        ratings=[{"by": each.by, "severity": each.severity, "reason": each.reason} for each in found.ratings],
        may_rate=found.blind,
        **machine.context(visit, found.probe),
        severities=list(Severity),
    )


def rate(visit: Visit) -> Response:
    """Say how bad it is, once."""
    found, word = found_in(visit), visit.text("severity")
    if word not in {one.value for one in Severity}:
        raise Refused(422, "No such severity", f"It is {', '.join(Severity)}.")
    visit.control.probes.rate(found.probe.id, Severity(word), visit.text("reason"), visit.me.name, visit.now)
    return visit.go(f"/probes/{found.probe.id}", "rated")


def found_in(visit: Visit) -> Seen:
    """The probe of this address."""
    number = int(visit.request.path_params["id"])
    if number < 2**63:
        try:
            found = visit.control.probes.seen(number, visit.me.name)
            if found.probe.draft.system == workbench.system_of(visit):
                return found
        except TemperError as error:
            if type(error) is not TemperError:
                raise
    raise Refused(404, "No such probe", "There is none with this number.")


def line(found: Seen, now: float) -> dict[str, Any]:
    """A probe as lists show it."""
    draft = found.probe.draft
    return {
        "id": found.probe.id,
        "hypothesis": inert(draft.hypothesis, 400),
        "technique": draft.technique,
        "title": techniques().get(draft.technique, ""),
        "author": HIDDEN if found.blind else found.probe.author,
        "blind": found.blind,
        "when": moments.ago(found.probe.made, now),
        "at": moments.clock(found.probe.made),
        "outcome": draft.look.outcome.value,
        "tone": workbench.OUTCOMES[draft.look.outcome],
        "ratings": [each.severity.value for each in found.ratings],
        "model": assessed.model(draft.look.model),
    }


def told(visit: Visit, look: Any) -> dict[str, Any]:
    """A look as a probe's page shows it; rules that held are told where there is a bench."""
    relations = visit.desk.bench.system.schema.relations if visit.desk.bench is not None else ()
    return workbench.seen(look, relations, "")


def _again(visit: Visit, draft: Draft) -> dict[str, Any] | None:
    """What is seen of it now; None without a bench, or where it has other columns."""
    own, spoken = visit.desk.bench, visit.desk.spoken
    if spoken is not None and draft.subject.text and visit.may(Right.ORDER):
        return told(visit, spoken.look(draft.subject.text))
    if own is None or not visit.may(Right.ORDER) or own.system.schema.names != draft.subject.columns:
        return None
    return told(visit, visit.bench.look(visit.bench.kept(draft.subject)))


def _same(visit: Visit, look: Look) -> str:
    """Whether what is seen now is of the same model and policy."""
    if workbench.model_of(visit) != look.model:
        return "another model"
    by = OWN_POLICY if visit.desk.bench is None else visit.bench.policy
    return "the same model, another policy" if look.policy and by != look.policy else "the same model"
