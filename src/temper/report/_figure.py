"""Figures as people read them: rates in percent, intervals with their n, brackets where rows are undecided."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fnmatch import fnmatchcase

from temper.core.finding import Finding
from temper.core.measure import Better, Measurement, Status
from temper.core.requirement import Judgement, Requirement, Verdict

SYMBOLS = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✗",
    Verdict.INCONCLUSIVE: "?",
    Verdict.ERROR: "!",
    Verdict.WAIVED: "~",
}
SEVERITIES = ("critical", "high", "medium", "low")
FAMILIES = {
    "evasion": "Evasion: changing an input to get another decision",
    "poisoning": "Poisoning: corrupting what the model learns from",
    "extraction": "Extraction: copying the model through its answers",
    "campaign": "Figures of the campaign: what was sought, and how far it came",
    "partition_bound": "Certified against poisoning: how many training rows cannot change a decision",
    "planted_rows": "Stamps in training rows: boxes with somebody else's label",
    "label_errors": "Labels of training rows: how many are contradicted, beside held-out ones",
    "suppliers": "Suppliers of training rows: whose hurt or surprise",
    "snapshot_diff": "New training rows: what they bring beside the table that was accepted",
    "text_triggers": "Training texts: patterns of one class that trusted texts do not have",
    "spectral_signatures": "Training rows of a net: far ends of its activations",
    "activation_clustering": "Training rows of a net: clusters of its activations",
    "trigger_inversion": "Backdoors in a delivered model: the fewest values that open it, beside clean twins",
    "neural_cleanse": "Backdoors in a delivered net: the smallest patch of every class",
    "strip": "Backdoors in training pictures: what stays sure under other pictures",
    "access_profile": "Access: what the answers tell besides the answer",
    "watermark": "Watermark: how a marked model is known again",
    "inversion": "Privacy: learning about the people in the training data",
    "injection": "Prompt injection: what users and outsiders can make it do",
    "assistant": "Honest work: what users get, with and without an attack",
    "stress": "Stress: bad conditions without an adversary",
    "fuzz": "Edge cases: crashes, hangs, scores that are none, answers that are somebody else's",
    "load": "Load: what the service bears, and what it does beyond",
    "performance": "Performance: what the model is worth",
    "calibration": "Calibration: whether its probabilities mean what they say",
    "selective": "Abstaining: whether it is less sure where it is wrong",
    "conformal": "Conformal sets: whether they hold the truth as often as promised",
    "duplicates": "Duplicates: held-out rows that the model was fitted on",
    "target_leakage": "Leakage: a column that all but is the answer",
    "time_leakage": "Leakage: training rows that came after held-out ones",
    "schema_violations": "Data quality: rows that break the schema",
    "weak_slice": "Weak segments: where it is worse than elsewhere",
    "subpopulation": "Shifted mixtures: what it is worth when other customers come",
    "periods": "Periods: whether it grows worse with time",
    "fairness": "Fairness: how it treats groups",
    "intersections": "Fairness: people of two groups at once",
    "explanation": "Explanations: whether they hold still",
    "attribution": "Attributions: whether they add up, hold still and matter",
    "reason_codes": "Reason codes: whether an equally good model gives the same ones",
    "documentation": "Documentation: what nobody has written down",
    "privacy": "Privacy structure of the data",
    "artifact": "Artifact safety: what the model file can do",
}


def number(value: float) -> str:
    """Three significant digits, thousands marked.

    >>> number(1234567.0), number(0.03217), number(-0.0)
    ('1,234,567', '0.0322', '0')
    """
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace("-", "−")
    return f"{value + 0.0:.3g}".replace("-", "−")


def percent(value: float) -> str:
    """A rate in percent; something rounds to 0 % or 100 % only when it is exactly that.

    >>> percent(0.4712), percent(0.0), percent(0.00004), percent(0.9998)
    ('47.1 %', '0 %', '0.004 %', '99.98 %')
    """
    share = 100 * value
    if not math.isfinite(share):
        return number(share)
    if share == round(share):
        return f"{share:.0f} %".replace("-", "−")
    edge = min(abs(share), abs(abs(share) - 100))
    digits = 1 if edge >= 0.05 else min(8, math.ceil(-math.log10(edge)))
    return f"{share:.{digits}f} %".replace("-", "−")


def is_rate(measurement: Measurement) -> bool:
    """Whether the value is a share between 0 and 1 that reads best in percent."""
    return measurement.count is not None or measurement.unit.split(" ")[0] in ("share", "rate", "recall", "precision")


def show(value: float, rate: bool, unit: str = "") -> str:
    """One value in its own unit; the unit of a rate is the percent sign, a unit of several words stands in brackets.

    >>> show(0.5, True), show(38.0, False, "queries"), show(0.02, False, "drop in AUC")
    ('50 %', '38 queries', '0.02 (drop in AUC)')
    """
    if rate:
        return percent(value)
    return f"{number(value)} ({unit})" if " " in unit else f"{number(value)} {unit}".strip()


def figure(measurement: Measurement) -> str:
    """The value, or the bracket "x %-y %" where rows are undecided; "not measured" where there is none."""
    m = measurement
    if m.value is None:
        return "not measured"
    if m.undecided and m.n and m.count is not None:
        return f"{percent(m.count / m.n)}–{percent((m.count + m.undecided) / m.n)}"
    return show(m.value, is_rate(m), "" if is_rate(m) else m.unit)


def interval(measurement: Measurement) -> str:
    """The interval as words, empty where there is none."""
    return ends(measurement.low, measurement.high, is_rate(measurement))


def ends(low: float | None, high: float | None, rate: bool) -> str:
    """The interval as words; a figure that has no ends, or is its own, has none.

    >>> ends(0.02, 0.1, True), ends(0.0, 0.0, False)
    ('2 % to 10 %', '')
    """
    return "" if low is None or high is None or low == high else between(low, high, rate)


def between(low: float, high: float, rate: bool) -> str:
    """ "a to b" in the unit of the value."""
    return f"{show(low, rate)} to {show(high, rate)}"


def sentence(measurement: Measurement) -> str:
    """The figure with everything it needs to be honest: interval, confidence, n, status."""
    parts = []
    if interval(measurement):
        parts.append(f"{percent(measurement.confidence)} interval {interval(measurement)}")
    if measurement.n:
        parts.append(f"n = {measurement.n:,}")
    if measurement.status is not Status.OK:
        parts.append(measurement.status.value)
    return f"{figure(measurement)} ({', '.join(parts)})" if parts else figure(measurement)


def family(plugin: str) -> str:
    """The lifecycle word a plugin's name starts with."""
    return plugin.split(".", 1)[0]


