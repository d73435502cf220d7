"""What the guard that `temper harden` chooses is worth to attackers who may try everything anew.

    python -m bench.injection.guarded [--quick]

SIMULATED: the bank's assistant, and a travel desk of another make that was kept apart from whoever wrote the attacks
and the guard. Each is red teamed (suite quick), the guard's stages are weighed on what was found, and the guarded
assistant is red teamed from scratch. Beside the attacks that chose nothing stand the users' tasks and the harmless
twins. An aim is a goal through a channel; reached means that an attack works on fresh trials. `--quick`: the travel
desk alone.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.table import table
from temper.api import Run, assistants
from temper.config.policy import load_policy
from temper.core.assistant import Assistant
from temper.demos.assistant.bank import bank
from temper.demos.assistant.held_out.travel import travel

HEAD = ["", "templates", "aims reached", "known, other wrappers", "tasks done", "done under attack", "twins stopped"]


def main(words: list[str]) -> int:
    """Print the table."""
    makes = {"travel desk, held out": travel} | ({} if "--quick" in words else {"bank": bank})
    rows = [row for name, make in makes.items() for row in _rows(name, make())]
    table("red teamed, guarded, red teamed again", HEAD, rows)
    return 0


def _rows(name: str, assistant: Assistant) -> Iterator[list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        assistant = replace(assistant, policy=load_policy("assistant"))
        before = assistants.redteam(assistant, "quick", store=Path(folder))
        better = assistants.harden(assistant, before, store=Path(folder))
    effect = better.results[-1].trials[-1].effects[0]
    chosen = better.results[-1].trials[-1].defence
    yield [name, *_figures(before, f"{effect.before:.0%} (n {effect.n})")]
    yield [f"  with {chosen}", *_figures(better.after, f"{effect.after:.0%}")]


def _figures(run: Run, known: str) -> list[str]:
    def told(plugin: str, metric: str) -> str:
        return _told(next(m for m in run.measurements if (m.plugin, m.metric, m.slice) == (plugin, metric, "all")))

    reached = next(m for m in run.measurements if m.metric == "aims_reached")
    return [
        told("injection.templates", "success_rate"),
        f"{reached.count} of {reached.n}",
        known,
        told("assistant.tasks", "served"),
        told("assistant.under_attack", "served"),
        told("assistant.twins", "blocked"),
    ]


def _told(measured: Any) -> str:
    return f"{measured.value:.1%} [{measured.low:.1%}, {measured.high:.1%}]"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
