"""The fleet: every system with its risk, its last verdict and its age, what is stale, what drifts, and whose it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from temper.core.fleet import Situation
from temper.core.requirement import Verdict
from temper.core.risk import RATINGS
from temper.report.fleet import aged, current, pressing
from temper.report.risk import amount
from temper.web import assessed, moments
from temper.web.board import Board
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

PAGE = 500
NEVER = "never"
NEEDS = {
    "stale": lambda one: bool(one.stale),
    "drift": lambda one: bool(one.drift),
    "trouble": lambda one: bool(one.trouble),
}
"""What a system can be chosen for."""
SORTS: Mapping[str, tuple[str, Callable[[Situation], Any]]] = {
    "system": ("System", lambda one: one.entry.name),
    "verdict": ("Verdict", lambda one: [None, *Verdict].index(one.verdict)),
    "risk": ("Risk", lambda one: (-_grave(one), -(one.p90 or 0.0))),
    "age": ("Age", lambda one: -1.0 if one.age is None else -one.age),
    "stale": ("Stale evidence", lambda one: -len(one.stale)),
    "drift": ("Now", lambda one: (not one.trouble, not one.drift)),
    "owner": ("Owner", lambda one: (not one.entry.owner, one.entry.owner)),
    "tier": ("Tier", lambda one: -one.entry.tier.priority),
}
"""The columns, by the word in the address: their heading, and what comes first where somebody sorts by them."""


def show(visit: Visit) -> Response:
    """The whole page; the most pressing systems come first unless somebody sorts otherwise."""
    found = board_of(visit).seen(visit.now)
    asked = visit.request.query_params
    choices = _choices(found.situations)
    wanted = {name: asked[name] for name, words in choices.items() if asked.get(name) in words}
    if text := asked.get("name", "").strip()[:100]:
        wanted["name"] = text
    fit = [one for one in found.situations if all(_fits(one, name, word) for name, word in wanted.items())]
    order = asked.get("sort", "").removeprefix("-")
    sort = asked.get("sort", "") if order in SORTS else ""
    page = visit.number("page")
    rows = _sorted(fit, sort)[PAGE * (page - 1) : PAGE * page]
    linked = board_of(visit).portfolio is None or bool(visit.assessed.store.url)
    return visit.page(
        "fleet.html",
        name=found.name,
        at=moments.ago(found.at, visit.now),
        trouble=found.trouble,
        refused=found.refused,
        tiles=_tiles(found.situations),
        choices={name: words for name, words in choices.items() if len(words) > 1},
        wanted=wanted,
        sort=sort,
        columns=list(_columns(wanted, sort)),
        rows=[_row(one, linked) for one in rows],
        total=len(found.situations),
        fit=len(fit),
        page=page,
        newer=_address(wanted, sort, page - 1),
        older=_address(wanted, sort, page + 1),
        more=len(fit) > PAGE * page,
    )


def board_of(visit: Visit) -> Board:
    """The look that this console keeps."""
    if visit.desk.board is None:
        raise Refused(404, "No fleet here", "This console was started without a temper.yaml.")
    return visit.desk.board


def _choices(systems: Sequence[Situation]) -> dict[str, list[str]]:
    there = {one.rating for one in systems}
    return {
        "verdict": [*(one.value for one in Verdict if any(each.verdict is one for each in systems)), NEVER],
        "risk": [word for word in RATINGS if word in there],
        "needs": [word for word, holds in NEEDS.items() if any(map(holds, systems))],
        "tier": list(dict.fromkeys(one.entry.level.value for one in sorted(systems, key=SORTS["tier"][1]))),
        "owner": sorted({one.entry.owner for one in systems if one.entry.owner}),
    }


def _fits(one: Situation, name: str, word: str) -> bool:
    if name == "needs":
        return NEEDS[word](one)
    if name == "name":
        return word.casefold() in one.entry.name.casefold()
    verdict = NEVER if one.verdict is None else one.verdict.value
    return word == {"verdict": verdict, "risk": one.rating, "tier": one.entry.level, "owner": one.entry.owner}[name]


def _sorted(systems: Sequence[Situation], sort: str) -> list[Situation]:
    found = pressing(systems)
    if not sort:
        return found
    return sorted(found, key=SORTS[sort.removeprefix("-")][1], reverse=sort.startswith("-"))


def _columns(wanted: Mapping[str, str], sort: str) -> Iterator[dict[str, str]]:
    """Headings that sort; the one that sorts already turns the order round."""
    for word, (title, _) in SORTS.items():
        way = {word: "ascending", f"-{word}": "descending"}.get(sort, "")
        turned = f"-{word}" if sort == word else word
        yield {"title": title, "way": way, "href": _address(wanted, turned, 1)}


def _tiles(systems: Sequence[Situation]) -> list[dict[str, Any]]:
    """What there is in all, each with the page of those it counts."""
    counted = (
        ("", "", "systems", ""),
        ("verdict", "fail", "failed", "fail"),
        ("verdict", "inconclusive", "inconclusive", "inconclusive"),
        ("verdict", NEVER, "never assessed", "inconclusive"),
        ("risk", "critical", "at critical risk", "fail"),
        ("needs", "stale", "with stale evidence", "inconclusive"),
        ("needs", "drift", "adrift now", "fail"),
        ("needs", "trouble", "in trouble", "fail"),
    )
    return [
        {
            "many": many,
            "said": said,
            "tone": tone if many else "none",
            "href": _address({name: word} if name else {}, "", 1),
        }
        for name, word, said, tone in counted
        if (many := sum(not name or _fits(one, name, word) for one in systems)) or not name
    ]


def _row(one: Situation, linked: bool) -> dict[str, Any]:
    """A line. A run has a page here where this console's own store has it."""
    stale = sorted({each.part or "everything" for each in one.stale})
    return {
        "name": one.entry.name,
        "href": f"/runs?{urlencode({'system': one.system})}" if linked and one.system else "",
        "run": f"/runs/{one.run}" if linked and one.run else "",
        "verdict": assessed.badge(one.verdict) if one.verdict else None,
        "rating": one.rating,
        "cost": f"{amount(one.p90)} {one.unit}" if one.rating and one.p90 is not None else "",
        "old": one.assessed != one.run and bool(one.rating),
        "age": "" if one.age is None else aged(one.age),
        "began": "" if one.began is None else moments.clock(one.began),
        "stale": stale[:3],
        "rest": len(stale[3:]),
        "why": one.stale[0].why if one.stale else "",
        "drift": one.drift,
        "current": current(one),
        "trouble": one.trouble,
        "owner": one.entry.owner,
        "tags": one.entry.tags[:4],
        "tier": one.entry.level.value,
    }


def _grave(one: Situation) -> int:
    return len(RATINGS) - RATINGS.index(one.rating) if one.rating in RATINGS else 0


def _address(wanted: Mapping[str, str], sort: str, page: int) -> str:
    asked = {**wanted, **({"sort": sort} if sort else {}), **({"page": str(page)} if page > 1 else {})}
    return f"/fleet?{urlencode(asked)}" if asked else "/fleet"
