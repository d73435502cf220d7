"""What campaigns leave in the store: rows that passed, for a replay, and every request, to weigh the layers by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.errors import RunStopped
from temper.core.evidence import CAMPAIGN
from temper.core.measure import Status
from temper.core.run import Record
from temper.engine.campaign.figures import Fought
from temper.engine.memory import recall, remember
from temper.engine.task import Part, Task
from temper.store.database import Store

Rows = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sent:
    """Every request of one campaign in its order: the row (n, d), the account (n,) by number, when (n,) in seconds
    since it began, the wanted row (n,) that it was to be, -1 where it only asked, and whether (n,) it was stopped, by
    the guard or by the model, and whether it counts as got through. `wanted` are the rows unchanged.
    """

    x: Rows
    account: Rows
    at: Rows
    of: Rows
    stopped: Rows
    passed: Rows
    wanted: Rows


def keep(store: Store, key: str, fought: Sequence[Fought], seed: int) -> None:
    """Keep every wanted row with the point that passed, and every request."""
    wanted = [one.dealt.wanted for one in fought]
    x = [np.array(one.x) for one in wanted]
    verdicts = [np.full(len(one), "untried", dtype="<U8") for one in wanted]
    for at, one in enumerate(fought):
        verdicts[at][sorted(one.ground.tried - one.undecided)] = "held"
        for each in one.ground.got:
            x[at][each.row], verdicts[at][each.row] = each.x, "broken"
    found = {
        "x_adv": np.concatenate(x),
        "verdicts": np.concatenate(verdicts),
        "ids": np.concatenate([one.ids for one in wanted]),
        "wanted": np.concatenate([one.x for one in wanted]),
        "in_wanted": np.repeat(np.arange(len(fought)), [len(one) for one in wanted]),
        **_asked(fought),
    }
    queries = sum(one.ground.queries for one in fought)
    part = Part(evidence=found, status=Status.OK, queries=queries)
    remember(store, key, Task(room="attacks", plugin=CAMPAIGN, seed=seed), part)


def sent(store: Store, record: Record) -> Iterator[Sent]:
    """The requests of each campaign of this run, as they were kept."""
    part = next((one for key in record.tasks if (one := recall(store, key)) is not None), None)
    if record.campaign is None or part is None or "asked_x" not in part.evidence:
        raise RunStopped(f"run {record.id} kept no requests of a campaign", fix="run temper redteam again")
    kept = part.evidence
    for number in np.unique(kept["asked_in"]):
        mine = kept["asked_in"] == number
        told = {name: kept[f"asked_{name}"][mine] for name in ("x", "account", "at", "of", "stopped", "passed")}
        yield Sent(**told, wanted=kept["wanted"][kept["in_wanted"] == number])


def _asked(fought: Sequence[Fought]) -> dict[str, Rows]:
    """Every request of all campaigns, by column."""
    parts = [_of(number, one) for number, one in enumerate(fought)]
    return {f"asked_{name}": np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _of(number: int, fought: Fought) -> dict[str, Rows]:
    ground = fought.ground
    accounts = {name: at for at, name in enumerate(ground.campaign.attacker.accounts)}
    through = {(one.row, one.x.tobytes(), one.at) for one in ground.got}
    told, n = ground.told, len(ground.told)
    rows = np.array([row for row, _, _, _ in told]).reshape(n, len(ground.full.columns))
    stopped = np.array([one.status != 200 or one.flagged for _, one, _, _ in told], dtype=bool)
    sent = zip(ground.aimed, rows, (one.at for _, one, _, _ in told), strict=True)
    return {
        "x": rows,
        "account": np.array([accounts[who] for _, _, who, _ in told], dtype=np.int64),
        "at": np.array([one.at for _, one, _, _ in told]),
        "of": np.array(ground.aimed, dtype=np.int64),
        "stopped": stopped,
        "passed": np.array([(row, x.tobytes(), at) in through for row, x, at in sent], dtype=bool) & ~stopped,
        "in": np.full(n, number, dtype=np.int64),
    }
