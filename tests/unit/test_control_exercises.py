"""Cases that measure reviewers: what comes again, what is planted, who may not have it, and what it never becomes."""

import math

import pytest

from control_store import labels, peopled
from temper.core.errors import StoreError, TemperError
from temper.core.review import Conflict, Forbidden, Ruling, State
from temper.store.control.exercises import FEWEST, Planted

REASON = "decide: the score is undecided"


@pytest.fixture
def control(place):
    control = peopled(place)
    yield control
    assert control.audit.verify() == []
    control.close()


def answered(reviews, number, reviewer, verdict, now=10.0):
    held = reviews.claim_one(number, reviewer, now)
    return reviews.decide(number, reviewer, verdict, "seen", f"{number}-{reviewer}", held.version, now)


def payload(score=0.5, **row):
    return {
        "rows": [{"amount": 5.0, "country": "NL"} | row],
        "score": score,
        "reasons": [REASON],
        "client": "shop",
        "request": "8f3c-0001",
        "model": "m1",
    }


def real(control, many=9, **options):
    return [
        control.reviews.enqueue(f"gw1-0-{at}-{at:016x}", payload(0.1 * at), float(at), **options)
        for at in range(1, many + 1)
    ]


def planted(control, truth="block", lean="block", by="pat", **row):
    one = Planted(row={"amount": 7.5, "country": "DE"} | row, truth=Ruling(truth), lean=Ruling(lean))
    return control.exercises.plant([one], by, 20.0)[0]


def only_again(control, origin):
    """The case that came again, found as a reviewer finds it: it is the last."""
    newest = max(case.id for case in control.reviews.page())
    assert newest > origin
    return newest


# -- a share of closed cases comes again ------------------------------------------------------------------------------


def test_a_closed_case_comes_again_to_somebody_else_without_the_first_answer(control):
    control.exercises.set_share(1.0, "pat", 1.0)
    reviews = control.reviews
    first = reviews.enqueue("gw1-0-7-00000000deadbeef", payload(), 1.0, due=3601.0)
    answered(reviews, first, "ann", "block")
    number = only_again(control, first)
    case = reviews.get(number)
    assert (case.state, case.due, case.eyes, case.priority) == (State.OPEN, 3610.0, 1, 0)
    assert case.payload == reviews.get(first).payload
    assert case.request.startswith("gw1-0-7-")
    assert case.request != "gw1-0-7-00000000deadbeef"
    assert reviews.claim("ann", 11.0) is None
    with pytest.raises(Conflict, match="for others than ann"):
        reviews.claim_one(number, "ann", 11.0)
    assert reviews.claim("bob", 11.0).id == number
    for viewer in ("bob", "pat", "root", None):
        seen = reviews.get(first, viewer)
        assert (seen.state, seen.outcome, seen.decisions) == (State.CLOSED, None, ())
    assert reviews.get(first, "ann").outcome is Ruling.BLOCK
    answered(reviews, number, "bob", "allow", 12.0)
    assert reviews.get(first, "pat").outcome is Ruling.BLOCK, "the answer of the first time stays"
    assert reviews.page() == [], "and it comes once"


def test_what_comes_again_is_no_label_and_no_past_case(control):
    control.exercises.set_share(1.0, "pat", 1.0)
    first = control.reviews.enqueue("r1", payload(), 1.0)
    answered(control.reviews, first, "ann", "block")
    number = only_again(control, first)
    assert [one.id for one in control.reviews.past(number)] == []
    other = control.reviews.enqueue("r2", payload(), 1.0)
    assert [one.id for one in control.reviews.past(other)] == [], "its outcome would be the first answer"
    answered(control.reviews, number, "bob", "allow", 12.0)
    assert [(one.request, one.verdict) for one in labels(control)] == [("r1", "block")]
    assert [one.id for one in control.reviews.past(other)] == [first]
    assert control.reviews.past(number) == []
    found = control.reviews.agreement()
    assert (found.whole.agreed.count, found.whole.agreed.n) == (0, 1)
    assert [(one.first, one.second, one.said, one.replied) for one in found.differing] == [
        (first, number, "block", "allow")
    ]


