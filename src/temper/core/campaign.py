"""A campaign: somebody who wants something of a guarded system, what they may do, and the one way they reach it.

A technique plays on a field. The field charges every row, refuses what is out of scope before a byte is sent, writes
down what was answered and judges what came of it: a technique never reports its own success.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, ClassVar, Protocol

import numpy as np

from temper.core.answering import Learning, Team
from temper.core.data import Array, Data
from temper.core.errors import ConfigError
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.stage import Level

DAY = 86_400.0


class Tactic(Enum):
    """The links of the kill chain, in their order; the value is the tactic of MITRE ATLAS."""

    RECONNAISSANCE = "AML.TA0002"
    ACCESS = "AML.TA0000"
    STAGING = "AML.TA0001"
    ATTACK = "AML.TA0007"
    IMPACT = "AML.TA0011"

    @property
    def word(self) -> str:
        """How it is called."""
        return self.name.lower()


class Aim(StrEnum):
    """What somebody may be after: move money past the detector, a copy of the model, who was in the training data; of
    an assistant that it calls a tool for strangers, or that a secret of its instructions leaves.
    """

    MOVE = "move"
    STEAL = "steal"
    LEARN = "learn"
    CALL = "call"
    LEAK = "leak"


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What would be a success. `goal` is money of the column `amount` in rows that pass (rows, where no column is
    named), the share of rows on which a copy decides as the model does, or how many more members than others are called
    members (true less false positive rate); all that `within` so many days.

    Of an assistant `goal` counts effects: calls of `tool` with something of the attackers' and these `arguments`, or
    conversations in which the secret left. `asks` replaces the catalogue's words for it; `own` says that it counts as
    well where attackers ask for themselves, because nobody may have it done there (secrets always do).

    >>> Objective(aim=Aim.MOVE, goal=10_000, amount="amount", within=7).words
    "move 10,000 of 'amount' past the detector within 7 days"
    """

    aim: Aim = Aim.MOVE
    goal: float = 1.0
    amount: str = ""
    within: float = 7.0
    tool: str = ""
    arguments: tuple[tuple[str, str], ...] = ()
    asks: str = ""
    own: bool = False

    def __post_init__(self) -> None:
        if not (self.goal > 0 and self.within > 0):
            raise ConfigError(
                f"an objective of {self.goal:g} within {self.within:g} days is none", fix="give both more than 0"
            )
        if self.aim in (Aim.STEAL, Aim.LEARN) and self.goal > 1:
            raise ConfigError(f"{self.aim.value} is a share, not {self.goal:g}", fix="give a goal of at most 1")

    @property
    def words(self) -> str:
        """The objective as a person reads it."""
        days = f"within {self.within:g} day" + "s" * (self.within != 1)
        if self.aim is Aim.STEAL:
            return f"a copy that decides as the model does on {self.goal:.0%} of rows {days}"
        if self.aim is Aim.LEARN:
            return f"tell who was in the training data, {self.goal:.0%} better than by chance, {days}"
        if self.aim in (Aim.CALL, Aim.LEAK):
            often = "once" if self.goal == 1 else f"{self.goal:g} times"
            what = f"have {self.tool!r} called for strangers" if self.aim is Aim.CALL else "have the secret leave"
            given = " and ".join(f"{name} {value}" for name, value in self.arguments)
            return f"{what}{f' with {given}' if given else ''}, {often} {days}"
        what = f"{self.goal:,.0f} of {self.amount!r}" if self.amount else f"{self.goal:,.0f} rows"
        return f"move {what} past the detector {days}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attacker:
    """Who tries: what they know ("black-box": what is answered; "grey-box": the threshold and the layers as well;
    "white-box": the model, too), the `accounts` they ask by, `queries` in all and the `pace` in seconds between two,
    `money` in the schema's units of cost for changes of submitted rows and of that `change` for one row at most,
    `patience` in days, how many rows with their truth they hold (`held`) and have (`wanted`) to get past. So many
    `labels` may be told to whoever labels rows for the next training.

    Of an assistant: `channels` they write to (tools that bring what others wrote; "user" is what they type in accounts
    of their own), each text for the `price`.
    """

    knowledge: str = "black-box"
    accounts: tuple[str, ...] = ("attacker",)
    queries: int = 2_000
    pace: float = 1.0
    money: float = math.inf
    change: float = math.inf
    patience: float = 7.0
    held: int = 200
    wanted: int = 50
    labels: int = 0
    channels: tuple[str, ...] = ()
    price: float = 0.0

    def __post_init__(self) -> None:
        if self.knowledge not in ("black-box", "grey-box", "white-box"):
            raise ConfigError(f"knowledge is {self.knowledge!r}", fix="use black-box, grey-box or white-box")
        if not self.accounts or len(set(self.accounts)) < len(self.accounts):
            raise ConfigError("an attacker asks by accounts of different names", fix="name each account once")
        least = min(self.queries, self.pace, self.money, self.change, self.held, self.labels, self.wanted, self.price)
        if least < 0 or not self.patience > 0:
            raise ConfigError("an attacker has less than nothing", fix="give numbers that are not negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the attackers may do. `hosts`, `systems`, `accounts`, `columns`: nothing else is touched; an empty `columns`
    is every column the Schema lets an attacker move, empty `accounts` those that the attacker has. `hours` of the day
    (UTC) in which anything is sent. The campaign ends after so many `successes` (rows that passed), a `loss` (what they
    carry), a share of `errors` (5xx), so many `queries`, or when the file `kill` is there. Playbooks change a running
    gateway only where the rules say `contain`.

    Of an assistant: `tools` that may be an objective, `channels` and `documents` that may be written to; all where a
    list is empty.
    """

    systems: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    hours: tuple[float, float] = (0.0, 24.0)
    successes: int = 0
    loss: float = 0.0
    errors: float = 0.2
    queries: int = 0
    kill: str = ""
    contain: bool = False
    tools: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()

    def refuses(self, attacker: Attacker, objectives: tuple[Objective, ...], schema: Schema) -> str:
        """Why these rules contradict themselves, the attacker or what is sought; "" where they do not."""
        return next((why for why in self._contradictions(attacker, objectives, schema) if why), "")

    def open(self, clock: float) -> float:
        """Seconds until anything may be sent, at this time (seconds since 1970, UTC); 0 now.

        >>> Rules(hours=(8, 18)).open(7 * 3600.0), Rules(hours=(8, 18)).open(20 * 3600.0), Rules(hours=(22, 4)).open(0)
        (3600.0, 43200.0, 0.0)
        """
        begin, end = (one * 3_600.0 for one in self.hours)
        now = clock % DAY
        inside = begin <= now < end if begin < end else now >= begin or now < end
        return 0.0 if inside else (begin - now) % DAY

    def _contradictions(self, attacker: Attacker, objectives: tuple[Objective, ...], schema: Schema) -> Any:
        begin, end = self.hours
        if not (0 <= begin <= 24 and 0 <= end <= 24) or begin == end:
            yield f"hours {begin:g} to {end:g} are no time of the day in which anything may be sent"
        if out := sorted(set(attacker.accounts) - set(self.accounts)) if self.accounts else []:
            yield f"attacker.accounts has {out[0]!r}, which rules.accounts leaves out"
        if self.queries and attacker.queries > self.queries:
            yield f"attacker.queries is {attacker.queries:,} and rules.queries lets {self.queries:,} through"
        movable = [column.name for column in schema.columns if column.movable]
        if lost := [name for name in self.columns if name not in movable]:
            yield f"rules.columns has {lost[0]!r}, which the schema lets no attacker move"
        for objective in objectives:
            yield from self._against(objective, attacker, schema)

    def _against(self, objective: Objective, attacker: Attacker, schema: Schema) -> Any:
        if objective.amount and objective.amount not in schema.names:
            yield f"objective.amount is {objective.amount!r}, which is no column"
        if objective.within > attacker.patience:
            days = f"{objective.within:g} days and attacker.patience of {attacker.patience:g}"
            yield f"an objective within {days} cannot both hold"
        if objective.aim is not Aim.MOVE:
            return
        sought = f"the objective is {objective.goal:,.0f}"
        if objective.amount and 0 < self.loss < objective.goal:
            yield f"rules.loss stops it at {self.loss:,.0f} and {sought}"
        if not objective.amount and objective.goal > attacker.wanted:
            yield f"attacker.wanted is {attacker.wanted:,} rows and {sought}"
        if not objective.amount and 0 < self.successes < objective.goal:
            yield f"rules.successes stops it after {self.successes:,} and {sought}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reply:
    """What was told of some rows: `scores` (n,) of class 1, NaN where none was told; `levels` (n,) of `Level`, -1 where
    nobody answered; `flagged` (n,), whether the row was stopped by the model's decision or the guard's, as far as told.
    `status` is that of the last request (429, 503: turned away, to come again `after` so many seconds; the rows behind
    it were not sent).
    """

    scores: Array
    levels: Array
    flagged: Array
    source: str = "primary"
    status: int = 200
    after: float = 0.0

    @property
    def answered(self) -> Array:
        """Which rows (n,) were answered."""
        told: Array = np.asarray(self.levels) >= 0
        return told

    @property
    def held(self) -> Array:
        """Which rows (n,) the guard held up: people look at them, or they are blocked."""
        held: Array = np.asarray(self.levels) >= Level.REVIEW
        return held


class Copy(Protocol):
    """A model of the attacker's own."""

    def scores(self, x: Array) -> Array:
        """Scores (n,) of class 1."""


class Field(Protocol):
    """The attacker's only way to a system, in one turn of one technique.

    `kept` is what earlier turns left: by convention `threshold` (a float: scores from there on are stopped), `copy` (a
    `Copy`), `quiet` (seconds between requests that no quota minds). A value has to be plain, or come of `fit_copy`;
    what a technique leaves is named in its `gives`, and never says that anything succeeded.
    """

    @property
    def schema(self) -> Schema:
        """The columns as the attacker may move them: those outside the rules' scope are immutable."""

    @property
    def known(self) -> Data:
        """Rows with their truth that the attacker holds."""

    @property
    def wanted(self) -> Data:
        """Rows that the attacker would have pass, as they are before any change."""

    @property
    def suspects(self) -> Array:
        """Rows of which some were in the training data; guesses (n,) of which are kept as `members`."""

    @property
    def objective(self) -> Objective:
        """What this turn is for."""

    @property
    def attacker(self) -> Attacker:
        """Who plays."""

    @property
    def open(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Positions of wanted rows that have not passed yet."""

    @property
    def left(self) -> int:
        """Queries left in this turn."""

    @property
    def money(self) -> float:
        """Money left for changes of submitted rows."""

    @property
    def labels(self) -> int:
        """Labels left to be told."""

    @property
    def clock(self) -> float:
        """Seconds since the campaign began."""

    @property
    def accounts(self) -> tuple[str, ...]:
        """Accounts that may ask now, those that were told to wait left out; the least used first."""

    @property
    def heard(self) -> tuple[Array, Array]:
        """Every row (n, d) that was answered with a score so far, in any turn, and the scores (n,)."""

    @property
    def kept(self) -> MutableMapping[str, Any]:
        """What the attacker has found out or made, by name."""

    def ask(self, x: Array, account: str = "") -> Reply:
        """Ask about any rows; charged one query a row. Without an account the least used one asks."""

    def submit(self, x: Array, rows: Any, account: str = "") -> Reply:
        """Try to get `x[i]` past as the wanted row `rows[i]`: charged a query and what its changes cost, and judged.

        Nobody is told more than the reply; a row that passed is no longer in `open`. What the schema does not admit as
        a change of the wanted row, or what costs more than `attacker.change`, is charged and never counts.
        """

    def teach(self, x: Array, y: Array, account: str = "") -> int:
        """Have rows that were asked about labelled for the next training (a dispute, a chargeback): how many labels
        were taken, one at most for each time that a row was answered.
        """

    def wait(self, seconds: float) -> None:
        """Let time pass."""

    def fit_copy(self, x: Array, scores: Array) -> Copy:
        """A model of the attacker's own, fitted to answers; not charged."""

    def evade(self, copy: Copy, rows: Any, threshold: float, queries: int = 200) -> tuple[Array, Array]:
        """Of these wanted rows the changes that a copy scores lowest (n, d) of `queries` it is asked about each, and
        which (n,) of them it scores below the threshold. Not charged.
        """

    def say(self, text: str) -> None:
        """A line for the timeline: what was learnt, not what it means for the objective."""


class Move(Protocol):
    """One move of a campaign, whatever it is played on: a frozen keyword-only dataclass, one file of a room.

    It may be played when all that it `needs` is in `kept`, and leaves there what it `gives`, or does not; `aims` are
    the objectives it serves. `references` are ids of ATLAS techniques.
    """

    tactic: ClassVar[Tactic]
    aims: ClassVar[tuple[Aim, ...]]
    needs: ClassVar[tuple[str, ...]]
    gives: ClassVar[tuple[str, ...]]
    references: ClassVar[tuple[str, ...]]


class Technique(Move, Protocol):
    """A move on a table's field, in `attacks/technique`."""

    def play(self, field: Field, rng: Draws) -> None:
        """Work within this turn: until nothing is left, or there is nothing more to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """Who seeks what by which rules; `options` of techniques by their name, `only` these techniques (all where empty),
    `slice` queries a turn. `team` answers where it is asked for, labels that come back are learnt by `learning`.
    `assumed` is what nobody has written.
    """

    objectives: tuple[Objective, ...] = (Objective(),)
    attacker: Attacker = field(default_factory=Attacker)
    rules: Rules = field(default_factory=Rules)
    only: tuple[str, ...] = ()
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    slice: int = 100
    team: Team = field(default_factory=Team)
    learning: Learning = field(default_factory=Learning)
    assumed: tuple[str, ...] = ()
