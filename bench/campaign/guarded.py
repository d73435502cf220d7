"""Chained attacks against the fraud demo's guard, stage by stage: what is stopped, of which step, and what it takes.

    python -m bench.campaign.guarded [--quick] [NAME ...]

SIMULATED: the fraud demo's world, its own model and threshold, its guard built in this process around a simulated
clock. The attacker wants 50 stopped frauds to pass at a price of 2 each, holds 200 rows, has 1,000 queries, a week and
one account or five. "made up": the copy is stolen by rows of the attacker's own making; "natural": by rows held alone;
"direct": no copy. Each stage alone, then all that the demo knows; `revise` means that a client is told decisions alone.
Counts are sums over three seeds; the interval of what passed is Wilson's over wanted rows, though rows of a campaign
share a copy. Answers of every run are kept in a folder under the system's temporary one: the table is joined of what
is there.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.campaign._field import Forgotten
from bench.table import machine, table
from temper.kernels.rate import wilson

QUERIES, WANTED, COST, SEEDS = 1_000, 50, 2.0, (0, 1, 2)
_OFF = ("extraction", "anomaly", "output", "bounds", "golden", "fallback", "breaker", "concurrency")
GUARDS: dict[str, dict[str, Any]] = {
    "no guard": {},
    "quota 200 a day": {"quota": {"per_day": 200}},
    "anomaly": {"anomaly": {"answer": "review"}},
    "extraction": {"extraction": {}},
    "all of these": {"quota": {"per_day": 200}, "anomaly": {"answer": "review"}, "extraction": {}},
}
WAYS = ("direct", "made up", "natural")
ACCOUNTS = {"all of these": (1, 5)}


def main(words: list[str]) -> int:
    """One table of the guards named, or of all."""
    quick, named = "--quick" in words, [word for word in words if not word.startswith("--")]
    print(machine("numpy", "scikit-learn", "xgboost-cpu"))
    lines = []
    for guard in named or (("no guard", "extraction") if quick else GUARDS):
        for accounts in (1,) if quick else ACCOUNTS.get(guard, (1,)):
            for way in WAYS:
                runs = [waged(guard, way, accounts, seed) for seed in SEEDS]
                lines.append((guard, accounts, way, *_shown(runs)))
    columns = (
        "guard", "accounts", "way", "asked", "scores told", "decisions alone", "held up", "turned away", "days",
        "of the copy held up or bare", "of the tries", "passed", "moved", "objected",
    )  # fmt: skip
    title = f"fraud demo (SIMULATED): {WANTED} wanted rows, {QUERIES:,} queries, {len(SEEDS)} campaigns each"
    table(title, columns, lines)
    return 0


def _shown(runs: list[dict[str, Any]]) -> tuple[str, ...]:
    total: Counter[str] = sum((Counter(one["counts"]) for one in runs), Counter())
    why: Counter[str] = sum((Counter(one["why"]) for one in runs), Counter())
    wanted = WANTED * len(runs)

    def share(step: str) -> str:
        asked = total[f"{step} asked"]
        return f"{total[f'{step} hindered'] / asked:.0%} of {asked:,}" if asked else ""

    counted = (f"{total[name]:,}" for name in ("asked", "told", "bare", "held", "away"))
    days = f"{max(one['days'] for one in runs):.1f}"
    objected = ", ".join(f"{name} {many:,}" for name, many in why.most_common()) or "nobody"
    low, high = wilson(total["passed"], wanted)
    passed = f"{total['passed']} of {wanted} [{low:.0%}, {high:.0%}]"
    return (
        *counted,
        days,
        share("steal"),
        share("attack"),
        passed,
        f"{sum(one['moved'] for one in runs):,.0f}",
        objected,
    )


def waged(guard: str, way: str, accounts: int, seed: int) -> dict[str, Any]:
    """One campaign, made once."""
    file = _folder() / "guarded.jsonl"
    kept = dict(map(json.loads, file.read_text(encoding="utf-8").splitlines())) if file.exists() else {}
    name = json.dumps([guard, way, accounts, seed])
    if name not in kept:
        kept[name] = _waged(guard, way, accounts, seed)
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps([name, kept[name]]) + "\n")
    return kept[name]


def _waged(guard: str, way: str, accounts: int, seed: int) -> dict[str, Any]:
    from temper.attacks.technique.direct import Direct
    from temper.attacks.technique.honest_rows import HonestRows
    from temper.attacks.technique.steal import Steal
    from temper.attacks.technique.transfer import Transfer
    from temper.engine.campaign.door import Ended

    on, counts = _ground(guard, accounts, seed), Counter[str]()
    natural = 1.0 if way == "natural" else 0.0
    plan = [("steal", HonestRows(), 60)]
    plan += [("steal", Steal(natural=natural), 100)] * 2 if way != "direct" else []
    attack = ("attack", Direct() if way == "direct" else Transfer(), 100)
    try:
        for step, technique, size in (*plan, *[attack] * (QUERIES // 50)):
            if not on.accounts:
                on.wait(on.rested() + 1e-6)
            if step == "attack" and way != "direct" and "copy" not in on.kept:
                on.say("no copy could be made")
                break
            before = len(on.told)
            on.begin(on.campaign.objectives[0], step, size)
            on.kept.setdefault("threshold", 0.5) if step == "attack" else None
            _played(on, technique, seed)
            counts += _counted(on.told[before:], step)
    except Ended:
        pass
    counts["passed"] = len(on.got)
    why = Counter(name for _, told, *_ in on.told for name in told.why)
    moved = float(sum(one.worth for one in on.got))
    return {"counts": counts, "why": why, "days": on.clock / 86_400.0, "moved": moved, "said": on.lines}


def _played(on: Any, technique: Any, seed: int) -> None:
    from temper.core.seed import Draws

    technique.play(on, Draws(seed, f"bench.{type(technique).__name__}.{len(on.told)}"))


def _counted(told: list[Any], step: str) -> Counter[str]:
    """What became of these questions."""
    found = Counter[str]()
    for _, one, *_ in told:
        away = one.status != 200
        held, bare = not away and one.level >= 2, not away and one.level < 2 and one.score is None
        kind = "away" if away else "held" if held else "bare" if bare else "told"
        found.update((kind, "asked", f"{step} asked", *((f"{step} hindered",) if kind != "told" else ())))
    return found


def _ground(guard: str, accounts: int, seed: int) -> Any:
    from temper.core.campaign import Attacker, Campaign, Objective
    from temper.engine.campaign.door import Once
    from temper.engine.campaign.inside import Inside
    from temper.engine.campaign.staged import ground, staged

    system = _system()
    attacker = Attacker(
        accounts=tuple(f"account-{at}" for at in range(accounts)),
        queries=QUERIES,
        pace=30.0,
        change=COST,
        wanted=WANTED,
    )
    campaign = Campaign(objectives=(Objective(goal=1e9, amount="amount"),), attacker=attacker)
    door = Inside(system=system, once=Once(journal=Forgotten(), scope="bench"), serving=_serving(guard))
    return ground(system, campaign, staged(system, campaign, seed), door, seed)


def _serving(guard: str) -> Any:
    """The parts that are named, and no others."""
    from temper.config.serving import Serving
    from temper.core.serving import Mode

    if not GUARDS[guard]:
        return None
    on = tuple((name, Mode.ENFORCE, options) for name, options in GUARDS[guard].items())
    off = tuple((name, Mode.OFF, {}) for name in _OFF if name not in GUARDS[guard])
    return Serving(deadline=3_600.0, profile=str(_folder() / "profile.npz"), stages=(*on, *off))


@cache
def _system() -> Any:
    import temper
    from temper.demos import fraud

    path = _folder() / "fraud" / "temper.yaml"
    return temper.load(path if path.exists() else fraud.write(path.parent))


def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / "temper-bench-campaign"
    folder.mkdir(exist_ok=True)
    return folder


if __name__ == "__main__":
    np.seterr(all="ignore")
    sys.exit(main(sys.argv[1:]))