def test_only_what_one_person_decided_comes_again_and_never_what_came_again(control):
    control.exercises.set_share(1.0, "pat", 1.0)
    two = control.reviews.enqueue("two", payload(), 1.0, eyes=2)
    answered(control.reviews, two, "ann", "block")
    answered(control.reviews, two, "bob", "block", 11.0)
    control.reviews.enqueue("late", payload(), 1.0, due=11.0)
    assert len(control.reviews.expire(12.0)) == 1
    assert control.reviews.page() == []


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0, 0), (0.3, 10, 50), (1.0, 100, 100)])
def test_a_share_is_about_that_share(control, share, low, high):
    """At 0.3 of 100 fewer than 10 or more than 50 come in one of 10,000,000 runs."""
    control.exercises.set_share(share, "pat", 1.0)
    for at in range(100):
        answered(control.reviews, control.reviews.enqueue(f"r{at}", {}, 1.0), "ann", "allow")
    assert low <= len(control.reviews.page(limit=200)) <= high
    assert control.exercises.share() == share


def test_time_that_runs_out_lapses_and_is_nobodys_answer(control):
    control.exercises.set_share(1.0, "pat", 1.0)
    first = control.reviews.enqueue("r1", payload(), 1.0, due=100.0)
    answered(control.reviews, first, "ann", "allow")
    assert control.reviews.expire(500.0) == [], "no client waits for it"
    assert control.audit.page(1)[0].action == "exercise.lapse"
    assert control.reviews.get(first, "bob").outcome is Ruling.ALLOW
    assert control.reviews.page() == []


# -- planted cases ----------------------------------------------------------------------------------------------------


def test_a_planted_case_looks_like_a_real_one(control):
    real(control, due=3600.0, priority=2)
    number = planted(control, lean="block")
    case = control.reviews.get(number, "bob")
    assert case.payload["rows"] == [{"amount": 7.5, "country": "DE"}]
    assert (case.payload["client"], case.payload["model"], case.payload["reasons"]) == ("shop", "m1", [REASON])
    assert case.payload["score"] in [pytest.approx(0.1 * at) for at in (7, 8, 9)]
    assert set(case.payload) == set(payload())
    assert case.payload["request"] != "8f3c-0001"
    assert [char.isdigit() for char in case.payload["request"]] == [char.isdigit() for char in "8f3c-0001"]
    assert (case.state, case.priority, case.eyes) == (State.OPEN, 2, 1)
    assert case.due is not None
    assert case.request.startswith("gw1-0-")
    low = control.reviews.get(planted(control, lean="allow"))
    assert low.payload["score"] in [pytest.approx(0.1 * at) for at in (1, 2, 3)]
    entry = control.audit.page(1)[0]
    assert (entry.action, entry.who, entry.subject, entry.detail["many"]) == ("exercise.plant", "pat", "queue", 1)
    assert set(entry.detail) == {"many", "digest"}, "whoever reads the audit is not handed the number"


def test_what_is_planted_is_no_label_no_past_case_and_does_not_come_again(control):
    control.exercises.set_share(1.0, "pat", 1.0)
    real(control)
    number = planted(control)
    done = answered(control.reviews, number, "ann", "block", 30.0)
    assert (done.state, done.outcome) == (State.CLOSED, Ruling.BLOCK)
    assert labels(control) == []
    assert control.reviews.past(1) == []
    assert len(control.reviews.page()) == 9
    assert control.reviews.agreement().whole.agreed.n == 0


def test_what_waits_is_counted_without_exercises(control):
    real(control, due=3600.0)
    planted(control)
    planted(control)
    control.reviews.enqueue("whenever", {}, 1.0)
    assert control.reviews.waiting(3599.0) == (10, 0)
    assert control.reviews.waiting(86_400.0) == (10, 9)
    assert control.reviews.waiting(86_401.0) == (10, 10)
    control.exercises.set_share(1.0, "pat", 1.0)
    answered(control.reviews, 1, "ann", "allow")
    assert control.reviews.waiting(86_400.0) == (9, 8), "what came again waits, and no client for it"


def test_who_planted_a_case_does_not_get_it(control):
    real(control)
    for number in range(1, 10):
        answered(control.reviews, number, "ann", "allow")
    number = planted(control)
    assert control.reviews.claim("pat", 30.0) is None
    with pytest.raises(Conflict, match="for others than pat"):
        control.reviews.claim_one(number, "pat", 30.0)
    assert control.reviews.claim("root", 30.0).id == number


