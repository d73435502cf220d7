"""The workbench of an assistant: a conversation is tried turn by turn, and every stage of the guard says what it makes
of each.

What was said travels in the form, under a seal of this console: a history that somebody has changed on its way is taken
as what they suppose, and never as what the assistant was heard to say.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from temper.core.errors import StoreError, TemperError
from temper.core.probe import (
    ANSWER,
    OUTSIDER,
    OWN_POLICY,
    SUPPOSED,
    USER,
    Draft,
    Look,
    Outcome,
    Told,
    Turns,
    supposed,
    turns_of,
    worst,
)
from temper.core.stage import Level
from temper.guard.spoken import MOST, Heard, Spoken
from temper.report._inert import inert
from temper.report.probe import WHO, objecting
from temper.store.codec import dump, from_json, load, to_json
from temper.web import assessed, workbench
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

_SEAL = secrets.token_bytes(32)
_WRITTEN = (USER, OUTSIDER, SUPPOSED)
"""What people write of a turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """A conversation on the bench: the turns that are over, what every stage said of them (`told`, as far as that is
    known), and what is written of the next.
    """

    over: Turns = ()
    told: tuple[tuple[Told, ...], ...] = ()
    next: Turns = ()

    @property
    def text(self) -> Turns:
        """All of it."""
        return (*self.over, *self.next)

    def back(self, number: int) -> Talk:
        """The same with this turn to be written anew, and nothing behind it."""
        turns = turns_of(self.over)
        if not 0 < number <= len(turns):
            raise Refused(422, "No such turn", "Open the workbench again.")
        kept = tuple(one for turn in turns[: number - 1] for one in turn)
        written = tuple((who, said) for who, said in turns[number - 1] if who in _WRITTEN)
        return Talk(over=kept, told=self.told[: number - 1], next=written)


def page(visit: Visit) -> Response:
    """What is tried, with what every stage says; the target's answer where it was asked for and may be."""
    talk, spoken, heard = talked(visit), spoken_of(visit), None
    if edited := visit.form.get("edit", ""):
        talk = talk.back(int(edited) if edited.isascii() and edited.isdigit() and len(edited) < 4 else 0)
    elif visit.form.get("ask") or visit.form.get("again"):
        heard = _heard(visit, talk)
        talk = _after(heard, talk)
    elif visit.form.get("on") and talk.next:
        look = spoken.look(talk.text, talk.told)
        talk = Talk(over=talk.text, told=(*look.earlier, look.told))
    history = to_json(dump(replace(talk, next=())))
    return visit.page(
        "talking.html",
        **workbench.tabs(visit),
        **workbench.keeping(visit, spoken.name),
        **seen(spoken, talk),
        tab="/workbench",
        assistant=spoken.assistant,
        model=assessed.model(spoken.assistant.target.digest),
        policy=workbench.policy(visit, OWN_POLICY),
        guarded=spoken.guard is not None,
        asked=spoken.asked,
        answer="" if heard is None else _told(heard),
        most=MOST,
        turns=transcript(talk.over, spoken.look(talk.over, talk.told)) if talk.over else [],
        draft=dict.fromkeys(_WRITTEN, "") | dict(talk.next),
        history=history,
        seal=_sealed(history),
        brings=spoken.assistant.tools[0].name if spoken.assistant.tools else "",
    )


def fragment(visit: Visit) -> Response:
    """What is seen of it, by itself; the target is never asked here."""
    return visit.page("talking_now.html", **seen(spoken_of(visit), talked(visit)), answer="")


def draft(visit: Visit, hypothesis: str, technique: str, assumptions: tuple[int, ...]) -> Draft:
    """What is saved of it."""
    spoken, talk = spoken_of(visit), talked(visit)
    if not talk.text:
        raise Refused(422, "Nothing was said", "Write what is tried.")
    return Draft(
        system=spoken.name,
        hypothesis=hypothesis,
        subject=spoken.subject(talk.text),
        look=spoken.look(talk.text, talk.told),
        technique=technique,
        assumptions=assumptions,
    )


