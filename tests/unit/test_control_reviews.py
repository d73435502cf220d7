"""The review queue as stories: one case after another, and everything a reviewer may not do."""

import math
import time

import pytest

from control_store import PASSWORD, labels, peopled
from temper.core.errors import TemperError
from temper.core.review import Conflict, Forbidden, Role, Ruling, State
from temper.store.control.migrate import migrations


@pytest.fixture
def control(place):
    control = peopled(place)
    yield control
    assert control.audit.verify() == []
    control.close()


def answered(reviews, case, reviewer, verdict, now=10.0):
    return reviews.decide(case.id, reviewer, verdict, "seen", f"{case.id}-{reviewer}", case.version, now)


def test_one_person_decides_a_case(control):
    reviews = control.reviews
    number = reviews.enqueue("r1", {"amount": 12.5}, 1.0)
    case = reviews.claim("ann", 2.0)
    assert (case.id, case.state, case.owner, case.lease, dict(case.payload)) == (
        number,
        State.CLAIMED,
        "ann",
        302.0,
        {"amount": 12.5},
    )
    done = reviews.decide(number, "ann", "block", " stolen card ", "t1", case.version, 3.0)
    assert (done.state, done.outcome, done.owner, done.closed) == (State.CLOSED, Ruling.BLOCK, None, 3.0)
    assert [(o.reviewer, o.verdict, o.reason, o.round) for o in done.decisions] == [("ann", "block", "stolen card", 1)]
    assert [(one.request, one.verdict, one.agreed) for one in labels(control)] == [("r1", "block", None)]
    assert reviews.counts()[State.CLOSED] == 1
    assert reviews.page() == []


def test_a_request_told_twice_is_one_case(control):
    first = control.reviews.enqueue("r1", {"a": 1}, 1.0)
    assert control.reviews.enqueue("r1", {"a": 2}, 2.0) == first
    assert dict(control.reviews.get(first).payload) == {"a": 1}


def test_the_urgent_come_first_then_the_due_then_the_old(control):
    for name, priority, due in (("old", 0, None), ("due", 0, 99.0), ("sooner", 0, 98.0), ("urgent", 5, None)):
        control.reviews.enqueue(name, {}, 1.0, priority=priority, due=due)
    assert [case.request for case in control.reviews.page()] == ["urgent", "sooner", "due", "old"]
    assert [control.reviews.claim("ann", 2.0).request for _ in range(4)] == ["urgent", "sooner", "due", "old"]
    assert control.reviews.claim("ann", 2.0) is None


def test_a_form_sent_twice_counts_once(control):
    control.reviews.enqueue("r1", {}, 1.0)
    case = control.reviews.claim("ann", 2.0)
    first = control.reviews.decide(case.id, "ann", "allow", "known", "t", case.version, 3.0)
    assert control.reviews.decide(case.id, "ann", "allow", "known", "t", case.version, 4.0) == first
    with pytest.raises(Conflict, match="another decision"):
        control.reviews.decide(case.id, "ann", "block", "known", "t", case.version, 4.0)


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda reviews, case: reviews.release(case.id, "ann", case.version, 3.0), "does not hold"),
        (lambda reviews, case: reviews.claim("bob", 500.0), "does not hold"),
        (lambda reviews, case: reviews.claim_one(case.id, "ann", 3.0), "moved on from version"),
        (lambda reviews, case: reviews.expire(1000.0), "is expired with block"),
    ],
)
def test_a_decision_on_what_has_moved_on_is_refused(control, spoil, match):
    control.reviews.enqueue("r1", {}, 1.0, due=900.0)
    case = control.reviews.claim("ann", 2.0)
    spoil(control.reviews, case)
    with pytest.raises(Conflict, match=match):
        answered(control.reviews, case, "ann", "allow")
    assert labels(control) == []


def test_a_lease_ends_unless_it_is_renewed(control):
    control.reviews.enqueue("r1", {}, 1.0)
    case = control.reviews.claim("ann", 2.0)
    control.reviews.renew(case.id, "ann", case.version, 200.0)
    assert control.reviews.claim("bob", 400.0) is None
    with pytest.raises(Conflict, match="does not hold"):
        answered(control.reviews, case, "ann", "allow", now=500.0)
    assert control.reviews.claim("bob", 500.0).id == case.id


