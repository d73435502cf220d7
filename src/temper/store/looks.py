"""Looks at files that are kept for the next process, in `.temper/looked.json` beside a portfolio: what was found, and
the files it was found in as they stood. What is damaged or gone is only looked at again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from temper.core.errors import StoreError
from temper.store.codec import from_json, to_json
from temper.store.place import hidden

FILE = Path(".temper") / "looked.json"
_SETTLED = 2 * 10**9
"""Nanoseconds after which a file that is written again has another time: a younger one may be as it was and is not."""
_LOG = logging.getLogger(__name__)
Stamp = list[Any]


@dataclass(slots=True)
class Looks:
    """What was found, by its name. `put` keeps only what was found in files that had long been as they were."""

    path: Path
    _before: dict[str, Any]
    _began: int
    _now: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, portfolio: Path) -> Looks:
        """The looks at the systems of this portfolio file."""
        path = portfolio.absolute().parent / FILE
        return cls(path, _read(path), _clock(path.parent))

    def find(self, name: str, about: str) -> Any:
        """What was found under this name, where it was `about` the same and all its files are as they were."""
        kept = self._before.get(name)
        try:
            if kept is None or kept["about"] != about or any(stamp != _stamp(stamp[0]) for stamp in kept["files"]):
                return None
            found = kept["found"]
        except (LookupError, TypeError, ValueError):  # somebody has changed it by hand
            return None
        self._now[name] = kept
        return found

    def put(self, name: str, about: str, files: Iterable[Path], found: Any) -> None:
        """Keep what was found in these files."""
        stamps = [_stamp(str(file)) for file in files]
        if max((stamp[1] for stamp in stamps), default=0) < self._began - _SETTLED:
            self._now[name] = {"about": about, "files": stamps, "found": found}

    def write(self) -> None:
        """Keep them for the next process; where that cannot be, it looks again."""
        if self._now == self._before:
            return
        try:
            handle, beside = mkstemp(dir=self.path.parent, prefix=".looked-")
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(to_json(self._now))
            os.replace(beside, self.path)
        except OSError as error:
            _LOG.warning("looks are not kept in %s: %s", self.path, error.strerror)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = from_json(path.read_text(encoding="ascii"))
    except (OSError, StoreError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _stamp(file: str) -> Stamp:
    """A file as it stands: when it was written last and how large it is; zeros where there is none."""
    try:
        found = os.stat(file)
    except OSError:
        return [file, 0, 0, 0]
    return [file, found.st_mtime_ns, found.st_size, found.st_ino]


def _clock(folder: Path) -> int:
    """The time by the clock that files are stamped with; 0 where no file can be made, so that nothing is kept."""
    try:
        hidden(folder)
        handle, path = mkstemp(dir=folder, prefix=".clock-")
        try:
            return os.fstat(handle).st_mtime_ns
        finally:
            os.close(handle)
            os.unlink(path)
    except OSError:
        return 0
