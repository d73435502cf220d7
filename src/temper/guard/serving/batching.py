"""Requests that arrive together are scored together, without anybody waiting for a timer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from temper.core.errors import ContractError

Array = np.ndarray[Any, Any]


@dataclass(slots=True, kw_only=True, eq=False)
class Batcher:
    """Rows that are queued in one pass of the event loop go to `predict` as one array of at most `most` rows, in the
    next pass; under no load that is one request by itself, at once. A request is never torn apart over two calls but
    where it has more than `most` rows of its own.

    Every caller gets the scores of its own rows. What goes wrong in a batch fails all of that batch and nothing else.
    Misleads where `predict` depends on what else is in the array (batch normalisation in training mode): its answers
    then depend on strangers.

    >>> batcher = Batcher(predict=lambda rows: rows.sum(axis=1), columns=2)
    >>> async def two():
    ...     return await asyncio.gather(*(batcher.scores(np.full((1, 2), each)) for each in (1.0, 2.0)))
    >>> [scores.tolist() for scores in asyncio.run(two())], batcher.batches
    ([[2.0], [4.0]], 1)
    """

    predict: Callable[[Array], Array]
    columns: int
    dtype: str = "float32"
    """What `predict` is given; rows of another type are turned into it before they meet others."""
    most: int = 64
    batches: int = field(default=0, init=False)
    """How many arrays were scored."""
    rows: int = field(default=0, init=False)
    """How many rows were in them."""
    _queue: deque[tuple[Array, asyncio.Future[Array]]] = field(default_factory=deque, init=False, repr=False)
    _planned: bool = field(default=False, init=False, repr=False)

    async def scores(self, rows: Array) -> Array:
        """Scores (n,) of rows (n, columns)."""
        rows = np.asarray(rows, self.dtype)
        if rows.ndim != 2 or rows.shape[1] != self.columns:
            raise ContractError(f"rows are {rows.shape}", fix=f"give (n, {self.columns})")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Array] = loop.create_future()
        self._queue.append((rows, future))
        if not self._planned:
            self._planned = True
            loop.call_soon(self._flush, loop)
        return await future

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        """Score one batch; what is left has the next pass, so that other work has its turn between."""
        batch: list[tuple[Array, asyncio.Future[Array]]] = []
        many = 0
        while self._queue and (not batch or many + len(self._queue[0][0]) <= self.most):
            rows, future = self._queue.popleft()
            if not future.done():  # who was cancelled meanwhile is not scored
                batch.append((rows, future))
                many += len(rows)
        self._planned = bool(self._queue)
        if self._planned:
            loop.call_soon(self._flush, loop)
        if batch:
            self._score(batch)

    def _score(self, batch: list[tuple[Array, asyncio.Future[Array]]]) -> None:
        try:
            whole = batch[0][0] if len(batch) == 1 else np.concatenate([rows for rows, _ in batch])
            found = self._sized(whole) if len(whole) else np.zeros(0, np.float32)
        except Exception as wrong:
            for _, future in batch:
                future.set_exception(wrong)
            return
        end = 0
        for rows, future in batch:
            start, end = end, end + len(rows)
            future.set_result(found[start:end])

    def _sized(self, rows: Array) -> Array:
        parts = [self._one(rows[at : at + self.most]) for at in range(0, len(rows), self.most)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _one(self, rows: Array) -> Array:
        self.batches += 1
        self.rows += len(rows)
        found = np.asarray(self.predict(rows))
        if found.shape != (len(rows),):
            raise ContractError(f"predict gave {found.shape} for {len(rows)} rows", fix=f"return ({len(rows)},)")
        return found
