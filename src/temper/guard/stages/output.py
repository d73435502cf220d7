"""What an answer would do where it is shown."""

from __future__ import annotations

from dataclasses import dataclass, replace

from temper.core.stage import ALLOWED, Context, Decision, Exchange, Level
from temper.guard.out.inert import inert


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Makes an answer's text inert: tags that act or load (script, iframe, form, img, anything with a handler),
    addresses that run, terminal codes, control characters and characters that show nothing.

    Words stay readable: a tag's bracket becomes one that only looks like it. Code that markdown fences is left alone,
    as it is shown and not run. Misleads where something else reads the answer (SQL, a shell, a template): what those
    may be given is theirs to check.
    Source: OWASP Top 10 for LLM applications, improper output handling; CWE-79, CWE-150.

    >>> from temper.core.chat import Reply, Request
    >>> said = Exchange(request=Request(messages=()), reply=Reply(text="Hi<script>alert(1)</script>"))
    >>> Output().check(said, Context()).exchange.reply.text
    'Hi‹script>alert(1)‹/script>'
    """

    def check(self, exchange: Exchange, context: Context) -> Decision:
        reply = exchange.reply
        if reply is None:
            return ALLOWED
        text, found = inert(reply.text)
        if not found:
            return ALLOWED
        changed = replace(exchange, reply=replace(reply, text=text))
        return Decision(level=Level.REVISE, reason=", ".join(found), exchange=changed)


PLUGIN = Output
