"""The control store: what people set and decide, in SQLite or PostgreSQL. The hot path never waits for it.

control = Control.open(place)              # a file, or postgresql://...; every call that needs the time takes `now`
control.people.add(name, role, password, by, now);  control.people.check(name, password, now) -> Person | None
control.people.admit(identity, role, now) -> Person      # whom a provider of identities names
control.sessions.open(name, now) -> token;  control.sessions.find(token, now) -> Person | None
control.keys.add(name, by, now) -> "kid.secret";  control.keys.rotate(kid, by, now, overlap=3600.0) -> "kid.secret"
control.keys.snapshot().find(token, now) -> Key | None;  control.keys.holder(token, now) -> (Key, Person) | None
control.keys.lend(person, scopes, by, now, expires=...) -> "kid.secret"
control.reviews.enqueue(request, payload, now, priority=0, due=None, eyes=1) -> id
control.reviews.claim(reviewer, now) -> Case | None
control.reviews.decide(id, reviewer, verdict, reason, token, version, now) -> Case
control.exercises.plant(cases, by, now) -> ids;  control.exercises.set_share(0.05, by, now)
control.outbox.after(cursor) -> labels as they left; whoever keeps the last cursor misses none
control.records.put(kind, value, by, reason, now);  control.records.current(kind) -> Record | None
control.incidents.open(title, severity, by, now) -> id;  control.incidents.signal(source, ...) -> id
control.policies.propose(value, before, digest, by, reason, now) -> Proposal
control.policies.approve(id, by, note, now) -> Proposal
control.signers.add(person, key, by, now);  control.signers.of(person) -> keys
control.approvals.ask(about, needs, by, reason, now) -> Approval
control.approvals.decide(id, decision, by, reason, envelope, now) -> Approval
control.roster.begin(worker, now);  control.roster.renew(worker, now) -> bool
control.quotas.pool(holder, prefix).exchange(config, number, trades, now) -> {client: Grant}
control.drills.begin(name, fault, seconds, rate, width, by, now) -> id;  control.drills.follow(id, slots, turns)
control.windows.keep(feed, reference, found, now) -> how many were new;  control.windows.page(feed)
control.windows.stream(feed, reference, width, options)
control.windows.outcomes.keep(feed, labels, reference, found, now);  control.windows.outcomes.page(feed)
control.windows.served.keep(feed, objectives, minutes, since);  control.windows.served.minutes(feed)
control.alerts.keep(found, now);  control.alerts.claim(receiver, now) -> Delivery | None
control.jobs.put(order, by, now) -> id | None;  control.jobs.claim(worker, now) -> Job | None
control.probes.save(key, draft, by, now) -> Probe;  control.probes.save_all(key, drafts, by, now) -> Probes
control.probes.rate(id, severity, reason, by, now)
control.runs.tell(run, action, text, by, now);  control.runs.read(run) -> what a playbook did
control.audit.verify() -> []                # every change is a row of one hash chain, in the change's transaction
"""

from __future__ import annotations

from temper.store.control.alerts import Alerts
from temper.store.control.answers import Answers
from temper.store.control.approvals import Approvals
from temper.store.control.audit import Audit
from temper.store.control.database import Database
from temper.store.control.drills import Drills
from temper.store.control.exercises import Exercises
from temper.store.control.incidents import Incidents
from temper.store.control.jobs import Jobs
from temper.store.control.keys import Keys
from temper.store.control.outbox import Outbox
from temper.store.control.people import People
from temper.store.control.policies import Policies
from temper.store.control.probes import Probes
from temper.store.control.quotas import Quotas
from temper.store.control.records import Records
from temper.store.control.reviews import Reviews
from temper.store.control.roster import Roster
from temper.store.control.runs import Runs
from temper.store.control.sessions import Sessions
from temper.store.control.signers import Signers
from temper.store.control.waivers import Waivers
from temper.store.control.windows import Windows


class Control:
    """A control store, to be shared between threads; each process opens its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.people = People(database)
        self.sessions = Sessions(database)
        self.keys = Keys(database, database.pepper)
        self.reviews = Reviews(database)
        self.exercises = Exercises(database)
        self.outbox = Outbox(database)
        self.records = Records(database)
        self.drills = Drills(database)
        self.incidents = Incidents(database)
        self.policies = Policies(database)
        self.signers = Signers(database)
        self.approvals = Approvals(database)
        self.waivers = Waivers(database)
        self.runs = Runs(database)
        self.audit = Audit(database)
        self.roster = Roster(database)
        self.quotas = Quotas(database)
        self.answers = Answers(database)
        self.windows = Windows(database)
        self.alerts = Alerts(database)
        self.jobs = Jobs(database)
        self.probes = Probes(database)

    @classmethod
    def open(cls, place: str) -> Control:
        """The store in this file or folder, or at this `postgresql://` URL; made or migrated when needed."""
        return cls(Database.open(str(place)))

    def close(self) -> None:
        """Let the database go."""
        self._database.close()
