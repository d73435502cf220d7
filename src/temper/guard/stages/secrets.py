"""Personal data and credentials in an answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from temper.core.chat import Call, Role
from temper.core.errors import ConfigError
from temper.core.stage import ALLOWED, Context, Decision, Exchange, Level
from temper.guard.out.recognise import CREDENTIALS, KINDS, Found, recognised
from temper.guard.out.said import sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Takes card numbers (Luhn), IBANs (modulo 97), social security numbers and credentials (AWS, GitHub, Slack,
    Google, Stripe, API keys, JWT) out of an answer, or with `block` stops it; a private key always stops it. A call
    that sends a credential is taken out.

    `kinds` may also name "mail", "phone" and "ip", which honest answers are full of. What the user wrote himself in the
    conversation stays, and what is trusted. Misleads where a number is written in words or in a code, and where
    digits happen to pass a check (one number in ten that looks like a card's does).
    Source: ISO/IEC 7812-1 (check digits of cards), ISO 13616 (IBAN).

    >>> from temper.core.chat import Reply, Request
    >>> said = Exchange(request=Request(messages=()), reply=Reply(text="Pay with 4111 1111 1111 1111."))
    >>> Secrets().check(said, Context()).exchange.reply.text
    'Pay with [card removed].'
    """

    kinds: tuple[str, ...] = ("card", "iban", "ssn", *CREDENTIALS)
    block: bool = False

    def __post_init__(self) -> None:
        if unknown := [kind for kind in self.kinds if kind not in KINDS]:
            raise ConfigError(f"secrets.kinds names {unknown[0]!r}", fix=f"there are: {', '.join(KINDS)}")

    def check(self, exchange: Exchange, context: Context) -> Decision:
        reply = exchange.reply
        if reply is None:
            return ALLOWED
        known = _known(exchange, context)
        found = self._found(reply.text, self.kinds, known)
        credentials = tuple(kind for kind in self.kinds if kind in CREDENTIALS)
        kept = tuple(call for call in reply.calls if not self._found(_all(call), credentials, known))
        if not found and kept == reply.calls:
            return ALLOWED
        reason = _reason(found, len(reply.calls) - len(kept))
        if self.block or any(one.kind == "private" for one in found):
            return Decision(level=Level.BLOCK, reason=reason)
        masked = replace(exchange, reply=replace(reply, text=_masked(reply.text, found), calls=kept))
        return Decision(level=Level.REVISE, reason=reason, exchange=masked)

    def _found(self, text: str, kinds: tuple[str, ...], known: str) -> list[Found]:
        return [one for one in recognised(text, kinds) if _tight(one.text) not in known]


def _known(exchange: Exchange, context: Context) -> str:
    """What the user wrote and what is trusted, without blanks and marks."""
    users = (one.text for one in exchange.request.messages if one.role is Role.USER)
    return "\n".join(map(_tight, (*users, *context.trusted)))


def _tight(text: str) -> str:
    return "".join(sign for sign in text.casefold() if sign.isalnum())


def _all(call: Call) -> str:
    return f"{call.name}\n{sent(call)}"


def _masked(text: str, found: list[Found]) -> str:
    parts, at = [], 0
    for one in found:
        parts += [text[at : one.start], f"[{one.kind} removed]"]
        at = one.end
    return "".join((*parts, text[at:]))


def _reason(found: list[Found], calls: int) -> str:
    """What was found, without showing it."""
    kinds = ", ".join(dict.fromkeys(one.kind for one in found))
    return ", ".join(filter(None, (kinds, f"{calls} call with a credential" if calls else "")))


PLUGIN = Secrets
