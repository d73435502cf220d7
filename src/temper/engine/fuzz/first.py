"""The first contact with a service: whether it takes a connection, and in which body it wants its rows."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from temper.core.errors import TemperError
from temper.fuzz._campaign import recorded
from temper.fuzz._oracle import Outcome, Reply
from temper.fuzz._service import Service, Where
from temper.traffic.address import not_taken

BODIES = ("", "$row", "$rows", '{"instances": $rows}', '{"inputs": $rows}', '{"data": $rows}', "v2")
"""How services are asked that nobody described."""
_ROWS = 3
_FIXES = (
    (("status 401", "status 403"), "name the environment variable that holds its key with --key-env"),
    (("status 404", "status 405"), "correct the path of the URL: it must take a POST with a row"),
    (("status 200",), "say where the score is with --answer, such as predictions.*.score"),
    (("no answer within",), "find out why it hangs, or give it longer with --deadline"),
    (("the service went down",), "start it again and look at its log: a row as it was recorded ended it"),
)


def reached(where: Where, seconds: float) -> None:
    """Open a connection and close it; a `TemperError` says in a sentence why there is none."""
    try:
        with socket.create_connection((where.host, where.port), timeout=seconds) as line:
            context = where.context()
            if context is not None:
                context.wrap_socket(line, server_hostname=where.host).close()
    except OSError as trouble:
        raise not_taken((where.host, where.port), trouble) from None


def first_answer(services: Sequence[Service], x: Any) -> tuple[int | None, Reply]:
    """The first of these that gives a recorded row a score, and what was said: where none does, by the one that came
    closest.
    """
    said: list[Reply] = []
    for at, one in enumerate(services):
        with closing(one):
            for row in recorded(x)[:_ROWS]:
                said.append(reply := one.ask([row]))
                if reply.outcome is Outcome.ANSWERED:
                    return at, reply
                if reply.outcome is Outcome.HUNG or one.gone:
                    return None, reply
    return None, next((reply for reply in said if reply.cause == "no score"), said[0])


def no_score(url: str, reply: Reply) -> TemperError:
    """That no recorded row got a score, why, and what may help."""
    usual = """say what it expects with --body, such as '$row' or '{"instances": $rows}'"""
    fix = next((fix for starts, fix in _FIXES if reply.said.startswith(starts)), usual)
    return TemperError(f"{url} gave no score for a recorded row: {reply.said}", fix=fix)
