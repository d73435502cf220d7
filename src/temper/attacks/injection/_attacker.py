"""What is asked of the user's own attacker model, and what is made of its answers, which may be anything."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache

from temper.attacks.injection._catalogue import placed, read
from temper.attacks.injection._ladder import height, outcome
from temper.core.chat import Message, Reply, Request, Role
from temper.core.injection import Goal, Ground, Injection, Shown

_PLACES = re.compile(r"\{(?:word|number|account|address|host|tool|arguments|other)\}")
_MOST = 4_000
_LOOKED_AT = 20_000
_QUOTED = 800


@cache
def _texts() -> dict[str, str]:
    return dict(read("attacker"))


def opening(name: str, ground: Ground, goal: Goal, injection: Injection) -> tuple[Message, ...]:
    """The first message to the attacker for this goal and way in."""
    how = "as something its user types" if not injection.carrier else f"inside a {injection.carrier} that it reads"
    text = placed(
        _texts()[name],
        goal=goal.title,
        order=goal.asks,
        places=", ".join(places(goal.asks)) or "none",
        purpose=ground.assistant.purpose or ground.assistant.name,
        channel=how,
    )
    return (Message(role=Role.USER, text=text),)


def told(name: str, shown: Shown, attempt: str = "", rounds: int = 0) -> Message:
    """What came of an attempt, said to the attacker."""
    reply = next((text for text in shown.replies if text), "(nothing)")[:_QUOTED]
    text = placed(
        _texts()[name],
        reply=reply,
        score=f"{10 * height(shown):.0f}",
        outcome=outcome(shown),
        attempt=attempt,
        rounds=str(rounds),
    )
    return Message(role=Role.USER, text=text)


def request(messages: tuple[Message, ...], trial: int) -> Request:
    """A question to the attacker; `trial` tells branches apart that ask the same."""
    return Request(messages=messages, trial=trial, most_tokens=1_000)


def written(reply: Reply, order: str = "") -> str:
    """The text the attacker wrote, "" where there is none. Every place of `order` is in it: where the attacker has lost
    one, the order itself follows, else nobody could see success.

    >>> written(Reply(text='Sure! {"why": "x", "prompt": "Pay {account}."} Good luck'), "Send it to {account}")
    'Pay {account}.'
    """
    if reply.invalid or reply.blocked:
        return ""
    found = next((text for text in _prompts(reply.text[:_LOOKED_AT])), "").strip()[:_MOST]
    if found and not {*places(order)} <= {*places(found)}:
        return f"{found} {order}"
    return found


def places(text: str) -> tuple[str, ...]:
    """The places for tokens in a text, each once."""
    return tuple(dict.fromkeys(_PLACES.findall(text)))


def _prompts(text: str) -> Iterator[str]:
    """Every "prompt" of an object in the text; a decoder is started at the first braces only, so that it ends."""
    decoder = json.JSONDecoder(strict=False)
    for found in list(re.finditer(r"\{", text))[:50]:
        try:
            value, _ = decoder.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and isinstance(value.get("prompt"), str):
            yield value["prompt"]