def test_two_who_agree_close_a_case_and_the_second_is_blind(control):
    reviews = control.reviews
    number = reviews.enqueue("r1", {}, 1.0, eyes=2)
    case = answered(reviews, reviews.claim("ann", 2.0), "ann", "block")
    assert (case.state, case.outcome, len(case.decisions)) == (State.SECOND, None, 1)
    assert reviews.claim("ann", 11.0) is None
    with pytest.raises(Conflict, match="decided case 1 already"):
        reviews.claim_one(number, "ann", 11.0)
    second = reviews.claim("bob", 11.0)
    assert (second.decisions, second.round, second.owner) == ((), 2, "bob")
    assert reviews.get(number).decisions == reviews.get(number, "bob").decisions == ()
    assert len(reviews.get(number, "ann").decisions) == 1
    assert [len(one.decisions) for one in reviews.page(viewer="bob")] == [0]
    done = answered(reviews, second, "bob", "block", 12.0)
    assert (done.state, done.outcome, len(done.decisions)) == (State.CLOSED, Ruling.BLOCK, 2)
    assert [one.agreed for one in labels(control)] == [True]


def test_where_two_differ_a_third_with_a_higher_role_decides(control):
    reviews = control.reviews
    number = reviews.enqueue("r1", {}, 1.0, eyes=2)
    answered(reviews, reviews.claim("ann", 2.0), "ann", "block")
    case = answered(reviews, reviews.claim("bob", 11.0), "bob", "allow", 12.0)
    assert (case.state, case.level, case.outcome) == (State.ESCALATED, Role.APPROVER, None)
    assert reviews.claim("cyd", 13.0) is None
    with pytest.raises(Forbidden, match="takes the role approver"):
        reviews.claim_one(number, "cyd", 13.0)
    done = answered(reviews, reviews.claim("pat", 13.0), "pat", "allow", 14.0)
    assert (done.state, done.outcome, [o.reviewer for o in done.decisions]) == (
        State.CLOSED,
        Ruling.ALLOW,
        ["ann", "bob", "pat"],
    )
    assert [one.agreed for one in labels(control)] == [False]


@pytest.mark.parametrize(
    ("two", "level"), [(("ann", "pat"), "admin"), (("pat", "ann"), "admin"), (("root", "pat"), "admin")]
)
def test_whoever_settles_stands_above_both_or_at_the_top(control, two, level):
    number = control.reviews.enqueue("r1", {}, 1.0, eyes=2)
    for reviewer, verdict in zip(two, ("block", "allow"), strict=True):
        case = answered(control.reviews, control.reviews.claim(reviewer, 2.0), reviewer, verdict)
    assert case.level.label == level
    control.people.add("amy", Role.APPROVER, PASSWORD, "root", 3.0)
    with pytest.raises(Forbidden, match="takes the role admin"):
        control.reviews.claim_one(number, "amy", 11.0)
    control.people.set_role("amy", Role.ADMIN, "root", 12.0)
    done = answered(control.reviews, control.reviews.claim_one(number, "amy", 12.0), "amy", "block", 13.0)
    assert (done.state, done.outcome) == (State.CLOSED, Ruling.BLOCK)


def test_somebody_of_the_first_two_who_left_does_not_stop_the_case(control):
    reviews = control.reviews
    reviews.enqueue("r1", {}, 1.0, eyes=2)
    answered(reviews, reviews.claim("ann", 2.0), "ann", "block")
    control.people.disable("ann", "root", 5.0)
    assert answered(reviews, reviews.claim("bob", 11.0), "bob", "allow", 12.0).state is State.ESCALATED


def test_what_is_overdue_gets_the_safe_default_and_says_so(control):
    number = control.reviews.enqueue("r1", {}, 1.0, due=10.0)
    control.reviews.enqueue("r2", {}, 1.0, due=11.0)
    control.reviews.claim("ann", 2.0)
    assert control.reviews.claim_one(2, "bob", 9.0)
    assert control.reviews.claim("cyd", 10.5) is None
    (case,) = control.reviews.expire(10.0)
    assert (case.id, case.state, case.outcome, case.closed) == (number, State.EXPIRED, Ruling.BLOCK, 10.0)
    assert control.reviews.expire(10.0) == []
    assert labels(control) == []
    assert control.audit.page()[0].action == "review.expire"


