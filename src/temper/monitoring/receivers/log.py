"""A file with a line for each message."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from temper.core.alert import Alert
from temper.core.errors import StoreError
from temper.monitoring.receivers._post import json
from temper.monitoring.receivers._told import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Appends each message as a line of JSON to a file, on the disk before it counts as sent.

    Misleads where nobody reads the file. A message that was sent twice is there twice, with the same `id` and `state`.
    Source: JSON Lines, jsonlines.org.

    >>> Log(path="alerts.jsonl")
    Log(path='alerts.jsonl')
    """

    path: str = "alerts.jsonl"

    def send(self, alert: Alert) -> None:
        """Append one line."""
        data = json(plain(alert)) + b"\n"
        try:
            with Path(self.path).open("ab") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(
                f"{self.path} did not take it: {error.strerror}", fix="free space, or name another file"
            ) from None


PLUGIN = Log
