"""From a stored run to an approval that stands: what is put up is what the ledger was told, to the byte."""

from __future__ import annotations

from temper.core.errors import TemperError
from temper.core.review import Conflict, Forbidden
from temper.store.codec import from_json
from temper.store.control import Control, wording
from temper.store.control.approvals import CONSOLE, TYPE, About, Approval, statement
from temper.store.database import Store
from temper.store.evidence import said
from temper.store.evidence.following import follow
from temper.store.ledger.record import Record
from temper.store.signed import sealed, unsealed

GOOD = ("pass", "waived")
"""Verdicts that are approved without another word."""


def about(store: Store, name: str) -> About:
    """A run that can be approved: finished, told to the ledger when it ended, and still what was told."""
    store.evidence.refuse()
    run = store.run(name).id
    text = store.document(run)
    told = [one for line in store.evidence.records() if (one := _run(line[1])) is not None and one.run == run]
    if not told or told[-1].late:
        raise TemperError(
            f"the ledger was not told of run {run} when it ended", fix="assess again, and approve that run"
        )
    if told[-1].digest != said.digest(text):
        raise TemperError(f"run {run} is not what the ledger was told", fix="run `temper ledger verify`")
    plain, one = from_json(text), told[-1]
    if one.state != "finished":
        raise TemperError(f"run {run} is {one.state}", fix="end it with --resume first")
    kept = {"system": one.system, "verdict": one.verdict, "model": one.model, "maker": one.author}
    return About(run=run, digest=one.digest.hex(), **kept | {"system": plain["system"]})


def ask(
    store: Store, control: Control, name: str, needs: int, by: str, reason: str, now: float, *, signed: bool = True
) -> Approval:
    """Put a run up for approval by so many people, `signed` or by their word."""
    one = control.approvals.ask(about(store, name), max(needs, 1), by, reason, now, signed=signed)
    follow(store.evidence, control, int(now * 1e9))
    return one


def approve(
    store: Store,
    control: Control,
    name: str,
    by: str,
    reason: str,
    key: bytes | None,
    now: float,
    *,
    despite: str = "",
    seen: Approval | None = None,
    session: float = 0.0,
) -> Approval:
    """Approve the run that was put up, signed with the key of whoever approves; without one it is their word in a
    console, in a session begun at `session`. One whose verdict is not a pass is approved `despite` it, by its name.
    With `seen`, the request as they saw it, anything else since is a `Conflict`.
    """
    found, one = about(store, name), _open(control, store, name)
    if seen is not None and one.id != seen.id:
        raise Conflict(f"approval {seen.id} is not the one that is open", fix="look at the run again")
    if one.about != found:
        raise TemperError(f"run {found.run} is not what was put up", fix="withdraw that, and put it up again")
    if found.verdict not in GOOD and found.verdict != despite:
        raise Forbidden(
            f"the verdict of run {found.run} is {found.verdict.upper()}",
            fix=f"approve it with --despite {found.verdict} where that is meant",
        )
    head = store.evidence.head()
    ledger = {} if head is None else {"origin": head.origin, "size": head.size, "root": head.root.hex()}
    words = statement(one, "approve", by, wording.reason(reason), now, ledger)
    envelope = (
        unsealed(words | {"through": CONSOLE, "session": session}, TYPE) if key is None else sealed(words, TYPE, key)
    )
    done = control.approvals.decide(one.id, "approve", by, reason, envelope, now, version=(seen or one).version)
    follow(store.evidence, control, int(now * 1e9))
    return done


def end(store: Store, control: Control, name: str, decision: str, by: str, reason: str, now: float) -> Approval:
    """Reject what was put up, or withdraw an approval: the model is not brought to a gateway by it any more."""
    run = store.run(name).id
    states = ("open",) if decision == "reject" else ("open", "approved")
    one = next((one for one in control.approvals.of(run=run) if one.state in states), None)
    if one is None:
        raise TemperError(f"no approval of run {run} is {' or '.join(states)}", fix="see `temper approvals list`")
    return ended(store, control, one, decision, by, reason, now)


def ended(store: Store, control: Control, one: Approval, decision: str, by: str, reason: str, now: float) -> Approval:
    """The same for a request as it was seen; anything since is a `Conflict`."""
    done = control.approvals.decide(one.id, decision, by, reason, "", now, version=one.version)
    if not store.evidence.faults():
        follow(store.evidence, control, int(now * 1e9))
    return done


def _open(control: Control, store: Store, name: str) -> Approval:
    run = store.run(name).id
    one = next((one for one in control.approvals.of(run=run) if one.state == "open"), None)
    if one is None:
        raise TemperError(
            f"nobody has put run {run} up for approval", fix=f"temper approvals ask {run} --as NAME --reason WHY"
        )
    return one


def _run(line: Record) -> said.Run | None:
    return said.told_run(line) if line.kind == said.RUN else None
