"""Campaigns that people answer, beside the same ones that nobody answers: seen, contained, and what passes then.

    python -m bench.campaign.answered [--quick] [NAME ...]

SIMULATED throughout: the fraud demo with its guard, its monitor (windows of an hour) and the playbooks that come with
Temper; honest traffic is held-out rows drawn again, people take an incident so long after it was opened and need so
long for a step. 13 stopped rows are wanted, 8 of them sought, within 250 queries and a day. "hurried" asks once a
second, "patient" every two minutes. Three campaigns by other seeds and rows each, waged twice: the same seed with
people and without. [ ]: Wilson, 95 %; rows of one campaign share a guard. Times: median of the turns that were seen,
from the first to the last.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.table import machine, table

ONE, FIVE = "[shop-1]", "[shop-1, shop-2, shop-3, shop-4, shop-5]"
WAYS: dict[str, tuple[float, str, str]] = {
    "hurried, people within the hour": (1.0, ONE, "{takes: 1h, step: 5m}"),
    "patient, people within the hour": (120.0, ONE, "{takes: 1h, step: 5m}"),
    "patient, people within ten minutes": (120.0, ONE, "{takes: 10m, step: 1m}"),
    "patient, five accounts, within ten minutes": (120.0, FIVE, "{takes: 10m, step: 1m}"),
}
CAMPAIGN = """
campaign:
  objectives: [{{aim: move, goal: 8, within: 1}}]
  attacker: {{queries: 250, pace: {pace}, patience: 1, wanted: 13, accounts: {accounts}}}
  team: {team}
"""


def main(words: list[str]) -> int:
    """One line for each way."""
    suite, named = "quick" if "--quick" in words else "standard", [word for word in words if not word.startswith("--")]
    print(machine("numpy", "scikit-learn", "xgboost-cpu"))
    chosen = [name for name in WAYS if not named or any(name.startswith(word) for word in named)]
    columns = (
        "way", "turns seen", "detected after, s", "contained after, s", "of the goal, answered", "nobody answers",
        "passed before", "passed since", "since, nobody answers", "false alarms", "honest stopped",
    )  # fmt: skip
    table(f"fraud demo (SIMULATED), suite {suite}", columns, [line(name, suite) for name in chosen])
    return 0


def line(name: str, suite: str) -> tuple[str, ...]:
    """What was measured, in words."""
    found = told(name, suite)
    share, since = found["share"], found.get("passed_contained")
    early = found.get("passed_uncontained")
    return (
        name,
        _rate(found["detected"]),
        _times(found.get("time_to_detect")),
        _times(found.get("time_to_contain")),
        f"{share['value']:.2f}",
        f"{dict(share['baseline']).get('nobody answers', 0.0):.2f}",
        "–" if since is None else f"{dict(since['baseline']).get('before', 0.0):.3f}",
        "–" if since is None else f"{_rate(since)} ({early['n'] if early else 0} rows passed in all)",
        "–" if since is None else f"{dict(since['baseline']).get('nobody answers', 0.0):.3f}",
        _rate(found["false_alarms"]) if "false_alarms" in found else "–",
        f"{found['honest'][1]} and {found['honest'][2]} of {found['honest'][0]}",
    )


def told(name: str, suite: str) -> dict[str, Any]:
    """The measurements of these campaigns, made once."""
    file = Path(tempfile.gettempdir()) / "temper-bench-campaign" / "answered.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = dict(map(json.loads, file.read_text(encoding="utf-8").splitlines())) if file.exists() else {}
    key = json.dumps([name, suite])
    if key not in kept:
        kept[key] = waged(name, suite)
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps([key, kept[key]]) + "\n")
    found: dict[str, Any] = kept[key]
    return found


def waged(name: str, suite: str) -> dict[str, Any]:
    """The campaigns themselves."""
    import temper
    from temper.demos.serving import prepared

    pace, accounts, team = WAYS[name]
    with tempfile.TemporaryDirectory() as folder:
        path = prepared(Path(folder))
        text = path.read_text(encoding="utf-8") + CAMPAIGN.format(pace=pace, accounts=accounts, team=team)
        path.write_text(text, encoding="utf-8")
        record = temper.redteam(temper.load(path), suite, purple=True).record
    wanted = ("detected", "time_to_detect", "time_to_contain", "share", "passed_contained", "passed_uncontained")
    found = {
        one.metric: {name: getattr(one, name) for name in ("value", "low", "high", "n", "baseline")}
        for one in record.measurements
        if one.metric in (*wanted, "false_alarms")
    }
    assert record.campaign is not None
    assert record.campaign.defended is not None
    return found | {"honest": record.campaign.defended.honest}


def _rate(one: dict[str, Any]) -> str:
    return f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}], n {one['n']}"


def _times(one: dict[str, Any] | None) -> str:
    return "never" if one is None else f"{one['value']:,.0f} ({one['low']:,.0f} to {one['high']:,.0f})"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
