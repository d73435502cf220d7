"""What a chat service is asked under load, and what that may cost at most."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper.core.errors import TemperError

_PROMPTS = (
    "Say in one sentence what a tide is.",
    "Name five vegetables that grow in a cold spring, with a word on each.",
    "Explain to a child of ten why the moon has phases. Use an example from a kitchen.",
    "Write a short, polite letter that moves a meeting from Tuesday to Thursday afternoon.",
    "A train leaves at 9:40 and needs 2 hours and 35 minutes. When does it arrive? Show the steps.",
    "Summarise in three points: the harbour was dredged, ferries run again since May, fares rose by four percent, and "
    "the old ticket office has become a café that opens before the first crossing and closes after the last.",
)
_LARGEST, _LETTERS = 16 * 2**20, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """An OpenAI-compatible chat: `prompts` is a file with one a line, text or a JSON object with `messages`; a request
    asks for at most `max_tokens`, and no run begins that would pass `max_requests` in all. After `silence` seconds
    without a token an answer is cut (None: four times the limit, at least 2; 60 for answers in one piece).
    """

    model: str = ""
    prompts: Path | None = None
    max_tokens: int = 64
    stream: bool = True
    max_requests: int = 5_000
    silence: float | None = None

    def bodies(self) -> list[bytes]:
        """The requests, to be sent in turn."""
        asked: dict[str, Any] = {"max_tokens": self.max_tokens}
        asked |= {"model": self.model} if self.model else {}
        asked |= {"stream": True, "stream_options": {"include_usage": True}} if self.stream else {}
        return [json.dumps({**asked, "messages": messages}).encode() for messages in self._messages()]

    def estimate(self, requests: float) -> str:
        """What so many requests cost at most, in a line."""
        letters = [sum(len(str(turn.get("content", ""))) for turn in messages) for messages in self._messages()]
        reads = requests * sum(letters) / len(letters) / _LETTERS
        return (
            f"at most {requests:,.0f} requests: about {reads:,.0f} tokens read (by their length) and up to "
            f"{requests * self.max_tokens:,.0f} written"
        )

    def waits(self, limit: float) -> float:
        """Seconds of silence after which an answer is cut."""
        return self.silence if self.silence is not None else max(2.0, 4 * limit) if self.stream else 60.0

    def _messages(self) -> list[list[dict[str, Any]]]:
        if self.prompts is None:
            return [[{"role": "user", "content": text}] for text in _PROMPTS]
        if self.prompts.stat().st_size > _LARGEST:
            raise TemperError(f"{self.prompts} is larger than {_LARGEST // 2**20} MiB", fix="send fewer prompts")
        lines = self.prompts.read_text(encoding="utf-8", errors="replace").splitlines()
        found = [_turns(line.strip(), f"{self.prompts}:{at}") for at, line in enumerate(lines, 1) if line.strip()]
        if not found:
            raise TemperError(f"{self.prompts} holds no prompt", fix="write one a line")
        return found


def _turns(line: str, where: str) -> list[dict[str, Any]]:
    """The turns of one line: a text, or a JSON object that holds them."""
    if not line.startswith("{"):
        return [{"role": "user", "content": line}]
    try:
        turns = json.loads(line).get("messages")
    except (ValueError, RecursionError):
        turns = None
    if not isinstance(turns, list) or not turns or not all(isinstance(one, dict) and "role" in one for one in turns):
        raise TemperError(
            f"{where}: this is no prompt", fix='write a text, or {"messages": [{"role": "user", "content": "..."}]}'
        )
    return turns
