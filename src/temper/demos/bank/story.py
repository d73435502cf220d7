"""The quarter as it is told: chapters that the terminal and the page share. SIMULATED."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from temper.core.incident import Incident, Kind
from temper.demos.bank.guard import DAY
from temper.demos.bank.ledger import Sums, added
from temper.demos.bank.plan import CHURN, CONTROLS, CUSTOMER, HOUR, MARGIN, TITLES, Plan
from temper.demos.bank.quarter import Quarter
from temper.demos.bank.trials import Effect, Trials, Worth
from temper.demos.bank.watch import OUTAGE
from temper.demos.bank.waves import Wave, waves
from temper.kernels.contest import Winner


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A heading, and sentences under it; `key` says which charts belong to it."""

    key: str
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Story:
    """All that is known at the end. `bare` is the same quarter without any control, None where it was not run; `own`
    says whether the world is the one whose breach and whose new channel are known; `models` what they were made with.
    """

    quarter: Quarter
    bare: Quarter | None
    trials: Trials | None
    worths: tuple[Worth, ...]
    models: str
    own: bool = True
    seconds: float = 0.0

    @property
    def plan(self) -> Plan:
        """Of the quarter."""
        return self.quarter.plan

    @property
    def total(self) -> Sums:
        """The quarter in figures."""
        return self.quarter.ledger.total

    @property
    def waves(self) -> list[Wave]:
        """When losses rose, and how long that took."""
        return waves([day.lost for day in self.quarter.ledger.sums], self.quarter.incidents)

    @property
    def missing(self) -> str:
        """What was broken off, in a sentence; "" where all is there."""
        done, days = len(self.quarter.ledger.sums), self.plan.days
        if not self.quarter.whole:
            return f"Broken off: {done} of {days} days were simulated, and no figure speaks of the others."
        if self.bare is not None and not self.bare.whole:
            return "Broken off: the same quarter without any control was not finished, and nothing is held against it."
        if self.trials is not None and not self.worths:
            return "Broken off: the small quarters that say what each control is worth were not all run."
        return ""


def dollars(value: float) -> str:
    """As it is read.

    >>> dollars(-1234.5), dollars(2_345_678)
    ('-$1,234', '$2.35 million')
    """
    sign, size = "-" if value < 0 else "", abs(value)
    return f"{sign}${size / 1e6:.2f} million" if size >= 1e6 else f"{sign}${size:,.0f}"


def thousands(value: float) -> str:
    """Dollars where there is little room.

    >>> thousands(12_345), thousands(99.5)
    ('$12.3k', '$0.1k')
    """
    return f"${value / 1e3:,.1f}k"


def span(one: Effect) -> str:
    """The ends of an interval, in dollars."""
    return f"{dollars(one.low)} to {dollars(one.high)}" if one.n > 1 else "no interval: one seed"


def chapters(story: Story) -> list[Chapter]:
    """All that can be told of what there is."""
    parts = [("calm", "The calm", _calm(story)), ("learn", "Fraudsters learn", _learn(story))]
    if story.own:
        parts.append(("channel", "A new channel", _channel(story)))
    parts += [
        ("outage", "The outage", _outage(story)),
        ("models", "The models learn, too", _models(story)),
        ("incidents", "Incidents", _incidents(story)),
        ("worth", "What each control was worth", _worth(story)),
    ]
    told = [(key, title, tuple(lines)) for key, title, lines in parts]
    return [Chapter(key=key, title=title, lines=lines) for key, title, lines in told if lines]


def summary(story: Story) -> Iterator[str]:
    """The quarter in three sentences."""
    one = story.total
    if not one.payments:
        yield "Nothing was simulated."
        return
    share = one.stopped / one.attempted if one.attempted else 0.0
    yield (
        f"Of {one.payments:,} payments {one.frauds:,} were fraud and tried to take {dollars(one.attempted)}. "
        f"{dollars(one.stopped)} of that was stopped ({share:.0%}), {dollars(one.lost)} is lost."
    )
    yield (
        f"{one.false_declines:,} honest payments ({one.rate:.2%}) were declined, worth {dollars(one.false_amount)}; "
        f"{one.customers:,.1f} customers leave over it, as assumed. Analysts looked at {one.looks:,} payments in "
        f"{one.hours:,.0f} hours."
    )
    if story.bare is not None and story.quarter.whole and story.bare.whole:
        other = story.bare.ledger.total
        stands = "all of them" if story.plan.controls == set(CONTROLS) else "those that stand"
        yield (
            f"The same quarter without any control: {dollars(other.lost)} lost. With {stands} fraud costs the bank "
            f"{dollars(one.cost)} in all, declined customers and analysts counted."
        )


