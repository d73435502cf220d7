"""Laws of the review queue under any order of events: hypothesis plays reviewers, clocks and stale browsers."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from control_store import PEOPLE, peopled
from temper.core.review import Conflict, Forbidden, Ruling, State

REVIEWERS = st.sampled_from(sorted(PEOPLE))
VERDICTS = st.sampled_from(list(Ruling))
LEASE = 50.0
RANK = {"vera": 0, "ann": 1, "bob": 1, "cyd": 1, "pat": 2, "root": 3}
"""Who decides cases, and how senior."""


class Queue(RuleBasedStateMachine):
    """The model keeps what was claimed and decided by plain bookkeeping, and holds the queue against it."""

    @initialize()
    def start(self):
        self.folder = tempfile.TemporaryDirectory()
        self.control = peopled(Path(self.folder.name) / "control.db")
        self.reviews = self.control.reviews
        self.now = 1.0
        self.eyes = {}
        self.due = {}
        self.safe = {}
        self.claims = []  # every claim ever made, so that old ones can be used again
        self.holder = {}  # case -> (reviewer, version, end of the lease)
        self.given = {}  # case -> [(reviewer, verdict)]
        self.final = {}

    def teardown(self):
        if hasattr(self, "control"):
            assert self.control.audit.verify() == []
            self.control.close()
            self.folder.cleanup()

    @rule(seconds=st.sampled_from([1.0, 20.0, 60.0]))
    def wait(self, seconds):
        self.now += seconds

    @rule(eyes=st.sampled_from([1, 2]), wait=st.sampled_from([None, 100.0]), priority=st.integers(0, 2), safe=VERDICTS)
    def enqueue(self, eyes, wait, priority, safe):
        request = f"r{len(self.eyes)}"
        due = None if wait is None else self.now + wait
        number = self.reviews.enqueue(request, {}, self.now, eyes=eyes, due=due, priority=priority, overdue=safe)
        assert number not in self.eyes
        assert self.reviews.enqueue(request, {"other": 1}, self.now, eyes=1) == number
        self.eyes[number], self.due[number], self.given[number] = eyes, due, []
        self.safe[number] = safe

    @rule(reviewer=REVIEWERS)
    def claim(self, reviewer):
        may = {number for number in self.eyes if self.may_claim(number, reviewer)}
        if not RANK[reviewer]:
            with pytest.raises(Forbidden):
                self.reviews.claim(reviewer, self.now, lease=LEASE)
            return
        case = self.reviews.claim(reviewer, self.now, lease=LEASE)
        assert (case.id in may) if case else not may
        if case:
            self.took(case, reviewer)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), verdict=VERDICTS)
    def decide(self, data, verdict):
        """With any claim ever made: only one that still holds may count."""
        case, reviewer = data.draw(st.sampled_from(self.claims))
        holds = self.holder.get(case.id) == (reviewer, case.version, self.lease(case.id)) and self.waits(case.id)
        holds = holds and self.lease(case.id) > self.now
        token = f"{case.id}-{reviewer}-{len(self.given[case.id])}"
        before = len(self.given[case.id])
        if not holds:
            with pytest.raises(Conflict):
                self.reviews.decide(case.id, reviewer, verdict, "seen", token, case.version, self.now)
            return
        done = self.reviews.decide(case.id, reviewer, verdict, "seen", token, case.version, self.now)
        assert self.reviews.decide(case.id, reviewer, verdict, "seen", token, case.version, self.now + 999) == done
        self.given[case.id].append((reviewer, verdict))
        del self.holder[case.id]
        assert done.state == self.expected(case.id)
        assert len(done.decisions) == before + 1
        if done.state.final:
            self.final[case.id] = (done.state, verdict)

    @precondition(lambda self: self.holder)
    @rule(data=st.data(), renew=st.booleans())
    def renew_or_release(self, data, renew):
        number = data.draw(st.sampled_from(sorted(self.holder)))
        reviewer, version, end = self.holder[number]
        act = self.reviews.renew if renew else self.reviews.release
        if end <= self.now or not self.waits(number):
            with pytest.raises(Conflict):
                act(number, reviewer, version, self.now)
        elif renew:
            end = self.reviews.renew(number, reviewer, version, self.now, lease=LEASE).lease
            self.holder[number] = (reviewer, version, end)
        else:
            self.reviews.release(number, reviewer, version, self.now)
            del self.holder[number]

    @rule()
    def expire(self):
        overdue = {n for n in self.eyes if n not in self.final and self.due[n] is not None and self.due[n] <= self.now}
        assert {case.id for case in self.reviews.expire(self.now)} == overdue
        for number in overdue:
            self.final[number] = (State.EXPIRED, self.safe[number])
            self.holder.pop(number, None)

    @invariant()
    def holds(self):
        for number in getattr(self, "eyes", {}):
            case = self.reviews.get(number, "root")
            given = self.given[number]
            people = [reviewer for reviewer, _ in given]
            assert len(people) == len(set(people)), "nobody decides twice"
            if number in self.final:
                assert (case.state, case.outcome) == self.final[number]
                assert [(o.reviewer, o.verdict) for o in case.decisions] == given
            else:
                assert case.outcome is None
            if case.state is State.CLOSED and self.eyes[number] == 2:
                agreed = [verdict for _, verdict in given].count(case.outcome)
                assert agreed >= 2, "two people said so, whoever they are"
            if case.state is State.SECOND and "root" not in people:
                assert case.decisions == (), "blind"

    def waits(self, number):
        return number not in self.final and (self.due[number] is None or self.due[number] > self.now)

    def lease(self, number):
        return self.holder.get(number, ("", 0, 0.0))[2]

    def may_claim(self, number, reviewer):
        decided = reviewer in [name for name, _ in self.given[number]]
        return (
            self.waits(number)
            and self.lease(number) <= self.now
            and not decided
            and RANK[reviewer] >= self.level(number)
        )

    def level(self, number):
        given = self.given[number]
        return 1 if len(given) < 2 else min(3, max(RANK[name] for name, _ in given) + 1)

    def expected(self, number):
        verdicts = [verdict for _, verdict in self.given[number]]
        if len(verdicts) < self.eyes[number]:
            return State.SECOND
        return State.ESCALATED if len(verdicts) == 2 and verdicts[0] != verdicts[1] else State.CLOSED

    def took(self, case, reviewer):
        assert case.owner == reviewer
        self.claims.append((case, reviewer))
        self.holder[case.id] = (reviewer, case.version, case.lease)


TestQueue = Queue.TestCase
TestQueue.settings = settings(max_examples=40, stateful_step_count=40)
