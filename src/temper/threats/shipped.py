"""The tables beside this file: families of threats, answers in words, controls and questions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any


@cache
def table(name: str) -> Any:
    """The content of one of the YAML files beside this one.

    >>> next(iter(table("families")))
    'evasion'
    """
    import yaml

    return yaml.safe_load((Path(__file__).parent / f"{name}.yaml").read_text(encoding="utf-8"))


def in_words(key: str, value: str) -> str:
    """An answer as people say it.

    >>> in_words("exposure.public", "yes"), in_words("model.classes", "2")
    ('outsiders can query it', 'model.classes is 2')
    """
    words: Mapping[str, Mapping[str, str]] = table("words")
    return words.get(key, {}).get(value, f"{key} is {value}")
