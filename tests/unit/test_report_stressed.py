"""Stress at a glance: the order of stressors, what each line says, and what stays beside them."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from temper.core.measure import Better, Curve, Measurement, Point, Status
from temper.report import render
from temper.report.stressed import beside, boards, ranked
from tests.unit.test_report_invented import HOSTILE, fraud


def _loss(name: str, drops: tuple[float, ...], metric: str = "loss", unit: str = "drop in AUC") -> Measurement:
    points = tuple(Point(at=at, value=v, low=v - 0.01, high=v + 0.01, n=900) for at, v in enumerate((0.0, *drops)))
    return Measurement(
        plugin=f"stress.{name}", metric=metric, value=drops[2], low=drops[2] - 0.01, high=drops[2] + 0.01, n=900,
        unit=unit, better=Better.LOWER, curve=Curve(name=name, axis="severity", unit=unit, points=points),
    )  # fmt: skip


def _told(name: str, metric: str, value: float | None, slice: str = "all", caveat: str = "") -> Measurement:
    return Measurement(
        plugin=f"stress.{name}", metric=metric, value=value, low=value, slice=slice, caveats=(caveat,) if caveat else ()
    )


MILD = _loss("noise", (0.0, 0.01, 0.02, 0.03, 0.04))
WORSE = _loss("missing", (0.0, 0.02, 0.05, 0.1, 0.2))
DEAD = Measurement(plugin="stress.stale", metric="loss", value=None, status=Status.ERROR, reason="the model raised")
WORST = _told("combined", "worst_combination_loss", 0.3, "a of b and c of d at 5")


def test_the_worst_comes_first_and_a_model_that_stops_working_before_all() -> None:
    assert [m.plugin for m in ranked([MILD, WORST, WORSE, DEAD])] == ["stress.stale", "stress.missing", "stress.noise"]
    (board,) = boards([MILD, WORSE, DEAD])
    assert [line.value for line in board.lines] == ["stops working", "0.050", "0.020"]
    assert "under 1 the model stops working" in board.summary


def test_a_line_says_what_breaks_first_what_flips_and_what_it_costs_at_the_worst() -> None:
    figures = [
        WORSE,
        _told("missing", "first_severity", 2.0),
        _told("missing", "worst_column_loss", 0.031, "column:age"),
        _told("missing", "breaking_severity", 5.0, "survives-all: loss", "fails at none: more rows would decide it"),
        _told("missing", "breaking_severity", 4.0, "survives-missing: loss", "fails at severity 5"),
        _loss("missing", (0.0, 0.1, 0.2, 0.3, 0.4), "flip_rate", "share of decisions"),
        _loss("missing", (0.0, 10.0, 20.0, 30.0, 1_234.0), "cost", "extra cost per 1,000 rows"),
    ]
    (board,) = boards([MILD, *figures])
    line = board.lines[0]
    assert line.breaks == (("4", "survives-missing", True), ("5", "survives-all", False))
    assert line.cells == ("from 2", "40 %", "+1,234")
    assert board.lines[1].cells == ("", "", "")
    assert line.column == "age alone 0.031 at 5"
    assert "first missing at severity 4" in board.summary
    assert line.measurements == tuple(figures)


def test_a_column_that_may_cost_nothing_is_not_named() -> None:
    figures = [WORSE, replace(_told("missing", "worst_column_loss", 0.02, "column:age"), low=-0.01)]
    assert boards(figures)[0].lines[0].column == ""


def test_figures_of_another_unit_have_a_board_of_their_own() -> None:
    events = _loss("events.burst", (0.1, 0.1, 0.1, 0.1, 0.1), "flip_rate", "share of honest customers")
    first, second = boards([events, WORSE])
    assert (first.heads[0], second.heads[0]) == ("Stressor", "History")
    assert second.lines[0].value == "10 %"
    assert second.cells == ()


def test_what_speaks_of_several_stressors_stays_beside_the_lines() -> None:
    assert beside([WORSE, WORST]) == [WORST]
    page = render(replace(fraud(), measurements=(WORSE, WORST)), "html")
    assert (
        page.index("Worst combination found")
        < page.index('<details class="line">')
        < page.index('<figure class="chart">')
    )
    assert "a of b and c of d at 5" in page


def test_curves_share_a_scale_and_leave_out_what_is_no_number() -> None:
    hole = Point(at=3, value=math.nan, low=0.0, high=1.0)
    assert WORSE.curve is not None
    torn = replace(WORSE, curve=replace(WORSE.curve, points=(*WORSE.curve.points[:3], hole)))
    (board,) = boards([MILD, WORSE])
    ends = [float(re.findall(r'cy="([\d.]+)"', line.drawing)[0]) for line in board.lines]
    assert ends[0] == 4.0  # 0.2 is at the top
    assert ends[1] > 20  # 0.04 is near the ground
    assert "nan" not in boards([torn])[0].lines[0].drawing


def test_hostile_names_do_not_act_on_a_line() -> None:
    bad = [replace(WORSE, plugin=f"stress.{HOSTILE}"), replace(DEAD, reason=HOSTILE)]
    assert "<script" not in render(replace(fraud(), measurements=tuple(bad)), "html")