def talked(visit: Visit) -> Talk:
    """What the form says, or the probe that somebody goes on from, whose last turn is written anew where nobody has
    answered it.
    """
    query = visit.request.query_params.get("probe", "")
    if visit.request.method == "GET" and query.isascii() and query.isdigit() and len(query) < 16:
        found = visit.control.probes.seen(int(query), visit.me.name).probe.draft
        text, told = spoken_of(visit).gone_on(found)
        talk = Talk(over=text, told=tuple(told))
        open_ = bool(talk.over) and talk.over[-1][0] not in (ANSWER, SUPPOSED)
        return talk.back(len(turns_of(talk.over))) if open_ else talk
    written = [(who, visit.form.get(who, "").replace("\r\n", "\n")) for who in _WRITTEN]
    return replace(_history(visit), next=tuple((who, said) for who, said in written if said.strip()))


def spoken_of(visit: Visit) -> Spoken:
    """What is asked."""
    if visit.desk.spoken is None:
        raise Refused(404, "No assistant here", "Start the console with --workbench and an assistant's temper.yaml.")
    return visit.desk.spoken


def transcript(text: Turns, look: Look) -> list[dict[str, Any]]:
    """A conversation as a page shows it, turn by turn: every line inert, and the stages that object."""
    told = (*look.earlier, look.told)
    return [_turn(number, turn, told[number - 1]) for number, turn in enumerate(turns_of(text), start=1)]


def seen(spoken: Spoken, talk: Talk) -> dict[str, Any]:
    """What is seen of the last turn, as its page shows it; nothing where nothing was said yet."""
    if not talk.text:
        return {"seen": None, "number": 0}
    look = spoken.look(talk.text, talk.told)
    return {"seen": workbench.seen(look, (), ""), "number": len(look.earlier) + 1}


def _turn(number: int, turn: Turns, told: Sequence[Told]) -> dict[str, Any]:
    held = worst(told) >= Level.REVIEW
    outcome = Outcome.HELD_BACK if held else Outcome.LET_BY
    return {
        "number": number,
        "outcome": (outcome.value, "pass" if held else "nothing"),
        "said": [
            (who, WHO[who][:1].upper() + WHO[who][1:], [inert(line) for line in said.split("\n")]) for who, said in turn
        ],
        "asked": sum(one.mode != "aside" for one in told),
        "objects": [
            {"stage": one.stage, "level": one.level, "tone": workbench.TONES[Level[one.level]]}
            | {"reason": inert(one.reason, 300)}
            for one in objecting(told)
        ],
    }


def _heard(visit: Visit, talk: Talk) -> Heard:
    spoken = spoken_of(visit)
    try:
        if visit.form.get("again"):
            return spoken.again(talk.text)
        return spoken.answer(talk.text, talk.told)
    except TemperError as error:
        status = 422 if spoken.asked else 403
        raise Refused(status, "The target is not asked", inert(f"{error.message}. {error.fix}")) from None


def _after(heard: Heard, talk: Talk) -> Talk:
    """What was asked is over; what was not answered stays to be written."""
    found = Talk(over=heard.text, told=(*heard.look.earlier, heard.look.told))
    return found.back(len(turns_of(found.over))) if heard.reply.invalid else found


def _history(visit: Visit) -> Talk:
    """The turns that are over, as the form brings them."""
    text = visit.form.get("history", "")
    if not text:
        return Talk()
    try:
        found = load(Talk, from_json(text))
        turns_of(found.over)
    except (StoreError, TemperError, RecursionError):
        raise Refused(422, "No such conversation", "Open the workbench again.") from None
    if hmac.compare_digest(_sealed(text).encode(), visit.form.get("seal", "").encode("utf-8", "replace")):
        return found
    return Talk(over=supposed(found.over))


def _sealed(text: str) -> str:
    return hmac.digest(_SEAL, text.encode("utf-8", "surrogatepass"), "sha256").hex()


def _told(heard: Heard) -> str:
    reply = heard.reply
    if reply.invalid:
        return f"It gave no answer: {inert(reply.invalid, 300)}"
    blocked = f"\nstopped: {inert(reply.blocked, 300)}" if reply.blocked else ""
    return "\n".join(inert(line) for line in heard.text[-1][1].split("\n")) + blocked