def test_a_second_look_that_nobody_may_take_is_known_and_ends_when_it_is_due(control):
    reviews = control.reviews
    number, other = reviews.enqueue("r1", {}, 1.0, eyes=2), reviews.enqueue("r2", {}, 1.0)
    assert answered(reviews, reviews.claim_one(number, "ann", 2.0), "ann", "allow").state is State.SECOND
    assert reviews.stuck() == set()
    for name in ("bob", "cyd", "pat"):
        control.people.disable(name, "root", 11.0)
    assert reviews.stuck() == set(), "an admin may do it"
    control.people.set_role("pat", Role.VIEWER, "root", 11.0)
    held = reviews.claim_one(other, "root", 12.0)
    reviews.release(other, "root", held.version, 12.0)
    assert reviews.get(number).due == 1.0 + 86_400.0
    with control._database.write() as tx:  # the last admin cannot be disabled, and here has left all the same
        tx.all("UPDATE person SET disabled = 1 WHERE name = ?", "root")
    assert reviews.stuck() == {number}, "the other may still be decided by whoever answered this one"
    assert reviews.expire(86_400.0) == []
    assert {case.id for case in reviews.expire(86_401.0)} == {number, other}
    assert reviews.stuck() == set()


def test_a_case_of_before_that_had_no_due_time_gets_one(place):
    control = peopled(place)
    waits, done = (control.reviews.enqueue(name, {}, 1.0, due=9e99) for name in ("r1", "r2"))
    with control._database.write() as tx:
        tx.all("UPDATE review SET due = ?", math.inf)
        tx.all("UPDATE review SET state = 'closed', outcome = 'allow', closed = 2 WHERE id = ?", done)
        tx.script(migrations("postgresql" if "://" in place else "sqlite")[14])
    assert control.reviews.get(waits).due == pytest.approx(time.time() + 86_400, abs=60)
    assert control.reviews.get(done).due is None
    control.close()


def test_what_a_client_sent_is_erased_in_every_state_and_nothing_else_of_a_closed_case_can_change(control):
    reviews, secret = control.reviews, {"rows": [{"iban": "NL91"}], "score": 0.5}
    control.exercises.set_share(1.0, "pat", 1.0)
    for name in ("waits", "closed", "late", "other"):
        reviews.enqueue(name, secret, 1.0, due=20.0 if name == "late" else None)
    answered(reviews, reviews.claim_one(2, "ann", 2.0), "ann", "block")
    reviews.expire(20.0)
    again = reviews.page()[-1]
    assert again.id not in (1, 2, 3, 4), "the closed one comes again, with its rows"
    assert reviews.erase(["waits", "nobody"], "root", 21.0) == 1
    for _ in range(2):
        assert reviews.erase(["waits", "closed", "late"], "root", 22.0) == 3
    assert [one.action for one in control.audit.page(5)].count("review.erase") == 4, "what has gone goes once"
    assert [dict(reviews.get(number).payload) for number in (1, 2, 3, again.id)] == [{"erased": True}] * 4
    assert dict(reviews.get(4).payload) == secret
    assert (reviews.get(3).state, reviews.get(3).outcome) == (State.EXPIRED, Ruling.BLOCK)
    for change in ("payload = '{}'", "outcome = 'allow'", "payload = '{\"erased\":true}', outcome = 'allow'"):
        with pytest.raises(TemperError), control._database.write() as tx:
            tx.all(f"UPDATE review SET {change} WHERE id = 3")


