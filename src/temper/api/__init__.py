"""The public functions: load, assess, harden, compare, attack, target. Every one also takes a raw model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from temper.api.results import AttackResult, Compared, Hardening, Run, compared
from temper.core.assistant import Assistant
from temper.core.budget import Budget
from temper.core.data import Array
from temper.core.defence import Tried
from temper.core.errors import ContractError, TemperError
from temper.core.event import Event, Listener, silent
from temper.core.run import Record
from temper.core.schema import Schema
from temper.core.system import Protected
from temper.core.target import Target

if TYPE_CHECKING:
    from temper.core.threat import Scenario
    from temper.engine.plan import Plan
    from temper.engine.replay import Replay
    from temper.store.database import Store

__all__ = ["AttackResult", "Compared", "Hardening", "Run"]
_PLANNING = 600.0


def load(path: str | Path = "temper.yaml", *, trust_pickle: bool = False) -> Protected:
    """The system a temper.yaml describes, with its model and data."""
    from temper.config.assistant import is_assistant
    from temper.config.system import load_system
    from temper.threats.controls import refuse_unknown

    if is_assistant(path):
        raise TemperError(
            f"{path} describes an assistant", fix="use temper redteam, then temper replay, harden, report or serve"
        )
    system = load_system(Path(path), trust_pickle=trust_pickle, today=datetime.now(UTC).date(), history=True)
    refuse_unknown(system.description.controls, system.source)
    return system


def System(**parts: Any) -> Protected:
    """A system from Python objects: model=, data=(X, y) or frame, train=, target=, schema=, policy=, threshold=."""
    from temper.config.build import build_system

    return build_system(**parts)


def target(model: Any, **settings: Any) -> Target:
    """The adapter of a raw model, by type: torch module, booster, estimator, ONNX path, URL, callable."""
    from temper.targets.load import open_target

    return model if isinstance(model, Target) else open_target(model, **settings)


def assess(
    system: Protected,
    suite: str = "standard",
    only: Sequence[str] | None = None,
    seed: int = 0,
    engine: str = "processes",
    *,
    store: str | Path | None = None,
    listener: Listener = silent,
    resume: bool = False,
    fresh: bool = False,
    workers: int | None = None,
    address: str | None = None,
    author: str | None = None,
    hardening: Tried | None = None,
) -> Run:
    """Assess a system: what breaks it, how sure that is, and the verdict of its policy.

    Results are kept in `store` (default: beside the system's temper.yaml, else this folder); an unchanged assessment is
    answered from there. `fresh` measures again, `resume` continues a run that was killed. `author` (default: whoever
    runs this process) is who may not approve it, `hardening` what was tried on the way to a hardened system.
    """
    from temper.api._waived import waived
    from temper.engine.assess import Job, vet
    from temper.engine.assess import assess as run_job
    from temper.engine.executors import executor
    from temper.engine.risk import incidents_beside

    listener(Event(kind="note", message=f"checking the model of {system.name}"))
    vet(system)
    kept, now = open_store(store, system), datetime.now(UTC)
    policy = waived(system.policy, system.name, system.source, kept, now.date(), listener)
    planned = _planned(replace(system, policy=policy), suite, tuple(only or ()), seed)
    for scenario in planned.scenarios:
        listener(Event(kind="scenario", task=_titled(scenario), room=scenario.rating, message=scenario.because))
    for entry in planned.skipped:
        if not only:
            listener(Event(kind="skipped", task=entry.name, message=entry.why))
    options: dict[str, Any] = {} if engine == "serial" else {"workers": workers}
    if engine == "ray":
        options["address"] = address
    job = Job(
        plan=planned,
        store=kept,
        executor=executor(engine, **options),
        run=unfinished(kept, system.name) if resume else kept.next_run_id(),
        now=now,
        engine=engine,
        listener=listener,
        fresh=fresh,
        author=whoever() if author is None else author,
        incidents=incidents_beside(kept),
        hardening=hardening,
    )
    return Run(run_job(job))


def whoever() -> str:
    """Who runs this process; its number where the machine has no name for it."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"user {os.getuid()}"


def _planned(system: Protected, suite: str, only: tuple[str, ...], seed: int) -> Plan:
    """The plan asks the model about every row it may attack, and a model can hang."""
    from temper.core.deadline import TooLate, within
    from temper.engine.plan import plan

    try:
        return within(_PLANNING, lambda: plan(system, suite, only, seed))
    except TooLate:
        raise ContractError(
            f"the model did not answer the rows of the plan within {_PLANNING:g} s", fix="use a smaller --suite"
        ) from None


def open_store(store: str | Path | None, system: Protected | Assistant | None = None) -> Store:
    """The store of a system: beside its temper.yaml, or of the folder around it when only that has one (a hardened
    system lies in a folder of the system it came from), else a new one. Its temper.yaml may name a database for it, and
    `store` may be the URL of one.
    """
    from temper.config.keeping import kept_in
    from temper.store.database import Store, home

    if store is None:
        store = Path(system.source).parent if system is not None and system.source else Path()
    if "://" in str(store):
        return Store.near(Path(system.source).parent if system is not None and system.source else Path(), str(store))
    return Store.near(Path(store), *kept_in(home(Path(store))))


def unfinished(store: Store, system: str, kind: str = "") -> str:
    """The number of this system's last run when it was stopped, else a new one. One of another kind is not taken up."""
    last = store.outlines(1, system=system)
    if not last or last[0].state != "stopped":
        return store.next_run_id()
    if (was := dict(store.run(last[0].run).facts).get("kind", "")) != kind:
        fix = "resume it with --campaign" if was else "resume it without --campaign"
        raise TemperError(
            f"run {last[0].run}, which was stopped, is {was or 'no campaign against an assistant'}", fix=fix
        )
    return last[0].run


def attack(
    model: Any,
    name: str,
    x: Array,
    y: Array,
    *,
    budget: Budget,
    seed: int = 0,
    schema: Schema | None = None,
    threshold: float | None = None,
    goal: str | int = "misclassify",
    tolerance: float = 0.0,
    reference: tuple[Array, Array] | None = None,
    mode: str = "nearest",
    **options: Any,
) -> AttackResult:
    """One evasion attack on rows of your own: x (n, ...), y (n,) class numbers; random moves run beside it.

    Without a schema every feature may move anywhere in the range seen in `x`. A list of texts is attacked by
    evasion.word_bug, word_swap or punctuation, from labels alone by text_hard_label, within a radius in norm "edits" or
    "words" and a `TextSchema`.
    `goal` is "misclassify" or the class to reach; for a regression model success is a value moved by more than
    `tolerance`. `reference` (x, y) are rows the attacker holds. Other kinds of attack need a system.
    """
    from temper.core.attack import Scene
    from temper.core.data import Data
    from temper.core.text import as_texts
    from temper.engine.one_attack import attack_rows, free_schema
    from temper.targets._array import to_numpy

    opened, texts = target(model), as_texts(x)
    x = np.asarray(x) if texts is None else texts
    scene = Scene(
        x=x,
        y=np.asarray(y),
        ids=np.arange(len(x)),
        schema=schema or free_schema(x),
        budget=budget,
        kind=opened.kind,
        classes=opened.classes,
        threshold=threshold,
        mode=mode,
        goal=goal,
        tolerance=tolerance,
        reference=None if reference is None else Data(x=np.asarray(reference[0]), y=np.asarray(reference[1])),
    )
    outcome = attack_rows(opened, name, scene, seed, options)
    found = outcome.found
    checks = (*outcome.doubts, *outcome.remarks, *sorted({reason for reason in found.reasons if reason}))
    return AttackResult(
        found.verdicts, to_numpy(found.x_adv), found.distance, found.queries, outcome.rate, checks, found.notes
    )


def harden(
    system: Protected,
    run: Run,
    *,
    finding: str | None = None,
    defences: Sequence[str] | None = None,
    engine: str = "processes",
    store: str | Path | None = None,
    listener: Listener = silent,
) -> Hardening:
    """Try the defences, attack each result from scratch, keep the best by policy, and assess it like the run before.

    Against evasion, then against every other kind of attack that the run found something of, each on top of what was
    taken before. Without `defences`, those that the catalogue names. `finding` limits the attack and the defences to
    its own. When none helps, the system is returned as it was.
    """
    from temper.engine.harden_all import Wanted, harden_all, hardening_of

    record, kept, found = run.record, open_store(store, system), None
    if finding is not None:
        found, shown_in = kept.finding(finding)
        record = kept.run(shown_in)
        if not found.defences:
            raise TemperError(f"no defence addresses {found.id}", fix="see `temper list defences`")
        defences = found.defences if defences is None else defences
    wanted = Wanted(finding=found, defences=None if defences is None else tuple(defences))
    results = harden_all(system, record, wanted, listener)
    hardened, told = results[-1].system, hardening_of(record.id, results)
    run, after = Run(record), Run(record, tried=told.effects)
    if taken := [result.chosen for result in results if result.chosen is not None]:
        from temper.engine.saving import as_saved

        hardened = as_saved(hardened, results, listener)
        options: dict[str, Any] = {"store": store or _home(system), "listener": listener, "hardening": told}
        after = assess(hardened, record.suite, None, record.seed, engine, **options)
        effects = tuple(effect for trial in taken for effect in trial.effects)
        after = Run(after.record, before=record, effects=effects, tried=told.effects)
    return Hardening(hardened, run, after, results)


def save_hardened(better: Hardening, folder: str | Path) -> Path:
    """Write the hardened model and its temper.yaml into `folder`; the path of the temper.yaml."""
    from temper.engine.saving import saved

    if not better.taken:
        raise TemperError("no defence was chosen, so there is nothing new to write")
    return saved(better.system, better.results, Path(folder))


def _home(system: Protected) -> Path:
    return Path(system.source).parent if system.source else Path()


def compare(before: Record | Run, after: Record | Run) -> Compared:
    """What changed between two runs; figures whose status or unit differ are not compared."""
    return compared(_record(before), _record(after))


def certificates(run: Record | Run, store: str | Path | Store | None = None) -> str:
    """What a run has proven, as JSON with the model's digest: settings, and a radius for every row."""
    from temper.engine.export import certificates as exported
    from temper.store.database import Store as Kept

    return exported(store if isinstance(store, Kept) else open_store(store), _record(run))


def signed_statement(run: Record | Run, form: str, key: str | Path) -> str:
    """The in-toto statement of a run in a DSSE envelope, signed with an Ed25519 key of `temper sign --new-key`."""
    from temper.report.intoto import PAYLOAD, statement
    from temper.store.ledger.checkpoint import private_key
    from temper.store.signed import sealed

    if form != "intoto":
        raise TemperError(f"a report as {form} is not signed", fix="use --format intoto with --key")
    return sealed(statement(_record(run)), PAYLOAD, private_key(Path(key))) + "\n"


def replay(system: Protected, finding: str, *, store: str | Path | None = None) -> Replay:
    """Show a finding again on the model as it is now: the kept rows first, then the same attack from scratch."""
    from temper.engine.assess import vet
    from temper.engine.replay import replay as replay_finding

    vet(system)
    return replay_finding(system, open_store(store, system), finding)


def _titled(scenario: Scenario) -> str:
    """The threat and, where there is one, who would do it."""
    return scenario.threat.title + (f", {scenario.actor.name}" if scenario.actor.queries else "")


def _record(run: Record | Run) -> Record:
    return run.record if isinstance(run, Run) else run
