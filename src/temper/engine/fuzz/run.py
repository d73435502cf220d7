"""Fuzz the model of a temper.yaml, or a service that answers rows of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.core.target import ScoreKind
from temper.engine.fuzz.first import BODIES, first_answer, no_score, reached
from temper.engine.fuzz.own import owned
from temper.fuzz._campaign import Effort, search
from temper.fuzz._oracle import Subject
from temper.fuzz._search import SILENT, Hear, Searched
from temper.fuzz._service import Service
from temper.fuzz._walled import Walled
from temper.fuzz._wire import Form
from temper.traffic.address import address

EFFORTS = {
    "quick": Effort(cases=300, seconds=30.0, draws=False),
    "standard": Effort(cases=3_000, seconds=120.0),
    "deep": Effort(cases=20_000, seconds=600.0),
}
_ELSEWHERE = 50.0  # requests a second to a host that is not this machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A service as a user names it: its URL, the environment variable that holds its key, its body, where its scores
    are in an answer, seconds per request; `confirmed` is the host that may be asked although it is not this machine,
    `ca` a file of the certificates to trust, `start` the command that runs it here, so that it may be started again.
    """

    url: str
    key_env: str = ""
    body: str = ""
    answer: str = ""
    deadline: float = 5.0
    confirmed: str = ""
    ca: str = ""
    start: tuple[str, ...] = ()


def fuzz_model(
    system: Protected, effort: Effort, seed: int, *, strict: bool, deadline: float, hear: Hear = SILENT
) -> Searched:
    """Search the model of `system` in a process of its own."""
    with model(system, strict=strict, deadline=deadline) as subject:
        return search(subject, system.schema, system.data.x, effort, Draws(seed, "fuzz"), hear=hear, endure=True)


def fuzz_service(
    system: Protected, asked: Asked, effort: Effort, seed: int, *, strict: bool, hear: Hear = SILENT
) -> tuple[Searched, Asked]:
    """Search a service with rows of `system`, and say how it was asked: where `asked` names no body, and rows are not
    answered in the usual one, others are tried. Errors: a service that cannot be reached or answers no row.
    """
    with served(system, asked, strict=strict) as subject:
        found = _searched(subject, system, effort, seed, hear)
        went = subject.gone
        if _scored(found) or found.stopped == "interrupted":
            return found, asked
        bodies = (asked.body,) if asked.body or went else BODIES
        others = [replace(asked, body=body) for body in bodies]
        at, reply = first_answer([service(system, one, strict=strict) for one in others], system.data.x)
        if at is None:
            raise no_score(asked.url, reply)
    hear.note(f"rows are sent in the body {others[at].body or Form().one}, which was found by trying")
    with served(system, others[at], strict=strict) as subject:
        return _searched(subject, system, effort, seed, hear), others[at]


@contextmanager
def served(system: Protected, asked: Asked, *, strict: bool) -> Iterator[Service]:
    """The service, reached; started before and ended after where `asked` says how."""
    with closing(service(system, asked, strict=strict)) as subject, owned(subject, asked.start):
        reached(subject.where, asked.deadline)
        yield subject


def _searched(subject: Subject, system: Protected, effort: Effort, seed: int, hear: Hear) -> Searched:
    draws = Draws(seed, "fuzz")
    return search(subject, system.schema, system.data.x, effort, draws, wire=True, hear=hear, endure=True)


def _scored(found: Searched) -> bool:
    return any(found.tried[law] for law in ("in_range", "repeats"))


@contextmanager
def model(system: Protected, *, strict: bool, deadline: float) -> Iterator[Subject]:
    """The model behind its wall."""
    if system.target.name == "http":
        raise Unsupported("a model behind a URL is fuzzed as a service", fix="use temper fuzz URL")
    x = system.data.x
    shape = tuple(np.shape(x)[1:]) if np.ndim(x) > 2 else ()
    with Walled(system.target, deadline=deadline, strict=strict, shape=shape) as subject:
        yield subject


def service(system: Protected, asked: Asked, *, strict: bool) -> Service:
    """The service as a subject; nothing is sent yet."""
    if not system.schema.columns:
        raise Unsupported("a service is fuzzed with the columns of a schema", fix="write schema.columns in temper.yaml")
    where = address(asked.url, confirmed=asked.confirmed, ca=asked.ca)
    settings: dict[str, Any] = {"rate": _ELSEWHERE} if asked.confirmed else {}
    if system.target.kind is not ScoreKind.PROBABILITIES:
        settings |= {"low": -np.inf, "high": np.inf}
    return Service(
        where=where,
        schema=system.schema,
        form=Form.of(asked.body, asked.answer),
        headers=_key(asked.key_env),
        deadline=asked.deadline,
        strict=strict,
        stochastic=system.target.stochastic,
        **settings,
    )


def _key(variable: str) -> tuple[tuple[str, str], ...]:
    if not variable:
        return ()
    if not os.environ.get(variable):
        raise TemperError(f"the environment variable {variable} is not set", fix=f"export {variable}=...")
    return (("Authorization", f"Bearer {os.environ[variable]}"),)
