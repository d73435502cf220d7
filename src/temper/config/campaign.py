"""The section `campaign:` of a temper.yaml: what is sought, by whom, and by which rules.

campaign:
  objectives:
    - {aim: move, goal: 10000, amount: amount, within: 7}   # money of a column in rows that pass, within so many days
    - {aim: steal, goal: 0.95}                              # a copy that decides as the model does
    - {aim: learn, goal: 0.1}                               # who was in the training data
  attacker: {knowledge: black-box, accounts: [shop-1, shop-2], queries: 2000, money: 300, change: 3, patience: 7}
  rules:
    hosts: [127.0.0.1]
    columns: [amount, hour]
    hours: [8, 20]
    stop: {successes: 0, loss: 50000, errors: 0.2}
    queries: 5000
    kill: STOP                                              # a file: when it is there, nothing more is sent
    contain: true                                           # playbooks may change the gateway, and it is put back
  team: {takes: 10m, step: 1m, playbooks: {extraction: block.yaml}, settings: {threshold: 0.3}}   # --purple
  learning: {per_account: 5, contradicted: false, screen: quarantined, golden: 0.98}   # from labels that came back
  techniques: [honest_rows, direct]                         # all where nothing is written
  options: {direct: {tries: 20}}
  slice: 100
  gateway: {url: "http://127.0.0.1:8080/v1/score", keys: {shop-1: SHOP_1_AUTH}, authorised_by: "J. Doe, CR-118"}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temper.config.document import Section
from temper.config.monitor import seconds
from temper.core.answering import Learning, Team
from temper.core.campaign import Aim, Attacker, Campaign, Objective, Rules
from temper.core.errors import ConfigError
from temper.core.system import Protected

_ATTACKER = ("knowledge", "accounts", "queries", "pace", "money", "change", "patience", "held", "wanted", "labels")
SCREENS = ("cleaned", "screened", "quarantined")
"""Defences that leave training rows out."""
_SCOPE = ("systems", "hosts", "accounts", "columns")
_KNOWLEDGE = ("black-box", "grey-box", "white-box")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Where a running gateway is asked: `url`, environment variables with the Authorization of accounts, and who
    allowed it; "" where the guarded model is built in this process.
    """

    url: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    authorised_by: str = ""


def campaign_of(document: Section, system: Protected) -> tuple[Campaign, Reached]:
    """The campaign, and where it is waged. What nobody wrote is assumed, and said. Rules that contradict themselves,
    the attacker or the objectives are refused.
    """
    known = ("objectives", "attacker", "rules", "techniques", "options", "slice", "team", "learning", "gateway")
    section = document.section("campaign").only(*known)
    assumed: list[str] = []
    objectives = tuple(_objective(one) for one in section.sections("objectives"))
    if not objectives:
        objectives = (_usual(system),)
        assumed.append(f"objective: {objectives[0].words}")
    attacker = _attacker(section.section("attacker"), system, objectives, assumed)
    rules = rules_of(section.section("rules"), Path(system.source or ".").absolute().parent, _SCOPE, ("contain",))
    campaign = Campaign(
        objectives=objectives,
        attacker=attacker,
        rules=rules,
        only=section.texts("techniques"),
        options={name: section.section("options").section(name).plain() for name in section.section("options").entries},
        slice=section.whole("slice", Campaign().slice),
        learning=_learning(section.section("learning")),
        team=_team(section.section("team"), Path(system.source or ".").absolute().parent),
        assumed=tuple(assumed),
    )
    if campaign.slice < 1:
        raise section.error("a turn of no queries does nothing", "slice", fix="give slice at least 1")
    if why := rules.refuses(attacker, objectives, system.schema):
        raise section.error(why, "rules", fix="change one of the two")
    if rules.systems and system.name not in rules.systems:
        raise section.error(f"{system.name!r} is out of scope: rules.systems leaves it out", "rules", fix="name it")
    return campaign, _reached(section.section("gateway").only("url", "keys", "authorised_by"))


def _usual(system: Protected) -> Objective:
    """A tenth of what would pass, within a week."""
    usual = Objective()
    return Objective(aim=Aim.MOVE, goal=max(1.0, Attacker().wanted / 10), within=usual.within)


def _objective(section: Section) -> Objective:
    section.only("aim", "goal", "amount", "within")
    usual = Objective()
    aim = Aim(section.word("aim", [Aim.MOVE, Aim.STEAL, Aim.LEARN], ""))
    try:
        return Objective(
            aim=aim,
            goal=section.number("goal", {Aim.MOVE: 1.0, Aim.STEAL: 0.95, Aim.LEARN: 0.1}[aim]),
            amount=section.text("amount"),
            within=section.number("within", usual.within),
        )
    except ConfigError as wrong:
        raise section.error(wrong.message, "goal", fix=wrong.fix) from None


