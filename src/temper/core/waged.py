"""What a campaign did and came to: turn by turn, technique by technique, and what would have seen it."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of a technique, from `begun` to `ended` (seconds since the campaign began). Of the rows `asked`, so many
    were `flagged` by the model alone, `reviewed` or `blocked` by the guard, turned away (`refused`: 422, 429, 503) or
    lost (`failed`); `passed` of those `submitted` got through, with what they carry (`moved`). `cost` is what changes
    of submitted rows took, `gave` what the attacker has since, `said` what the technique told, `why` which layers
    objected how often.

    `seen` names what alarmed of it (a layer, a comparison of the monitor), `detected` and `contained` when, in seconds
    since the campaign began; "" and None where nothing did.

    Against an assistant conversations take the place of rows: `flagged` are those that the assistant itself held in,
    `read` those in which a stranger's assistant read what was placed, `passed` those that had an effect.
    """

    technique: str
    tactic: str
    aim: str
    begun: float
    ended: float
    asked: int = 0
    flagged: int = 0
    reviewed: int = 0
    blocked: int = 0
    refused: int = 0
    failed: int = 0
    submitted: int = 0
    read: int = 0
    passed: int = 0
    moved: float = 0.0
    cost: float = 0.0
    accounts: tuple[str, ...] = ()
    gave: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    why: tuple[tuple[str, int], ...] = ()
    seen: str = ""
    detected: float | None = None
    contained: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What attackers had, so that a register can hold it against what an actor has: knowledge, queries in all, the
    rows they had to get past, and what they could spend on the change of one row and on all (None: without end).
    """

    knowledge: str
    queries: int
    wanted: int
    change: float | None = None
    money: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What came of an objective: its words, how far (`value` of `goal`, between `low` and `high` where it was measured
    on a sample), and when and after how many queries it was reached; `bare` is how far the same attackers came with
    nothing but the model before them, `unanswered` how far, after so many queries, where nobody answered.
    """

    aim: str
    words: str
    goal: float
    value: float
    reached: bool
    when: float | None = None
    queries: int = 0
    cost: float = 0.0
    bare: float | None = None
    low: float | None = None
    high: float | None = None
    unanswered: float | None = None
    unanswered_queries: int = 0

    @property
    def share(self) -> float:
        """How much of the goal."""
        return self.value / self.goal


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One step of a playbook in answer to an incident: when it was done, what the incident was opened for (`alarm`),
    what came of it (`text`), and whether anything `changed`. `honest`: the same alarms without the campaign too.
    """

    at: float
    incident: int
    alarm: str
    playbook: str
    step: str
    text: str
    changed: bool = False
    honest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted:
    """Attempts of a technique and how many of them passed, `before` the system was contained and `since` then; `alone`
    are the same four of the campaign that nobody answers.
    """

    technique: str
    before: tuple[int, int]
    since: tuple[int, int]
    alone: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Defended:
    """The other side of a campaign: the `team` in words, every step that it took, and when the first playbook that
    contains was through (`contained`, seconds since the campaign began). `beside` says why it changed nothing;
    `alerts` are what the monitor would send, and when. Of `windows` so many are `false` alarms, which honest traffic
    gives by itself; of the `honest` requests so many are stopped by the guard as it began and as people left it.
    """

    team: str
    beside: str = ""
    contained: float | None = None
    answered: tuple[Answered, ...] = ()
    attempts: tuple[Attempted, ...] = ()
    alerts: tuple[tuple[str, float], ...] = ()
    windows: int = 0
    false: int = 0
    honest: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """An effect of an assistant's tools: `what` was done, when and after how many questions, by which technique, and
    how the order reached the assistant.
    """

    what: str
    when: float
    queries: int
    technique: str
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waged:
    """One campaign: what was sought, who sought it by which rules (in words), every turn, and why it ended. `others` is
    how many of the `waged` campaigns by other seeds (this one among them) reached everything. `guarded`: a guard stood
    before the model. `defended` is what the other side did, where it was asked for. `asked` is what was sent: "rows",
    or "conversations" with an assistant, whose tools did the `deeds`.
    """

    attacker: str
    rules: str
    target: str
    objectives: tuple[Came, ...]
    turns: tuple[Turn, ...]
    queries: int
    cost: float
    seconds: float
    ended: str
    assumed: tuple[str, ...] = ()
    untried: tuple[str, ...] = ()
    waged: int = 1
    reached: int = 0
    purple: bool = False
    gaps: tuple[str, ...] = ()
    means: Means | None = None
    guarded: bool = False
    defended: Defended | None = None
    asked: str = "rows"
    deeds: tuple[Deed, ...] = ()

    @property
    def acted(self) -> tuple[Turn, ...]:
        """Turns in which anything was done: who has nothing to do is asked again later."""
        return tuple(turn for turn in self.turns if turn.asked or turn.said or turn.gave)

    @property
    def techniques(self) -> tuple[Turn, ...]:
        """The turns of each technique together, in the order in which they were first played."""
        found: dict[str, Turn] = {}
        for turn in self.acted:
            found[turn.technique] = together(found[turn.technique], turn) if turn.technique in found else turn
        return tuple(found.values())


def together(one: Turn, other: Turn) -> Turn:
    """Two turns of a technique as one line of a table."""
    counts = ("asked", "flagged", "reviewed", "blocked", "refused", "failed", "submitted", "read", "passed")
    why, first = dict(one.why), min(one, other, key=lambda turn: inf if turn.detected is None else turn.detected)
    for name, many in other.why:
        why[name] = why.get(name, 0) + many
    return Turn(
        technique=one.technique,
        tactic=one.tactic,
        aim=one.aim,
        begun=one.begun,
        ended=other.ended,
        moved=one.moved + other.moved,
        cost=one.cost + other.cost,
        accounts=tuple(dict.fromkeys((*one.accounts, *other.accounts))),
        gave=tuple(dict.fromkeys((*one.gave, *other.gave))),
        said=(*one.said, *other.said),
        why=tuple(why.items()),
        seen=first.seen,
        detected=first.detected,
        contained=first.contained,
        **{name: getattr(one, name) + getattr(other, name) for name in counts},
    )
