"""The report as SARIF 2.1.0, for code scanning: a rule per test, a result per weakness, at its line of temper.yaml."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, TypeAlias
from urllib.parse import quote

from temper.core.finding import Finding
from temper.core.requirement import Judgement, Verdict
from temper.core.run import Record
from temper.report._figure import SEVERITIES, deciding, finding_name, judged, judged_as_rate, limit, plain_name
from temper.report._inert import inert

Json: TypeAlias = dict[str, Any]

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "3.0"}
LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}


def render(record: Record) -> str:
    """Findings and failures as results; INCONCLUSIVE is `open`, a waiver is a suppression, PASS is left out."""
    results = _results(record)
    run = {
        "tool": {"driver": {"name": "Temper", "semanticVersion": _version(), "rules": _rules(record, results)}},
        "automationDetails": {"id": f"temper/{inert(record.system)}/{inert(record.suite)}/"},
        "invocations": [_invocation(record)],
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": {"run": record.id, "verdict": record.verdict.name, "digests": dict(record.digests)},
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _results(record: Record) -> list[Json]:
    found = [_from_finding(finding, record) for finding in record.findings]
    told = {finding_name(finding) for finding in record.findings}
    for judgement in record.judgements:
        if judgement.verdict is Verdict.FAIL and _test(judgement, record) in told:
            continue
        if judgement.verdict is not Verdict.PASS:
            found.append(_from_judgement(judgement, record))
    seen: Counter[str] = Counter()
    for result in found:
        digest = result["partialFingerprints"]["temper/v1"]
        seen[digest] += 1
        result["partialFingerprints"]["temper/v1"] = f"{digest}:{seen[digest]}"
    return found


def _from_finding(finding: Finding, record: Record) -> Json:
    rule = finding_name(finding)
    lines = [finding.title, finding.detail, *(str(example) for example in finding.examples[:3])]
    lines.append(f"Reproduce: {finding.reproduce}")
    if finding.defences:
        lines.append(f"Fix: temper harden --for {finding.id}")
    return _result(rule, " | ".join(line for line in lines if line), finding.severity, finding.line, record) | {
        "partialFingerprints": {"temper/v1": _fingerprint(record.system, rule, finding.scenario)},
        "properties": {
            "finding": inert(finding.id),
            "scenario": inert(finding.scenario),
            "references": [inert(reference) for reference in finding.references],
        },
    }


def _from_judgement(judgement: Judgement, record: Record) -> Json:
    rule = judgement.requirement
    test = _test(judgement, record)
    measurement = deciding(judgement, record.measurements)
    rate = judged_as_rate(judgement, measurement)
    said = f"{judgement.verdict.name}: {plain_name(test)} is {judged(judgement, measurement)}, "
    said += f"asked {limit(rule, rate)}. {judgement.explanation or rule.reason}"
    result = _result(test, said.strip(), rule.severity, rule.line, record) | {
        "partialFingerprints": {"temper/v1": _fingerprint(record.system, test, rule.id)},
        "properties": {"requirement": inert(rule.id), "verdict": judgement.verdict.name},
    }
    if judgement.verdict in (Verdict.INCONCLUSIVE, Verdict.ERROR):
        # The standard's own word for "not enough was known to decide"; it goes with no level.
        result |= {"kind": "open", "level": "none"}
    if judgement.verdict is Verdict.WAIVED and rule.waiver:
        why = f"{rule.waiver.by} until {rule.waiver.until}: {rule.waiver.reason}"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": inert(why)}]
    return result


def _result(rule: str, text: str, severity: str, line: int, record: Record) -> Json:
    return {
        "ruleId": inert(rule),
        "kind": "fail",
        "level": LEVELS.get(severity, "warning"),
        "message": {"text": _message(text)},
        "locations": [_location(record, line)],
    }


def _location(record: Record, line: int) -> Json:
    if not record.source:
        return {"logicalLocations": [{"fullyQualifiedName": inert(record.system), "kind": "resource"}]}
    place: Json = {"artifactLocation": {"uri": _uri(record.source)}}
    if line > 0:
        place["region"] = {"startLine": line}
    return {"physicalLocation": place}


def _uri(source: str) -> str:
    """A relative path stays relative, as code scanning wants it; an absolute one becomes a file URI."""
    if PureWindowsPath(source).drive:
        return PureWindowsPath(source).as_uri()
    path = PurePosixPath(source.encode("utf-8", "replace").decode())
    return path.as_uri() if path.is_absolute() else quote(str(path))


def _rules(record: Record, results: list[Json]) -> list[Json]:
    """One rule per test that has a result; its severity is the worst among its results."""
    worst: dict[str, str] = {}
    tags: dict[str, set[str]] = {}
    for result, severity, references in zip(results, *_sources(record, results), strict=True):
        rule = result["ruleId"]
        worst[rule] = min(worst.get(rule, severity), severity, key=_rank)
        tags.setdefault(rule, {"security"}).update(inert(reference) for reference in references)
    return [
        {
            "id": rule,
            "name": "".join(part.capitalize() for part in rule.replace("_", ".").split(".")),
            "shortDescription": {"text": _message(plain_name(rule))},
            "defaultConfiguration": {"level": LEVELS.get(worst[rule], "warning")},
            "properties": {"security-severity": SCORES.get(worst[rule], "5.5"), "tags": sorted(tags[rule])},
        }
        for rule in sorted(worst)
    ]


def _sources(record: Record, results: list[Json]) -> tuple[list[str], list[tuple[str, ...]]]:
    """Severity and references behind each result, in the order of the results."""
    rules = {inert(judgement.requirement.id): judgement.requirement for judgement in record.judgements}
    findings = record.findings
    severities = [finding.severity for finding in findings]
    references = [finding.references for finding in findings]
    for result in results[len(findings) :]:
        severities.append(rules[result["properties"]["requirement"]].severity)
        references.append(())
    return severities, references


def _invocation(record: Record) -> Json:
    done = record.state == "finished"
    call: Json = {"executionSuccessful": done}
    if not done:
        text = f"the run {record.state} before it was complete"
        call["toolExecutionNotifications"] = [{"level": "error", "message": {"text": _message(text)}}]
    return call


def _test(judgement: Judgement, record: Record) -> str:
    """The test a judgement is about: the measurement's name, else the metric the requirement asks for."""
    measurement = deciding(judgement, record.measurements)
    return measurement.name if measurement is not None else judgement.requirement.metric


def _message(text: str) -> str:
    """Plain message text: brackets and braces would otherwise be links and placeholders."""
    shown = inert(text).replace("\\", "\\\\")
    for mark in "[]":
        shown = shown.replace(mark, f"\\{mark}")
    return shown.replace("{", "{{").replace("}", "}}")


def _fingerprint(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("temper-ml")
    except PackageNotFoundError:
        return "0.0.0"
