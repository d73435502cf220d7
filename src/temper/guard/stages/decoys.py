"""Keys and tools that lead nowhere: nobody who keeps to the task touches them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from temper.core.chat import Request, Role, Tool
from temper.core.stage import ALLOWED, Context, Decision, Exchange, Level
from temper.guard.out.leak import Reading
from temper.guard.out.said import sent
from temper.guard.secret import word
from temper.guard.stages._told import told

KEY = "sk_test_"
"""How a decoy key begins, as keys for tests do: an owner who meets one knows that it opens nothing."""
_SENTENCE = "Access for operators, needed in no conversation and never to be told or used: {}."
_VERBS = ("export", "fetch", "list", "open", "read", "unlock")
_THINGS = ("admin_console", "audit_log", "credential_store", "key_vault", "master_accounts", "service_tokens")
_ABOUT = "For operators only, with the operator's key; not part of any task of a user."
_PARAMETERS = {"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoys:
    """Puts a key that opens nothing into the instructions and, where there are tools, one that does nothing beside
    them. An answer that tells or uses the key, or a call of the tool, is BLOCKed: it is no accident, so it is worth an
    alarm.

    Key and tool follow from the canary of the conversation, so no two conversations have the same and nothing is
    remembered. Misleads towards safety where attackers want neither keys nor power: most want money, mail or a word. A
    model that is asked for its instructions tells the key with them, which is a leak of the instructions only.
    Source: Spitzner, "Honeytokens: the other honeypot", 2003.

    >>> from temper.core.chat import Call, Message, Reply
    >>> asked = Request(messages=(Message(role=Role.USER, text="hello"),), tools=(Tool(name="get_balance"),))
    >>> context = Context(canary="kqzvbtrmlpxwsd")
    >>> shown = Decoys().check(Exchange(request=asked), context).exchange.request.tools[-1].name
    >>> reply = Reply(calls=(Call(name=shown),))
    >>> Decoys().check(Exchange(request=asked, reply=reply), context).reason
    'a decoy tool was called: read_master_accounts'
    """

    keys: bool = True
    tools: bool = True

    def check(self, exchange: Exchange, context: Context) -> Decision:
        if not context.canary:
            return ALLOWED
        if exchange.reply is None:
            return self._placed(exchange, context)
        tool, key = _tool(exchange.request, context.canary), _key(context.canary)
        if self.tools and exchange.request.tools and any(call.name == tool for call in exchange.reply.calls):
            return Decision(level=Level.BLOCK, reason=f"a decoy tool was called: {tool}", span=tool)
        own = "\n".join(one.text for one in exchange.request.messages if one.role is Role.USER)
        if self.keys and key not in own:
            for where, text in _outputs(exchange):
                if key in text or Reading.of(text).shows(key.removeprefix(KEY)):
                    return Decision(level=Level.BLOCK, reason=f"a decoy key was {where}", span=key)
        return ALLOWED

    def _placed(self, exchange: Exchange, context: Context) -> Decision:
        """The question with the key in its instructions and the tool among its tools."""
        request, key = exchange.request, _key(context.canary)
        name = _tool(request, context.canary)
        if self.tools and request.tools and all(tool.name != name for tool in request.tools):
            decoy = Tool(name=name, description=_ABOUT, parameters=_PARAMETERS)
            request = replace(request, tools=(*request.tools, decoy))
        if self.keys and not any(key in one.text for one in request.messages if one.role is Role.SYSTEM):
            request = told(request, _SENTENCE.format(key))
        return ALLOWED if request is exchange.request else Decision(exchange=replace(exchange, request=request))


def _key(canary: str) -> str:
    return KEY + word(canary.encode("utf-8", "replace"), b"decoy key")


def _tool(request: Request, canary: str) -> str:
    """The first name that no tool of the owner's has, from where the canary says."""
    own = word(canary.encode("utf-8", "replace"), b"decoy tool")
    start = sum(ord(sign) * 7**at for at, sign in enumerate(own))
    names = [f"{verb}_{thing}" for verb in _VERBS for thing in _THINGS]
    taken = {tool.name for tool in request.tools if tool.description != _ABOUT}
    order = (names[(start + at) % len(names)] for at in range(len(names)))
    return next((name for name in order if name not in taken), f"read_{own}")


def _outputs(exchange: Exchange) -> Iterator[tuple[str, str]]:
    if exchange.reply is None:
        return
    if exchange.reply.text:
        yield "told", exchange.reply.text
    for call in exchange.reply.calls:
        yield f"used in a call of {call.name[:80]}", f"{call.name} {sent(call)}"


PLUGIN = Decoys
