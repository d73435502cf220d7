"""Answers of a chat service as they come: when their first token came, and their last, how many, how they ended."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
BROKE_OFF, ERROR, STALLED, EMPTY = 1, 2, 3, 4
"""Marks of an answer that is none: its line or stream ended early, it told of an error, it was silent for too long and
was cut, or it ended well and said nothing.
"""
WORDS = (
    "nothing",
    "streams that break off",
    "an error inside the answer",
    "silence inside the answer",
    "no word",
)
"""What a service answers instead, by mark."""
_LARGEST = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a chat service answers: as a stream of events or in one piece; no answer is longer than `longest` seconds."""

    stream: bool = True
    longest: float = 300.0


class Answer:
    """One answer, read while it comes. Times are the caller's; `tokens` are those of `usage` where the service tells
    them (`told`), else the pieces that held something.
    """

    __slots__ = ("_kept", "done", "failed", "first", "last", "pieces", "stream", "usage")

    def __init__(self, stream: bool) -> None:
        self.stream, self._kept, self.done, self.failed = stream, b"", False, 0
        self.first = self.last = float("nan")
        self.pieces, self.usage = 0, -1

    @property
    def told(self) -> bool:
        """Whether the service said how many tokens it wrote."""
        return self.usage >= 0

    @property
    def tokens(self) -> int:
        """How many it wrote; -1 where nobody knows, of an answer in one piece."""
        return self.usage if self.told else self.pieces if self.stream else -1

    def fed(self, data: bytes, now: float) -> bool:
        """Some bytes of the body; whether they held anything of the answer (a comment that keeps a line awake is none).

        >>> answer = Answer(stream=True)
        >>> answer.fed(b'data: {"choices":[{"delta":{"content":"Good"}}]}\\n\\ndata: [DO', 0.05), answer.done
        (True, False)
        >>> answer.fed(b'NE]\\n\\n', 0.06), answer.done, answer.first, answer.tokens
        (False, True, 0.05, 1)
        """
        self._kept += data
        if len(self._kept) > _LARGEST:
            self.failed, self._kept = self.failed or ERROR, b""
        if not self.stream:
            return True
        before = self.pieces
        *lines, self._kept = self._kept.split(b"\n")
        for line in lines:
            self._line(line.strip(), now)
        return self.pieces > before

    def over(self, now: float) -> int:
        """The body has ended: 0 where it was a whole answer, else the mark of what it was."""
        if self.stream:
            self._line(self._kept.strip(), now)
        else:
            self._whole(now)
        if self.failed or not self.done:
            return self.failed or BROKE_OFF
        return 0 if self.pieces else EMPTY

    def _line(self, line: bytes, now: float) -> None:
        if line == b"event: error":
            self.failed = self.failed or ERROR
        if self.done or not line.startswith(b"data:"):
            return
        data = line[5:].strip()
        if data == b"[DONE]":
            self.done = True
        else:
            self._event(_read(data), now)

    def _event(self, event: Any, now: float) -> None:
        if not isinstance(event, dict) or event.get("error"):
            self.failed = self.failed or ERROR
            return
        self._used(event)
        if any(_says(choice, "delta") for choice in _choices(event)):
            self.first = now if self.pieces == 0 else self.first
            self.last = now
            self.pieces += 1

    def _whole(self, now: float) -> None:
        """An answer in one piece: its first token is there when its last is."""
        document = _read(self._kept)
        if not isinstance(document, dict) or document.get("error"):
            self.failed = self.failed or ERROR
            return
        self._used(document)
        self.done = True
        self.pieces = int(any(_says(choice, "message") for choice in _choices(document)))
        self.first = self.last = now

    def _used(self, document: dict[str, Any]) -> None:
        used = document.get("usage")
        wrote = used.get("completion_tokens") if isinstance(used, dict) else None
        if isinstance(wrote, int) and not isinstance(wrote, bool) and 0 <= wrote < 2**40:
            self.usage = wrote


def _read(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _choices(document: dict[str, Any]) -> list[Any]:
    found = document.get("choices")
    return found if isinstance(found, list) else []


def _says(choice: Any, part: str) -> bool:
    """Whether it holds a word, a thought or a call of a tool."""
    said = choice.get(part) if isinstance(choice, dict) else None
    return isinstance(said, dict) and any(
        said.get(key) for key in ("content", "reasoning_content", "reasoning", "tool_calls", "refusal")
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Talk:
    """What a run heard, in the order in which requests were due: seconds from the start to the first token, the last
    and the end of each whole answer (NaN else), its tokens (-1: unknown) and whether the service told them.
    """

    first: Array
    last: Array
    ended: Array
    tokens: Array
    told: Array

    def take(self, rows: Array) -> Talk:
        """These requests alone."""
        return Talk(**{name: getattr(self, name)[rows] for name in _ARRAYS})


_ARRAYS = tuple(field.name for field in fields(Talk))


class Heard:
    """A Talk while it grows."""

    def __init__(self, many: int) -> None:
        self.first, self.last, self.ended = (array("d", [np.nan]) * many for _ in range(3))
        self.tokens, self.told = array("q", [-1]) * many, array("q", [0]) * many

    def keep(self, at: int, answer: Answer, now: float) -> None:
        """A whole answer."""
        self.first[at], self.last[at], self.ended[at] = answer.first, answer.last, now
        self.tokens[at], self.told[at] = answer.tokens, answer.told

    def talk(self) -> Talk:
        """What is known so far; the arrays are shared."""
        times = {name: np.frombuffer(getattr(self, name)) for name in ("first", "last", "ended")}
        counts = {name: np.frombuffer(getattr(self, name), dtype=np.int64) for name in ("tokens", "told")}
        return Talk(**times, **counts)


def joined(parts: Sequence[Talk], order: Array) -> Talk:
    """The talks of several generators at once, in this order."""
    return Talk(**{name: np.concatenate([getattr(part, name) for part in parts])[order] for name in _ARRAYS})
