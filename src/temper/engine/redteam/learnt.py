"""Two layers learnt from the attacks that a run found: a rule of the wording they share, and the linear model refitted.

Each is judged on wrappers that it has not learnt from, and on benign texts; what helps is a file beside the guard's
YAML.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from temper.core.assistant import UNTRUSTED, Assistant
from temper.core.chat import Role
from temper.core.errors import TemperError
from temper.core.event import Event, Listener
from temper.core.injection import Injection
from temper.core.stage import Level
from temper.engine.effect import rates
from temper.engine.redteam.attempts import Trying, twin
from temper.engine.redteam.weighing import Guards, Scale, Trial, Weighed, effects
from temper.engine.redteam.wording import FEWEST, Run, runs, shared
from temper.guard.pipeline import in_order
from temper.guard.text.corpus import Written, corpus
from temper.guard.text.fresh import read
from temper.guard.text.ruleset import load_rules
from temper.guard.text.shipped import fitted, shipped_model

WORKED = "injection.known.worked"
_TRIALS = 3
_ERROR = 0.05
_RULE = """\
# Learnt by `temper harden` from run {run} of {name}.
# Words in a row that at least two attacks which worked share, and that stand in no harmless twin of theirs, no text of
# the sandbox, and none of {benign:,} benign texts of the shipped corpus.
# Wrappers learnt from: {wrappers}.
# Of {unseen} attacks in other wrappers whose goal was left out of the learning too, it would have met {met}.
rules:
  - name: learnt_{key}
    family: learnt
    reason: shares its wording with attacks that worked in run {run}
    user: review
    tool: review
    phrases:
{phrases}
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """What is learnt from: the attacks in wrappers of the learning half, and who says what in them; files go into
    `folder`.
    """

    scale: Scale
    folder: Path
    run: str
    wrappers: Sequence[str] = ()

    @property
    def attacks(self) -> tuple[Injection, ...]:
        """The attacks to learn from, without what disguises their letters: layers read every decoded view."""
        return tuple(
            dict.fromkeys(replace(one, codecs=()) for one in self.scale.attacks if one.wrapper in self.wrappers)
        )

    def said(self, injection: Injection) -> tuple[str, ...]:
        """What the attacker says as layers read it, in several trials with random words of their own."""
        assistant, goals = self.scale.assistant, self.scale.goals
        trying = Trying(assistant=assistant, ask=self.scale.target.ask, goals=goals, seed=self.scale.seed)
        return tuple(read(trying.says(injection, trial))[0].text for trial in range(_TRIALS))

    def harmless(self) -> tuple[str, ...]:
        """The twins of these attacks, and what the user's own tasks say and tools bring."""
        twins = dict.fromkeys(twin(one) for one in self.attacks)
        return (*(text for one in twins for text in self.said(one)), *_own(self.scale.assistant))


