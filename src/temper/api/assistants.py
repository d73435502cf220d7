"""The public functions for assistants: load one, red team it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temper.api import Run, open_store, unfinished, whoever
from temper.core.assistant import Assistant, Audit
from temper.core.chat import ChatTarget
from temper.core.defence import Tried
from temper.core.errors import TemperError
from temper.core.event import Listener, silent
from temper.core.run import Record

_SHORTEST = 16

if TYPE_CHECKING:
    from temper.engine.redteam.harden import HardenedAssistant
    from temper.engine.redteam.pairs import Pairs
    from temper.engine.replay import Replay
    from temper.guard.pipeline import Guard
    from temper.store.database import Store


def is_assistant(path: str | Path = "temper.yaml") -> bool:
    """Whether this temper.yaml describes an assistant."""
    from temper.config.assistant import is_assistant as found

    return found(path)


def load_assistant(path: str | Path = "temper.yaml") -> Assistant:
    """The assistant a temper.yaml describes, with its sandbox."""
    from temper.config.assistant import load_assistant as load
    from temper.threats.controls import refuse_unknown

    assistant = load(path)
    refuse_unknown(assistant.description.controls, assistant.source)
    return assistant


def guard_of(assistant: Assistant) -> Guard:
    """The guard that the assistant's temper.yaml sets before it; canaries follow from its `key_file`, or from a key
    drawn now.
    """
    from temper.guard.pipeline import of_assistant

    return of_assistant(assistant)


def audit_of(assistant: Assistant, folder: Path | None = None) -> Audit | None:
    """How its gateway writes exchanges down: as its temper.yaml says, into `folder` where one is given; None where
    neither says anything.
    """
    if folder is None:
        return assistant.audit
    return replace(assistant.audit or Audit(folder=""), folder=str(folder))


def without_end(assistant: Assistant) -> ChatTarget:
    """The assistant's target without the cap on the requests of a run: a service has no end. Other caps stay."""
    line = getattr(assistant.target, "line", None)
    if line is not None:
        line.limits = replace(line.limits, max_requests=2**62)
        line.spent.limits = line.limits
    return assistant.target


def keys_of(text: str) -> dict[str, str]:
    """Clients' names and keys in "name=key,name=key"; what cannot be read is told without the key.

    >>> keys_of("shop=a-long-random-key")
    {'shop': 'a-long-random-key'}
    """
    found: dict[str, str] = {}
    for at, entry in enumerate(filter(None, text.split(",")), start=1):
        name, equals, key = entry.strip().partition("=")
        if not (name and equals and len(key) >= _SHORTEST) or name in found:
            words = (
                f"entry {at} of the keys is no name=key with a key of at least {_SHORTEST} characters and its own name"
            )
            raise TemperError(words, fix="write shop=LONG-RANDOM-KEY,app=ANOTHER")
        found[name] = key
    return found


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
    stop: bool = False,
    hardening: Tried | None = None,
) -> Run:
    """Red team an assistant: honest work, attack success with intervals, the smallest attack per goal, benign twins.

    Every answer is kept in `store` (default: beside the assistant's temper.yaml, else this folder), so a question is
    asked once; `resume` goes on with a run that was stopped or killed, `fresh` asks again. `attacker` is a model of
    your own for the strategies that need one. `stop` adds trials in rounds until the policy's claims about attack
    success are decided; `hardening` is what was tried on the way to this guard.
    """
    from temper.api._waived import waived
    from temper.engine.redteam.run import Job
    from temper.engine.redteam.run import redteam as run_job
    from temper.engine.risk import incidents_beside

    kept, now = open_store(store, assistant), datetime.now(UTC)
    policy = waived(assistant.policy, assistant.name, assistant.source, kept, now.date(), listener)
    job = Job(
        assistant=replace(assistant, policy=policy),
        suite=suite,
        only=tuple(only or ()),
        seed=seed,
        attacker=attacker or assistant.attacker,
        store=kept,
        run=unfinished(kept, assistant.name) if resume else kept.next_run_id(),
        now=now,
        listener=listener,
        fresh=fresh,
        stop=stop,
        author=whoever(),
        incidents=incidents_beside(kept),
        hardening=hardening,
    )
    return Run(run_job(job))