def assumptions() -> str:
    """What money means here."""
    return (
        f"Assumed: a payment earns {MARGIN:.0%} of its amount, {CHURN:.0%} of honest customers leave once they are "
        f"declined, one of them is worth {dollars(CUSTOMER)}, an hour of an analyst costs {dollars(HOUR)}. Fraud is "
        "about 1 % of payments, several times as common as in life, so that it can be counted. SIMULATED."
    )


def table(sums: Sequence[Sums]) -> list[tuple[str, ...]]:
    """The weeks, as rows of text."""
    return [
        (
            str(at + 1),
            f"{one.payments:,}",
            f"{one.frauds:,}",
            thousands(one.attempted),
            thousands(one.lost),
            f"{one.false_declines:,}",
            f"{one.rate:.2%}",
            f"{one.hours:,.0f}",
            f"{one.backlog:,}",
        )
        for at, one in enumerate(sums)
    ]


COLUMNS = ("week", "payments", "frauds", "tried", "lost", "declined", "honest", "hours", "waiting")
"""Of the weekly table: `declined` are honest payments, and `honest` is their share of all honest ones; `hours` are of
analysts, and `waiting` is what they had not come to at the end of the week.
"""


def _part(story: Story, first: int, last: int) -> Sums | None:
    """The days from `first` to before `last`, where they were simulated."""
    days = story.quarter.ledger.sums
    return added(days[max(first, 0) : last]) if 0 <= first < last <= len(days) else None


def _rate(one: Sums) -> str:
    return f"{one.stopped / one.attempted:.0%}" if one.attempted else "nothing"


def _calm(story: Story) -> Iterator[str]:
    if (first := _part(story, 0, 7)) is None:
        return
    yield (
        f"In the first week {first.frauds:,} frauds are tried. The bank stops {_rate(first)} of their money and loses "
        f"{dollars(first.lost)}; it declines {first.rate:.2%} of honest payments on the way."
    )


def _learn(story: Story) -> Iterator[str]:
    start, end = _part(story, 0, 7), _part(story, story.plan.breach - 7, story.plan.breach)
    if start is not None and end is not None:
        yield (
            f"Nobody tells fraudsters what the model is. They see what passes, and do more of that: of what they try "
            f"to take the bank stopped {_rate(start)} in the first week and {_rate(end)} in the week before day "
            f"{story.plan.breach + 1}."
        )
    after = _part(story, story.plan.breach, story.plan.breach + 7)
    if story.own and after is not None and end is not None:
        yield (
            f"On day {story.plan.breach + 1} a shop loses its customers' cards. For a week cards cost nothing: "
            f"{after.frauds:,} frauds instead of {end.frauds:,} the week before, and {dollars(after.lost)} lost "
            f"instead of {dollars(end.lost)}."
        )
    last = _part(story, story.plan.days - 7, story.plan.days)
    if last is not None and start is not None:
        fewer = last.frauds < start.frauds
        why = "Whoever only loses gives up" if fewer else "Fraud pays here, and more come than give up"
        yield f"{why}: {last.frauds:,} frauds in the last seven days, {start.frauds:,} in the first."


def _channel(story: Story) -> Iterator[str]:
    opens = story.plan.opens
    before, after = _part(story, opens - 7, opens), _part(story, opens, opens + 7)
    if before is None or after is None:
        return
    yield (
        f"On day {opens + 1} the bank opens instant payments. No model has seen one. Honest payments declined: "
        f"{before.rate:.2%} the week before, {after.rate:.2%} after; {after.backlog:,} payments wait for people at "
        f"the end of that week, {before.backlog:,} before."
    )
    yield from _noticed(story, opens, "Monitoring")


def _noticed(story: Story, day: int, who: str) -> Iterator[str]:
    """The first incident of the fortnight after a day."""
    known = [one for one in story.quarter.incidents if one.source != OUTAGE]
    found = [one for one in known if day * DAY < one.opened <= (day + 14) * DAY]
    if not found:
        held = [one for one in known if one.opened <= day * DAY and (one.closed is None or one.closed > day * DAY)]
        yield f"{who} opened no incident in the fortnight after it." + (
            f" One was open already: {held[0].title}." if held else ""
        )
        return
    first = min(found, key=lambda one: one.opened)
    yield f"{who} notices {_after(first.opened / DAY - day)}: {first.title}."


