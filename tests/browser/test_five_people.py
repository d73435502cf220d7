"""Five people, each with the rights of their role, from the order of an assessment to the case of a customer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from browser.console import marks, served, tab
from temper.config.sign_in import BACK
from temper.core.review import Role, State
from temper.store.database import Store
from temper.web.assessed import Assessed
from temper.web.provider import Provider
from unit.identities import Issuer, issuing
from unit.kept_runs import RUNS
from unit.web_desk import NOW, World

pytestmark = marks


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str, Issuer]]:
    """A console with runs, a case and somebody's proposal, and a provider on another site: `localhost` is one."""
    folder = tmp_path_factory.mktemp("five")
    (folder / "temper.yaml").write_text("system: {name: card-fraud}\n")
    store = Store.open(folder)
    for one in RUNS:
        store.save_run(one)
    with issuing("localhost") as issuer:
        provider = Provider(settings=issuer.settings(roles={"ml": Role.TESTER}))
        with served(folder, assessed=Assessed.of(folder / "temper.yaml"), provider=provider) as (world, at):
            provider.settings = replace(provider.settings, redirect=at + BACK)
            issuer.who, issuer.groups, issuer.now = "erin", ["ml"], world.clock
            world.case()
            world.control.policies.propose(
                {"anomaly": {"mode": "enforce"}}, {"anomaly": {"mode": "shadow"}}, "ab" * 32, "val", "it was seen", NOW
            )
            yield world, at, issuer


def test_five_people_do_their_part_and_no_other(browser: Any, place: tuple[World, str, Issuer]) -> None:
    world, at, issuer = place
    _engineer_orders(browser, at)
    _red_teamer_reads_down_to_the_row(browser, world, at)
    _validator_reads_the_evidence(browser, world, at)
    _approver_approves(browser, world, at)
    _analyst_decides(browser, world, at)
    told = {(one.who, one.action) for one in world.control.audit.page(99)}
    assert {("erin", "job.put"), ("pia", "policy.approve"), ("ana", "review.decide")} <= told
    (opened,) = [one for one in world.control.audit.page(99) if one.who == "erin" and one.action == "session.open"]
    assert opened.detail == {"issuer": issuer.address}
    assert world.control.audit.verify() == []


def _engineer_orders(browser: Any, at: str) -> None:
    """Comes in by the provider, from another site and back, and is signed in on the page that follows."""
    context = browser.new_context(base_url=at)
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.goto("/jobs")
    page.get_by_role("link", name="Log in with localhost").click()
    page.wait_for_url("**/jobs")
    assert page.get_by_text("erin").is_visible()
    page.get_by_label("Evasion").check()
    page.get_by_label("Why").fill("release 12")
    page.get_by_role("button", name="Order it").click()
    page.get_by_text("It is ordered").wait_for()


def _red_teamer_reads_down_to_the_row(browser: Any, world: World, at: str) -> None:
    page = tab(browser, world, at, "tess")
    page.goto("/runs/0001")
    page.get_by_role("link", name="Hop: 62 of 100").click()
    row = page.get_by_role("row", name="amount")
    assert (row.locator("del").inner_text(), row.locator("ins").inner_text()) == ("231.00", "214.50")
    page.goto("/cases/1")
    assert page.get_by_text("Deciding takes the role analyst, approver or admin.").is_visible()
    assert page.get_by_role("button", name="Claim").count() == 0


def _validator_reads_the_evidence(browser: Any, world: World, at: str) -> None:
    page = tab(browser, world, at, "val")
    page.goto("/")
    page.get_by_role("link", name="Audit").click()
    assert page.get_by_role("row", name="job.put").get_by_text("erin").is_visible()
    page.get_by_role("link", name="Policies").click()
    page.goto("/policies/1")
    assert page.get_by_role("button", name="Approve").count() == 0
    assert page.goto("/operations").status == 403


def _approver_approves(browser: Any, world: World, at: str) -> None:
    page = tab(browser, world, at, "pia")
    page.goto("/policies/1")
    page.get_by_label("Reason").fill("agreed")
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("The policy is in force.").wait_for()


def _analyst_decides(browser: Any, world: World, at: str) -> None:
    page = tab(browser, world, at, "ana", java_script_enabled=False)
    page.goto("/queue")
    page.get_by_role("button", name="Claim the next case").click()
    page.get_by_label("Block").check()
    page.get_by_label("Reason").fill("three accounts, one device")
    page.get_by_role("button", name="Decide").click()
    assert page.get_by_text("Your decision is recorded.").is_visible()
    assert world.control.reviews.get(1).state is State.CLOSED
