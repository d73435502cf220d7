"""A bench judges by the policy that people have put in force, says which, and goes back when they do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from temper.api import probes
from temper.config.serving import plain
from temper.core.errors import TemperError
from temper.guard.serving.followed import Followed, followed
from temper.store.control import Control
from unit.bench_world import bench, flagged
from unit.test_web_workbench import tried, words
from unit.web_desk import NOW, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World.at(tmp_path, bench=bench())) as found:
        yield found


def in_force(control: Control, **changed: object) -> int:
    own = bench()
    assert own.serving is not None
    before = plain(own.serving, own.system.threshold)
    one = control.policies.propose(before | changed, before, "d", "val", "a trial", NOW)
    control.policies.approve(one.id, "pia", "seen", NOW + 1)
    return one.id


def test_it_judges_by_the_policy_in_force_and_says_which(world: World) -> None:
    own = Followed(own=bench())
    assert own.now(world.control) is own.now(world.control) is bench()
    row, _ = bench().edited(bench().row(flagged()), {"amount": "30"})
    assert bench().look(row).decided == "honest"
    number = in_force(world.control, threshold=0.001, anomaly={"mode": "shadow"}, decide="off")
    now = own.now(world.control)
    found = now.look(row)
    assert (found.policy, found.decided, found.threshold) == (f"policy {number}", "fraud", 0.001)
    assert {one.stage: one.mode for one in found.told}["anomaly"] == "shadow"
    assert "decide" not in {one.stage for one in found.told}
    assert own.now(world.control) is now, "it is put together once"
    world.control.policies.rollback("pia", "back", NOW + 2)
    assert own.now(world.control).look(row).policy == "temper.yaml"


def test_one_that_no_second_person_saw_is_told_apart(world: World) -> None:
    record = world.control.policies.override({"anomaly": "off", "threshold": 0.9}, "book", "an emergency", NOW)
    assert followed(bench(), world.control).policy == f"record {record.seq}, which no second person saw"


def test_what_cannot_be_put_together_is_refused_and_never_judged_by_another(world: World) -> None:
    world.control.policies.override({"absent": "enforce"}, "book", "an emergency", NOW)
    with pytest.raises(TemperError, match="no stage 'absent'"):
        Followed(own=bench()).now(world.control)
    assert "no stage" in words(tried_quietly(world))


def tried_quietly(world: World):
    answer = world.browser("ana").get(f"/workbench?row={flagged()}")
    assert answer.status == 422
    return answer


def test_the_pages_name_it_and_a_probe_keeps_it(world: World) -> None:
    assert "judged by temper.yaml" in words(world.browser("ana").get("/workbench"))
    number = in_force(world.control, threshold=0.001)
    assert f"judged by policy {number}" in words(world.browser("ana").get("/workbench"))
    assert f'href="/policies/{number}"' in world.browser("ada").get("/workbench").text
    assert "fraud from 0.001" in words(world.browser("ana").get("/workbench"))
    where = tried(world, path="/probes", c0="30", hypothesis="h").header("location").partition("?")[0]
    world.control.policies.rollback("pia", "back", NOW + 2)
    page = words(world.browser("ana").get(where))
    assert f"judged by policy {number}" in page
    assert "the same model, another policy" in page


def test_a_terminal_follows_the_store_that_the_gateway_follows(tmp_path: Path) -> None:
    from unit.test_probe_cli import MODEL, YAML

    rows = "".join(f"{at / 40:.4f},{at % 4},{int(at > 20)}\n" for at in range(40))
    for name, text in (("test.csv", f"a,b,y\n{rows}"), ("model.py", MODEL), ("temper.yaml", YAML)):
        (tmp_path / name).write_text(text)
    path = tmp_path / "temper.yaml"
    assert probes.bench(path).policy == "temper.yaml"
    assert not (tmp_path / ".temper" / "control.db").exists()
    (tmp_path / ".temper").mkdir(exist_ok=True)
    with closing(Control.open(str(tmp_path / ".temper" / "control.db"))) as control:
        record = control.policies.override({"threshold": 0.99}, "book", "an emergency", NOW)
    found = probes.tried(path, 30, None, [])
    assert (found.look.decided, found.look.threshold) == ("1", 0.99)
    assert found.look.policy.startswith(f"record {record.seq}")
