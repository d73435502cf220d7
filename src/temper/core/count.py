"""How many of something, as people write it."""

from __future__ import annotations


def counted(number: int, word: str, more: str = "") -> str:
    """A number with its word; `more` where several are not the word with an s.

    >>> counted(1, "run"), counted(2_000, "run"), counted(0, "person", "people")
    ('1 run', '2,000 runs', '0 people')
    """
    return f"{number:,} {word if number == 1 else more or f'{word}s'}"
