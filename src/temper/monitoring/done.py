"""Which files of a feed need not be read again: they are as they were, and something was said of all their windows."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from temper.store.failure import told


@dataclass(slots=True, kw_only=True, eq=False)
class Done:
    """By file its size, its time of change, and how many rows it holds of each window; `again` are those of the files
    that were left out. Kept in `path`, for windows of one `width`. Losing it costs reading everything once more, and
    changes nothing that is said.
    """

    path: Path | None = None
    width: float = 0.0
    files: dict[str, tuple[int, int, dict[float, int]]] = field(default_factory=dict)
    again: Counter[float] = field(default_factory=Counter)

    @classmethod
    def read(cls, path: Path | None, width: float) -> Done:
        """What was kept there; nothing where there is none, or of windows of another width."""
        try:
            found = json.loads(path.read_bytes()) if path is not None and path.exists() else {}
            same = found.get("width") == width
            files = {
                name: (int(size), int(changed), {float(at): int(many) for at, many in windows})
                for name, (size, changed, windows) in (found["files"] if same else {}).items()
            }
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            files = {}  # a damaged one is as good as none
        return cls(path=path, width=width, files=files)

    def leaves_out(self, file: Path, known: frozenset[float]) -> bool:
        """Whether this file need not be read: unchanged, and all its windows are known."""
        size, changed, windows = self.files.get(str(file), (-1, -1, {}))
        stat = file.stat()
        if (stat.st_size, stat.st_mtime_ns) != (size, changed) or not known.issuperset(windows):
            return False
        self.again.update(windows)
        return True

    def add(self, file: Path, stat: os.stat_result, windows: dict[float, int]) -> None:
        """A file that was read, and how many rows it has of each window."""
        self.files[str(file)] = (stat.st_size, stat.st_mtime_ns, windows)

    def keep(self) -> None:
        """Write it down, without the files that are gone."""
        if self.path is None or not self.files:
            return
        there = {name: [*of, [*windows.items()]] for name, (*of, windows) in self.files.items() if Path(name).exists()}
        beside = self.path.with_name(f".{self.path.name}.part")
        with told(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps({"width": self.width, "files": there}), encoding="utf-8")
            beside.replace(self.path)
