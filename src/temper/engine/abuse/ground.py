"""The field around an assistant: what attackers do goes through here, is charged, kept within the rules, judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any

from temper.attacks.injection._built import built
from temper.core.abuse import USER, Attempt, Heard
from temper.core.assistant import Assistant, Trace
from temper.core.campaign import DAY, Aim, Attacker, Campaign, Objective
from temper.core.chat import Usage
from temper.core.errors import ConfigError
from temper.core.injection import Goal, Injection, Tokens
from temper.core.seed import Draws
from temper.core.stage import Level
from temper.engine.abuse.conversations import Conversations, Held
from temper.engine.abuse.effects import Brought, Effect, brought
from temper.engine.abuse.hands import Search, aims, may_type, ready, scope, search
from temper.engine.campaign.door import Ended
from temper.engine.campaign.stops import interrupted, over

_WINDOW, _GONE = 20, 5
"""So many conversations are looked at for failures; so many in a row that nobody answers end it."""
_BARE = "bare"


@dataclass(kw_only=True, eq=False)
class Ground:
    """An `Exposed` over all turns of a campaign. Its clock is simulated: a user comes by at the attacker's pace. `real`
    tells the time (seconds since 1970, UTC) by which the rules' hours go where the target is nobody's stand-in.
    """

    campaign: Campaign
    assistant: Assistant
    conversations: Conversations
    seed: int
    judge: Brought = brought
    real: Callable[[], float] | None = None
    kept: MutableMapping[str, Any] = field(default_factory=dict)
    objective: Objective = field(default_factory=Objective)
    by: str = ""
    left: int = 0
    queries: int = 0
    paid: float = 0.0
    clock: float = 0.0
    usage: Usage = field(default_factory=Usage)
    got: list[Effect] = field(default_factory=list)
    told: list[Attempt] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)
    why: Counter[str] = field(default_factory=Counter)
    used: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    shown: dict[int, Trace] = field(default_factory=dict)
    ended: str = ""
    _through: tuple[tuple[str, str], ...] = field(init=False, repr=False)
    _goals: dict[tuple[Objective, bool], tuple[Goal, ...]] = field(default_factory=dict, repr=False)
    _recent: list[bool] = field(default_factory=list, repr=False)
    _searches: dict[tuple[Any, ...], Search] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._through = scope(self.assistant, self.campaign)

    # -- what techniques use ---------------------------------------------------------------------------------------

    @property
    def attacker(self) -> Attacker:
        """Who plays."""
        return self.campaign.attacker

    @property
    def ways(self) -> tuple[Injection, ...]:
        """One bare order for every task through which something comes in."""
        goals = self._aims(typed=False)
        found: dict[str, str] = {}
        for carrier, task in self._through:
            if carrier == _BARE or task not in found:
                found[task] = carrier
        return tuple(Injection(goal=goal.id, carrier=found[task], task=task) for task in found for goal in goals[:1])

    @property
    def goals(self) -> tuple[str, ...]:
        """By their names."""
        return tuple(goal.id for goal in self._aims(typed=False))

    @property
    def tried(self) -> tuple[Attempt, ...]:
        """In the order of time."""
        return tuple(self.told)

    @property
    def money(self) -> float:
        """What is left of it."""
        return self.attacker.money - self.paid

    def propose(
        self, strategy: str, *, typed: bool = False, coded: bool = False, tasks: tuple[str, ...] = ()
    ) -> Injection | None:
        """What a search at home would try next."""
        return self._search(strategy, typed, coded, tasks).next()

    def rehearse(self, injection: Injection) -> Heard:
        """In an account of the attackers' own."""
        if not may_type(self.campaign):
            raise ConfigError(
                f"the channel {USER!r} is out of scope", fix="attacker.channels and rules.channels name it"
            )
        return self._tried(injection, own=True)

    def strike(self, injection: Injection) -> Heard:
        """Where a stranger's assistant reads it."""
        if not injection.carrier:
            raise ConfigError("nobody types for a stranger", fix="place it in a channel, or rehearse it")
        return self._tried(injection, own=False)

    def wait(self, seconds: float) -> None:
        """Patience is limited."""
        self.clock += max(0.0, float(seconds))
        self._allowed()

    def say(self, text: str) -> None:
        """Kept, once."""
        if text not in self.lines:
            self.lines.append(text)

    # -- what the engine uses --------------------------------------------------------------------------------------

    @property
    def unit(self) -> str:
        """What is charged: the turns of users."""
        return "questions"

    @property
    def accounts(self) -> tuple[str, ...]:
        """All of them: nobody is told to wait."""
        return self.attacker.accounts

    def begin(self, objective: Objective, by: str, slice_: int) -> None:
        """A turn."""
        self.objective, self.by = objective, by
        self.left = min(slice_, self.attacker.queries - self.queries)
        self.tally, self.why, self.used, self.lines = Counter(), Counter(), [], []

    def rested(self) -> float:
        """Nobody waits."""
        return 0.0

    def moved(self, objective: Objective) -> float:
        """Effects that came about in time."""
        at = self.campaign.objectives.index(objective)
        return float(sum(one.objective == at and one.at <= objective.within * DAY for one in self.got))

    def goal(self, injection: Injection) -> Goal:
        """What the injection is after."""
        goals = {one.id: one for one in self._aims(typed=not injection.carrier)}
        if injection.goal not in goals:
            raise ConfigError(
                f"{injection.goal!r} does not serve {self.objective.words}", fix=f"use {', '.join(goals)}"
            )
        return goals[injection.goal]

    # -- inside ----------------------------------------------------------------------------------------------------

    @property
    def _assistant(self) -> Assistant:
        return ready(self.assistant, self.objective)

    def _aims(self, *, typed: bool) -> tuple[Goal, ...]:
        key = self.objective, typed
        if key not in self._goals:
            self._goals[key] = aims(self._assistant, self.objective, typed=typed)
        return self._goals[key]

    def _search(self, strategy: str, typed: bool, coded: bool, tasks: tuple[str, ...]) -> Search:
        key = (self.objective, strategy, typed, coded, tasks)
        if key not in self._searches:
            through = tuple(way for way in self._through if not tasks or way[1] in tasks)
            self._searches[key] = search(
                self._assistant,
                self.objective,
                through,
                strategy,
                attempts=max(1, self.attacker.queries),
                typed=typed,
                coded=coded,
                draws=Draws(self.seed, f"campaign.{len(self._searches)}.{strategy}"),
            )
        return self._searches[key]

    def _tried(self, injection: Injection, *, own: bool) -> Heard:
        """One conversation, where this turn and the attackers' money pay for it."""
        if injection.carrier and (injection.carrier, injection.task) not in self._through:
            raise ConfigError(
                f"{injection.carrier} at {injection.task!r} is out of scope", fix="see rules: and channels:"
            )
        goal, asked = self.goal(injection), len(injection.turns) + 1
        price = 0.0 if own else self.attacker.price
        if asked > self.left or price > self.money:
            return Heard(answered=False)
        self._allowed()
        tokens = Tokens.of(f"campaign/{self.seed}/{len(self.told)}")
        account = self.attacker.accounts[len(self.told) % len(self.attacker.accounts)] if own else ""
        talk = built(self._assistant, goal, injection, tokens, self._trial)
        self._charge(asked, price, account)
        held = self.conversations.hold(self.assistant, talk, account)
        heard = self._judged(injection, tokens, held, own=own)
        self.told.append(Attempt(injection=injection, heard=heard, own=own))
        for each in self._searches.values():
            each.hear(injection, heard)
        if self.moved(self.objective) >= self.objective.goal:  # they have what they came for
            self.left = 0
        return heard

    @property
    def _trial(self) -> int:
        """No two campaigns hear the same lot of an assistant that answers by chance."""
        return Draws(self.seed, "campaign.trial").integer() % 2**30 + len(self.told)

    def _charge(self, asked: int, price: float, account: str) -> None:
        self.queries, self.left, self.paid = self.queries + asked, self.left - asked, self.paid + price
        self.clock += asked * self.attacker.pace
        self.tally["asked"] += asked
        self.used += [account] if account else []

    def _judged(self, injection: Injection, tokens: Tokens, held: Held, *, own: bool) -> Heard:
        """What is true of it, and what of that attackers see."""
        trace, at_home = held.trace, False
        self.usage = self.usage + trace.usage
        self._recent = [*self._recent[-_WINDOW + 1 :], bool(trace.invalid)]
        self.why.update(held.why)
        effects = len(self.got)
        for at, objective in enumerate(self.campaign.objectives):
            for what, worth in (
                () if injection.benign else self.judge(self.assistant, objective, tokens, trace, own=own)
            ):
                self._found(at, what, worth, injection)
            if own and objective == self.objective:
                open_to_all = replace(objective, own=True)
                at_home = any(True for _ in self.judge(self.assistant, open_to_all, tokens, trace, own=True))
        effect = len(self.got) > effects
        self._counted(injection, held, effect=effect, gave_in=at_home, own=own)
        if effect:
            self.shown[len(self.told)] = trace
        said = " ".join(trace.said) if own else ""
        echo = any(one in said for one in (tokens.account, tokens.address, tokens.host, tokens.number, tokens.word))
        return Heard(
            effect=effect or at_home,
            said=said[:4_000],
            stopped=own and held.stopped,
            echoed=own and echo,
            answered=not trace.invalid,
        )

    def _found(self, at: int, what: str, worth: float, injection: Injection) -> None:
        self.got.append(
            Effect(
                objective=at,
                what=what,
                worth=worth,
                at=self.clock,
                queries=self.queries,
                by=self.by,
                injection=injection,
                trial=len(self.told),
            )
        )

    def _counted(self, injection: Injection, held: Held, *, effect: bool, gave_in: bool, own: bool) -> None:
        """One conversation under what became of it."""
        tells = not own or self.objective.own or self.objective.aim is Aim.LEAK
        counts = effect or (tells and not injection.benign)
        found = Counter(submitted=int(counts))
        found["read"] = int(held.trace.delivered and not own)
        if effect:
            found["passed"] = 1
        elif held.trace.invalid:
            found["failed"], found["undecided"] = 1, int(counts)
        elif held.stopped:
            found["reviewed" if held.level is Level.REVIEW else "blocked"] = 1
        elif not injection.benign and not gave_in:
            found["flagged"] = 1
        task = next((one for one in self.assistant.tasks if one.id == injection.task), None)
        if not own and task is not None and not held.trace.invalid:
            found["tasks"], found["served"] = 1, int(task.done(held.trace))
        self.tally += found
        self.total += found

    def _allowed(self) -> None:
        """Every hard stop, before anything is sent."""
        rules = self.campaign.rules
        interrupted(rules, self._recent, _WINDOW)
        if len(self._recent) >= _GONE and all(self._recent[-_GONE:]):
            raise Ended(f"the assistant gave no answer {_GONE} times in a row", fix="--resume goes on once it is well")
        worth = sum(one.worth for one in self.got)
        passed, what = len(self.got), "effects came about"
        self.ended = self.ended or over(
            rules, self.attacker, passed=passed, worth=worth, queries=self.queries, clock=self.clock, what=what
        )
        if self.ended:
            raise Ended(self.ended)
        if closed := rules.open(self.clock if self.real is None else self.real()):
            if self.real is not None:
                raise Ended(f"it is not within rules.hours: {closed / 3_600:.1f} h to go", fix="--resume goes on then")
            self.clock += closed
