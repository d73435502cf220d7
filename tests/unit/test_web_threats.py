"""Pages of threats, risk and hardening: what a run keeps, what has changed since, and the way to the rows behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from temper.core.run import Record
from temper.report import risk as risk_of_report
from temper.report.charts import Chart
from temper.store.codec import dump, load
from temper.web import hardening
from unit.kept_runs import RUNS, assessed
from unit.kept_threats import ACCEPTED, FIRST, HARDENED, STRESSED, YAML
from unit.test_web_runs import words
from unit.web_desk import World

DRAWN = Chart(title="Risk matrix", caption="numbers", svg='<svg style="max-width:640px"><text>1</text></svg>')


@pytest.fixture(scope="module", autouse=True)
def undrawn() -> Iterator[None]:
    """Charts have tests of their own, and drawing takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(risk_of_report, "drawn", lambda register, before=None: (DRAWN,))
        patch.setattr(hardening, "course", lambda records: [DRAWN] if len(records) > 1 else [])
        patch.setattr(hardening, "tradeoff", lambda tried, chosen: [DRAWN])
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with assessed(tmp_path_factory.mktemp("threats"), (FIRST, HARDENED)) as found:
        yield found


def page(world: World, path: str) -> str:
    answer = world.browser("vera").get(path)
    assert answer.status == 200
    return str(answer.text)


def test_a_concern_says_because_what_tried_it_and_what_answers_it(world: World) -> None:
    text = page(world, "/threats")
    told = words(text)
    assert "Because outsiders can query it; outsiders see a score." in told
    assert "2 tests: 1 of 2 stale, 1 untested" in told, "attacks were added since"
    assert "In place: query limit on the card API" in told
    assert "1 of 2 controls in place" in told
    assert "Could be: noise" in told
    assert "Nobody has answered Where is it asked? service.url Assumed: nowhere." in told
    assert "it has no gradients model.gradients is no Gradients" in told
    assert 'class="flows"' in text
    assert "&lt;b&gt;customers" in text
    assert "style=" not in text, "pages take their style from the sheet"


def test_a_description_that_is_older_than_the_model_is_said(world: World, tmp_path: Path) -> None:
    assert "the description is as it was in run 0001" in words(page(world, "/threats"))
    with assessed(tmp_path, (HARDENED,)) as alone:
        assert "the description" not in words(page(alone, "/threats"))
        (tmp_path / "temper.yaml").write_text(YAML + "exposure: {public: true}\n", encoding="utf-8")
        assert "the description in temper.yaml has changed since run 0002" in words(page(alone, "/threats"))
        (tmp_path / "temper.yaml").write_text("system: [", encoding="utf-8")
        assert "temper.yaml cannot be read" in words(page(alone, "/threats"))


def test_a_run_that_renews_one_part_leaves_the_evidence_of_the_others(tmp_path: Path) -> None:
    with assessed(tmp_path, (FIRST, HARDENED, STRESSED)) as world:
        text = page(world, "/threats")
    assert "as of run 0003" in words(text)
    assert 'href="/runs/0002/figures?kind=evasion"' in text
    assert 'href="/runs/0002/figures?kind=fairness"' in text
    assert 'href="/runs/0002/findings/F-7c1e22"' in text


def test_the_register_has_intervals_and_links_to_what_it_rests_on(world: World) -> None:
    text = page(world, "/risk")
    row = re.search(r'<tr id="risk-\d+">(?:(?!</tr>).)*Evade by probing.*?</tr>', text, re.S)
    assert row
    told = words(row[0])
    assert re.search(r"1[01](\.\d)? % \([\d.]+ % to [\d.]+ %\) was [\d.]+ %", told)
    assert "● MEASURED" in told
    assert 'evasion.hop, <a href="/runs/0002">run 0002</a>: 10 of 100 rows' in row[0]
    assert 'href="/runs/0002/findings/F-7c1e22"' in row[0]
    assert 'href="/threats#concern-1"' in row[0]
    assert "STALE since: attacks or threats were added or changed since" in told
    assert "○ UNTESTED" in words(text)
    assert "would decide: temper assess --only validation.fairness" in words(text)
    assert "Risk matrix" in text
    assert "style=" not in text


def test_acceptances_hold_or_lapse_as_temper_yaml_says_today(tmp_path: Path) -> None:
    with assessed(tmp_path, (FIRST, HARDENED)) as world:
        assert "Nobody has accepted any" in words(page(world, "/risk"))
        (tmp_path / "temper.yaml").write_text(YAML + ACCEPTED, encoding="utf-8")
        told = words(page(world, "/risk"))
        (tmp_path / "temper.yaml").write_text(f"{YAML}risk: {{acepted: []}}\n", encoding="utf-8")
        assert "acepted" in words(page(world, "/risk"))
    assert "17 days left R. Vos until 2027-02-01: refunds are small" in told
    assert "lapsed 5 days ago R. Vos until 2027-01-10: until the audit" in told
    assert "accepted by R. Vos until 2027-02-01" in told, "as the run kept it"


def test_what_a_hardening_bought_and_cost_is_paired_and_what_was_tried_is_listed(world: World) -> None:
    told = words(page(world, "/hardening"))
    assert "adversarial_trees run 0001 → run 0002" in told
    assert "What it bought" in told
    assert "62 % 10 % −52 points −54 to −50 points 100" in told
    assert re.search(r"auc adversarial_trees 0.96 0.955 −0.005 −0.025 to \+0.015", told)
    assert "2 defences tried, 1 could not be" in told
    assert "could not be tried: needs gradients" in told
    assert "0.5 0.958" not in told, "what was not taken is in the chart, not in what it bought"


def test_a_model_that_came_from_elsewhere_is_compared_run_against_run(tmp_path: Path) -> None:
    with assessed(tmp_path, (FIRST, replace(HARDENED, hardening=None))) as world:
        told = words(page(world, "/hardening"))
    assert "This run does not say how its model came about" in told
    assert "evasion · strongest · success rate 62 % 10 % −52 points" in told


def test_runs_without_a_model_or_a_register_say_which_command_makes_one(tmp_path: Path) -> None:
    with assessed(tmp_path, RUNS[:1]) as world:
        assert "Run 0001 was made before runs kept their threat model. temper threats" in words(page(world, "/threats"))
        assert "temper threats --risk makes one" in words(page(world, "/risk"))
        assert "There is one model so far (run 0001 ). temper harden" in words(page(world, "/hardening"))
    for path in ("/threats", "/risk", "/hardening"):
        (tmp_path / path[1:]).mkdir()
        with assessed(tmp_path / path[1:], ()) as empty:
            assert "Nothing was assessed yet" in words(page(empty, path))


def test_the_overview_leads_to_all_three(world: World) -> None:
    text = page(world, "/")
    for path in ("/threats", "/risk", "/hardening"):
        assert f'href="{path}"' in text
    assert "taken: adversarial_trees" in words(text)


def test_a_stored_run_comes_back_with_what_was_tried() -> None:
    assert load(Record, dump(HARDENED)) == HARDENED
