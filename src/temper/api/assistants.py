"""The public functions for assistants: load one, red team it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from temper.api import Run, open_store, unfinished
from temper.core.assistant import Assistant
from temper.core.chat import ChatTarget
from temper.core.event import Listener, silent

if TYPE_CHECKING:
    from temper.engine.replay import Replay


def is_assistant(path: str | Path = "temper.yaml") -> bool:
    """Whether this temper.yaml describes an assistant."""
    from temper.config.assistant import is_assistant as found

    return found(path)


def load_assistant(path: str | Path = "temper.yaml") -> Assistant:
    """The assistant a temper.yaml describes, with its sandbox."""
    from temper.config.assistant import load_assistant as load

    return load(path)


def redteam(
    assistant: Assistant,
    suite: str = "standard",
    only: Sequence[str] | None = None,
    seed: int = 0,
    *,
    attacker: ChatTarget | None = None,
    store: str | Path | None = None,
    listener: Listener = silent,
    resume: bool = False,
    fresh: bool = False,
) -> Run:
    """Red team an assistant: honest work, attack success with intervals, the smallest attack per goal, benign twins.

    Every answer is kept in `store` (default: beside the assistant's temper.yaml, else this folder), so a question is
    asked once; `resume` goes on with a run that was stopped or killed, `fresh` asks again. `attacker` is a model of
    your own for the strategies that need one.
    """
    from temper.engine.redteam.run import Job
    from temper.engine.redteam.run import redteam as run_job

    kept = open_store(store, assistant)
    job = Job(
        assistant=assistant,
        suite=suite,
        only=tuple(only or ()),
        seed=seed,
        attacker=attacker,
        store=kept,
        run=unfinished(kept, assistant.name) if resume else kept.next_run_id(),
        now=datetime.now(UTC),
        listener=listener,
        fresh=fresh,
    )
    return Run(run_job(job))


def replay(assistant: Assistant, finding: str, *, store: str | Path | None = None) -> Replay:
    """Try a finding's smallest attack again on the assistant as it is now."""
    from temper.engine.redteam.replay import replay as replay_finding

    return replay_finding(assistant, open_store(store, assistant), finding)
