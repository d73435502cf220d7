"""The field: everything an attacker does goes through here, is charged, kept within the rules, written down, judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from temper.core.campaign import DAY, Attacker, Campaign, Copy, Objective, Reply
from temper.core.data import Array, Data
from temper.core.errors import ConfigError
from temper.core.schema import Mutability, Schema
from temper.core.seed import Draws
from temper.core.stage import Level
from temper.engine.campaign.door import Door, Ended, Told
from temper.engine.campaign.hands import evaded, fitted
from temper.engine.campaign.stops import interrupted, over

Rows = np.ndarray[Any, Any]
_REFUSED = (422, 429, 503)
_HELD, _REST, _WINDOW, _SLOWEST = 10, 3_600.0, 50, 60.0
"""So many answers of an account in a row that the guard held up make it rest for an hour; so many requests are looked
at for failures; what a pace grows to at most by answers of 429.
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Got:
    """A wanted row that passed: as which point, with which score (NaN: not told), at what cost, when, and by whom."""

    row: int
    x: Rows
    score: float
    cost: float
    worth: float
    at: float
    queries: int
    by: str


@dataclass(slots=True, kw_only=True, eq=False)
class Account:
    """What an account has asked, when it may ask again, and how many of its last answers were held up in a row."""

    asked: int = 0
    until: float = 0.0
    held: int = 0


