"""Probes, ratings and assumptions in both databases: kept once, never changed, rated blind, and told to the audit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from control_store import peopled
from temper.core.errors import StoreError, TemperError
from temper.core.probe import Draft, Look, Severity, Standing, Subject
from temper.core.review import Conflict, Forbidden

LOOK = Look(after=0.2, before=0.9, decided="0", decided_before="1", threshold=0.5)
DRAFT = Draft(
    system="s", hypothesis="small amounts pass", subject=Subject(origin="row 3", columns=("a",), row=(1.0,)), look=LOOK
)


@pytest.fixture
def control(place):
    found = peopled(place)
    yield found
    assert found.audit.verify() == []
    found.close()


def test_a_probe_is_kept_once_under_its_key(control):
    one = control.probes.save("k", DRAFT, "ann", 1.0)
    assert control.probes.save("k", DRAFT, "ann", 2.0) == one
    assert one.draft == DRAFT
    with pytest.raises(Conflict):
        control.probes.save("k", DRAFT, "bob", 2.0)
    with pytest.raises(Forbidden):
        control.probes.save("k2", DRAFT, "vera", 2.0)
    assert [entry.action for entry in control.audit.page() if entry.action.startswith("probe")] == ["probe.save"]
    assert len(control.probes.page("s", "ann")) == 1
    assert control.probes.page("another", "ann") == []


def test_raters_see_neither_author_nor_ratings_before_their_own_word(control):
    one = control.probes.save("k", DRAFT, "ann", 1.0)
    control.probes.rate(one.id, Severity.MAJOR, "a loss", "bob", 2.0)
    blind = control.probes.seen(one.id, "cyd")
    assert (blind.blind, blind.probe.author, blind.ratings) == (True, "", ())
    control.probes.rate(one.id, Severity.MINOR, "small", "cyd", 3.0)
    seen = control.probes.seen(one.id, "cyd")
    assert (seen.blind, seen.probe.author) == (False, "ann")
    assert [(rating.by, rating.severity) for rating in seen.ratings] == [("bob", "major"), ("cyd", "minor")]
    assert not control.probes.seen(one.id, "ann").blind, "the author rates nothing, so nothing is kept back"
    assert not control.probes.seen(one.id, "vera").blind
    with pytest.raises(Conflict):
        control.probes.rate(one.id, Severity.NONE, "changed my mind", "bob", 4.0)
    with pytest.raises(Forbidden, match="own"):
        control.probes.rate(one.id, Severity.NONE, "mine", "ann", 4.0)
    said = [entry.detail for entry in control.audit.page() if entry.action == "probe.rate"]
    assert all(set(detail) == {"digest"} for detail in said), "the audit does not tell what is kept back"


def test_a_hostile_paste_is_refused(control):
    for hypothesis in ("", " \n ", "x" * 2_001, "a\x00b", "\x1b[31mred", "turned \u202e round", "\ud800"):
        with pytest.raises((TemperError, UnicodeError)):
            control.probes.save("k", replace(DRAFT, hypothesis=hypothesis), "ann", 1.0)
    huge = replace(DRAFT, subject=replace(DRAFT.subject, text=(("user", "x" * 300_000),)))
    with pytest.raises(TemperError, match="at most"):
        control.probes.save("k", huge, "ann", 1.0)
    assert control.probes.page("s", "ann") == []


def test_an_assumption_stands_as_its_last_challenge_says(control):
    one = control.probes.assume("a", "s", "people look at every case above 1,000", "ann", 1.0)
    assert control.probes.assume("a", "s", "people look at every case above 1,000", "ann", 2.0) == one
    probe = control.probes.save("k", DRAFT, "ann", 1.0)
    assert control.probes.assumptions("s")[0].standing is Standing.OPEN
    control.probes.challenge(one.id, Standing.STANDS, "tried once", 0, "bob", 2.0)
    control.probes.challenge(one.id, Standing.FALLEN, "a probe gets by", probe.id, "cyd", 3.0)
    (found,) = control.probes.assumptions("s")
    assert found.standing is Standing.FALLEN
    assert [(each.by, each.probe) for each in found.challenges] == [("bob", 0), ("cyd", probe.id)]
    for number, standing, shown in (
        (99, Standing.FALLEN, 0),
        (one.id, Standing.OPEN, 0),
        (one.id, Standing.FALLEN, 99),
    ):
        with pytest.raises(TemperError):
            control.probes.challenge(number, standing, "why", shown, "bob", 4.0)
    with pytest.raises(TemperError, match="no assumption"):
        control.probes.save("k2", replace(DRAFT, assumptions=(77,)), "ann", 1.0)


CHANGES = (
    "UPDATE probe SET document = '{}'",
    "DELETE FROM probe",
    "UPDATE rating SET severity = 'none'",
    "DELETE FROM rating",
    "UPDATE assumption SET text = 'other'",
    "DELETE FROM challenge",
    "INSERT INTO rating (probe, who, severity, reason, at) VALUES (1, 'ann', 'none', 'mine', 5.0)",
    "INSERT INTO rating (probe, who, severity, reason, at) VALUES (1, 'cyd', 'awful', 'x', 5.0)",
)


def test_the_tables_themselves_keep_what_was_said(control):
    control.probes.save("k", DRAFT, "ann", 1.0)
    control.probes.rate(1, Severity.MAJOR, "a loss", "bob", 2.0)
    control.probes.assume("a", "s", "it holds", "ann", 1.0)
    control.probes.challenge(1, Standing.FALLEN, "no", 1, "bob", 2.0)
    for sql in CHANGES:
        with pytest.raises(StoreError), control._database.write() as tx:
            tx.all(sql)
