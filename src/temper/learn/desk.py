"""Where questions are asked: lines of at most 80 columns out, one line of an answer in, with or without a terminal."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any, TextIO

WIDTH = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A console to print on and a stream of answers; answers that nobody typed are printed, so that a record reads."""

    console: Any
    answers: TextIO
    typed: bool = True

    @classmethod
    def standard(cls) -> Desk:
        """Standard output and input."""
        import sys

        from rich.console import Console

        return cls(console=Console(highlight=False, soft_wrap=True), answers=sys.stdin, typed=sys.stdin.isatty())

    def say(self, text: str = "", mark: str = "", indent: int = 2, style: str = "") -> None:
        """One paragraph; `mark` hangs before its first line."""
        before = " " * indent + (f"{mark}  " if mark else "")
        lines = textwrap.fill(
            text, WIDTH, initial_indent=before, subsequent_indent=" " * len(before), break_on_hyphens=False
        )
        self.console.print(lines.rstrip() if text else "", style=style or None, markup=False)

    def rule(self, title: str) -> None:
        """A line that begins something new."""
        self.console.print()
        line = "-" if self.console.options.ascii_only else "─"
        self.console.print(f"{line * 2} {title} ".ljust(WIDTH, line), style="bold", markup=False)
        self.console.print()

    def ask(self, prompt: str) -> str | None:
        """The next line without its blanks; None when there are no more."""
        self.console.print(f"  {prompt} ", end="", markup=False)
        line = self.answers.readline()
        if not self.typed or not line:
            self.console.print(line.strip(), markup=False)
        return line.strip() if line else None

    def tick(self, right: bool) -> str:
        """The mark of what is right or wrong."""
        if self.console.options.ascii_only:
            return "+" if right else "-"
        return "✓" if right else "✗"
