"""One address for programs: what it takes, what it gives, and how both cross the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from temper.core.review import Right
from temper.web.refused import Refused
from temper.web.visit import Screen, Visit

if TYPE_CHECKING:
    from starlette.responses import Response

Taken = TypeVar("Taken")
Item = TypeVar("Item")
BASE = "/api/v1"
MOST, USUAL = 200, 50
"""How many of a list are given at most, and where nobody asks."""
LIMIT = ("limit", f"How many to give, {MOST} at most; {USUAL} where nothing is said.")
OFFSET = ("offset", "How many to leave out, the newest first.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """An address below `/api/v1`. `answer` gives a value of the type `gives` (None: a document whose format the page of
    formats tells), `takes` is the type of the body of a POST; `asks` are its query parameters, each with what it means.
    """

    method: str
    path: str
    right: Right
    does: str
    answer: Callable[[Visit], Any]
    gives: Any = None
    takes: Any = None
    asks: tuple[tuple[str, str], ...] = ()

    @property
    def screen(self) -> Screen:
        """The same as an address of the console, which programs alone may ask."""
        return Screen(self.method, BASE + self.path, self.right, partial(_answered, self), programs=True)


def _answered(resource: Resource, visit: Visit) -> Response:
    """The answer as JSON; what was made has a status of its own."""
    import msgspec
    from starlette.responses import Response

    found = resource.answer(visit)
    body = found if isinstance(found, bytes) else msgspec.json.encode(found)
    return Response(body, 201 if resource.takes is not None else 200, media_type="application/json")


def taken(visit: Visit, kind: type[Taken]) -> Taken:
    """The body of this request; refused with the place that is wrong."""
    import msgspec

    try:
        return msgspec.json.decode(visit.body, type=kind)
    except msgspec.DecodeError as error:  # its words name fields and types, not what was sent
        raise Refused(422, "Not what is taken here", f"{error}. See {BASE}/openapi.json.") from None


def some(visit: Visit, found: Callable[[int, int], Iterable[Item]]) -> tuple[Item, ...]:
    """So many of a list as were asked for, from where; `found` takes a limit and an offset."""
    return tuple(found(few(visit), whole(visit, "offset", 0)))


def few(visit: Visit) -> int:
    """How many were asked for."""
    return min(whole(visit, "limit", USUAL), MOST)


def whole(visit: Visit, name: str, usual: int) -> int:
    """A whole number of the address."""
    text = visit.request.query_params.get(name, "")
    if not text:
        return usual
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Refused(422, "Not what is taken here", f"{name} is a whole number, 0 or more.")
    return int(text)


def words(visit: Visit, *names: str) -> dict[str, str]:
    """What of these was asked for."""
    asked = visit.request.query_params
    return {name: asked[name] for name in names if asked.get(name)}