async def candidates(lesson: Lesson, base: Guards, names: Sequence[str], listener: Listener) -> tuple[Trial, ...]:
    """Each learnt layer on top of `base`, judged on the wrappers it has not learnt from; of the stages in `names` only.

    It is taken where fewer of these attacks work for certain (each counted once, however often it was tried; both
    layers together err once in twenty), no task more is left undone, no twin more is stopped and no benign text more:
    of the rule on the half of the shipped corpus that had no part in learning, of the model while each text was left
    out of the fit, against the shipped model's. One taken is kept under the next.

    Misleads where attackers change their words: goals are worded alike in both halves, so what is learnt is mostly how
    these attacks ask for what they want. The rule's file says what it meets of goals left out.
    """
    found: list[Trial] = []
    unknown = sorted({one.wrapper for one in lesson.scale.attacks} - set(lesson.wrappers))
    if len(lesson.attacks) < FEWEST or not unknown:
        return ()
    for stage, learn in (("rules", _rule), ("linear", _refitted)):
        if stage not in names:
            continue
        listener(Event(kind="note", message=f"{stage}: learning from {len(lesson.attacks)} attacks"))
        made = learn(lesson)
        if made is None:
            continue
        guard = _extended(base, stage, str(made.path))
        before, after = await lesson.scale.weigh(base), await lesson.scale.weigh(guard)
        found.append(_judged(made, guard, before, after, unknown))
        base = guard if found[-1].taken else base
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A layer that was learnt: its name in a report, its file, and the benign texts that are stopped without and with
    it, each as (how many, of how many).
    """

    name: str
    path: Path
    before: tuple[int, int]
    after: tuple[int, int]


def _judged(made: _Made, guard: Guards, before: Weighed, after: Weighed, unknown: Sequence[str]) -> Trial:
    """Why it is taken or left."""
    found = {one.metric: one for one in effects(made.name, before, after, unknown)}
    worked = rates(made.name, WORKED, before.worked(unknown), after.worked(unknown), "lower")
    twins, tasks = (found.get(metric) for metric in ("twins_stopped", "tasks"))
    benign = "it stops {} of {:,} benign texts, {} of {:,} without".format(*made.after, *made.before)
    p = worked.p_value if worked.p_value is not None else 1.0
    attacks = (
        f"{worked.after:.0%} of {worked.n} attacks in other wrappers work, {worked.before:.0%} without (p = {p:.2g})"
    )
    if not (worked.high < 0 and p <= _ERROR / 2):
        outcome = f"left: {attacks}" + ("; a larger --suite may tell" if worked.after < worked.before else "")
    elif twins is not None and twins.after > twins.before:
        outcome = f"left: it stops {twins.after:.1%} of the harmless twins, {twins.before:.1%} without"
    elif tasks is not None and tasks.after < tasks.before:
        outcome = f"left: {tasks.after:.1%} of the users' tasks are done, {tasks.before:.1%} without"
    elif made.after[0] * made.before[1] > made.before[0] * made.after[1]:
        outcome = f"left: {benign}"
    else:
        outcome = f"taken: {attacks}; {benign}"
    return Trial(defence=made.name, effects=(*found.values(), worked), outcome=outcome, guard=guard)


def _rule(lesson: Lesson) -> _Made | None:
    """A file with one rule, or None where the attacks share no wording of their own."""
    benign = [one for one in corpus() if not one.attack]
    learns, judges = (_dealt(benign, part) for part in (0, 1))
    known = {run for text in (*learns, *lesson.harmless()) for run in runs(text)}
    phrases = shared([lesson.said(one) for one in lesson.attacks], known)
    if not phrases:
        return None
    met, unseen = _transfer(lesson, known)
    lines = "\n".join(f'      - "{" ".join(words)}"  # in {many} attacks' for words, many in phrases)
    text = _RULE.format(
        run=lesson.run,
        name=" ".join(lesson.scale.assistant.name.split()),
        benign=len(learns),
        wrappers=", ".join(sorted({one.wrapper for one in lesson.attacks})),
        met=met,
        unseen=unseen,
        phrases=lines,
        key=hashlib.sha256(lines.encode()).hexdigest()[:8],  # one of the same name would take its place
    )
    path = _placed(lesson.folder, "learnt-rules.yaml", lambda beside: beside.write_bytes(text.encode()))
    before, after = (_stopped(judges, *paths) for paths in ((), (str(path),)))
    return _Made(name="rules, one learnt from the attacks", path=path, before=before, after=after)


def _transfer(lesson: Lesson, known: Set[Run]) -> tuple[int, int]:
    """(met, of how many) attacks in wrappers not learnt from, by what is learnt while their goal is left out too."""
    held = [one for one in lesson.scale.attacks if one.wrapper not in lesson.wrappers]
    met = 0
    for goal in {one.goal for one in held}:
        texts = [lesson.said(one) for one in lesson.attacks if one.goal != goal]
        phrases = {words for words, _ in shared(texts, known)} if texts else set()
        met += sum(
            not phrases.isdisjoint(runs(lesson.said(replace(one, codecs=()))[0])) for one in held if one.goal == goal
        )
    return met, len(held)


def _refitted(lesson: Lesson) -> _Made:
    """The shipped recipe with the attacks and what is harmless beside the shipped corpus; as many benign texts lie
    above its threshold, while they are left out of the fit, as above the shipped model's.
    """
    found = [
        Written(text=text, attack=True, group=f"found {one.wrapper}")
        for one in lesson.attacks
        for text in lesson.said(one)[:1]
    ]
    harmless = [Written(text=text, attack=False, group="yours") for text in dict.fromkeys(lesson.harmless())]
    made, known = [*corpus(), *found, *harmless], shipped_model().benign
    model = fitted(made, known.caught / sum(not one.attack for one in made))
    path = _placed(lesson.folder, "learnt-model.npz", model.save)
    before, after = ((one.caught, one.n) for one in (known, model.benign))
    return _Made(name="linear, refitted with the attacks", path=path, before=before, after=after)


def _stopped(texts: Sequence[str], *paths: str) -> tuple[int, int]:
    """How many of these texts, brought by a tool, the shipped rules and those of these files stop; of how many."""
    rules = load_rules(*paths)
    met = (any(hit.rule.level(Role.TOOL) >= Level.REVIEW for hit in rules.hits(read(text))) for text in texts)
    return sum(met), len(texts)


def _dealt(benign: Sequence[Written], part: int) -> list[str]:
    """The texts of every second template."""
    groups = list(dict.fromkeys(one.group for one in benign))[part::2]
    return [one.text for one in benign if one.group in set(groups)]


def _own(assistant: Assistant) -> Iterator[str]:
    """What the user's tasks say, what tools bring when nobody has written into them, and the instructions."""
    yield assistant.instructions
    yield from (task.prompt for task in assistant.tasks)
    yield from (text.replace(UNTRUSTED, "") for service in assistant.services for _, text in service.results)


def _extended(guard: Guards, stage: str, path: str) -> Guards:
    """The guard with this file in this stage, which comes in at its place where it was not there."""
    own = dict(next((options for name, options in guard if name == stage), {}))
    more = {"rules": (*own.get("rules", ()), path)} if stage == "rules" else {"model": path}
    if any(name == stage for name, _ in guard):
        return tuple((name, {**own, **more} if name == stage else options) for name, options in guard)
    order = in_order()
    later = (at for at, (name, _) in enumerate(guard) if order.index(name) > order.index(stage))
    at = next(later, len(guard))
    return (*guard[:at], (stage, more), *guard[at:])


def _placed(folder: Path, name: str, write: Callable[[Path], object]) -> Path:
    """The file, written beside and then moved to a name that says what is in it: nobody ever reads half of one, and no
    layer that has read another one takes this for it.
    """
    stem, _, ending = name.rpartition(".")
    beside = folder / f"{name}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write(beside)
        path = folder / f"{stem}-{hashlib.sha256(beside.read_bytes()).hexdigest()[:8]}.{ending}"
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise TemperError(f"{folder} cannot be written: {error}", fix="make room, or make it writable") from error
    return path
