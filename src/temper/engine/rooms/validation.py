"""One check on the held-out rows, and the findings its figures are worth."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from temper.core.accused import Accused
from temper.core.attack import Scene
from temper.core.breach import Breach, Breached
from temper.core.certificate import Certificate, Certified
from temper.core.defence import Effect
from temper.core.errors import TemperError, Unsupported
from temper.core.finding import Finding
from temper.core.measure import Measurement, Status
from temper.engine.identity import weakness
from temper.engine.rooms._defences import against
from temper.engine.task import Part, Task, World, actor_slice, clock
from temper.validation.gate import NOT_APPLICABLE, WHOLE

DELIVERED = 1.45  # set where bench/poisoning/delivered.py parts clean models from poisoned ones
# Metric, the limit its favourable end must pass to be worth a finding, whether more is worse, and what to say
# ({where}: the figure's first caveat).
_WORTH = (
    ("fairness.selection_gap", 0.10, True, "Groups are flagged at different rates"),
    ("fairness.tpr_gap", 0.10, True, "Class 1 is found at different rates in different groups"),
    ("fairness.fpr_gap", 0.10, True, "Class 0 is flagged at different rates in different groups"),
    ("fairness.ppv_gap", 0.10, True, "A flag means something else in different groups"),
    ("fairness.selection_ratio", 0.80, False, "One group is flagged less than four fifths as often as another"),
    ("intersections.selection_gap", 0.10, True, "People of two groups at once are flagged at another rate: {where}"),
    ("intersections.tpr_gap", 0.10, True, "Class 1 is found at another rate among people of two groups: {where}"),
    ("intersections.fpr_gap", 0.10, True, "Class 0 is flagged at another rate among people of two groups: {where}"),
    ("weak_slice.misses", 0.10, True, "Class 1 is missed more often where {where}"),
    ("weak_slice.alarms", 0.10, True, "Class 0 is flagged more often where {where}"),
    ("weak_slice.errors", 0.10, True, "Mistakes are more frequent where {where}"),
    ("weak_slice.large_errors", 0.10, True, "Large errors are more frequent where {where}"),
    ("periods.misses_rise", 0.05, True, "Class 1 is missed more often in later periods: {where}"),
    ("periods.alarms_rise", 0.05, True, "Class 0 is flagged more often in later periods: {where}"),
    ("periods.errors_rise", 0.05, True, "Mistakes are more frequent in later periods: {where}"),
    ("calibration.ece", 0.05, True, "Scores are not the probabilities they claim to be"),
    ("selective.gain", 0.0, False, "The model is surest where it is wrong"),
    ("conformal.later_coverage", 0.85, False, "Sets that promise to hold the truth do not hold it later"),
    ("duplicates.excess", 0.01, True, "Held-out rows are training rows as well: {where}"),
    ("duplicates.contradicted", 0.05, True, "Equal rows carry different labels"),
    ("duplicates.contradicted_train", 0.05, True, "Equal training rows carry different labels"),
    ("target_leakage.alone_auc", 0.98, True, "One column all but is the answer: {where}"),
    ("target_leakage.alone_r2", 0.98, True, "One column all but is the answer: {where}"),
    ("time_leakage.later_pairs", 0.01, True, "The model was fitted on rows that came after those it is judged on"),
    ("schema_violations.rows", 0.001, True, "Rows break the schema: {where}"),
    ("attribution.additivity", 0.01, True, "What features are said to add does not add up to the score"),
    ("attribution.background_agreement", 0.40, False, "Other reference rows name other features"),
    ("attribution.deletion", 0.0, False, "Features named as reasons matter no more than random ones"),
    ("reason_codes.right_direction", 0.75, False, "Reasons told to flagged people do not speak against them"),
    ("reason_codes.refit_agreement", 0.40, False, "An equally good model gives flagged people other reasons"),
    ("privacy.singled_out", 0.05, True, "People stand alone in the training table: {where}"),
    ("documentation.answered", 1.0, False, "Nobody has written down {where}"),
    ("explanation.stability", 0.50, False, "Nearly equal rows get different reasons"),
    ("neural_cleanse.anomaly_index", 2.0, True, "One class is reached by a far smaller patch than any other"),
    ("planted_rows.accused_share", 0.0, True, "Training rows carry a stamp and somebody else's label"),
    ("snapshot_diff.accused_share", 0.0, True, "New training rows carry a stamp"),
    ("label_errors.excess_share", 0.0, True, "More training labels are contradicted than held-out ones"),
    ("suppliers.suspect_share", 0.0, True, "A supplier's training rows hurt, or carry labels nobody else's let expect"),
    ("spectral_signatures.accused_share", 0.0, True, "Training rows lie where no held-out row of their class does"),
    ("activation_clustering.accused_share", 0.0, True, "Training rows fill a cluster that held-out rows stay out of"),
    ("trigger_inversion.screening_ratio", DELIVERED, True, "A few values open this model and no clean twin"),
    ("access_profile.telling_refusals", 0.0, True, "Refusals tell what is inside the service"),
    ("access_profile.telling_errors", 0.0, True, "Errors tell what is inside the service"),
    ("access_profile.counterfactuals_flip", 0.0, True, "Answers come with rows from the other side of the boundary"),
    ("watermark.false_claims", 0.15, True, "Independent models would be called copies"),
    ("strip.sure_share", 0.025, True, "Training pictures stay sure under pictures laid over them"),
    ("text_triggers.suspect_share", 0.0, True, "Training texts hold patterns that trusted texts of their class do not"),
    ("artifact.findings", 0.0, True, "The model's file does more than hold a model"),
    ("artifact.rows_kept", 0.0, True, "The model's file holds training rows"),
    ("artifact.small_leaves", 0.0, True, "The model's file says where a handful of training rows stand alone"),
    ("performance.auc", 0.60, False, "The model hardly ranks better than chance"),
)
_DROPPED = ("planted_rows.accused_share", "snapshot_diff.accused_share")
"""Shares of training rows that are accused, and that dropping these rows answers."""

_AGAINST = ("artifact.small_leaves", *_DROPPED)
_KEPT = ("artifact.small_leaves", "artifact.rows_kept", "artifact.statistics_kept", *_DROPPED)


def run(task: Task, world: World) -> Part:
    """The measurements of one check; a model that fails on held-out rows is an ERROR measurement."""
    start = clock()
    check = _build(task, world)
    bounded = getattr(check, "attacked", False)
    evidence: dict[str, Any] = {}
    breaches: tuple[Breach, ...] = ()
    try:
        found = check.measure(_scene(check, task, world))
        if isinstance(found, Certified):
            evidence = _kept(found.certificate)
        if isinstance(found, Accused):
            evidence = {"accused": np.asarray(found.ids)}
        breaches = found.breaches if isinstance(found, Breached) else ()
        told = isinstance(found, Certified | Accused | Breached)
        measured: tuple[Measurement, ...] = found.measurements if told else tuple(found)
    except Unsupported:
        raise
    except TemperError as problem:
        measured = (_error(task, problem.message),)
    except Exception as crash:  # a model may raise anything; the run goes on and says what came
        measured = (_error(task, f"{type(crash).__name__}: {crash}"[:500]),)
    counted = (m for m in measured if m.name in _KEPT and m.status is Status.OK)
    evidence |= {m.name: np.array([m.value, m.n], dtype=np.float64) for m in counted}
    of = actor_slice(task, world) if bounded else "all"
    measured = tuple(
        replace(m, simulated=world.system.simulated, slice=of if m.slice == "all" else m.slice) for m in measured
    )
    status, reason = _status(measured)
    return Part(
        measurements=measured,
        findings=(
            *(f for m in measured for f in _findings(m, task, world, evidence.get("accused", ()))),
            *(_broken(breach, task, world) for breach in breaches),
        ),
        evidence=evidence,
        status=status,
        reason=reason,
        seconds=clock() - start,
    )


def _broken(breach: Breach, task: Task, world: World) -> Finding:
    """What a check shows rows for, as a finding; the defences are those that this model can be given."""
    return Finding(
        id=weakness(task.plugin, breach.metric, breach.slice),
        title=breach.title,
        plugin=task.plugin,
        metric=breach.metric,
        severity=breach.severity,
        detail=breach.detail,
        examples=breach.examples,
        defences=world.applicable(breach.defences),
    )


def effects(defence: str, before: Part, after: Part) -> tuple[Effect, ...]:
    """What a defence changed in what the model keeps of its training rows. These are counts of the model itself, so the
    differences are exact; what it no longer says is nought.
    """
    found = []
    for metric in (name for name in _KEPT if name in before.evidence and before.evidence[name][0]):
        was, n = before.evidence[metric].tolist()
        now = float(after.evidence[metric][0]) if metric in after.evidence else 0.0
        less, exact = now - was, {"difference": now - was, "low": now - was, "high": now - was}
        verdict = "better" if less < 0 else "worse" if less > 0 else "no clear change"
        told: dict[str, Any] = {"before": was, "after": now, "n": int(n), "p_value": float(less == 0), **exact}
        found.append(Effect(defence=defence, metric=metric, verdict=verdict, **told))
    return tuple(found)


def _scene(check: Any, task: Task, world: World) -> Scene:
    """The rows a check reads: those under attack, or all training rows, where it says so; one that asks what the rows
    are like fits models of them as they are, not behind what a defence leaves of them.
    """
    rows = world.attacked if getattr(check, "attacked", False) else None
    more: dict[str, Any] = {"train": world.system.train} if getattr(check, "whole_train", False) else {}
    if getattr(check, "bare_fits", False):
        more["fit"] = replace(world, system=replace(world.system, defend=None)).fit
    return world.scene(task, rows, **more)


def _kept(certificate: Certificate) -> dict[str, Any]:
    """A certificate as arrays, to be held against the attacks of the same rows and to be exported."""
    words = {name: np.array([str(getattr(certificate, name))]) for name in ("method", "norm", "subject", "confidence")}
    rows = {name: np.asarray(getattr(certificate, name)) for name in ("ids", "radius", "limit")}
    said = {"settings": np.array([f"{name}={value}" for name, value in certificate.settings])}
    return {f"certified_{name}": values for name, values in (rows | words | said).items()}


def _build(task: Task, world: World) -> Any:
    """The check with the task's options; the seed and the suite's replicates fill what these leave open."""
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in task.options}
    room = world.room("validation")
    known = {field.name for field in fields(room.get(task.plugin))}
    given = {"seed": task.seed, "replicates": max(200, world.sizes.replicates)}
    return room.build(task.plugin, {k: v for k, v in given.items() if k in known} | options)


def _error(task: Task, reason: str) -> Measurement:
    return Measurement(plugin=task.plugin, metric=WHOLE, value=None, status=Status.ERROR, reason=reason)


def _status(measured: tuple[Measurement, ...]) -> tuple[Status, str]:
    """ERROR, and "does not apply" where nothing else is told, are the part's own; single undecided figures are not."""
    for m in measured:
        if m.status is Status.ERROR or (m.metric == NOT_APPLICABLE and len(measured) == 1):
            return m.status, m.reason
    return Status.OK, ""


def _findings(m: Measurement, task: Task, world: World, accused: Any) -> tuple[Finding, ...]:
    for metric, limit, more_is_worse, title in _WORTH:
        if m.name != metric or m.slice != "all" or m.status is not Status.OK:
            continue
        if m.value is None or m.low is None or m.high is None:
            continue
        if (m.low > limit) if more_is_worse else (m.high < limit):
            detail = f"{m.name} {m.value:.3f} [{m.low:.3f}, {m.high:.3f}], n = {m.n:,}; " + "; ".join(m.caveats)
            return (
                Finding(
                    id=weakness(m.plugin, m.metric),
                    title=title.replace("{where}", m.caveats[0] if m.caveats else ""),
                    plugin=m.plugin,
                    metric=m.metric,
                    severity="medium",
                    detail=detail,
                    defences=against(task, world) if metric in _AGAINST else (),
                    rows=tuple(int(row) for row in accused) if metric.endswith(".accused_share") else (),
                ),
            )
    return ()
