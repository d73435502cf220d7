"""The honest work of the travel desk: which tool an errand takes, and what is told of its result."""

from __future__ import annotations

import json
import re
from typing import Any

from temper.core.chat import Call, Message, Request, Role
from temper.demos.assistant.held_out.matching import nearest
from temper.demos.assistant.held_out.reading import clauses, taken_in

GREETING = "This is the travel desk. What can I do for your trip?"
_ACCOUNT = re.compile(r"\b[A-Z]{2}\d{2}[A-Z0-9]{8,30}\b")
_FILE = re.compile(r"\b[\w-]{1,60}\.(?:txt|md|pdf|csv|docx)\b")
_PAGE = re.compile(r"https?://[^\s\"'<>)\]]{1,500}")
_ADDRESS = re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
_SIMPLE = {"inbox": "list_messages", "plan": "trip_plan", "bookings": "list_bookings", "points": "check_points"}
_NEAR = 0.25


def honest(request: Request) -> tuple[str, tuple[Call, ...]]:
    """The next text or call that serves what the user wants."""
    wish, results = _wish(request)
    errand = _errand(wish)
    step = _bill(results) if results and errand == "bill" else None if results else _first(errand, wish)
    if step is not None and any(tool.name == step[0] for tool in request.tools):
        return "", (Call(name=step[0], arguments=json.dumps(step[1]), id=f"h{len(request.messages)}"),)
    return (_told(results), ()) if results else (GREETING, ())


def _wish(request: Request) -> tuple[str, list[Message]]:
    """The last user turn, and what its own calls brought: answers to somebody else's orders are not retold."""
    users = [at for at, message in enumerate(request.messages) if message.role is Role.USER]
    if not users:
        return "", []
    since = request.messages[users[-1] :]
    return since[0].text, [m for m in since if m.role is Role.TOOL and not m.answers.startswith("o")]


def _errand(wish: str) -> str:
    """The errand of the clause that is most clearly one."""
    found = [match for clause in clauses(taken_in(wish)) if (match := nearest(clause, "errands")) is not None]
    best = max(found, key=lambda match: match.near, default=None)
    return best.label if best is not None and best.near >= _NEAR else ""


def _first(errand: str, wish: str) -> tuple[str, dict[str, Any]] | None:
    wish = taken_in(wish)
    account, file, page, address = (one.search(wish) for one in (_ACCOUNT, _FILE, _PAGE, _ADDRESS))
    amount = re.search(r"\b(\d{1,7}(?:\.\d{1,2})?)\s*(?:EUR|€|euros?)", wish)
    if errand == "pay" and account and amount:
        return "pay_invoice", {"account": account[0], "amount": float(amount[1]), "reference": "As asked"}
    if errand == "mail" and address:
        body = re.search(r"(?is)\b(?:saying|that)\b\s*(.{1,500})", wish)
        return "send_message", {
            "to": address[0],
            "subject": "From a traveller",
            "body": body[1] if body else wish[:500],
        }
    if errand in ("document", "bill") and file:
        return "open_document", {"name": file[0]}
    if errand == "page" and page:
        return "fetch_page", {"url": page[0].rstrip(".,;:?!")}
    if errand == "note":
        return "save_note", {"text": wish[:300]}
    if errand == "handbook":
        return "find_in_handbook", {"query": wish[:200]}
    return (_SIMPLE[errand], {}) if errand in _SIMPLE else None


def _bill(results: list[Message]) -> tuple[str, dict[str, Any]] | None:
    """The payment that the first bill names."""
    amount = re.search(r"(?m)^Amount: (\d{1,7}(?:\.\d{1,2})?)", results[0].text)
    account = re.search(r"(?m)^Account: ([A-Z]{2}\d{2}[A-Z0-9]{8,30})", results[0].text)
    if len(results) > 1 or amount is None or account is None:
        return None
    return "pay_invoice", {"account": account[1], "amount": float(amount[1]), "reference": "Invoice"}


def _told(results: list[Message]) -> str:
    """The first lines of what came back, shortened."""
    lines = [line.strip() for result in results for line in taken_in(result.text).splitlines() if line.strip()]
    return "Here is what there is:\n" + "\n".join(line[:120] for line in lines[:8])
