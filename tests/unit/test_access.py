"""Who may do what: the table of rights, who decides cases, and what is written down of those who are refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from control_store import PASSWORD, peopled
from temper.cli.people import Rank
from temper.core.review import DESK, RIGHTS, Forbidden, Right, Role, Ruling
from temper.store.control.approvals import About

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "console.md"
ABOUT = About(run="r", system="s", digest="d", model="m", verdict="pass", maker="ann")


def test_rights_are_what_the_guide_says() -> None:
    told = {
        name: {Right(word) for word in re.findall(r"\w+", rights)}
        for name, rights in re.findall(r"^\| (\w+) \| `([^|]+)` \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert told == {role.label: set(rights) for role, rights in RIGHTS.items()}


def test_every_role_is_in_the_table_and_can_be_typed_and_who_decides_is_at_the_desk() -> None:
    assert set(RIGHTS) == set(Role)
    assert {one.value for one in Rank} == {one.value for one in Role}
    assert {role for role in Role if Right.DECIDE in RIGHTS[role]} == set(DESK)
    assert all(Right.READ in rights for rights in RIGHTS.values())
    with pytest.raises(TypeError):
        assert Role.TESTER < Role.ADMIN  # type: ignore[operator]


def test_testers_and_validators_put_up_and_neither_decide_nor_approve(tmp_path: Path) -> None:
    control = peopled(tmp_path)
    control.people.add("tess", Role.TESTER, PASSWORD, "root", 1.0)
    control.people.add("val", Role.VALIDATOR, PASSWORD, "root", 1.0)
    number = control.reviews.enqueue("r1", {}, 1.0)
    proposal = control.policies.propose({"quota": 1}, {}, "x", "tess", "fewer at once", 1.0)
    asked = control.approvals.ask(ABOUT, 1, "val", "it holds", 1.0)
    attempts: list[Callable[[str], object]] = [
        lambda name: control.reviews.claim(name, 2.0),
        lambda name: control.reviews.claim_one(number, name, 2.0),
        lambda name: control.policies.approve(proposal.id, name, "fine", 2.0),
        lambda name: control.approvals.decide(asked.id, "approve", name, "fine", "", 2.0),
        lambda name: control.exercises.set_share(0.1, name, 2.0),
        lambda name: control.signers.add("ann", "0" * 64, name, 2.0),
    ]
    for attempt, name in product(attempts, ("tess", "val")):
        with pytest.raises(Forbidden):
            attempt(name)
    assert control.reviews.stuck() == frozenset()
    for name in ("ann", "bob", "cyd", "pat"):
        control.people.disable(name, "root", 3.0)
    case = control.reviews.claim("root", 4.0)
    control.reviews.decide(number, "root", Ruling.ALLOW, "known", "t", case.version, 5.0)
    other = control.reviews.enqueue("r2", {}, 6.0, eyes=2)
    case = control.reviews.claim("root", 7.0)
    control.reviews.decide(other, "root", Ruling.ALLOW, "known", "t2", case.version, 8.0)
    assert control.reviews.stuck() == {other}, "a tester and a validator are nobody who could decide it"


def test_wrong_passwords_are_rows_of_the_audit_and_strangers_one_a_minute(tmp_path: Path) -> None:
    control = peopled(tmp_path)
    for name in ("ann", "ann", "my password", "nobody"):
        assert control.people.check(name, "wrong", 100.0) is None
    assert control.people.check("nobody", "wrong", 161.0) is None
    told = [(one.at, one.subject) for one in control.audit.page(9) if one.action == "access.refuse"]
    assert told == [(161.0, ""), (100.0, ""), (100.0, "ann"), (100.0, "ann")]
    assert "my password" not in str([one.detail for one in control.audit.page(50)])
