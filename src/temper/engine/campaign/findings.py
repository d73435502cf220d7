"""What campaigns came to, as findings that can be shown again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from temper.core.campaign import Aim, Objective
from temper.core.evidence import CAMPAIGN
from temper.core.finding import Example, Finding
from temper.core.system import Protected
from temper.engine.campaign.figures import Fought
from temper.engine.identity import finding_id, weakness
from temper.targets.served import Served

_SHOWN = 5
_DEFENCES = ("adversarial", "monotone", "coarse")
"""What a model is hardened by against rows that are changed; what else is sought is for the guard to stop."""


def findings(fought: Sequence[Fought], system: Protected, model: Served, task: str) -> tuple[Finding, ...]:
    """Rows that got through, and what else was reached."""
    found = [_through(fought, system, model, task)] if any(one.ground.got for one in fought) else []
    for at, objective in enumerate(fought[0].ground.campaign.objectives):
        if objective.aim is not Aim.MOVE and any(one.came[at].reached for one in fought):
            found.append(_taken(fought, at, objective, system))
    return tuple(found)


def _through(fought: Sequence[Fought], system: Protected, model: Served, task: str) -> Finding:
    got = [(one, each) for one in fought for each in one.ground.got]
    got.sort(key=lambda pair: pair[1].cost)
    first = fought[0]
    reached = any(c.reached for one in fought for c in one.came if c.aim == Aim.MOVE.value)
    by = sorted({each.by for _, each in got})
    total = sum(len(one.dealt.wanted) for one in fought)
    return Finding(
        id=finding_id(weakness(CAMPAIGN, "passed"), system),
        title=f"{len(got):,} of {total:,} rows that are stopped got through when a campaign changed them",
        plugin=CAMPAIGN,
        metric="passed",
        severity="critical" if reached else "high",
        detail=f"Found by {', '.join(by)}, the cheapest change at {got[0][1].cost:.2f}. {_where(first)}",
        examples=tuple(_example(one, each, system, model) for one, each in got[:_SHOWN]),
        task=task,
        defences=_DEFENCES,
        references=("atlas:AML.T0015", "atlas:AML.T0043"),
    )


def _where(fought: Fought) -> str:
    return (
        "The guard of temper.yaml stood before the model." if fought.ground.door.simulated else "A gateway was asked."
    )


def _example(fought: Fought, got: Any, system: Protected, model: Served) -> Example:
    clean = fought.dealt.wanted.x[got.row]
    before, after = (float(model.score(np.ascontiguousarray(x[None]))[0]) for x in (clean, got.x))
    return Example(
        sample=int(fought.dealt.wanted.ids[got.row]),
        changes=tuple(system.schema.decode(got.x, clean)),
        score_before=before,
        score_after=after,
        queries=got.queries,
        cost=got.cost,
    )


def _taken(fought: Sequence[Fought], at: int, objective: Objective, system: Protected) -> Finding:
    best = max((one.came[at] for one in fought), key=lambda one: one.value)
    what = "Somebody can copy the model" if objective.aim is Aim.STEAL else "Somebody can tell who was trained on"
    return Finding(
        id=finding_id(weakness(CAMPAIGN, objective.aim.value), system),
        title=f"{what} within {best.queries:,} queries: {best.value:.1%}, sought {best.goal:.1%}",
        plugin=CAMPAIGN,
        metric="share",
        severity="high",
        detail=objective.words,
        references=("atlas:AML.T0024.002",) if objective.aim is Aim.STEAL else ("atlas:AML.T0024.000",),
    )
