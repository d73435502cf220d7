"""Two runs side by side: the interval of the difference decides what is better, worse or unchanged."""

from __future__ import annotations

import pytest

from temper.core.comparison import compare, mover
from temper.core.finding import Finding
from temper.core.measure import Better, Measurement, Status
from temper.core.requirement import Verdict
from temper.core.run import Record
from temper.kernels.rate import measure_rate, wilson


def record(*measurements: Measurement, findings: tuple[Finding, ...] = ()) -> Record:
    return Record(
        id="1",
        system="s",
        suite="quick",
        seed=0,
        started="",
        seconds=0,
        state="finished",
        verdict=Verdict.PASS,
        measurements=measurements,
        findings=findings,
    )


def rate(count: int, n: int = 100, **more: object) -> Measurement:
    return measure_rate("evasion.x", "success_rate", count, n, **more)  # type: ignore[arg-type]


def change(before: Measurement, after: Measurement) -> str:
    return compare(record(before), record(after)).figures[0].change


def test_the_interval_is_newcombes_for_two_wilson_intervals() -> None:
    """Newcombe 1998, table II, example (a): 56/70 - 48/80 = 0.20, interval 0.0524 to 0.3339."""
    gap, low, high = mover(rate(48, 80), rate(56, 70))
    assert (gap, low, high) == (pytest.approx(0.2), pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))
    assert wilson(48, 80)[0] < 0.6


def test_a_clear_fall_of_a_success_rate_is_better_and_a_rise_worse() -> None:
    assert change(rate(60), rate(20)) == "better"
    assert change(rate(20), rate(60)) == "worse"
    assert change(rate(20), rate(24)) == "unchanged"
    up = {"better": Better.HIGHER}
    assert change(rate(20, **up), rate(60, **up)) == "better"


def test_what_could_not_be_measured_is_not_compared() -> None:
    absent = Measurement(plugin="evasion.x", metric="success_rate", value=None, status=Status.UNTRIED, reason="no data")
    found = compare(record(rate(60)), record(absent)).figures[0]
    assert found.change == "not comparable"
    assert "no data" in found.why


def test_figures_of_one_run_only_are_new_or_gone() -> None:
    assert compare(record(), record(rate(1))).figures[0].change == "new"
    assert compare(record(rate(1)), record()).figures[0].change == "gone"


def test_findings_are_matched_by_what_they_are_about() -> None:
    def finding(plugin: str, title: str) -> Finding:
        return Finding(id=title, title=title, plugin=plugin, metric="m", severity="low")

    before = record(findings=(finding("a", "was"), finding("b", "stays")))
    looked = measure_rate("a", "success_rate", 0, 50)
    after = record(looked, findings=(finding("b", "stays on"), finding("c", "came")))
    found = compare(before, after)
    assert (found.fixed, found.unchanged, found.new) == (("was",), ("stays on",), ("came",))
    assert compare(before, record()).unknown == ("was", "stays"), "not looked for is not fixed"
