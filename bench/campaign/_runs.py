"""Single runs of the bench of chains, each made once and kept as a line of JSON."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.campaign._cases import Case, case
from bench.campaign._field import HELD, WANTED, field, passed, play

Array = Any
Key = tuple[Any, ...]
DIRECT = (
    ("coordinate", 400),
    ("noise", 400),
    ("random_search", 25),
    ("random_search", 100),
    ("hopskipjump", 400),
)
"""Attacks and how many queries they may plan for; those whose course depends on it are run for several."""
EACH = (1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 400)


def there(*key: Any) -> bool:
    """Whether this run was made."""
    return json.dumps(key) in _kept()


def run(*key: Any) -> dict[str, Any]:
    """What came of it, now or before."""
    name, kept = json.dumps(key), _kept()
    if name not in kept:
        task, model, seed, arm, option, most = key
        victim = case(task, model, seed)
        if victim is None:
            raise FileNotFoundError(task)
        kept[name] = _ARMS[arm](victim, seed, option, most)
        with _file().open("a", encoding="utf-8") as lines:
            lines.write(json.dumps([name, kept[name]]) + "\n")
    return kept[name]


@cache
def _kept() -> dict[str, Any]:
    file = _file()
    return dict(map(json.loads, file.read_text(encoding="utf-8").splitlines())) if file.exists() else {}


def _file() -> Path:
    folder = Path(tempfile.gettempdir()) / "temper-bench-campaign"
    folder.mkdir(exist_ok=True)
    return folder / "chain.jsonl"


# -- arms --------------------------------------------------------------------------------------------------------------


def struck(victim: Case, x: Array, name: str, most: int, seed: int) -> Any:
    """An attack of the evasion room on these rows, `most` queries each."""
    from temper.core.attack import Scene
    from temper.core.budget import Budget
    from temper.core.data import Data
    from temper.core.room import Room
    from temper.engine.strike import strike

    _, own = victim.drawn(seed, WANTED, HELD)
    scene = Scene(
        x=x,
        y=np.ones(len(x), dtype=np.int64),
        ids=np.arange(len(x)),
        schema=victim.schema,
        budget=Budget(norm="cost", radius=victim.cost, cost=victim.cost, queries=most + 1),  # one to check the winner
        kind=victim.target.kind,
        threshold=victim.threshold,
        reference=Data(x=own[0], y=own[1]),
    )
    return strike(Room("temper.attacks").build(f"evasion.{name}", {}), victim.target, scene, seed, f"bench.{name}")


def _direct(victim: Case, seed: int, name: str, most: int) -> dict[str, Any]:
    """Of every row (nearest to the threshold first) the query that broke it, -1 for none, and the queries it took."""
    rows, _ = victim.drawn(seed, WANTED, HELD)
    found = struck(victim, rows, name, most, seed)
    order = np.argsort(found.clean_score, kind="stable")
    broken = found.verdicts == "broken"
    spent = found.queries - broken  # the check of a winner is the bench's
    return {
        "order": order.tolist(),
        "at": np.where(broken, found.broken_at, -1).tolist(),
        "spent": spent.tolist(),
        "cost": np.nan_to_num(found.cost).tolist(),
    }


def within(found: dict[str, Any], each: int, quota: int) -> tuple[Array, int]:
    """Which rows a direct attack breaks with so many queries each, row after row until the quota is spent."""
    order, at, spent = (np.array(found[name]) for name in ("order", "at", "spent"))
    taken = np.minimum(np.where(at > 0, np.minimum(at, each), np.minimum(spent, each)), each)
    paid = np.cumsum(taken[order])
    before = paid - taken[order]
    broken = np.zeros(len(order), dtype=bool)
    reached = (at[order] > 0) & (at[order] <= np.minimum(each, quota - before))
    broken[order] = reached
    return broken, int(min(quota, paid[-1]))


def _white_box(victim: Case, seed: int, name: str, most: int) -> dict[str, Any]:
    """What a search through the victim's own trees finds: no quota matters."""
    rows, _ = victim.drawn(seed, WANTED, HELD)
    return {"passed": (struck(victim, rows, "tree_ascent", 100, seed).verdicts == "broken").tolist()}


def _chain(victim: Case, seed: int, share: float, quota: int, *, refit: bool = True) -> dict[str, Any]:
    """A copy for a share of the quota, then attempts; what is left goes to a direct attack on what is still open."""
    from temper.attacks.technique.steal import Steal
    from temper.attacks.technique.transfer import Transfer

    on, spent = field(victim, seed, quota), round(share * quota)
    for part in (spent // 2, spent - spent // 2):
        play(on, "steal", Steal(), seed, part)
    stolen, transfer = on.queries, Transfer(refit=refit)
    if "copy" not in on.kept:
        on.kept["copy"] = on.fit_copy(*on.heard)
    play(on, "transfer", transfer, seed, quota - stolen)
    chained = on.queries
    first = stolen + max(1, (quota - stolen) // transfer.rounds)
    rest, last = _rest(victim, on, seed, quota - chained) if refit else (np.zeros(WANTED, dtype=bool), 0)
    return {
        "passed": passed(on).tolist(),
        "hybrid": (passed(on) | rest).tolist(),
        "stolen": stolen,
        "tried": chained - stolen,
        "last": last,
        "first": int(passed(on, first).sum()),
        "first tries": min(first, chained) - stolen,
        "cost": float(sum(one.cost for one in on.got)),
        "paid": float(on.paid),
    }


def _deaf(victim: Case, seed: int, share: float, quota: int) -> dict[str, Any]:
    return _chain(victim, seed, share, quota, refit=False)


def _rest(victim: Case, on: Any, seed: int, left: int) -> tuple[Array, int]:
    """The open rows that a direct attack breaks with what is left, all rows in turns."""
    broken, rows = np.zeros(WANTED, dtype=bool), on.open
    if left < len(rows) or not len(rows):
        return broken, 0
    found = struck(victim, on.wanted.x[rows], "coordinate", min(400, 2 * left // len(rows)), seed)
    at = np.where(found.verdicts == "broken", found.broken_at, 10**6)
    most = max(each for each in (0, *EACH) if np.minimum(np.minimum(at, found.queries), each).sum() <= left)
    broken[rows[at <= most]] = True
    return broken, int(np.minimum(np.minimum(at, found.queries), most).sum())


_ARMS = {"direct": _direct, "white box": _white_box, "chain": _chain, "deaf": _deaf}
