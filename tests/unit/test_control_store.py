"""People, sessions, keys, records and the audit of the control store: what holds, and what is refused."""

import threading

import pytest

from control_store import PASSWORD, peopled
from temper.core.errors import TemperError
from temper.core.review import Role
from temper.store.control.people import PATIENCE
from temper.store.control.wording import LONGEST_REASON


@pytest.fixture
def control(place):
    control = peopled(place)
    yield control
    control.close()


def test_a_password_opens_and_another_does_not(control):
    assert control.people.check("ann", PASSWORD, 1.0).role is Role.ANALYST
    for name, password in (("ann", "wrong"), ("ann", ""), ("ann", "x" * 10**6), ("ann", "\ud800"), ("who", PASSWORD)):
        assert control.people.check(name, password, 1.0) is None


def test_five_failures_make_a_name_wait_and_longer_each_time(control):
    for _ in range(5):
        assert control.people.check("ann", "wrong", 1.0) is None
    assert control.people.check("ann", PASSWORD, 30.9) is None
    assert control.people.check("bob", PASSWORD, 30.9) is not None
    assert control.people.check("ann", "wrong", 31.0) is None
    assert control.people.check("ann", PASSWORD, 90.9) is None
    assert control.people.check("ann", PASSWORD, 91.0) is not None
    for _ in range(4):
        control.people.check("ann", "wrong", 92.0)
    assert control.people.check("ann", PASSWORD, 92.0) is not None, "a right one starts the count again"


def test_a_new_password_ends_sessions_and_waiting(control):
    token = control.sessions.open("ann", 0.0)
    for _ in range(5):
        control.people.check("ann", "wrong", 1.0)
    control.people.set_password("ann", "another sentence", "root", 2.0)
    assert control.sessions.find(token, 2.0) is None
    assert control.people.check("ann", "another sentence", 2.0).name == "ann"
    assert control.people.check("ann", PASSWORD, 2.0) is None
    for name, password in (("nobody", PASSWORD), ("ann", "short")):
        with pytest.raises(TemperError):
            control.people.set_password(name, password, "root", 3.0)


