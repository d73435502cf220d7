"""What a serving stage answers, as it stands in a configuration."""

from __future__ import annotations

from temper.core.errors import ConfigError
from temper.core.stage import Level

ANSWERS = {"note": Level.ALLOW, "revise": Level.REVISE, "review": Level.REVIEW, "block": Level.BLOCK}
"""`note` writes the reason down and lets pass; `revise` says less of the score; the others are a Decision's."""


def level(stage: str, answer: str) -> Level:
    """The level of an answer's name."""
    if answer not in ANSWERS:
        raise ConfigError(f"{stage} answers {answer!r}", fix=f"use one of {', '.join(ANSWERS)}")
    return ANSWERS[answer]
