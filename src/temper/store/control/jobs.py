"""Assessments that are to be made again: ordered once, never lost, at one worker at a time, tried again with a bound.

A worker takes a job for a minute and says again and again that it still has it. Who is killed says nothing, so the job
is taken by the next; who was only slow finds that it is no longer its own, and must stop. It is
known by the attempt and its worker: nothing that is said of an earlier one counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from temper.core.errors import TemperError
from temper.core.job import USAGE, VERDICTS, Job, JobState, Order
from temper.store.codec import from_json, to_json, unwrap, wrap
from temper.store.control import audit, wording
from temper.store.control.database import Database, Row, Transaction

FORMAT = "temper.order"
LEASE = 60.0
"""Seconds in which a worker says that it still has a job."""
FIRST, MOST = 60.0, 3
"""Seconds until a job that could not be finished is begun again, each time twice as long; and how often it is begun."""
LONGEST_LOG = 20_000
_VANISHED = "its worker vanished"
_HELD = "id = ? AND state = 'running' AND attempts = ? AND worker = ?"
_NEXT = "SELECT * FROM job WHERE state IN ('waiting', 'running') AND due <= ? ORDER BY due, id LIMIT 1"


class Jobs:
    """The jobs of a control store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, order: Order, by: str, now: float) -> int | None:
        """Order an assessment: the id of the job, None where there was one of this key already."""
        wording.name(by)
        wording.identifier(order.key, "the key of a job")
        sql = (
            "INSERT INTO job (key, document, author, due, made) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (key) DO NOTHING RETURNING id"
        )
        with self._database.write() as tx:
            row = tx.one(sql, order.key, to_json(wrap(FORMAT, order)), by, now, now)
            if row is not None:
                audit.write(tx, now, by, "job.put", str(row["id"]), key=order.key, why=order.why)
        return int(row["id"]) if row else None

    def claim(self, worker: str, now: float) -> Job | None:
        """The job that has been due for longest, for a minute; one whose worker vanished is due when its lease is over.

        One that took its worker with it each time is given up.
        """
        wording.name(worker)
        with self._database.write() as tx:
            while (row := tx.one(_NEXT, now)) is not None:
                if row["attempts"] < MOST:
                    sql = (
                        "UPDATE job SET state = 'running', worker = ?, attempts = attempts + 1, due = ?, begun = ?, "
                        "progress = '' WHERE id = ? RETURNING *"
                    )
                    taken = tx.one(sql, worker, now + LEASE, now, row["id"])
                    return _job(taken) if taken else None
                _over(tx, _job(row), JobState.FAILED, 4, {}, f"{row['log']}\n{_VANISHED} {MOST} times".strip(), now)
        return None

    def renew(self, job: Job, progress: str, now: float) -> bool:
        """Keep the job for another minute, and say how far it is; False where it is somebody else's by now."""
        sql = f"UPDATE job SET due = ?, progress = ? WHERE {_HELD} RETURNING id"
        with self._database.write() as tx:
            return tx.one(sql, now + LEASE, progress, *_holder(job)) is not None

    def leave(self, job: Job, now: float) -> None:
        """Give the job back unfinished, because the worker stops; it counts as not begun."""
        sql = f"UPDATE job SET state = 'waiting', due = ?, attempts = attempts - 1 WHERE {_HELD}"
        with self._database.write() as tx:
            tx.all(sql, now, *_holder(job))

    def end(self, job: Job, code: int, result: Mapping[str, Any], log: str, now: float) -> JobState | None:
        """It ended with this exit code: DONE with any verdict, WAITING to be tried again, or FAILED for good. None
        where it was somebody else's by then, and nothing of this counts.
        """
        with self._database.write() as tx:
            row = tx.one(f"SELECT * FROM job WHERE {_HELD}", *_holder(job))
            if row is None:
                return None
            state = _after(code, job.attempts)
            if state is JobState.WAITING:
                due = now + FIRST * 2.0 ** (job.attempts - 1)
                sql = "UPDATE job SET state = 'waiting', due = ?, code = ?, log = ? WHERE id = ?"
                tx.all(sql, due, code, log[-LONGEST_LOG:], job.id)
            else:
                _over(tx, _job(row), state, code, result, log, now)
        return state

    def again(self, id: int, by: str, now: float) -> None:
        """Let a job that is over be made anew, with as many attempts as at first."""
        wording.name(by)
        sql = (
            "UPDATE job SET state = 'waiting', attempts = 0, due = ?, ended = NULL, code = NULL, result = '{}', "
            "log = '' WHERE id = ? AND state IN ('done', 'failed') RETURNING id"
        )
        with self._database.write() as tx:
            if tx.one(sql, now, id) is None:
                raise TemperError(f"no job {id} is over", fix="`temper jobs list` shows which there are")
            audit.write(tx, now, by, "job.again", str(id))

    def get(self, id: int) -> Job:
        """The job of this number."""
        with self._database.read() as tx:
            row = tx.one("SELECT * FROM job WHERE id = ?", id)
        if row is None:
            raise TemperError(f"there is no job {id}", fix="`temper jobs list` shows which there are")
        return _job(row)

    def called(self, key: str) -> Job | None:
        """The job of this key, if there is one."""
        with self._database.read() as tx:
            row = tx.one("SELECT * FROM job WHERE key = ?", key)
        return _job(row) if row else None

    def beginning(self, key: str, limit: int = 10) -> list[Job]:
        """The latest jobs whose key begins so, the newest first."""
        with self._database.read() as tx:
            rows = tx.all(
                "SELECT * FROM job WHERE substr(key, 1, ?) = ? ORDER BY id DESC LIMIT ?", len(key), key, limit
            )
            return [_job(row) for row in rows]

    def page(self, limit: int = 50, offset: int = 0, *states: JobState) -> list[Job]:
        """The latest jobs, in these states if any are named, the newest first."""
        where = f"WHERE state IN ({', '.join('?' * len(states))})" if states else ""
        sql = f"SELECT * FROM job {where} ORDER BY id DESC LIMIT ? OFFSET ?"
        with self._database.read() as tx:
            return [_job(row) for row in tx.all(sql, *(one.value for one in states), limit, offset)]

    def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state."""
        with self._database.read() as tx:
            rows = tx.all("SELECT state, count(*) AS many FROM job GROUP BY state")
        found = {row["state"]: int(row["many"]) for row in rows}
        return {state: found.get(state.value, 0) for state in JobState}


def _holder(job: Job) -> tuple[int, int, str]:
    return job.id, job.attempts, job.worker


def _after(code: int, attempts: int) -> JobState:
    if code in VERDICTS:
        return JobState.DONE
    return JobState.FAILED if code == USAGE or attempts >= MOST else JobState.WAITING


def _over(
    tx: Transaction, job: Job, state: JobState, code: int, result: Mapping[str, Any], log: str, now: float
) -> None:
    tx.all(
        "UPDATE job SET state = ?, code = ?, result = ?, log = ?, ended = ? WHERE id = ?",
        *(state.value, code, to_json(dict(result)), log[-LONGEST_LOG:], now, job.id),
    )
    audit.write(tx, now, job.worker, f"job.{state.value}", str(job.id), code=code, **result)


def _job(row: Row) -> Job:
    kept = {name: row[name] for name in ("id", "attempts", "worker", "progress", "code", "log")}
    return Job(
        order=unwrap(FORMAT, Order, from_json(row["document"])),
        by=row["author"],
        state=JobState(row["state"]),
        due=float(row["due"]),
        made=float(row["made"]),
        result=from_json(row["result"]),
        begun=_time(row["begun"]),
        ended=_time(row["ended"]),
        **kept,
    )


def _time(value: Any) -> float | None:
    return None if value is None else float(value)
