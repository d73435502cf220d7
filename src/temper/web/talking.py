"""The workbench of an assistant: a prompt is written, and every stage of the guard says what it makes of it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from temper.core.chat import Reply
from temper.core.errors import TemperError
from temper.core.probe import Draft, Look, Standing
from temper.guard.spoken import MOST, OUTSIDER, USER, Spoken, Turns
from temper.report._inert import inert
from temper.threats.tried import techniques
from temper.web import assessed, workbench
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response


def page(visit: Visit) -> Response:
    """What is tried, with what every stage says; the target's answer where it was asked for and may be."""
    spoken, turns, answer = spoken_of(visit), said(visit), ""
    if not turns:
        look = None
    elif visit.form.get("ask"):
        try:
            look, reply = spoken.answer(turns)
        except TemperError as error:
            raise Refused(403, "The target is not asked", inert(f"{error.message}. {error.fix}")) from None
        answer = _told(reply)
    else:
        look = spoken.look(turns)
    assumed = visit.control.probes.assumptions(spoken.name)
    return visit.page(
        "talking.html",
        **workbench.tabs(visit),
        **seen(look),
        tab="/workbench",
        assistant=spoken.assistant,
        model=assessed.model(spoken.assistant.target.digest),
        guarded=spoken.guard is not None,
        asked=spoken.asked,
        answer=answer,
        most=MOST,
        turns={USER: "", OUTSIDER: ""} | dict(turns),
        brings=spoken.assistant.tools[0].name if spoken.assistant.tools else "",
        techniques=techniques(),
        assumptions=[other for other in assumed if other.standing is not Standing.FALLEN],
        written={name: visit.form.get(name, "") for name in ("hypothesis", "technique")},
        key=secrets.token_hex(8),
    )


def fragment(visit: Visit) -> Response:
    """What is seen of it, by itself; the target is never asked here."""
    turns = said(visit)
    return visit.page("talking_now.html", **seen(spoken_of(visit).look(turns) if turns else None), answer="")


def draft(visit: Visit, hypothesis: str, technique: str, assumptions: tuple[int, ...]) -> Draft:
    """What is saved of it."""
    spoken, turns = spoken_of(visit), said(visit)
    if not turns:
        raise Refused(422, "Nothing was said", "Write what is tried.")
    subject, look = spoken.subject(turns), spoken.look(turns)
    return Draft(
        system=spoken.name,
        hypothesis=hypothesis,
        subject=subject,
        look=look,
        technique=technique,
        assumptions=assumptions,
    )


def said(visit: Visit) -> Turns:
    """What the form says, or the probe that somebody goes on from; whose words are empty says nothing."""
    query = visit.request.query_params.get("probe", "")
    if visit.request.method == "GET" and query.isascii() and query.isdigit() and len(query) < 16:
        return visit.control.probes.seen(int(query), visit.me.name).probe.draft.subject.text
    turns = [(who, visit.form.get(who, "").replace("\r\n", "\n")) for who in (USER, OUTSIDER)]
    return tuple((who, text) for who, text in turns if text.strip())


def spoken_of(visit: Visit) -> Spoken:
    """What is asked."""
    if visit.desk.spoken is None:
        raise Refused(404, "No assistant here", "Start the console with --workbench and an assistant's temper.yaml.")
    return visit.desk.spoken


def lines(turns: Turns) -> list[tuple[str, list[str]]]:
    """A conversation as a page shows it: every line inert."""
    return [(who, [inert(line) for line in text.split("\n")]) for who, text in turns]


def seen(look: Look | None) -> dict[str, Any]:
    """A look as its page shows it; empty where nothing was said yet."""
    return {"seen": None if look is None else workbench.seen(look, (), "")}


def _told(reply: Reply) -> str:
    if reply.invalid:
        return f"It gave no answer: {inert(reply.invalid, 300)}"
    calls = "".join(f"\ncalls {inert(one.name, 80)} {inert(one.arguments, 400)}" for one in reply.calls)
    blocked = f"\nstopped: {inert(reply.blocked, 300)}" if reply.blocked else ""
    return "\n".join(inert(line) for line in reply.text.split("\n")) + calls + blocked