def _attacker(section: Section, system: Protected, objectives: tuple[Objective, ...], assumed: list[str]) -> Attacker:
    section.only(*_ATTACKER)
    usual = Attacker(patience=max(one.within for one in objectives))
    actor = next((one for one in system.actors if "input" in one.writes or not one.writes), None)
    change = usual.change if actor is None or actor.cost is None else actor.cost
    knowledge = usual.knowledge if actor is None else actor.knowledge
    given: dict[str, Any] = {
        name: section.whole(name, getattr(usual, name)) for name in ("queries", "held", "wanted", "labels")
    }
    try:
        found = Attacker(
            knowledge=section.word("knowledge", _KNOWLEDGE, knowledge),
            accounts=section.texts("accounts") or usual.accounts,
            pace=section.number("pace", usual.pace),
            money=section.number("money", usual.money) if section.has("money") else usual.money,
            change=section.number("change", change) if section.has("change") else change,
            patience=section.number("patience", usual.patience),
            **given,
        )
    except ConfigError as wrong:
        raise section.error(wrong.message, fix=wrong.fix) from None
    assumed += _told(section, found, "" if actor is None else actor.name)
    return found


def _told(section: Section, found: Attacker, actor: str) -> Iterator[str]:
    """What nobody wrote of the attacker, in words."""
    unsaid = [name for name in ("knowledge", "accounts", "queries", "money", "patience") if not section.has(name)]
    if unsaid:
        of = f", after the actor {actor!r}" if actor and "knowledge" in unsaid else ""
        said = ", ".join(f"{name} {_said(getattr(found, name))}" for name in unsaid)
        yield f"attacker: {said}{of}"


def _said(value: object) -> str:
    if isinstance(value, tuple):
        return " and ".join(map(str, value))
    return "without end" if value == float("inf") else f"{value:,g}" if isinstance(value, int | float) else str(value)


def rules_of(section: Section, base: Path, scope: tuple[str, ...], leave: tuple[str, ...] = ()) -> Rules:
    """The rules of engagement, whatever is attacked; `scope` are the lists that say what may be touched, `leave` what
    is allowed where somebody says so.
    """
    section.only(*scope, *leave, "hours", "stop", "queries", "kill")
    stop, usual = section.section("stop").only("successes", "loss", "errors"), Rules()
    hours = section.numbers("hours") or usual.hours
    if len(hours) != 2:
        raise section.error(f"rules.hours has {len(hours)} entries", "hours", fix="write two: hours: [8, 20]")
    kill = section.text("kill")
    named: dict[str, Any] = {name: section.texts(name) for name in scope}
    return Rules(
        hours=(float(hours[0]), float(hours[1])),
        successes=stop.whole("successes", usual.successes),
        loss=stop.number("loss", usual.loss),
        errors=stop.number("errors", usual.errors),
        queries=section.whole("queries", usual.queries),
        kill=str(base / kill) if kill else "",
        **named | {name: section.flag(name, False) for name in leave},
    )


def _team(section: Section, base: Path) -> Team:
    """Playbooks in files lie beside the temper.yaml; those of no file are named as they are."""
    section.only("takes", "step", "playbooks", "settings")
    books = {name: str(value) for name, value in section.section("playbooks").plain().items()}
    return Team(
        takes=seconds(section, "takes", 0.0) if section.has("takes") else None,
        step=seconds(section, "step", Team().step),
        playbooks={name: str(base / one) if one.endswith((".yaml", ".yml")) else one for name, one in books.items()},
        settings={name: str(value) for name, value in section.section("settings").plain().items()},
    )


def _learning(section: Section) -> Learning:
    """Only what screens training rows can be named."""
    section.only("per_account", "contradicted", "screen", "golden")
    usual, screen = Learning(), section.word("screen", ("", *SCREENS), "")
    try:
        return Learning(
            per_account=section.whole("per_account", usual.per_account),
            contradicted=section.flag("contradicted", usual.contradicted),
            screen=screen,
            golden=section.number("golden", usual.golden),
        )
    except ConfigError as wrong:
        raise section.error(wrong.message, fix=wrong.fix) from None


def _reached(section: Section) -> Reached:
    if section.entries and not section.has("url"):
        raise section.error("campaign.gateway has no url", fix="add `url:`, that of /v1/score")
    keys = {name: str(value) for name, value in section.section("keys").plain().items()}
    return Reached(url=section.text("url"), keys=keys, authorised_by=section.text("authorised_by"))