def _outage(story: Story) -> Iterator[str]:
    day, start, end = story.plan.outage
    one = _part(story, day, day + 1)
    if one is None:
        return
    many = round((end - start) * one.payments)
    if "fallback" in story.plan.controls:
        who = "the challenger answers in its place"
    elif "output" in story.plan.controls:
        who = "an answer that is none is declined: every one of them"
    else:
        who = "nobody answers in its place, and everything goes through that no other layer stops"
    yield (
        f"On day {day + 1} the champion does not answer for about {many:,} payments; {who}. That day "
        f"{dollars(one.lost)} are lost and {one.rate:.2%} of honest payments declined."
    )


def _models(story: Story) -> Iterator[str]:
    lessons = story.quarter.lessons
    if not lessons or "retraining" not in story.plan.controls:
        yield "The models of the first day answer until the last."
        return
    asked = [one for one in lessons[1:] if one.why != "every week"]
    yield (
        f"Both models learnt {len(lessons) - 1} times, {len(asked)} of them early because something had changed. The "
        f"last lesson knew {lessons[-1].frauds:,} frauds among {lessons[-1].rows:,} payments: what victims had "
        "reported by then, and what people had found. What is never reported is learnt as honest, and a declined "
        "payment that nobody looked at teaches nothing."
    )
    contests = [one for one in lessons if one.contest is not None]
    won = [one for one in contests if one.contest and one.contest.winner is Winner.CHALLENGER]
    if contests:
        days = ", ".join(str(one.day) for one in won)
        yield (
            f"{len(contests)} times champion and challenger were compared on payments neither had learnt from. "
            + (f"The challenger was better, beyond chance, on day {days}, and took over." if won else "")
            + ("" if won else "The challenger was never better beyond chance.")
        )


def _incidents(story: Story) -> Iterator[str]:
    found = story.quarter.incidents
    if "monitoring" not in story.plan.controls:
        yield "Nobody watches, so nothing is opened."
        return
    yield f"{len(found)} incidents were opened: {_kinds(found)}."
    for one in found:
        did = [line.text for line in one.timeline if line.kind is Kind.PLAYBOOK]
        closed = "open at the end" if one.closed is None else f"closed on day {one.closed / DAY:.0f}"
        what = f" Done: {'; '.join(did)}." if did else ""
        yield f"Day {one.opened / DAY:.0f}, {one.severity.value}: {one.title} ({closed}).{what}"
    for wave in story.waves:
        noticed = "was noticed by nobody" if wave.noticed is None else f"was noticed {_after(wave.noticed)}"
        over = "never over" if wave.contained is None else f"over {_after(wave.contained)}"
        yield f"Losses rose by half on day {wave.start + 1}; that {noticed}, and was {over}."


def _kinds(found: Sequence[Incident]) -> str:
    names = {OUTAGE: "outage", "reports": "more reported frauds", "unknown": "drift of a kind that is not clear"}
    sources = [names.get(one.source, one.source) for one in found]
    return ", ".join(f"{sources.count(name)} {name}" for name in dict.fromkeys(sources)) or "none"


def _after(many: float) -> str:
    return "at once" if many < 1 else "after a day" if many == 1 else f"after {many:.0f} days"


def _worth(story: Story) -> Iterator[str]:
    if story.trials is None or not story.worths:
        return
    plan, n = story.trials.plan, len(story.trials.seeds)
    whole = story.trials.overall()
    many = n * (2 + len(CONTROLS) + sum(one.alone is not None for one in story.worths))
    yield (
        f"{many} small quarters of {plan.days} days with {plan.per_day:,} payments a day, {n} seeds for each set: with "
        "all controls, without one of them, with one layer alone, with none. Together they save "
        f"{dollars(whole.mean)} ({span(whole)}, 95 % over seeds) of what one of these would cost."
    )
    clear = [one for one in story.worths if one.cost.clear and one.cost.mean > 0]
    if clear:
        worst = clear[0]
        yield f"Leaving out {TITLES[worst.control]} costs most: {dollars(worst.cost.mean)} ({span(worst.cost)})."
    open_ = [one.control for one in story.worths if not one.cost.clear]
    if open_:
        yield f"Of {', '.join(open_)} these {n} seeds do not show whether leaving it out matters."


def after(story: Story) -> tuple[str, ...]:
    """What to do next."""
    worst = next((one.control for one in story.worths if one.cost.mean > 0), "review")
    return (
        f"temper demo bank --without {worst}: the same with that switched off",
        "temper demo bank --held-out: another world, of another make",
        "temper demo fraud: attack, judge and fix one model of such a bank",
        "temper init --model M --data D --target Y: your own",
    )