def test_planting_takes_an_approver_and_real_cases_to_look_like(control):
    real(control, FEWEST - 1)
    with pytest.raises(TemperError, match="5 of one row came for their score"):
        planted(control)
    real(control, 9)
    for by in ("ann", "vera", "nobody"):
        with pytest.raises(Forbidden):
            planted(control, by=by)
        with pytest.raises(Forbidden):
            control.exercises.set_share(0.1, by, 1.0)
    with pytest.raises(TemperError, match="other columns"):
        planted(control, weight=1.0)
    for share in (-0.1, 1.1, math.nan):
        with pytest.raises(TemperError, match="a share is 0 to 1"):
            control.exercises.set_share(share, "pat", 1.0)
    assert len(control.reviews.page()) == 9, "all or nothing"


@pytest.mark.parametrize(
    "odd",
    [
        {"rows": []},
        {"rows": [{"amount": 1.0, "country": "NL"}] * 2},
        {"rows": [3]},
        {"score": None},
        {"score": "high"},
        {"reasons": ["anomaly: far away"]},
        {"reasons": [REASON, "anomaly: far away"]},
        {"reasons": []},
    ],
)
def test_a_case_that_came_for_another_reason_lends_no_looks(control, odd):
    for at in range(FEWEST):
        control.reviews.enqueue(f"r{at}", payload(0.1 * at) | odd, 1.0)
    with pytest.raises(TemperError, match="0 of one row"):
        planted(control)


def test_how_planted_cases_are_answered(control):
    """ann always follows the score, bob always knows."""
    real(control)
    for number in range(1, 10):
        answered(control.reviews, number, "cyd", "allow")
    cases = [("block", "block"), ("allow", "block"), ("block", "allow"), ("allow", "allow")] * 3
    for at, (truth, lean) in enumerate(cases):
        number = planted(control, truth, lean)
        who, verdict = (("ann", lean), ("bob", truth))[at % 4 // 2]
        answered(control.reviews, number, who, verdict, 30.0)
    found = control.reviews.agreement()
    everybody = found.everybody
    assert [(one.count, one.n) for one in (everybody.right, everybody.followed, everybody.strayed)] == [
        (9, 12),
        (3, 6),
        (0, 6),
    ]
    shares = {
        one.name: [(each.count, each.n) for each in (one.right, one.followed, one.strayed)] for one in found.people
    }
    assert shares == {"ann": [(3, 6), (3, 3), (0, 3)], "bob": [(6, 6), (0, 3), (0, 3)]}
    assert 0 < found.people[0].right.low < 0.5 < found.people[0].right.high < 1
    assert found.waiting == 0


def test_pairs_have_a_kappa_each_and_too_few_have_no_interval(control):
    for at in range(24):
        number = control.reviews.enqueue(f"r{at}", {}, 1.0, eyes=2)
        answered(control.reviews, number, "ann" if at % 3 else "bob", "block" if at % 2 else "allow")
        second = "bob" if at % 3 else "ann"
        answered(control.reviews, number, second, "allow" if at in (1, 3, 5) or not at % 2 else "block", 11.0)
    number = control.reviews.enqueue("other", {}, 1.0, eyes=2)
    answered(control.reviews, number, "cyd", "allow")
    answered(control.reviews, number, "ann", "allow", 11.0)
    first, other = control.reviews.agreement().pairs
    assert (first.one, first.two, first.kappa.agreed.count, first.kappa.agreed.n) == ("ann", "bob", 21, 24)
    assert first.kappa.low < first.kappa.value < first.kappa.high <= 1.0
    assert (other.one, other.two, other.kappa.agreed.n) == ("ann", "cyd", 1)
    assert math.isnan(other.kappa.low)


def test_an_exercise_stays(control):
    real(control)
    planted(control)
    for sql in ("UPDATE exercise SET truth = 'allow'", "DELETE FROM exercise"):
        with pytest.raises(StoreError), control._database.write() as tx:
            tx.all(sql)


def test_automation_bias_has_newcombes_interval(control):
    """The example of his paper: 56 of 70 against 48 of 80 is 20 points, 5.24 to 33.39."""
    from temper.kernels.rate import wilson
    from temper.store.control.agreement import Reader, Share

    def share(count, n):
        low, high = wilson(count, n)
        return Share(count=count, n=n, low=low, high=high)

    reader = Reader(name="", right=share(0, 1), followed=share(56, 70), strayed=share(48, 80))
    assert reader.bias == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    nothing = Reader(name="", right=share(0, 0), followed=share(0, 0), strayed=share(1, 2))
    assert all(math.isnan(one) for one in nothing.bias)
