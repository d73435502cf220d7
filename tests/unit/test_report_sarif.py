"""SARIF 2.1.0: valid, stable fingerprints, honest kinds.

The official schema is not shipped with the tests; SUBSET holds the parts of the public specification that Temper's
documents use, with closed objects, so that a misspelt or misplaced property fails.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from temper.core.run import Record
from temper.report import render
from unit.test_report_invented import fraud, hostile, sturdy

TEXT = {"type": "string"}
MESSAGE = {"type": "object", "properties": {"text": TEXT}, "required": ["text"], "additionalProperties": False}
LEVEL = {"enum": ["none", "note", "warning", "error"]}


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


RULE = closed(
    ["id"],
    id=TEXT,
    name=TEXT,
    shortDescription=MESSAGE,
    defaultConfiguration=closed([], level=LEVEL),
    properties={
        "type": "object",
        "properties": {
            "security-severity": {"type": "string", "pattern": r"^(10(\.0)?|\d(\.\d)?)$"},
            "tags": {"type": "array", "items": TEXT, "uniqueItems": True},
        },
        "required": ["security-severity"],
    },
)
LOCATION = closed(
    [],
    physicalLocation=closed(
        ["artifactLocation"],
        artifactLocation=closed(["uri"], uri={"type": "string", "format": "uri-reference", "pattern": r"^[!-~]+$"}),
        region=closed(["startLine"], startLine={"type": "integer", "minimum": 1}),
    ),
    logicalLocations={
        "type": "array",
        "items": closed([], fullyQualifiedName=TEXT, kind=TEXT),
    },
)
RESULT = closed(
    ["message", "ruleId", "partialFingerprints", "locations"],
    ruleId=TEXT,
    kind={"enum": ["notApplicable", "pass", "fail", "review", "open", "informational"]},
    level=LEVEL,
    message=MESSAGE,
    locations={"type": "array", "items": LOCATION, "minItems": 1},
    partialFingerprints={"type": "object", "additionalProperties": TEXT},
    suppressions={
        "type": "array",
        "items": closed(
            ["kind"],
            kind={"enum": ["inSource", "external"]},
            status={"enum": ["accepted", "underReview", "rejected"]},
            justification=TEXT,
        ),
    },
    properties={"type": "object"},
)
SUBSET = closed(
    ["version", "runs"],
    **{"$schema": {"type": "string", "format": "uri"}, "version": {"const": "2.1.0"}},
    runs={
        "type": "array",
        "items": closed(
            ["tool"],
            tool=closed(
                ["driver"],
                driver=closed(
                    ["name"],
                    name=TEXT,
                    semanticVersion=TEXT,
                    rules={"type": "array", "items": RULE, "uniqueItems": True},
                ),
            ),
            automationDetails=closed([], id=TEXT),
            invocations={
                "type": "array",
                "items": closed(
                    ["executionSuccessful"],
                    executionSuccessful={"type": "boolean"},
                    toolExecutionNotifications={
                        "type": "array",
                        "items": closed(["message"], level=LEVEL, message=MESSAGE),
                    },
                ),
            },
            columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
            results={"type": "array", "items": RESULT},
            properties={"type": "object"},
        ),
    },
)


def sarif(record: Record) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(render(record, "sarif"))
    return loaded


def results(record: Record) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sarif(record)["runs"][0]["results"]
    return found


@pytest.mark.parametrize("record", [fraud(), sturdy(), hostile(), replace(fraud(), state="stopped", source="")])
def test_the_document_is_valid(record: Record) -> None:
    jsonschema.Draft202012Validator.check_schema(SUBSET)
    jsonschema.validate(sarif(record), SUBSET)


def test_every_result_has_its_rule_and_every_rule_a_result() -> None:
    for record in (fraud(), hostile()):
        rules = [rule["id"] for rule in sarif(record)["runs"][0]["tool"]["driver"]["rules"]]
        assert len(rules) == len(set(rules))
        assert set(rules) == {result["ruleId"] for result in results(record)}


def test_the_rule_carries_the_worst_severity_of_its_results() -> None:
    rules = {rule["id"]: rule for rule in sarif(fraud())["runs"][0]["tool"]["driver"]["rules"]}
    search = rules["evasion.random_search.success_rate"]
    assert search["properties"]["security-severity"] == "9.5"
    assert "AML.T0015" in search["properties"]["tags"]
    mild = replace(fraud(), findings=(replace(fraud().findings[0], severity="low"), fraud().findings[0]))
    rules = {rule["id"]: rule for rule in sarif(mild)["runs"][0]["tool"]["driver"]["rules"]}
    assert rules["evasion.random_search.success_rate"]["properties"]["security-severity"] == "9.5"


def test_a_failure_told_by_a_finding_is_not_told_twice() -> None:
    told = [result["ruleId"] for result in results(fraud())]
    assert told.count("evasion.random_search.success_rate") == 1
    alone = [result["ruleId"] for result in results(replace(fraud(), findings=()))]
    assert alone.count("evasion.random_search.success_rate") == 1


def test_inconclusive_is_open_waived_is_suppressed_and_pass_is_absent() -> None:
    by_requirement = {r["properties"].get("requirement"): r for r in results(fraud())}
    assert (
        by_requirement["holds-against-coordinate"]["kind"],
        by_requirement["holds-against-coordinate"]["level"],
    ) == (
        "open",
        "none",
    )
    assert by_requirement["keeps-members-private"]["kind"] == "open"
    assert by_requirement["survives-unit-errors"]["suppressions"][0]["status"] == "accepted"
    assert "ranks-well" not in by_requirement
    assert results(sturdy()) == []


def test_only_failures_carry_a_level() -> None:
    for result in [*results(fraud()), *results(hostile())]:
        assert (result["kind"] == "fail") == (result["level"] != "none")


def test_results_point_at_the_line_of_the_document_they_come_from() -> None:
    place = results(fraud())[0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "temper.yaml"}, "region": {"startLine": 41}}
    absolute = results(replace(fraud(), source="/srv/my models/temper.yaml"))[0]["locations"][0]["physicalLocation"]
    assert absolute["artifactLocation"]["uri"] == "file:///srv/my%20models/temper.yaml"
    assert "logicalLocations" in results(replace(fraud(), source=""))[0]["locations"][0]


def test_fingerprints_survive_new_figures_and_tell_weaknesses_apart() -> None:
    before = [r["partialFingerprints"] for r in results(fraud())]
    first, *rest = fraud().findings
    later = replace(fraud(), id="0009", findings=(replace(first, title="now 80 of 200", id="F-other", line=9), *rest))
    assert [r["partialFingerprints"] for r in results(later)] == before
    assert len({json.dumps(fingerprint) for fingerprint in before}) == len(before)
    twice = replace(fraud(), findings=(first, first))
    assert results(twice)[0]["partialFingerprints"] != results(twice)[1]["partialFingerprints"]
    other = replace(fraud(), system="loans")
    assert results(other)[0]["partialFingerprints"] != before[0]


def test_message_text_holds_no_links_and_no_placeholders() -> None:
    tricky = replace(fraud().findings[0], title="[click](https://example.org) {0} \\", detail="", examples=())
    text = results(replace(fraud(), findings=(tricky,)))[0]["message"]["text"]
    assert text.startswith("\\[click\\](https://example.org) {{0}} \\\\")


def test_an_unfinished_run_says_so() -> None:
    call = sarif(replace(fraud(), state="stopped"))["runs"][0]["invocations"][0]
    assert call["executionSuccessful"] is False
    assert call["toolExecutionNotifications"][0]["level"] == "error"
