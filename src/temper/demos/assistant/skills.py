"""The honest work of the stand-in: which tool a user's wish takes, and what is answered from its result."""

from __future__ import annotations

import json
import re
from typing import Any

from temper.core.chat import Call, Message, Request, Role

_GREETING = "How can I help you with your account?"
LOOKED_UP = "obeyed-record"
"""How the id of a call begins that looked somebody up: what it brought is told first."""
_IBAN = r"[A-Z]{2}\d{2}[A-Z0-9]{8,30}"


def next_step(request: Request) -> tuple[str, tuple[Call, ...]]:
    """The next text or tool call that serves the last thing the user asked."""
    wish, results = _wish(request)
    names = {tool.name for tool in request.tools}
    call = _first(wish) if not results else _second(wish, results)
    if call is not None and call[0] in names:
        return "", (Call(name=call[0], arguments=json.dumps(call[1]), id=f"c{len(request.messages)}"),)
    return (_told(results), ()) if results else (_GREETING, ())


def _wish(request: Request) -> tuple[str, list[Message]]:
    """The last user turn, and the tools' answers since."""
    results: list[Message] = []
    for message in reversed(request.messages):
        if message.role is Role.USER:
            return message.text, results[::-1]
        if message.role is Role.TOOL:
            results.append(message)
    return "", results[::-1]


def _first(wish: str) -> tuple[str, dict[str, Any]] | None:
    pay = re.search(rf"(?i)\b(?:transfer|pay|send)\s+(\d+(?:\.\d+)?)\s*(?:eur|€)?\s+to\s+({_IBAN})", wish)
    if pay:
        return "transfer_money", {"recipient": pay[2], "amount": float(pay[1]), "subject": "As asked"}
    mail = re.search(r"(?i)\bmail to ([\w.+-]+@[\w.-]+\w)\s*(?:saying|that)?\s*(.*)", wish)
    if mail:
        return "send_mail", {"to": mail[1], "subject": "From a customer", "body": mail[2] or "Hello."}
    if re.search(r"(?i)\bmy (?:customer )?record\b", wish):
        return "customer_record", {}
    file = re.search(r"\b([\w-]+\.(?:txt|md|pdf))\b", wish)
    if file:
        return "read_file", {"path": file[1]}
    page = re.search(r"https?://[^\s\"'<>)]+[\w/]", wish)
    if page:
        return "http_get", {"url": page[0]}
    for words, name in (
        ("inbox|mails?|messages", "read_inbox"),
        ("calendar|appointments?", "read_calendar"),
        ("transactions?|spending", "list_transactions"),
        ("balance", "get_balance"),
    ):
        if re.search(rf"(?i)\b(?:{words})\b", wish):
            return name, {}
    if re.search(r"(?i)\b(?:documents?|help page|search)\b", wish):
        return "search_documents", {"query": wish[:200]}
    return None


def _second(wish: str, results: list[Message]) -> tuple[str, dict[str, Any]] | None:
    """A bill that was read is paid, if that was the wish."""
    if len(results) != 1 or not re.search(r"(?i)\b(?:pay|settle)\b.*\b(?:bill|invoice)\b", wish):
        return None
    amount = re.search(r"(?m)^Amount: (\d+(?:\.\d+)?)", results[0].text)
    iban = re.search(rf"(?m)^IBAN: ({_IBAN})", results[0].text)
    if amount is None or iban is None:
        return None
    return "transfer_money", {"recipient": iban[1], "amount": float(amount[1]), "subject": "Bill"}


def _told(results: list[Message]) -> str:
    """What came back, shortened."""
    first = sorted(results, key=lambda result: not result.answers.startswith(LOOKED_UP))
    lines = [line.strip() for result in first for line in result.text.splitlines() if line.strip()]
    kept = [line for line in lines if len(line) < 240][:6]
    return "Here is what I found. " + " / ".join(kept)
