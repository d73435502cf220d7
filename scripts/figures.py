"""Run the fraud demo from its seed and compare every figure with the expected ones in tests/golden/fraud_demo.json.

    python scripts/figures.py            1 if a figure moved, appeared or disappeared
    python scripts/figures.py --write    write the expected figures again, after the change of them is understood

The same seed gives the same figures on one platform. Another processor may round a tree's sum differently and flip a
row or two, so a figure may move a little; a verdict or a status may not move at all.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

EXPECTED = Path(__file__).parents[1] / "tests" / "golden" / "fraud_demo.json"
ROWS = 0.02 + 1e-9  # a share of rows may move by two rows in a hundred
REST = (0.001, 0.05)  # any other figure by this much and this share of itself
CUSTOMERS, DAYS = 1000, 60

Figures = dict[str, dict[str, Any]]


def main(words: list[str]) -> int:
    """Run, then write or compare; 0 when the figures are the expected ones."""
    found = run()
    if "--write" in words:
        EXPECTED.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return 0
    faults = compare(json.loads(EXPECTED.read_text(encoding="utf-8")), found)
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    if faults:
        sys.stderr.write("  fix: python scripts/figures.py --write, if every one of these changes is meant\n")
    else:
        sys.stdout.write(f"fraud demo: {len(found)} figures as expected\n")
    return bool(faults)


def run() -> Figures:
    """Assess, harden and assess again, in a folder that is thrown away."""
    import temper
    from temper.demos import fraud

    with tempfile.TemporaryDirectory() as folder:
        system = temper.load(fraud.write(folder, seed=0, customers=CUSTOMERS, days=DAYS))
        before = temper.assess(system, suite="quick", seed=0, engine="serial")
        better = temper.harden(system, before)
    return figures("before", before) | figures("after", better.after)


def figures(when: str, run: Any) -> Figures:
    """The verdict of a run and each of its measurements by name."""
    table: Figures = {f"{when} verdict": {"status": run.verdict.value, "value": None, "unit": ""}}
    for m in run.measurements:
        table[f"{when} {m.name} ({m.slice})"] = {"status": m.status.value, "value": m.value, "unit": m.unit}
    return table


def compare(expected: Mapping[str, Mapping[str, Any]], found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line per figure that moved, appeared or disappeared.

    >>> was = {"evasion.success_rate": {"status": "ok", "value": 0.30, "unit": "share of rows"}}
    >>> compare(was, {"evasion.success_rate": {"status": "ok", "value": 0.31, "unit": "share of rows"}})
    []
    >>> compare(was, {"evasion.success_rate": {"status": "ok", "value": 0.40, "unit": "share of rows"}})
    ['evasion.success_rate: expected 0.3 (ok), got 0.4 (ok)']
    >>> compare(was, {})
    ['evasion.success_rate: expected, not measured']
    """
    return list(_faults(expected, found))


def _faults(expected: Mapping[str, Mapping[str, Any]], found: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    for name in sorted({*expected, *found}):
        if name not in found:
            yield f"{name}: expected, not measured"
        elif name not in expected:
            yield f"{name}: measured, not expected"
        elif not _same(expected[name], found[name]):
            was, now = expected[name], found[name]
            yield f"{name}: expected {was['value']} ({was['status']}), got {now['value']} ({now['status']})"


def _same(was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    if was["status"] != now["status"] or (was["value"] is None) != (now["value"] is None):
        return False
    if was["value"] is None or was["unit"] == "s":  # seconds are not repeatable
        return True
    room = ROWS if was["unit"].startswith("share") else REST[0] + REST[1] * abs(was["value"])
    return bool(abs(was["value"] - now["value"]) <= room)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
