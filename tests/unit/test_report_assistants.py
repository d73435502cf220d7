"""The page of a red team: funnel, wrapper against carrier, layers, titles and claims; drawn from figures, and inert."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from temper.core.defence import Effect
from temper.core.measure import Cell, Cross, Measurement
from temper.core.requirement import Judgement, Policy, Requirement, Verdict
from temper.core.run import Record
from temper.report import assistants
from temper.report._claims import claim_rows, tally
from temper.report._figure import deciding
from temper.report.html import render
from temper.testing.records import HOSTILE, record
from temper.validation.gate import judge

CROSS = Cross(
    rows="wrapper",
    columns="carrier",
    cells=(
        Cell(row="ignore", column="mail", hits=9, n=30, prompts=10),
        Cell(row="ignore", column="page", hits=0, n=6, prompts=2),
        Cell(row="plain", column="mail", hits=0, n=30, prompts=10),
    ),
)


def stage(metric: str, value: float) -> Measurement:
    ends = {"low": max(0.0, value - 0.1), "high": min(1.0, value + 0.1)}
    return Measurement(
        plugin="injection.funnel", metric=metric, value=value, n=60, unit="share", clusters=((0.0, 20),), **ends
    )


FUNNEL = tuple(
    stage(name, value) for name, value in (("delivered", 1.0), ("passed_guard", 0.5), ("obeyed", 0.2), ("harmed", 0.1))
)


def effect(name: str, metric: str, before: float, after: float, clear: bool = True) -> Effect:
    width = 0.1 if clear else 0.9
    gap = after - before
    way = "higher" if metric == "tasks" else "lower"
    ends = {"low": gap - width, "high": gap + width}
    return Effect(defence=name, metric=metric, before=before, after=after, difference=gap, n=50, better=way, **ends)


TRIED = tuple(
    one
    for name, after in (("rules alone", 0.2), ("all stages", 0.0))
    for one in (
        effect(name, assistants.ATTACKS, 0.6, after),
        effect(name, "tasks", 1.0, 0.5),
        effect(name, "twins_stopped", 0.0, 0.05, clear=False),
    )
)


def page(words: str = "plain") -> Record:
    return replace(
        record(words), measurements=FUNNEL, crosses=(CROSS,), titles=(("owasp-llm:LLM01", "Prompt Injection"),)
    )


def test_every_stage_of_the_funnel_is_drawn_with_its_figure() -> None:
    (chart,) = assistants.funnel(page())
    for words in ("delivered", "past the guard", "obeyed", "harmed", "100 %", "10 %"):
        assert words in chart.svg
    assert "60 trials of 20 prompts" in chart.caption
    assert assistants.funnel(replace(page(), measurements=())) == []


def test_a_cell_with_too_few_prompts_says_so_and_one_never_tried_is_no_zero() -> None:
    (grid,) = assistants.grid(page())
    lines = dict(grid["lines"])
    heads = grid["heads"]
    assert heads[0] == "mail"
    mail, pages = lines["ignore"][heads.index("mail")], lines["ignore"][heads.index("page")]
    assert (mail["share"], mail["few"], mail["heat"]) == ("30 %", False, 3)
    assert (pages["share"], pages["few"]) == ("0 %", True)
    assert lines["plain"][heads.index("page")] is None
    assert lines["all"][heads.index("all")] == {
        "share": "14 %", "n": "66", "prompts": "22", "few": False, "heat": 2,
    }  # fmt: skip
    assert list(lines) == ["ignore", "plain", "all"]
    text = render(page())
    assert "n = 6, few" in text
    assert "3 of 4 cells were tried" in text


def test_layers_are_drawn_on_three_counts_and_clear_changes_in_colour() -> None:
    (chart,) = assistants.layers(TRIED, "all stages")
    for words in ("rules alone", "all stages", "attacks that succeed", "tasks done", "twins stopped"):
        assert words in chart.svg
    assert "n = 50 trials" in chart.caption
    assert "Taken: all stages" in chart.caption
    for color in (assistants.GOOD, assistants.BAD, assistants.SAME):
        assert color in chart.svg
    assert assistants.layers(TRIED[:3]) == []


def test_ids_have_their_titles_beside_them() -> None:
    found = replace(page().findings[0], references=("owasp-llm:LLM01", "own:1"))
    text = render(replace(page(), findings=(found,)))
    assert "owasp-llm:LLM01 <i>Prompt Injection</i>" in text
    assert ">own:1</span>" in text


def claims(*counts: tuple[int, int]) -> tuple[Judgement, Record]:
    rule = Requirement(id="holds", metric="injection.strongest.success_rate", slice="*", at_most=0.05)
    measured = tuple(
        Measurement(
            plugin="injection.strongest", metric="success_rate", value=hits / n, count=hits, n=n, slice=f"goal {at}"
        )
        for at, (hits, n) in enumerate(counts)
    )
    (judgement,) = judge(Policy(name="p", requirements=(rule,)), measured, date(2026, 1, 1))
    return judgement, replace(page(), judgements=(judgement,), measurements=measured)


def test_claims_are_listed_with_n_interval_and_corrected_p() -> None:
    judgement, made = claims((15, 20), (0, 30), (2, 60))
    assert tally(judgement.claims) == "3 claims at once: 1 fail, 2 open"
    rows = claim_rows(judgement, True)
    assert [row["verdict"] for row in rows] == [Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE]
    assert rows[0]["p"] == "< 0.001"
    assert {row["name"]: row["needed"] for row in rows}["goal 1"] == "59 rows"
    text = render(made)
    assert "3 claims at once: 1 fail, 2 open" in text
    assert "p, corrected" in text
    assert claim_rows(claims((15, 20))[0], True) == []


@pytest.mark.parametrize("part", ["row", "column"])
def test_hostile_words_are_inert(part: str) -> None:
    cells = tuple(replace(cell, **{part: HOSTILE}) for cell in CROSS.cells[:1])
    text = render(replace(page(HOSTILE), crosses=(replace(CROSS, cells=cells),)), tried=TRIED)
    assert "<script>" not in text
    assert "<img" not in text


def test_a_judgement_shows_the_figure_of_its_own_slice_though_another_has_the_same_value() -> None:
    rule = Requirement(id="users", metric="injection.strongest.success_rate", slice="*via user", at_most=0.1)
    outside, inside = (
        Measurement(plugin="injection.strongest", metric="success_rate", slice=f"call via {who}", value=0.65, n=20)
        for who in ("outsider", "user")
    )
    spoken = Judgement(requirement=rule, verdict=Verdict.FAIL, measured=inside.name, value=0.65, n=20, explanation="")
    assert deciding(spoken, [outside, inside]) is inside