@pytest.mark.parametrize("overdue", list(Ruling))
def test_every_case_has_its_own_default_wherever_it_stands(control, overdue):
    """Two gateways with two policies on one store; a case that people differ about is no exception."""
    reviews = control.reviews
    other = reviews.enqueue("r0", {}, 1.0, due=10.0)
    number = reviews.enqueue("r1", {}, 1.0, due=20.0, eyes=2, overdue=overdue)
    for name, verdict in (("ann", "block"), ("bob", "allow")):
        answered(reviews, reviews.claim_one(number, name, 2.0), name, verdict, 3.0)
    assert reviews.get(number).state is State.ESCALATED
    reviews.claim_one(number, "pat", 15.0)
    found = {case.id: (case.state, case.outcome, len(case.decisions)) for case in reviews.expire(30.0)}
    assert found == {other: (State.EXPIRED, Ruling.BLOCK, 0), number: (State.EXPIRED, overdue, 2)}
    assert [(one.action, one.who, one.detail["outcome"]) for one in control.audit.page(2)] == [
        ("review.expire", "clock", overdue),
        ("review.expire", "clock", "block"),
    ]
    with pytest.raises(TemperError, match="no verdict"):
        reviews.enqueue("r2", {}, 1.0, overdue="maybe")


def test_who_may_not_decide(control):
    control.reviews.enqueue("r1", {}, 1.0)
    for name, match in (("vera", "takes the role analyst"), ("nobody", "is nobody")):
        with pytest.raises(Forbidden, match=match):
            control.reviews.claim(name, 2.0)
    case = control.reviews.claim("ann", 2.0)
    with pytest.raises(Conflict, match="bob does not hold"):
        answered(control.reviews, case, "bob", "allow")
    with pytest.raises(Conflict, match="held by ann"):
        control.reviews.claim_one(case.id, "bob", 3.0)
    control.people.set_role("ann", Role.VIEWER, "root", 3.0)
    with pytest.raises(Conflict):
        answered(control.reviews, case, "ann", "allow")
    with pytest.raises(Forbidden):
        control.reviews.claim_one(case.id, "ann", 3.0)
    control.people.disable("ann", "root", 4.0)
    with pytest.raises(Conflict):
        answered(control.reviews, case, "ann", "allow")
    assert control.reviews.claim("bob", 5.0).id == case.id


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"verdict": "maybe"}, "no verdict"),
        ({"reason": "  "}, "reason is missing"),
        ({"reason": "x\x00y"}, "unprintable"),
        ({"reason": "x" * 2001}, "over 2000"),
        ({"token": ""}, "is empty"),
    ],
)
def test_a_decision_that_says_nothing_is_refused(control, change, match):
    control.reviews.enqueue("r1", {}, 1.0)
    case = control.reviews.claim("ann", 2.0)
    with pytest.raises(TemperError, match=match):
        control.reviews.decide(
            case.id,
            "ann",
            **({"verdict": "allow", "reason": "seen", "token": "t", "version": case.version, "now": 3.0} | change),
        )


def test_what_is_no_case_is_refused(control):
    for payload in ({"x": float("nan")}, {"x": {1, 2}}, {"x": "y" * 300_000}):
        with pytest.raises(TemperError, match="payload"):
            control.reviews.enqueue("r1", payload, 1.0)
    with pytest.raises(TemperError, match="1 or 2 people"):
        control.reviews.enqueue("r1", {}, 1.0, eyes=3)
    with pytest.raises(TemperError, match="no case 7"):
        control.reviews.get(7)
    with pytest.raises(TemperError, match="lease"):
        control.reviews.claim("ann", 1.0, lease=0.0)


def test_agreement_beyond_chance(control):
    reviews = control.reviews
    for n in range(24):
        reviews.enqueue(f"r{n}", {}, 1.0, eyes=2)
        first = "block" if n % 2 else "allow"
        answered(reviews, reviews.claim_one(n + 1, "ann", 2.0), "ann", first)
        answered(reviews, reviews.claim_one(n + 1, "bob", 2.0), "bob", "allow" if n in (1, 3, 5) else first)
    whole = reviews.agreement().whole
    # 21 of 24 agree; blocks are 21 of 48 answers: chance is (21/48)^2 + (27/48)^2.
    chance = (21 / 48) ** 2 + (27 / 48) ** 2
    assert whole.value == pytest.approx((21 / 24 - chance) / (1 - chance))
    assert whole.low < whole.value < whole.high <= 1.0
    assert (whole.agreed.count, whole.agreed.n) == (21, 24)