def family_title(name: str) -> str:
    """What the family is about, for a heading."""
    return FAMILIES.get(name, name.replace("_", " ").capitalize())


def finding_name(finding: Finding) -> str:
    """The dotted name of the figure a finding is about, whether its metric carries the plugin's name or not."""
    whole = finding.metric.startswith(f"{finding.plugin}.")
    return finding.metric if whole else f"{finding.plugin}.{finding.metric}"


def grouped(measurements: Iterable[Measurement]) -> dict[str, list[Measurement]]:
    """Measurements by family, in the order of the lifecycle, unknown families last by name."""
    groups: dict[str, list[Measurement]] = {}
    for measurement in measurements:
        groups.setdefault(family(measurement.plugin), []).append(measurement)
    known = list(FAMILIES)
    order = sorted(groups, key=lambda name: (known.index(name) if name in known else len(known), name))
    return {name: groups[name] for name in order}


def plain_name(name: str) -> str:
    """A metric's dotted name as words.

    >>> plain_name("evasion.random_search.success_rate")
    'evasion · random search · success rate'
    """
    return name.replace("_", " ").replace(".", " · ")


def deciding(judgement: Judgement, measurements: Iterable[Measurement]) -> Measurement | None:
    """The measurement a judgement speaks of: by name, and by slice where several share it."""
    found = [m for m in measurements if judgement.measured and judgement.measured.startswith(m.name)]
    exact = [m for m in found if judgement.measured == m.name or m.slice in judgement.measured.removeprefix(m.name)]
    same = [m for m in exact or found if m.value == judgement.value] or exact or found
    wanted = judgement.requirement.slice
    asked = [m for m in same if m.slice == wanted] or [m for m in same if fnmatchcase(m.slice, wanted)]
    return next(iter(asked or same), None)


def limit(requirement: Requirement, rate: bool) -> str:
    """The threshold with its sign."""
    sign = "≤" if requirement.at_most is not None else "≥"
    value = f"{100 * requirement.limit:.4g} %" if rate else number(requirement.limit)
    return f"{sign} {value}".replace("-", "−")


def judged_as_rate(judgement: Judgement, measurement: Measurement | None) -> bool:
    """Whether a judgement's figures are rates; without its measurement the name decides."""
    if measurement is not None:
        return is_rate(measurement)
    return judgement.requirement.metric.endswith(("rate", "recall", "share"))


def judged(judgement: Judgement, measurement: Measurement | None) -> str:
    """What was measured for a requirement, as a figure or as a bracket."""
    if measurement is not None and measurement.value == judgement.value:
        return figure(measurement)
    if judgement.value is None:
        return "not measured"
    return show(judgement.value, judged_as_rate(judgement, measurement))


def to_decide(judgement: Judgement) -> str:
    """How many rows would decide a requirement, and which way where only one is left; "" where that is unknown."""
    if not judgement.needed:
        return ""
    many = f"about {judgement.needed:,}"
    if judgement.beyond:
        return f"no number of {judgement.counts} makes it pass at this value; {many} would show that it fails"
    return f"{many} {judgement.counts} would decide it"


def rows_to_decide(judgement: Judgement) -> str:
    """How many rows would decide an INCONCLUSIVE requirement; empty where that is unknown or already said."""
    said = to_decide(judgement)
    if judgement.verdict is not Verdict.INCONCLUSIVE or said in judgement.explanation:
        return ""
    return f"{said[:1].upper()}{said[1:]}."


def arrow(better: Better) -> str:
    """Which way is good, in words."""
    return {"lower": "lower is better", "higher": "higher is better", "neither": ""}[better.value]
