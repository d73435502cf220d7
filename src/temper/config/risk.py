"""What is at stake, in temper.yaml: attempts a year, losses, what is accepted, and what a guard has stopped.

risk:
  unit: EUR                      # with it every loss is a range of money, and an appetite is needed
  appetite: 50000                # annual loss that may be exceeded in one year of ten
  half_life: 90d                 # evidence counts half after so long
  attempts: [20, 60, 200]        # a year: at least, most likely, at most; or rare, yearly, monthly, weekly, daily
  loss: [200, 900, 5000]         # of one success; without a unit also minor, moderate, major, severe
  scenarios:                     # what differs, by ids of `temper threats`; the later line wins
    - {threat: "extraction-*", attempts: yearly, loss: [20000, 60000, 400000]}
    - {threat: "evasion-*", actor: insider, attempts: rare, success: 0.6, relevance: 0.5}
  accepted:                      # stops working when it lapses
    - {threat: membership, by: Name, reason: why, until: 2027-06-30}
  guard:                         # what it stopped of attempts by somebody who knew it, and under which configuration
    - {threat: "evasion-*", stopped: 45, tried: 60, measured: 2026-11-01, guard: 3fa94c1e, how: who tried it}
"""

from __future__ import annotations

import hashlib
import json

from temper.config.document import Scalar, Section
from temper.config.monitor import seconds
from temper.core.errors import TemperError
from temper.core.risk import ATTEMPTS, LOSSES, Acceptance, Line, Range, Stakes, Stopping

_KEYS = ("unit", "appetite", "half_life", "attempts", "loss", "scenarios", "accepted", "guard")
_LINE = ("threat", "actor", "attempts", "loss", "success", "relevance")
_STOPPING = ("threat", "stopped", "tried", "measured", "guard", "how")
_SHORTEST = 8


def stakes_of(document: Section) -> Stakes:
    """What stands under `risk:`; bands and nothing else where nothing does."""
    section, usual = document.section("risk").only(*_KEYS), Stakes(guard=guard_digest(document))
    if not section.entries:
        return usual
    money = section.has("unit")
    if money and not (section.has("loss") and section.has("appetite")):
        raise section.error("risk.unit needs `loss:` and `appetite:` in it", "unit", fix="add both, or leave it out")
    appetite, half_life = section.number("appetite", usual.appetite), seconds(section, "half_life", usual.half_life)
    if appetite <= 0 or half_life <= 0:
        raise section.error("risk.appetite and risk.half_life must be above 0")
    return Stakes(
        unit=section.text("unit", usual.unit),
        appetite=appetite,
        half_life=half_life,
        attempts=_attempts(section),
        loss=_loss(section, money),
        lines=tuple(_line(one.only(*_LINE), money) for one in section.sections("scenarios")),
        accepted=tuple(_acceptance(one) for one in section.sections("accepted")),
        stopping=tuple(_stopping(one.only(*_STOPPING), usual.guard) for one in section.sections("guard")),
        guard=usual.guard,
    )


def guard_digest(document: Section) -> str:
    """SHA-256 of what stands under `guard:`, "" where nothing does."""
    plain = document.plain().get("guard")  # of an assistant it may be a list
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest() if plain else ""


def _line(section: Section, money: bool) -> Line:
    success, relevance = section.maybe("success"), section.maybe("relevance")
    if success is not None and not 0 < success < 1:
        raise section.error("success must lie between 0 and 1: it is a belief, not a fact", "success")
    if relevance is not None and not 0 <= relevance <= 1:
        raise section.error("relevance must lie between 0 and 1", "relevance")
    return Line(
        threat=section.needed("threat"),
        actor=section.text("actor", "*"),
        attempts=_attempts(section),
        loss=_loss(section, money),
        success=success,
        relevance=relevance,
    )


def _acceptance(section: Section) -> Acceptance:
    section.only("threat", "actor", "by", "reason", "until")
    return Acceptance(
        threat=section.needed("threat"),
        actor=section.text("actor", "*"),
        by=section.needed("by"),
        reason=section.needed("reason"),
        until=section.day("until"),
    )


def _stopping(section: Section, now: str) -> Stopping:
    stopped, tried, guard = section.whole("stopped", 0), section.whole("tried", 0), section.text("guard")
    if not 0 <= stopped <= tried or not tried:
        raise section.error(f"a guard cannot have stopped {stopped} of {tried} attempts", "stopped")
    if len(guard) < _SHORTEST:
        here = f"the guard of this file is {now[:12]}" if now else "this file has no `guard:`"
        raise section.error(f"say which guard it was, by {_SHORTEST} digits or more of its digest; {here}", "guard")
    return Stopping(
        threat=section.needed("threat"),
        stopped=stopped,
        tried=tried,
        measured=section.day("measured"),
        guard=guard,
        how=section.needed("how"),
    )


def _attempts(section: Section) -> Range | None:
    if not section.has("attempts"):
        return None
    if isinstance(section.entries["attempts"], Scalar):
        return ATTEMPTS[section.word("attempts", tuple(ATTEMPTS), "")]
    return _range(section, "attempts")


def _loss(section: Section, money: bool) -> Range | None:
    if not section.has("loss"):
        return None
    if not isinstance(section.entries["loss"], Scalar):
        return _range(section, "loss")
    if money:
        raise section.error("a band is no amount of money", "loss", fix="write [at least, most likely, at most]")
    return LOSSES[section.word("loss", tuple(LOSSES), "")]


def _range(section: Section, key: str) -> Range:
    given = section.numbers(key)
    if len(given) != 3:
        raise section.error(f"{key} has {len(given)} numbers", key, fix="write [at least, most likely, at most]")
    try:
        return Range(low=given[0], likely=given[1], high=given[2])
    except TemperError as error:
        raise section.error(error.message, key, error.fix) from error
