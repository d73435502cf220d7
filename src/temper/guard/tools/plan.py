"""Which tools with an effect a user's words ask for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from temper.core.chat import Message, Role, Tool
from temper.guard.tools.names import carried
from temper.guard.tools.policy import ToolRule
from temper.guard.tools.words import ASKS, BROAD, HANDING, THINGS, VERBS, stem, stems

_ALREADY = re.compile(r"(?i)^\W*(?:yes|yep|ok|okay|sure|confirmed?|go ahead|do it|please do|right|correct|approved?)\b")
_TO_SELF = re.compile(r"(?i)\b(?:tell|show|give|inform|get|find|read|let|ask)\s+(?:me|us)\b")
_LET_KNOW = re.compile(r"(?i)\blet\s+(?!me\b|us\b)\w+(?:\s+\w+)?\s+know\b")
_MONEY = re.compile(r"[$€£¥₹]|(?i:\b(?:money|cash|dollars?|euros?|pounds?|eur|usd|gbp|chf|bucks|funds)\b)|\d[.,]\d\d\b")
_LEFT_OPEN = re.compile(
    r"(?i)\b(?:do|follow|complete|execute|perform|finish|obey|implement|carry out|work through)\b"
    r"(?!\s+(?:the following|these|this)\b)[^.!?\n]{0,40}"
    r"\b(?:tasks?|actions?|instructions?|steps|to-?dos?|directions)\b"
)
_TEXT = re.compile(
    r"(?i)\b(?:lists?|files?|documents?|notes?|pages?|websites?|letters?|e?mails?|messages?|inbox|tickets?)\b"
    r"|\w\.(?:txt|md|pdf|docx?|html?|csv)\b|\bwww\.|https?://"
)
_NAMES = re.compile(r"(?i)[\w-]{1,100}\.(?:txt|md|pdf|docx?|html?|csv)\b|\bwww\.\S{1,200}|https?://\S{1,200}")
_HOST = re.compile(r"(?i)\b(?:www\.[\w-]+|[\w-]+\.(?:com|org|net|io|edu|gov|example))\b")


def wish(messages: Sequence[Message]) -> str:
    """What the user wants now: the last turn, and the one before where the last only says yes to it."""
    turns = [message.text for message in messages if message.role is Role.USER]
    agrees = len(turns) > 1 and bool(_ALREADY.match(turns[-1]))
    return "\n".join(turns[-2:] if agrees else turns[-1:])


def left_open(text: str) -> bool:
    """Whether the user leaves it to another text what is to be done: the plan is then open, where things may go is not.

    >>> left_open("Do all the tasks on my list"), left_open("Perform the following tasks: read the page, pay the bill")
    (True, False)
    """
    return bool(_LEFT_OPEN.search(text) and _TEXT.search(text))


def asked_for(tool: Tool, rule: ToolRule, text: str) -> bool:
    """Whether the text asks for what this tool does. English only: in another language nothing is asked for.

    Reading a page is asked for by whatever needs it: its address is looked at instead. Misleads where words are used
    without being meant ("do not pay").

    >>> pay = Tool(name="send_money")
    >>> asked_for(pay, ToolRule(effect="money"), "Pay my rent"), asked_for(pay, ToolRule(effect="money"), "My balance?")
    (True, False)
    """
    text = _TO_SELF.sub(" ", text)
    words = stems(_NAMES.sub(" ", text))  # a file called notes.txt asks for no notes
    first = stem(tool.name.replace("-", "_").split("_")[0])
    kind = VERBS.get(first, "")
    if rule.effect == "web":
        page = words & ASKS["web"] or _HOST.search(text)
        return kind != "publish" or bool(page and words & ASKS["publish"])
    if first in words and first not in BROAD:
        return True
    if kind in ("change", "create", "run"):
        return bool(words & ASKS[kind] and words & _things(tool))
    if kind:
        return bool(words & ASKS[kind])
    if rule.effect == "money":
        spoken = bool(_MONEY.search(text)) or any(not one.startswith(("www", "http")) for one in carried(text))
        return bool(words & ASKS["money"] or (words & HANDING and spoken))
    if rule.effect == "mail":
        return bool(words & ASKS["mail"] or _LET_KNOW.search(text))
    return bool(words & (ASKS["memory"] if rule.effect == "memory" else stems(tool.name)))


def _things(tool: Tool) -> frozenset[str]:
    """Words for what a tool works on: the rest of its name, and other words for that."""
    own = stems("_".join(tool.name.replace("-", "_").split("_")[1:]))
    return own.union(*(THINGS.get(word, frozenset()) for word in own))
