"""The bank's own program: it asks the gateway about every payment, and writes down what it was answered.

Its log is what `temper monitor` reads: a table an hour with the columns of the schema, when, whose, and the model's
score, which is missing where something else than the model answered. Labels come hours later.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.schema import Schema
from temper.demos.day.payments import Batch
from temper.traffic.generator import play
from temper.traffic.messages import messages

Array = np.ndarray[Any, Any]
FEED, LABELS = "predictions", "labels"
_PATIENCE = 60.0
"""Seconds that a payment may wait: a busy machine is not what the day is about."""
_CONNECTIONS = 8
_TRIES, _PAUSE = 20, 1.0
"""How often a payment that is turned away is asked again, and in how many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """What was answered to a batch: scores (NaN without one of the model), decisions, labels and who answered ("" where
    there is none).
    """

    scores: Array
    decisions: Array
    labels: Array
    sources: Array

    def __add__(self, other: Answers) -> Answers:
        """Those of two parts of an hour."""
        names = ("scores", "decisions", "labels", "sources")
        return Answers(**{name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in names})


@dataclass(slots=True, kw_only=True, eq=False)
class Caller:
    """Asks `host`:`port` with `key`, and writes below `folder`. The day `begins` in seconds since 1970."""

    schema: Schema
    host: str
    port: int
    key: str
    folder: Path
    begins: float
    sent: int = field(default=0, init=False)

    async def ask(self, batch: Batch, seconds: float) -> Answers:
        """Every payment of the batch, evenly over so many seconds, each in a request of its own.

        One that is turned away ("too busy, ask again") is asked again, as by a bank's program: how busy this machine is
        should not be seen in the day.
        """
        requests, documents = (
            messages(self.schema, batch.x, key=self.key),
            [dict[str, Any]() for _ in range(len(batch))],
        )
        self.sent += len(batch)
        for turn in range(_TRIES):
            waiting = [at for at, document in enumerate(documents) if "results" not in document]
            if not waiting:
                break
            heard = await self._heard([requests[at] for at in waiting], seconds if not turn else _PAUSE)
            for at, document in zip(waiting, heard, strict=True):
                documents[at] = document
        return answers(documents)

    async def _heard(self, requests: list[bytes], seconds: float) -> list[dict[str, Any]]:
        """What is answered to each of these, {} where nothing is."""
        heard: list[dict[str, Any]] = [{}]

        def read(body: bytes) -> int:
            heard.append(json.loads(body))
            return len(heard) - 1

        due = np.linspace(0.0, seconds, len(requests), endpoint=False)
        lines = min(_CONNECTIONS, len(requests))
        played = await play(self.host, self.port, requests, due, connections=lines, timeout=_PATIENCE, read=read)
        return [heard[mark] for mark in played.marks.tolist()]

    def write(self, number: int, batch: Batch, found: Answers, known: tuple[int, Batch] | None = None) -> None:
        """The log of an hour, and the labels of an earlier one that have become `known`."""
        frame = self._frame(number, batch)
        frame = frame.assign(score=found.scores, decision=found.decisions, label=found.labels, source=found.sources)
        _whole(frame, self.folder / FEED / f"{number:02d}.parquet")
        if known is not None:
            earlier, labelled = known
            table = self._frame(earlier, labelled)[["request"]]
            table["is_fraud"] = labelled.y
            _whole(table, self.folder / LABELS / f"{earlier:02d}.parquet")

    def _frame(self, number: int, batch: Batch) -> Any:
        import pandas as pd

        told = dict(zip(self.schema.names, batch.x.T, strict=True))
        for column in self.schema.columns:
            if column.type == "category":
                told[column.name] = np.array(column.categories, dtype=object)[told[column.name].astype(int)]
        ids = [f"{number:02d}-{at:05d}" for at in range(len(batch))]
        return pd.DataFrame({"request": ids, "at": self.begins + batch.at, "account": batch.accounts, **told})


def answers(documents: list[dict[str, Any]]) -> Answers:
    """Of each answer its score, if it is the model's, its decision and label, and who gave it.

    >>> said = {"results": [{"decision": "allow", "score": 0.2}], "source": "rules"}
    >>> found = answers([said | {"source": "primary"}, said, {}])
    >>> found.scores.tolist()[0], np.isnan(found.scores).tolist(), found.sources.tolist()
    (0.2, [False, True, True], ['primary', 'rules', ''])
    """
    results = [document["results"][0] if "results" in document else {} for document in documents]
    sources = [str(document.get("source", "")) for document in documents]
    scores = [
        float(result["score"]) if source == "primary" and "score" in result else np.nan
        for result, source in zip(results, sources, strict=True)
    ]
    decisions, labels = ([str(result.get(name, "")) for result in results] for name in ("decision", "label"))
    return Answers(
        scores=np.array(scores, dtype=float),
        decisions=np.array(decisions, dtype=object),
        labels=np.array(labels, dtype=object),
        sources=np.array(sources, dtype=object),
    )


def _whole(frame: Any, path: Path) -> None:
    """Written beside, and then there as a whole: the monitor never sees half a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    frame.to_parquet(beside)
    beside.replace(path)
