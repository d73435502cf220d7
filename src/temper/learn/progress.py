"""Which questions were answered rightly, kept on this machine for the next time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from temper.learn.shelf import Question

FORMAT = 1


def place(environment: Mapping[str, str] = os.environ) -> Path:
    """The file of this user: in `XDG_STATE_HOME`, or ~/.local/state, under temper/.

    >>> place({"XDG_STATE_HOME": "/state"}).as_posix()
    '/state/temper/learn.json'
    """
    root = environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(root, "temper", "learn.json")


@dataclass(slots=True, kw_only=True)
class Progress:
    """What was answered last, by the id of the question; every answer is on the disk before the next is asked.

    `trouble` is one sentence for the user where the file could not be read or written.
    """

    path: Path
    answered: dict[str, bool] = field(default_factory=dict)
    trouble: str = ""

    @classmethod
    def read(cls, path: Path) -> Progress:
        """What the file holds. One that holds something else is set aside, and everything begins anew."""
        try:
            return cls(path=path, answered=_answers(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return cls(path=path)
        except OSError as closed:
            return cls(path=path, trouble=f"Progress is not kept: {path}: {closed.strerror}.")
        except ValueError:
            return cls(path=path, trouble=_set_aside(path))

    def note(self, question: Question, right: bool) -> None:
        """Keep the answer to a question. Where nothing can be written the lesson goes on and `trouble` says so."""
        self.answered[question.id] = right
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        text = json.dumps({"format": FORMAT, "answered": self.answered}, indent=1, sort_keys=True)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(text, encoding="utf-8")
            beside.replace(self.path)
        except OSError as closed:
            self.trouble = f"Progress is not kept: {self.path}: {closed.strerror}."

    def known(self, questions: Iterable[Question]) -> int:
        """How many of them were answered rightly the last time."""
        return sum(self.answered.get(question.id, False) for question in questions)


def _answers(text: str) -> dict[str, bool]:
    """Raises `ValueError` for anything but what `note` writes."""
    document = json.loads(text)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError("not a file of progress")
    answered = document.get("answered")
    if not isinstance(answered, dict) or not all(isinstance(right, bool) for right in answered.values()):
        raise ValueError("not a file of progress")
    return answered


def _set_aside(path: Path) -> str:
    aside = path.with_suffix(".broken")
    try:
        path.replace(aside)
    except OSError:
        return f"{path} cannot be read as progress, so everything begins anew."
    return f"{path} could not be read as progress; it is now {aside.name}, and everything begins anew."
