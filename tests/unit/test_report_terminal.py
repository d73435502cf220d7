"""What the commands print about runs, comparisons and hardening."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from temper.core.defence import Effect
from temper.core.run import Skipped
from temper.report._blocks import Named
from temper.report.terminal import show, show_comparison, show_hardening
from unit.test_report_invented import fraud, sturdy


def screen() -> Console:
    return Console(file=io.StringIO(), width=140, color_system=None)


def text_of(console: Console) -> str:
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_a_run_ends_with_its_verdict_the_next_step_and_the_report() -> None:
    console = screen()
    show(fraud(), Path("runs/0001/report.html"), console)
    text = text_of(console)
    assert "Threat model" not in text
    lines = text.strip().splitlines()
    assert lines[-1].strip() == "report: runs/0001/report.html"
    assert "Verdict: ✗ FAIL" in text


def test_a_comparison_puts_what_got_worse_first_and_names_findings() -> None:
    console = screen()
    before, after = fraud().measurements[0], sturdy().measurements[0]
    same = SimpleNamespace(
        name="a.b",
        slice="all",
        change="unchanged",
        before=before,
        after=before,
        difference=0.0,
        low=-0.1,
        high=0.1,
        why="",
    )
    worse = SimpleNamespace(
        name="c.d", slice="x", change="worse", before=after, after=before, difference=0.39, low=0.3, high=0.5, why=""
    )
    gone = SimpleNamespace(
        name="e.f", slice="all", change="gone", before=before, after=None, difference=None, low=None, high=None, why=""
    )
    comparison = SimpleNamespace(figures=(same, gone, worse), new=("N",), fixed=("F",), unchanged=("U",))
    show_comparison(sturdy(), fraud(), comparison, console)
    text = text_of(console)
    assert "run 0002 (PASS) against run 0001 (FAIL)" in text
    assert text.index("c.d [x]") < text.index("e.f") < text.index("a.b")
    assert "+39 points" in text
    assert "+30 to +50 points" in text
    for line in ("new: N", "fixed: F", "still there: U"):
        assert line in text


def trial(defence: str, outcome: str, gain: float) -> SimpleNamespace:
    shared = {"defence": defence, "n": 100}
    found = (
        Effect(
            metric="evasion.any.success_rate",
            before=0.6,
            after=0.6 + gain,
            difference=gain,
            low=gain - 0.1,
            high=gain + 0.1,
            **shared,
        ),
        Effect(metric="auc", before=0.9, after=0.89, difference=-0.01, low=-0.02, high=0.0, **shared),
    )
    return SimpleNamespace(
        defence=defence, outcome=outcome, effects=found, effect=lambda name: next(e for e in found if e.metric == name)
    )


def test_hardening_shows_every_trial_those_that_failed_included() -> None:
    console = screen()
    trials = [
        trial("monotone", "chosen: fewer rows break", -0.38),
        trial("augment", "not taken: costs quality", 0.02),
    ]
    skipped = [Skipped(name="adversarial", why="needs gradients")]
    metric = "evasion.any.success_rate"
    result = SimpleNamespace(goal="evasion", metric=metric, trials=trials, skipped=skipped, chosen=trials[0])
    better = SimpleNamespace(
        before=SimpleNamespace(record=fraud()),
        after=SimpleNamespace(record=sturdy()),
        results=(result,),
        taken=("monotone",),
    )
    show_hardening(better, Path("hardened"), Path("runs/0002/report.html"), console)
    text = text_of(console)
    for shown in (
        "chosen: fewer rows break",
        "not taken: costs quality",
        "not tried: needs gradients",
        "-38 points",
        "-48 to -28",
        "+2 points",
        "auc -0.010 [-0.020, +0.000]",
        "✓ PASS",
        "hardened system: hardened",
        "report: runs/0002/report.html",
    ):
        assert shown in text


def test_the_hint_about_rows_is_given_once() -> None:
    console = screen()
    told = [
        replace(j, explanation=f"{j.explanation}: about 2,870 rows would decide it.") if j.needed else j
        for j in fraud().judgements
    ]
    show(replace(fraud(), judgements=tuple(told), findings=()), None, console)
    assert "About 2,870" not in text_of(console)


@pytest.mark.parametrize("width", [40, 80, 110])
def test_names_of_requirements_are_broken_between_words_alone(width: int) -> None:
    """So that an id can be read, and found by its parts, in any terminal."""
    name, figure_ = "bounds-the-odds-on-a-member", "poisoning.label_flip_targeted.recall_loss_at_threshold"
    console = Console(file=io.StringIO(), width=width)
    console.print(Named(name, figure_))
    lines = console.file.getvalue().split()
    assert "".join(lines) == name + figure_
    assert all(line.endswith((*"._-", "member", "threshold")) for line in lines)
