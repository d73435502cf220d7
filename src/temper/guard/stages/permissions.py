"""What an assistant may call, and with which values."""

from __future__ import annotations

from dataclasses import dataclass, replace

from temper.core.chat import Call
from temper.core.stage import ALLOWED, Context, Decision, Exchange
from temper.guard.tools.policy import Rules, load
from temper.guard.tools.ruling import Objection, Ruling, fingerprint
from temper.targets import _digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """Let a tool be called only as the user asked, and only with recipients, hosts and accounts that the user, an
    allow-list or a trusted record names; every value is traced to the text it came from.

    `policy` is a YAML file (`guard.tools.policy`); what it leaves out is inferred from names and schemas. A call that
    the user did not ask for is taken out (REVISE); one with a value from elsewhere waits for a human (REVIEW), who lets
    it through by its fingerprint in `context.approved`. Misleads where harm needs no value of the attacker's, such as a
    message the user wanted, to the one the user named, in the attacker's words; and where a tool pastes strange text
    into a record without escaping it.
    Source: Debenedetti et al., "Defeating prompt injections by design" (CaMeL), 2025; Beurer-Kellner et al., "Design
    patterns for securing LLM agents against prompt injections", 2025.

    >>> from temper.core.chat import Message, Reply, Request, Role
    >>> asked = Request(messages=(Message(role=Role.USER, text="Pay 5 EUR to NO9386011117947"),))
    >>> def reply(account): return Reply(calls=(Call(name="send_money", arguments=f'{{"iban": "{account}"}}'),))
    >>> [Permissions().check(Exchange(request=asked, reply=reply(to)), Context()).level.name
    ...  for to in ("NO93 8601 1117 947", "DE89370400440532013000")]
    ['ALLOW', 'REVIEW']
    """

    policy: str = ""

    @property
    def digest(self) -> str:
        """Of what the policy says, wherever its file lies."""
        return _digest.of_object((replace(self, policy=""), self._rules))

    def check(self, exchange: Exchange, context: Context) -> Decision:
        """ALLOW, or the answer without the calls that may not go."""
        reply = exchange.reply
        if reply is None or not reply.calls:
            return ALLOWED
        ruling = Ruling.of(self._rules, exchange.request, context)
        against = [(call, ruling.objections(call, reply.calls[:at])) for at, call in enumerate(reply.calls)]
        refused = [(call, found) for call, found in against if found]
        if not refused:
            return ALLOWED
        worst = max((one for _, found in refused for one in found), key=lambda one: one.level)
        said = "\n".join(filter(None, (reply.text, *(_note(call, found) for call, found in refused))))
        kept = tuple(call for call, found in against if not found)
        return Decision(
            level=worst.level,
            stage="permissions",
            reason="; ".join(_reason(call, found) for call, found in refused),
            span=worst.span,
            exchange=replace(exchange, reply=replace(reply, text=said, calls=kept)),
        )

    @property
    def _rules(self) -> Rules:
        return load(self.policy) if self.policy else Rules()


def _reason(call: Call, found: list[Objection]) -> str:
    return f"{call.name[:80]} [{fingerprint(call)}]: {', '.join(one.reason for one in found)}"


def _note(call: Call, found: list[Objection]) -> str:
    return f"(Not called: {call.name[:80]}. {found[0].reason[0].upper()}{found[0].reason[1:]}.)"


PLUGIN = Permissions
