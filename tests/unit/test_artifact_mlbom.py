"""The bill of materials: CycloneDX 1.6 in its required structure, stable, and hostile text stays text.

The official schema is not shipped with the tests; SCHEMA holds the parts of the public specification (bom-1.6) that the
document uses, with closed objects, so that a misspelt or misplaced property fails.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from temper.core.measure import Measurement
from temper.report.mlbom import render
from unit.test_report_invented import fraud, hostile, sturdy

TEXT = {"type": "string"}
REF = {"type": "string", "minLength": 1}


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def listed(item: Any) -> dict[str, Any]:
    return {"type": "array", "items": item}


HASH = closed(["alg", "content"], alg={"const": "SHA-256"}, content={"type": "string", "pattern": "^[a-f0-9]{64}$"})
INTERVAL = closed([], lowerBound=TEXT, upperBound=TEXT)
CARD = closed(
    [],
    modelParameters=closed([], datasets=listed(closed(["ref"], ref=REF))),
    quantitativeAnalysis=closed(
        [], performanceMetrics=listed(closed([], type=TEXT, value=TEXT, slice=TEXT, confidenceInterval=INTERVAL))
    ),
    considerations=closed(
        [],
        technicalLimitations=listed(TEXT),
        ethicalConsiderations=listed(closed([], name=TEXT, mitigationStrategy=TEXT)),
    ),
)
COMPONENT = closed(
    ["type", "name"],
    type={"enum": ["application", "library", "machine-learning-model", "data"]},
    name=TEXT,
    version=TEXT,
    description=TEXT,
    purl=TEXT,
    hashes=listed(HASH),
    properties=listed(closed(["name"], name=TEXT, value=TEXT)),
    data=listed(closed(["type"], type={"enum": ["dataset"]}, name=TEXT)),
    modelCard=CARD,
    **{"bom-ref": REF},
)
SCHEMA = closed(
    ["bomFormat", "specVersion"],
    bomFormat={"const": "CycloneDX"},
    specVersion={"const": "1.6"},
    serialNumber={
        "type": "string",
        "pattern": "^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    },
    version={"type": "integer", "minimum": 1},
    metadata=closed(
        [],
        timestamp={"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"},
        tools=closed([], components=listed(COMPONENT)),
        component=COMPONENT,
    ),
    components=listed(COMPONENT) | {"uniqueItems": True},
    dependencies=listed(closed(["ref"], ref=REF, dependsOn=listed(REF))),
    **{"$schema": {"const": "http://cyclonedx.org/schema/bom-1.6.schema.json"}},
)
DIGEST = "ab" * 32
DIGESTS = (("model", "cd" * 32), ("training data", "ef" * 32), ("held-out data", "01" * 32), ("numpy", "2.4.0"))


@pytest.mark.parametrize("make", [fraud, hostile, sturdy])
def test_every_record_is_a_bill_of_materials(make: Any) -> None:
    document = json.loads(render(make()))
    jsonschema.validate(document, SCHEMA)
    refs = [part["bom-ref"] for part in [document["metadata"]["component"], *document["components"]]]
    assert len(set(refs)) == len(refs)
    assert {ref for entry in document["dependencies"] for ref in [entry["ref"], *entry["dependsOn"]]} <= set(refs)


def test_model_data_and_libraries_are_named_with_their_digests() -> None:
    scanned = Measurement(plugin="artifact", metric="findings", value=0.0, n=1, method=f"UBJSON; SHA-256 {DIGEST}")
    record = replace(fraud(), digests=DIGESTS, measurements=(*fraud().measurements, scanned))
    assert render(record) == render(record)
    parts = {part["bom-ref"]: part for part in json.loads(render(record))["components"]}
    assert parts["model"]["hashes"] == [{"alg": "SHA-256", "content": DIGEST}]
    assert parts["training-data"]["hashes"][0]["content"] == "ef" * 32
    assert parts["pkg:pypi/numpy@2.4.0"]["version"] == "2.4.0"
    figures = parts["model"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert len(figures) == sum(m.status.value == "ok" and m.value is not None for m in record.measurements)
    assert {part["ref"] for part in parts["model"]["modelCard"]["modelParameters"]["datasets"]} <= parts.keys()
