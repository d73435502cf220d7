"""Bytes of a ledger's file that nobody reads: the rest of a page, a counter of SQLite. A change there changes nothing
that is said, and still somebody was at the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

PAGE = 4096
_SHORT = 16


def noted(path: Path) -> None:
    """Write down what each page of the file is, beside it."""
    beside(path).write_text("".join(f"{one}\n" for one in _pages(path)), encoding="ascii")


def changed(path: Path) -> list[int]:
    """The pages that are not as they were noted, by their number; none where nothing was noted."""
    if not beside(path).exists():
        return []
    then, now = beside(path).read_text(encoding="ascii", errors="replace").split("\n")[:-1], [*_pages(path)]
    longest = max(len(then), len(now))
    return [at for at in range(longest) if then[at : at + 1] != now[at : at + 1]]


def beside(path: Path) -> Path:
    """The file that pages are noted in."""
    return path.with_suffix(".pages")


def _pages(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        while page := file.read(PAGE):
            yield sha256(page).hexdigest()[:_SHORT]
