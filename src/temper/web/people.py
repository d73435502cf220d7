"""Who may sign in, and which keys programs hold; secrets are in neither list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temper.store.control.keys import Key
from temper.web import moments
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response


def show(visit: Visit) -> Response:
    """Everybody, by name."""
    rows = [
        [one.name, one.role.label, moments.clock(one.created), "shut out" if one.disabled else "active"]
        for one in visit.control.people.all()
    ]
    return visit.page(
        "list.html",
        heading="People",
        about="Who may sign in here. Add and change people with",
        command="temper people",
        columns=("Name", "Role", "Since", "Account"),
        rows=rows,
    )


def keys(visit: Visit) -> Response:
    """Every key that was given, without its secret."""
    found = visit.control.keys.all()
    after = {one.follows: one.kid for one in found if one.follows}
    rows = [_key(one, after.get(one.kid, ""), visit.now) for one in found]
    return visit.page(
        "list.html",
        heading="Keys",
        about="Keys of the programs that ask for scores, and of programs of people. Add, lend and revoke them with",
        command="temper keys",
        columns=("Key", "Name", "Group", "Scopes", "Since", "Last used", "State"),
        rows=rows,
    )


def _key(key: Key, after: str, now: float) -> list[str]:
    used = "never" if key.used is None else moments.clock(key.used)
    state = _state(key, now) + (f", replaced by {after}" if after else "")
    name = key.name if key.person is None else f"programs of {key.person}"
    return [key.kid, name, key.group, ", ".join(key.scopes), moments.clock(key.created), used, state]


def _state(key: Key, now: float) -> str:
    if key.revoked is not None:
        return f"revoked {moments.clock(key.revoked)}"
    if key.expires is None:
        return "active"
    return f"active until {moments.clock(key.expires)}" if key.expires > now else "expired"
