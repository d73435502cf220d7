"""Runs that keep a threat model, a register and what a hardening tried, of the small system of `kept_runs`."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from temper.config.description import description_digest
from temper.config.reading import parse
from temper.core.budget import Budget
from temper.core.defence import Effect, Tried
from temper.core.description import Flow
from temper.core.risk import Acceptance, Known, Register, Stakes, Trials
from temper.core.run import Record
from temper.core.target import Access
from temper.core.threat import Actor, Scenario, Threat
from temper.core.threat_model import Answer, Concern, Element, Question, ThreatModel, Way, Without
from temper.threats.register import register
from unit.kept_runs import HOP, LEAK, figure, record

YAML = "system: {name: card-fraud}\n"
DIGEST = description_digest(parse(YAML))
HOPPED = replace(HOP, scenario="evasion-scores@customer")
LEAKED = replace(LEAK, scenario="membership@customer")
EVASION = Concern(
    id="evasion@customer",
    title="A chosen input gets the wrong decision",
    rating="high",
    harm="a refund that nobody owes",
    actors=("customer (black-box)",),
    ways=(Way(threat="evasion-scores", title="Probe the score", plugins=("evasion.hop", "evasion.square")),),
    because=("outsiders can query it", "outsiders see a score"),
    answers=(
        Answer(name="query limit", title="Limit questions", placed=True, known="on the card API"),
        Answer(name="noise", title="Blur the answers", placed=False, references=("atlas:AML.M0002",)),
    ),
    flows=(0,),
    references=("atlas:AML.T0015",),
    maturity="realized",
)
FAIRNESS = Concern(
    id="fairness",
    title="Groups of people are decided about differently",
    rating="medium",
    harm="discrimination",
    ways=(Way(threat="unequal-treatment", title="Unequal", plugins=("validation.fairness",)),),
    because=("there are sensitive columns",),
)
MODEL = ThreatModel(
    system="card-fraud",
    purpose="stops fraud",
    harmed="<b>customers</b>",
    concerns=(EVASION, FAIRNESS),
    scenarios=2,
    without=(
        Without(why="it has no gradients", answer="model.gradients is no", threats=("g",), titles=("Gradients",)),
    ),
    questions=(Question(at="service.url", asks="Where is it asked?", assumed="nowhere"),),
    boundaries=("outside", "service"),
    elements=(
        Element(name="customer", kind="actor", boundary="outside"),
        Element(name="card API", kind="interface", boundary="service"),
    ),
    flows=(Flow(source="customer", to="card API", carries="input"),),
    digest=DIGEST,
)
CUSTOMER = Actor(name="customer", queries=200)
NOBODY = Actor(name="nobody", knowledge="none", queries=0)
STAKES = Stakes(
    accepted=(
        Acceptance(threat="evasion-*", by="R. Vos", reason="refunds are small", until=date(2027, 2, 1)),
        Acceptance(threat="unequal-*", by="R. Vos", reason="until the audit", until=date(2027, 1, 10)),
    )
)


def scenario(id: str, title: str, actor: Actor, plugins: tuple[str, ...]) -> Scenario:
    threat = Threat(id=id, title=title, goal="integrity", asset="decision", access=Access.SCORES, plugins=plugins)
    return Scenario(threat=threat, actor=actor, budget=Budget(queries=200), rating="high")


SCENARIOS = (
    scenario("evasion-scores", "Evade by probing the score", CUSTOMER, ("evasion.hop", "evasion.square")),
    scenario("unequal-treatment", "Unequal treatment", NOBODY, ("validation.fairness",)),
)


def risk(run: str, broken: int) -> Register:
    """The register after a run that broke so many of 100 rows; of fairness nothing was measured."""
    seen = Trials(plugin="evasion.hop", run=run, age=0.0, successes=broken, failures=100 - broken)
    return register(SCENARIOS, STAKES, {SCENARIOS[0].id: Known(trials=seen)}, date(2027, 1, 5))


def effects(name: str, evading: float, auc: float) -> tuple[Effect, ...]:
    rows = (("evasion.any.success_rate", 0.62, evading, "lower"), ("auc", 0.96, auc, "higher"))
    return tuple(
        Effect(
            defence=name,
            metric=metric,
            before=before,
            after=after,
            difference=after - before,
            low=after - before - 0.02,
            high=after - before + 0.02,
            n=100,
            better=better,
            verdict="better" if metric != "auc" else "no clear change",
        )
        for metric, before, after, better in rows
    )


TRIED = Tried(
    before="0001",
    taken=("adversarial_trees",),
    effects=(*effects("adversarial_trees", 0.1, 0.955), *effects("regularise", 0.5, 0.958)),
    outcomes=(("adversarial_trees", "holds better: 52 points"), ("regularise", "no sure reduction")),
    left=(("smoothing", "needs gradients"),),
    notes=("Attacked from scratch.",),
)


def _of(name: str, day: int, rate: float, model: str, **more: object) -> Record:
    digests = (("model", model), ("held-out data", "d1"), ("attacks", "old"), ("description", DIGEST))
    strongest = figure("evasion.strongest", "success_rate", rate, count=round(100 * rate))
    own = record(name, day, rate, model, HOPPED, LEAKED, digests=digests, threats=MODEL, **more)
    auc = figure("performance", "auc", 0.96, unit="")
    return replace(own, measurements=(*own.measurements, strongest, auc))


FIRST = _of("0001", 1, 0.62, "aaaa1111", risk=risk("0001", 62))
HARDENED = _of("0002", 2, 0.1, "bbbb2222", risk=risk("0002", 10), hardening=TRIED)
STRESSED = replace(
    HARDENED,
    id="0003",
    started="2027-01-03T08:00:00+00:00",
    measurements=(figure("stress.missing", "loss", 0.1),),
    judgements=(),
    findings=(),
    hardening=None,
)
"""A run that renews one part, and knows of the rest what runs before it do."""
MODELLED = (
    _of("0101", 11, 0.62, "cccc3333", risk=risk("0101", 62)),
    _of("0102", 12, 0.1, "dddd4444", risk=risk("0102", 10), hardening=replace(TRIED, before="0101")),
)
"""The same after the runs of `kept_runs`."""
ACCEPTED = (
    "risk:\n accepted:\n"
    "  - {threat: evasion-scores, by: R. Vos, reason: refunds are small, until: 2027-02-01}\n"
    "  - {threat: unequal-treatment, by: R. Vos, reason: until the audit, until: 2027-01-10}\n"
)
