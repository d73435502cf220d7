"""A judging model whose sensitivity and specificity are planted: the truth a calibration has to find. SIMULATED."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from temper.core.chat import Reply, Request, Usage
from temper.core.errors import TemperError
from temper.targets.chat.limits import estimated

_ASKED = re.compile(r"\AStatement: (?P<says>.*?)\n\n(?P<mark>[0-9a-f]{16})\n(?P<record>.*)\n(?P=mark)\n\n", re.DOTALL)
_QUOTED = re.compile(r'"([^"\n]{1,200})"')


def looks(says: str, record: str) -> bool:
    """Whether all that the statement quotes stands in what was called, where it speaks of a call, or else anywhere.

    >>> looks('The assistant has said "A-1".', '[{"said": "A-1"}]')
    True
    """
    parts = json.loads(record)
    texts = [part.get("arguments", "") if "called" in part else part["said"] for part in parts
             if "called" in part or "been called" not in says]  # fmt: skip
    words = _QUOTED.findall(says)
    return bool(words) and all(any(word in text for text in texts) for word in words)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandInJudge:
    """Answers what `truth` says of the statement and the record, wrongly as often as is planted, by a hash of both.

    It is no language model: it shows whether the errors of a judge are found and taken out, never how good one is.

    >>> StandInJudge().name
    'SIMULATED judge'
    """

    sensitivity: float = 1.0
    specificity: float = 1.0
    seed: int = 0
    truth: Callable[[str, str], bool] = looks

    @property
    def name(self) -> str:
        """What it is called wherever it is shown."""
        return "SIMULATED judge"

    def __call__(self, request: Request) -> Reply:
        """The verdict."""
        text = request.messages[-1].text
        asked = _ASKED.match(text)
        if asked is None:
            raise TemperError("that is no question to a judge")
        hit = self.truth(asked["says"], asked["record"])
        digest = hashlib.blake2b(f"{self.seed}|{text}".encode("utf-8", "replace"), digest_size=7).digest()
        right = int.from_bytes(digest, "big") / 2.0**56 < (self.sensitivity if hit else self.specificity)
        said = json.dumps({"mark": asked["mark"], "verdict": "hit" if hit is right else "miss"})
        return Reply(text=said, usage=Usage(read=estimated(text), written=estimated(said)))
