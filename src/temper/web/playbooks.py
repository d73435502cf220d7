"""Playbooks in the incident room: read, tried without effect, then run with a person's word at every step."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from temper.core.incident import Incident
from temper.core.review import Right
from temper.response.playbook import Playbook, names, playbook
from temper.store.codec import to_json
from temper.web import incidents
from temper.web.refused import Refused
from temper.web.responder import Going, Responder
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

GOOD_FOR = 900.0
"""Seconds in which what a dry run found counts as seen."""
_SETTING = "set-"


def show(visit: Visit) -> Response:
    """A playbook as people read it, with its settings to be filled in."""
    return _page(visit, incidents.found(visit), _playbook(visit), {}, None)


def tried(visit: Visit) -> Response:
    """A dry run: what every step would change; nothing is changed."""
    found, book = incidents.found(visit), _playbook(visit)
    settings = book.set(_given(visit, book))
    fits, said = _responder(visit).tried(book, settings, found.id, visit.me.name)
    return _page(visit, found, book, settings, {"fits": fits, "lines": lines(said)})


def run(visit: Visit) -> Response:
    """Run it, where a dry run with these settings was seen a short while ago."""
    found, book = incidents.found(visit), _playbook(visit)
    settings = book.set(_given(visit, book))
    at = visit.whole("at")
    if not hmac.compare_digest(visit.text("seen"), _seen(visit, found.id, book.name, settings, at)):
        raise Refused(422, "Not seen", "Try it first: a playbook is run as it was seen, with the same settings.")
    if not 0.0 <= visit.now - at <= GOOD_FOR:
        raise Refused(409, "Seen too long ago", "Try it again: what a playbook would do may be something else by now.")
    if found.closed is not None:
        raise Refused(409, "The incident is closed", "Open another one, and run the playbook for that.")
    _responder(visit).begin(book, settings, found.id, visit.me.name)
    return visit.go(f"/incidents/{found.id}", "begun")


def answer(visit: Visit) -> Response:
    """Say yes or no to the question that a run waits for."""
    found = incidents.found(visit)
    yes = visit.text("answer") == "yes"
    _responder(visit).answer(found.id, visit.text("run"), visit.whole("turn"), yes, visit.me.name)
    return visit.go(f"/incidents/{found.id}")


def room(visit: Visit, found: Incident) -> dict[str, Any]:
    """What the page of an incident says of playbooks."""
    responder = visit.desk.responder
    going = responder.of(found.id) if responder is not None else None
    first = found.playbook
    return {
        "books": [_line(playbook(name), name == first) for name in _ordered(first)] if _may(visit, found) else [],
        "going": None if going is None else _going(going, visit),
    }


def lines(said: Sequence[str]) -> list[dict[str, str]]:
    """What a run says in lines, with what each of them is: a heading, a step that is well or not, or what it would do.

    >>> lines(["checks", "  ✗ 1 ready [probe]: not ready", "      would: ask"])[1]
    {'kind': 'ill', 'text': '1 ready [probe]: not ready'}
    """
    kinds = (("  ✓ ", "well"), ("  ✗ ", "ill"), ("      ", "more"), ("  ", "more"))
    found = []
    for line in said:
        mark, kind = next((one for one in kinds if line.startswith(one[0])), ("", "head"))
        found.append({"kind": kind, "text": line.removeprefix(mark).strip()})
    return found


def _page(
    visit: Visit, found: Incident, book: Playbook, settings: Mapping[str, str], dry: Mapping[str, Any] | None
) -> Response:
    at = int(visit.now)
    return visit.page(
        "playbook.html",
        incident=incidents.line(found, visit.now),
        book=book,
        severity=book.severity.value,
        parts_of=[(part, _steps(getattr(book, part))) for part in ("checks", "steps", "worked")],
        settings=[(one, settings.get(one.name, one.usual or "")) for one in book.settings],
        prefix=_SETTING,
        dry=dry,
        at=at,
        seen=_seen(visit, found.id, book.name, settings, at) if dry else "",
        may_run=visit.may(Right.OPERATE) and found.closed is None,
        closed=found.closed is not None,
    )


def _steps(steps: Sequence[Any]) -> list[dict[str, str]]:
    return [{"name": one.name, "do": one.do, "why": one.why} for one in steps]


def _seen(visit: Visit, incident: int, name: str, settings: Mapping[str, str], at: int) -> str:
    """The word that a dry run gives: for this session, incident, playbook, settings and time."""
    about = to_json([incident, name, dict(settings), at])
    return hmac.new(visit.token.encode(), b"temper playbook" + about.encode(), hashlib.sha256).hexdigest()


def _given(visit: Visit, book: Playbook) -> dict[str, str]:
    """Settings that were filled in; an empty field is the usual value."""
    found = {one.name: visit.form.get(f"{_SETTING}{one.name}", "").strip() for one in book.settings}
    return {name: value for name, value in found.items() if value}


def _playbook(visit: Visit) -> Playbook:
    """One of those that come with Temper: a page opens no other file."""
    name = visit.request.path_params["name"]
    if name not in names():
        raise Refused(404, "No such playbook", f"There are {', '.join(names())}.")
    return playbook(name)


def _responder(visit: Visit) -> Responder:
    if visit.desk.responder is None:
        raise Refused(409, "Not from here", "This console runs no playbooks: use `temper respond` beside the gateway.")
    return visit.desk.responder


def _may(visit: Visit, found: Incident) -> bool:
    return visit.desk.responder is not None and found.closed is None and visit.may(Right.RESPOND)


def _ordered(first: str) -> list[str]:
    """The playbook that was named for it, then the others."""
    return sorted(names(), key=lambda name: (name != first, name))


def _line(book: Playbook, first: bool) -> dict[str, Any]:
    return {"name": book.name, "title": book.title, "when": book.when, "first": first}


def _going(going: Going, visit: Visit) -> dict[str, Any]:
    ended = going.worked
    state = "runs" if ended is None else "worked" if ended else "did not work"
    *before, last = going.question.split("\n")
    return {
        "run": going.run,
        "playbook": going.playbook,
        "by": going.by,
        "state": state,
        "tone": {"runs": "state-claimed", "worked": "pass", "did not work": "fail"}[state],
        "lines": lines(going.said),
        "question": going.question,
        "turn": going.turn,
        "asked": [*before, last.strip()],
        "mine": visit.may(Right.OPERATE) and going.by == visit.me.name,
        "ended": ended is not None,
    }