def estimate(
    assistant: Assistant, suite: str = "standard", only: Sequence[str] | None = None, stop: bool = False
) -> str:
    """What `redteam` would ask for, in words; nothing is asked."""
    from temper.engine.redteam.estimate import estimate as estimated
    from temper.engine.redteam.run import campaign_of

    campaign, _ = campaign_of(assistant, suite, tuple(only or ()), 0, assistant.attacker, stop)
    return str(estimated(campaign))


def replay(assistant: Assistant, finding: str, *, store: str | Path | None = None) -> Replay:
    """Try a finding's smallest attack again on the assistant as it is now."""
    from temper.engine.redteam.replay import replay as replay_finding

    return replay_finding(assistant, open_store(store, assistant), finding)


def pairs(store: Store, before: Record, after: Record) -> Pairs | None:
    """Two red team runs attempt by attempt; None where these are others, or kept no attempts."""
    from temper.engine.redteam.pairs import pairs as paired

    return paired(store, before, after)


@dataclass(frozen=True, slots=True, eq=False)
class AssistantHardening:
    """A hardened assistant, the runs before and after, and every guard that was weighed."""

    assistant: Assistant
    before: Run
    after: Run
    results: tuple[HardenedAssistant, ...]

    @property
    def taken(self) -> tuple[str, ...]:
        """The stages of the guard that was taken."""
        return tuple(name for name, _ in self.assistant.guard) if self.results[-1].chosen else ()


def harden(
    assistant: Assistant,
    run: Run,
    *,
    finding: str | None = None,
    stages: Sequence[str] = (),
    store: str | Path | None = None,
    listener: Listener = silent,
) -> AssistantHardening:
    """Weigh the stages of the guard on the attacks of a run, keep the guard that holds, and red team it from scratch.

    `stages` are those to weigh, all where it is empty; `finding` limits them to those that address it.
    """
    from temper.engine.redteam.harden import harden as weigh
    from temper.engine.redteam.kept import was_fresh

    kept, record = open_store(store, assistant), run.record
    if finding is not None:
        found, shown_in = kept.finding(finding)
        record, stages = kept.run(shown_in), stages or found.defences
    result = weigh(assistant, kept, record, listener, stages)
    after = Run(record, tried=result.effects)
    if result.chosen is not None:
        told = Tried(
            before=record.id,
            taken=(result.chosen.defence,),
            effects=result.effects,
            outcomes=tuple((trial.defence, trial.outcome) for trial in result.trials),
        )
        options: dict[str, Any] = {"fresh": was_fresh(kept, record), "hardening": told}
        again = redteam(result.assistant, record.suite, None, record.seed, store=store, listener=listener, **options)
        after = Run(again.record, before=record, effects=result.chosen.effects, tried=result.effects)
    return AssistantHardening(result.assistant, Run(record), after, (result,))


def save_hardened(better: AssistantHardening, folder: str | Path) -> Path:
    """Write the temper.yaml with the guard that was taken into `folder`; its path."""
    from temper.engine.redteam.harden import write

    return write(better.results[-1], Path(folder))


def cases(assistant: Assistant, run: Record, form: str, *, store: str | Path | None = None) -> str:
    """What a run tried, for another tool: its smallest attacks as tests ("pytest", "promptfoo"), or every attempt as a
    report of "garak".
    """
    from temper.engine.redteam.cases import cases as found
    from temper.engine.redteam.tried import tried
    from temper.report.cases import promptfoo_yaml, pytest_file
    from temper.report.garak import garak_jsonl

    kept = open_store(store, assistant)
    if form == "garak":
        return garak_jsonl(*tried(assistant, kept, run))
    made = found(assistant, kept, run)
    return promptfoo_yaml(made) if form == "promptfoo" else pytest_file(made)


def results(path: str | Path) -> Run:
    """The results of another tool (garak, PyRIT, promptfoo, AgentDojo) as a run: figures, nothing judged."""
    from temper.engine.redteam.results import record

    return Run(record(Path(path), datetime.now(UTC)))
