"""The list of runs: what is asked for, newest first, with the verdicts before it in a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from temper.core.outline import Outline
from temper.core.requirement import Verdict
from temper.core.review import Right
from temper.web import assessed, moments
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

PAGE, ROW = 40, 42
STATES = ("finished", "stopped", "failed")


def show(visit: Visit) -> Response:
    """One page of the list."""
    asked, store = visit.request.query_params, visit.assessed.store
    choices = {
        "system": store.words("system"),
        "suite": store.words("suite"),
        "verdict": [one.value for one in Verdict],
        "state": list(STATES),
    }
    wanted = {name: asked[name] for name, words in choices.items() if asked.get(name) in words}
    total, page = store.counted(**wanted), visit.number("page")
    found = store.outlines(PAGE, PAGE * (page - 1), **wanted)
    standing = assessed.standing(visit)
    return visit.page(
        "runs.html",
        tabs=assessed.TABS,
        tab="/runs",
        choices={name: words for name, words in choices.items() if len(words) > 1},
        wanted=wanted,
        runs=[assessed.line(one, standing, visit.assessed.system) for one in found],
        row=_row(store.outlines(ROW, 0, **wanted)),
        several=len(choices["system"]) > 1,
        stale=assessed.renewals(standing),
        trouble=standing.trouble,
        total=total,
        page=page,
        newer=_address(wanted, page - 1),
        older=_address(wanted, page + 1),
        more=PAGE * page < total,
        may_order=visit.may(Right.ORDER),
    )


def _row(newest: Sequence[Outline]) -> list[dict[str, Any]]:
    """The verdicts of the latest runs, the oldest first."""
    return [
        {
            "tone": one.kind.value,
            "mark": assessed.badge(one.kind)["mark"],
            "said": f"{one.run}, {moments.clock(one.began)}: {one.kind.name}",
            "href": f"/runs/{one.run}",
            "here": False,
        }
        for one in reversed(newest)
    ]


def _address(wanted: Mapping[str, str], page: int) -> str:
    return f"/runs?{urlencode({**wanted, 'page': page})}"