@dataclass(kw_only=True, eq=False)
class Ground:
    """A `Field` over all turns of a campaign. `told` is every request with its answer, account and technique, `aimed`
    the wanted row that each was to be, -1 where it only asked.
    """

    campaign: Campaign
    door: Door
    known: Data
    wanted: Data
    suspects: Rows
    full: Schema
    seed: int
    kept: MutableMapping[str, Any] = field(default_factory=dict)
    objective: Objective = field(default_factory=Objective)
    by: str = ""
    left: int = 0
    queries: int = 0
    paid: float = 0.0
    pace: float = 0.0
    got: list[Got] = field(default_factory=list)
    tried: set[int] = field(default_factory=set)
    attempts: list[tuple[str, float]] = field(default_factory=list)
    taught: int = 0
    tally: Counter[str] = field(default_factory=Counter)
    why: Counter[str] = field(default_factory=Counter)
    used: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    told: list[tuple[Rows, Told, str, str]] = field(default_factory=list)
    aimed: list[int] = field(default_factory=list)
    ended: str = ""
    _passed: set[int] = field(default_factory=set, repr=False)
    _recent: list[bool] = field(default_factory=list, repr=False)
    _accounts: dict[str, Account] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._accounts = {name: Account() for name in self.campaign.attacker.accounts}
        self.pace = self.campaign.attacker.pace

    # -- what techniques use ---------------------------------------------------------------------------------------

    @property
    def schema(self) -> Schema:
        """What the rules leave out is immutable."""
        scope = self.campaign.rules.columns
        if not scope:
            return self.full
        columns = (
            replace(one, attacker=Mutability.IMMUTABLE) if one.movable and one.name not in scope else one
            for one in self.full.columns
        )
        return replace(self.full, columns=tuple(columns))

    @property
    def attacker(self) -> Attacker:
        """Who plays."""
        return self.campaign.attacker

    @property
    def open(self) -> Rows:
        """Wanted rows that have not passed yet."""
        return np.array([row for row in range(len(self.wanted)) if row not in self._passed], dtype=np.int64)

    @property
    def money(self) -> float:
        """What is left of it."""
        return self.attacker.money - self.paid

    @property
    def labels(self) -> int:
        """Labels left."""
        return max(0, self.attacker.labels - self.taught)

    @property
    def clock(self) -> float:
        """Seconds since the campaign began."""
        return self.door.now

    @property
    def accounts(self) -> tuple[str, ...]:
        """Accounts that need not wait; the least used first."""
        free = [name for name, one in self._accounts.items() if one.until <= self.door.now]
        return tuple(sorted(free, key=lambda name: self._accounts[name].asked))

    @property
    def heard(self) -> tuple[Rows, Rows]:
        """Every row that was answered with a score."""
        told = [(row, one.score) for row, one, _, _ in self.told if one.score is not None]
        if not told:
            return np.empty((0, len(self.full.columns))), np.empty(0)
        return np.array([row for row, _ in told]), np.array([score for _, score in told])

    def ask(self, x: Array, account: str = "") -> Reply:
        """Any rows."""
        return self._sent(np.asarray(x, dtype=np.float64), None, account)

    def submit(self, x: Array, rows: Any, account: str = "") -> Reply:
        """Attempts. What touches a column that is out of scope is refused before anything is sent."""
        x, rows = np.asarray(x, dtype=np.float64), np.asarray(rows, dtype=np.int64)
        outside = [
            at for at, one in enumerate(self.schema.columns) if self.full.columns[at].movable and not one.movable
        ]
        if outside and len(x):
            moved = ~np.isclose(x[:, outside], self.wanted.x[rows][:, outside], equal_nan=True)
            if moved.any():
                name = self.full.columns[outside[int(np.argmax(moved.any(axis=0)))]].name
                raise ConfigError(f"{name!r} is out of scope: rules.columns leaves it out", fix="leave it as it is")
        return self._sent(x, rows, account)

    def teach(self, x: Array, y: Array, account: str = "") -> int:
        """As many labels as the attacker has left."""
        self._account(account)
        left = self.labels
        taken = self.door.teach(np.asarray(x, dtype=np.float64)[:left], np.asarray(y)[:left]) if left else 0
        self.taught += taken
        self.tally["taught"] += taken
        return taken

    def wait(self, seconds: float) -> None:
        """Patience is limited."""
        self.door.wait(float(seconds))
        self._allowed()

    def fit_copy(self, x: Array, scores: Array) -> Copy:
        """At the attacker's home."""
        edge = float(self.kept.get("threshold", 0.5))
        return fitted(np.asarray(x), np.asarray(scores), edge, self.full, Draws(self.seed, "campaign.copy").integer())

    def evade(self, copy: Copy, rows: Any, threshold: float, queries: int = 200) -> tuple[Rows, Rows]:
        """At the attacker's home."""
        most = min(self.attacker.change, self.money)
        clean = self.wanted.take(np.asarray(rows, dtype=np.int64))
        draws = Draws(self.seed, f"campaign.evade/{len(self.told)}")  # what was told since is worth other points
        return evaded(copy, clean, self.schema, threshold, queries, most, draws)

    def say(self, text: str) -> None:
        """Kept, once."""
        if text not in self.lines:
            self.lines.append(text)

    # -- what the engine uses --------------------------------------------------------------------------------------

    @property
    def unit(self) -> str:
        """What is charged: a row that is asked about."""
        return "queries"

    def moved(self, objective: Objective) -> float:
        """What passed in time: money, or rows."""
        within = [one for one in self.got if one.at <= objective.within * DAY]
        return float(sum(one.worth for one in within)) if objective.amount else float(len(within))

    def begin(self, objective: Objective, by: str, slice_: int) -> None:
        """A turn."""
        self.objective, self.by = objective, by
        self.left = min(slice_, self.attacker.queries - self.queries)
        self.tally, self.why, self.used, self.lines = Counter(), Counter(), [], []

    def rested(self) -> float:
        """Seconds until an account may ask, 0 now."""
        return max(0.0, min(one.until for one in self._accounts.values()) - self.door.now)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _sent(self, x: Rows, rows: Rows | None, account: str) -> Reply:
        named = self._account(account)
        n = len(x)
        scores, levels, flagged = np.full(n, np.nan), np.full(n, -1), np.ones(n, dtype=bool)
        last, at = Told(at=self.clock), 0
        if self.accounts:
            self.door.expect(x[: self.left])
        while at < n and self.left > 0:
            who = named or next(iter(self.accounts), "")
            if not who or self._accounts[who].until > self.clock:
                break
            last = self._one(x[at], who)
            self.aimed.append(-1 if rows is None else int(rows[at]))
            if rows is not None:
                self._judged(x[at], int(rows[at]), last)
            if last.status in (429, 503):
                if named:
                    break
                continue  # another account asks the same
            if last.status == 200:
                scores[at] = np.nan if last.score is None else last.score
                levels[at], flagged[at] = last.level, last.flagged
            at += 1
        after = last.after if last.status != 200 else 0.0
        return Reply(scores=scores, levels=levels, flagged=flagged, source=last.source, status=last.status, after=after)

    def _one(self, row: Rows, who: str) -> Told:
        """One request, charged whatever comes of it."""
        self._allowed()
        if not np.isfinite(row[~np.isnan(row)]).all():
            raise ConfigError("an infinite value cannot be sent", fix="ask about finite rows")
        account = self._accounts[who]
        self.queries, self.left, account.asked = self.queries + 1, self.left - 1, account.asked + 1
        told = self.door.ask(row, who, self.pace)
        self._counted(told, account, who)
        self.told.append((row.copy(), told, who, self.by))
        return told

    def _counted(self, told: Told, account: Account, who: str) -> None:
        self.tally["asked"] += 1
        self.used.append(who)
        self._recent = [*self._recent[-_WINDOW + 1 :], told.status == 0 or (told.status >= 500 and told.status != 503)]
        self.why.update(told.why)
        if told.status in _REFUSED:
            self.tally["refused"] += 1
        elif told.status != 200:
            self.tally["failed"] += 1
        elif told.level >= Level.REVIEW:
            self.tally["blocked" if told.level >= Level.BLOCK else "reviewed"] += 1
        elif told.flagged:
            self.tally["flagged"] += 1
        if told.status in (429, 503):
            account.until = told.at + max(1.0, told.after)
            self.pace = min(_SLOWEST, 2.0 * self.pace)
        account.held = account.held + 1 if told.status == 200 and told.level >= Level.REVIEW else 0
        if account.held >= _HELD:  # whoever is looked at closely stays away for a while
            account.until, account.held = told.at + _REST, 0

    def _judged(self, x: Rows, row: int, told: Told) -> None:
        """Whether this attempt counts; what its changes cost is paid either way."""
        clean = self.wanted.x[row]
        cost = float(self.full.cost(x[None], clean[None])[0])
        if told.status in _REFUSED and told.status != 422:
            return
        self.paid += cost
        self.tally["submitted"] += 1
        self.tried.add(row)
        self.attempts.append((self.by, told.at))
        dear = cost > self.attacker.change + 1e-9 or self.paid > self.attacker.money + 1e-9
        if told.status != 200 or told.flagged or dear or row in self._passed:
            return
        if self.schema.reason(x[None], clean[None]):
            return
        self._passed.add(row)
        score = np.nan if told.score is None else told.score
        worth = self._worth(x)
        self.tally["passed"] += 1
        one = Got(row=row, x=x, score=score, cost=cost, worth=worth, at=told.at, queries=self.queries, by=self.by)
        self.got.append(one)

    def _worth(self, x: Rows) -> float:
        amounts = [one.amount for one in self.campaign.objectives if one.amount]
        return float(x[self.full.index(amounts[0])]) if amounts else 1.0

    def _account(self, name: str) -> str:
        scope = self.campaign.rules.accounts
        if name and (name not in self._accounts or (scope and name not in scope)):
            raise ConfigError(
                f"account {name!r} is out of scope", fix="ask by an account of campaign.attacker.accounts"
            )
        return name

    def _allowed(self) -> None:
        """Every hard stop, before anything is sent."""
        interrupted(self.campaign.rules, self._recent, _WINDOW)
        self.ended = self.ended or over(
            self.campaign.rules,
            self.attacker,
            passed=len(self.got),
            worth=sum(one.worth for one in self.got),
            queries=self.queries,
            clock=self.clock,
        )
        if self.ended:
            raise Ended(self.ended)
        if self.door.simulated and (closed := self.campaign.rules.open(self.door.day)):
            self.door.wait(closed)