def test_guessing_side_by_side_gains_nothing(control):
    seen = []
    true = control.people._matches
    control.people._matches = lambda secret, password: seen.append(secret) or true(secret, password)
    threads = [threading.Thread(target=control.people.check, args=("ann", "wrong", 1.0)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 20, "the work is the same"
    assert len([secret for secret in seen if secret != control.people._decoy]) == 5


def test_two_passwords_are_hashed_at_once_and_no_more(control, monkeypatch):
    monkeypatch.setattr("temper.store.control.people.PATIENCE", 0.01)
    assert PATIENCE > 0.01
    control.people._hashes.acquire()
    control.people._hashes.acquire()
    with pytest.raises(TemperError, match="too many people"):
        control.people.add("eve", Role.VIEWER, PASSWORD, "root", 1.0)


@pytest.mark.parametrize(
    ("name", "password", "match"),
    [
        ("ann", PASSWORD, "exists already"),
        ("a b", PASSWORD, "a name is"),
        ("", PASSWORD, "a name"),
        ("eve", "short", "12"),
    ],
)
def test_who_cannot_be_added(control, name, password, match):
    with pytest.raises(TemperError, match=match):
        control.people.add(name, Role.VIEWER, password, "root", 1.0)


def test_the_last_admin_stays(control):
    for change in (
        lambda: control.people.disable("root", "root", 1.0),
        lambda: control.people.set_role("root", Role.VIEWER, "root", 1.0),
    ):
        with pytest.raises(TemperError, match="last admin"):
            change()
    control.people.set_role("pat", Role.ADMIN, "root", 1.0)
    control.people.disable("root", "pat", 1.0)
    assert [p.name for p in control.people.all() if p.disabled] == ["root"]
    assert control.people.check("root", PASSWORD, 2.0) is None


def test_a_session_ends_idle_at_last_and_when_closed(control):
    sessions = control.sessions
    token = sessions.open("ann", 0.0)
    assert sessions.find(token, 1700.0).name == "ann"
    assert sessions.find(token, 3400.0).name == "ann", "being seen counts"
    assert sessions.find(token, 5200.1) is None
    lively = sessions.open("ann", 0.0)
    for now in range(0, 43200, 1000):
        assert sessions.find(lively, float(now))
    assert sessions.find(lively, 43200.0) is None
    first, second = sessions.open("bob", 0.0), sessions.open("bob", 0.0)
    sessions.close(first, 1.0)
    sessions.close(first, 1.0)
    assert [one.action for one in control.audit.page(2)] == ["session.close", "session.open"]
    assert control.audit.page(1)[0].who == "bob"
    assert sessions.find(first, 1.0) is None
    assert sessions.find(second, 1.0).name == "bob"
    assert sessions.find("\ud800 nonsense", 1.0) is None


def test_who_is_disabled_is_out_at_once(control):
    token = control.sessions.open("ann", 0.0)
    control.people.disable("ann", "root", 1.0)
    assert control.sessions.find(token, 2.0) is None
    with pytest.raises(TemperError, match="nobody"):
        control.sessions.open("ann", 3.0)


@pytest.mark.parametrize("change", ["role", "disable"])
def test_who_gets_another_role_or_leaves_signs_in_again_and_holds_nothing(control, change):
    reviews, token = control.reviews, control.sessions.open("ann", 0.0)
    first, second = reviews.enqueue("r1", {}, 1.0), reviews.enqueue("r2", {}, 1.0, eyes=2)
    other = reviews.enqueue("r3", {}, 1.0)
    held = reviews.claim_one(second, "bob", 2.0)
    reviews.decide(second, "bob", "block", "seen", "t", held.version, 2.0)
    mine = [reviews.claim_one(number, "ann", 3.0) for number in (first, second)]
    reviews.claim_one(other, "cyd", 3.0)
    if change == "role":
        control.people.set_role("ann", Role.APPROVER, "root", 4.0)
    else:
        control.people.disable("ann", "root", 4.0)
    assert control.sessions.find(token, 4.0) is None
    assert [(reviews.get(case.id).state, reviews.get(case.id).owner) for case in mine] == [
        ("open", None),
        ("second", None),
    ]
    assert reviews.get(other).owner == "cyd"
    for case in mine:
        with pytest.raises(TemperError):
            reviews.decide(case.id, "ann", "allow", "late", f"t{case.id}", case.version, 5.0)
    told = [(one.action, one.who, one.subject) for one in control.audit.page(3)]
    assert told[1:] == [("review.release", "root", "2"), ("review.release", "root", "1")]
    assert told[0][0] == f"person.{change}"
    assert control.audit.verify() == []


def test_a_key_opens_until_it_ends_or_is_revoked(control):
    token = control.keys.add("shop", "root", 1.0, scopes=("score", "explain"), group="web", expires=100.0)
    kid = token.partition(".")[0]
    held = control.keys.snapshot()
    key = held.find(token, 99.9)
    assert (key.kid, key.name, key.group, key.scopes, key.expires) == (kid, "shop", "web", ("score", "explain"), 100.0)
    assert held.find(token, 100.0) is None
    for wrong in ("", ".", kid, f"{kid}.", token + "x", token[:-1], "x" * 10**6, "é\ud800.x", f"other.{token[17:]}"):
        assert held.find(wrong, 1.0) is None
    assert control.keys.version() == held.version
    control.keys.revoke(kid, "root", 2.0)
    assert control.keys.version() > held.version
    assert control.keys.snapshot().find(token, 3.0) is None
    assert [one.revoked for one in control.keys.all()] == [2.0]
    with pytest.raises(TemperError, match="no key"):
        control.keys.revoke("none", "root", 2.0)


def test_records_follow_each_other_and_stay(control):
    records = control.records
    assert records.current("kill") is None
    assert records.version() == 0
    records.put("kill", True, "root", "drill", 1.0)
    records.put("kill", False, "root", "drill over", 2.0)
    records.put("model", "a" * 64, "root", "first", 3.0)
    assert records.current("kill").value is False
    assert [(one.seq, one.value, one.by, one.reason) for one in records.history("kill")] == [
        (2, False, "root", "drill over"),
        (1, True, "root", "drill"),
    ]
    assert records.version() == 3
    for kind, value, reason in (
        ("other", 1, "x"),
        ("model", float("nan"), "x"),
        ("model", {1, 2}, "x"),
        ("model", "b", ""),
        ("model", "b", "x" * (LONGEST_REASON + 1)),
        ("kill", "on", "x"),
        ("kill", 1, "x"),
        ("breaker", "forced_open", "x"),
        ("breaker", True, "x"),
    ):
        with pytest.raises(TemperError):
            records.put(kind, value, "root", reason, 4.0)
    assert records.version() == 3


def test_every_change_is_in_the_audit(control):
    control.keys.add("shop", "root", 1.0)
    control.records.put("model", {}, "root", "new", 2.0)
    number = control.reviews.enqueue("r", {}, 3.0)
    case = control.reviews.claim("ann", 4.0)
    control.reviews.decide(number, "ann", "allow", "fine", "t", case.version, 5.0)
    entries = control.audit.page(limit=5)
    assert [one.action for one in entries] == [
        "review.decide",
        "review.claim",
        "review.enqueue",
        "record.model",
        "key.add",
    ]
    assert [one.seq for one in control.audit.page(limit=2, before=entries[-1].seq)] == [6, 5]
    assert control.audit.head() == (entries[0].seq, entries[0].digest)
    assert control.audit.verify() == []
