"""The assessed model as a machine-learning bill of materials: CycloneDX 1.6, the same bytes for the same record."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from temper.core.measure import Measurement, Status
from temper.core.run import Record
from temper.report._inert import inert
from temper.report._story import limits

_HEX = re.compile(r"[0-9a-f]{64}")
_PYPI = re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9._+!-]+")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_FILE = re.compile(r"SHA-256 ([0-9a-f]{64})")
_DATA = ("training data", "held-out data")


def render(record: Record) -> str:
    """Model with its hashes and model card, the data it was fitted and tested on by digest, and the libraries.

    A digest of data or of a model's content is Temper's own (rows, truths and ids; what decides the scores), said so in
    its description; the hash of the model's file is there where the check `artifact` ran. Figures without a value are
    left out. Source: CycloneDX 1.6, `machine-learning-model` and `modelCard`.
    """
    digests = dict(record.digests)
    libraries = [_library(n, v) for n, v in record.libraries if _PYPI.fullmatch(f"{n}@{v}")]
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([record.id, *record.digests]))}",
        "version": 1,
        "metadata": {
            **_timestamp(record.started),
            "tools": {"components": [{"type": "application", "name": "temper"}]},
            "component": {"type": "application", "name": inert(record.system), "bom-ref": "system"},
        },
        "components": [_model(record, digests), *_data(digests), *libraries],
        "dependencies": [
            {"ref": "system", "dependsOn": ["model"]},
            {"ref": "model", "dependsOn": [library["bom-ref"] for library in libraries]},
        ],
    }
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"


def _model(record: Record, digests: dict[str, str]) -> dict[str, Any]:
    found = {"type": "machine-learning-model", "name": inert(record.system), "bom-ref": "model"}
    properties = [
        {"name": "temper:run", "value": inert(record.id)},
        {"name": "temper:verdict", "value": record.verdict.name},
        {"name": "temper:suite", "value": inert(record.suite)},
        {"name": "temper:content-digest", "value": inert(digests.get("model", ""))},
    ]
    if record.simulated:
        properties.append({"name": "temper:simulated", "value": "true"})
    return found | {"hashes": _hashes(record), "properties": properties, "modelCard": _card(record, digests)}


def file_digest(record: Record) -> str:
    """The SHA-256 of the model's file where it was scanned, else ""."""
    files = [_FILE.search(m.method) for m in record.measurements if m.name == "artifact.findings"]
    return files[0][1] if files and files[0] is not None else ""


def _hashes(record: Record) -> list[dict[str, str]]:
    found = file_digest(record)
    return [{"alg": "SHA-256", "content": found}] if found else []


def _card(record: Record, digests: dict[str, str]) -> dict[str, Any]:
    measured = [m for m in record.measurements if m.status is Status.OK and m.value is not None]
    return {
        "modelParameters": {"datasets": [{"ref": name.replace(" ", "-")} for name in _DATA if _known(digests, name)]},
        "quantitativeAnalysis": {"performanceMetrics": [_metric(m) for m in measured]},
        "considerations": {
            "technicalLimitations": [
                *(limits(record)[:1] if record.state != "finished" else ()),
                *(f"{inert(skipped.name)}: {inert(skipped.why)}" for skipped in record.skipped),
            ],
            "ethicalConsiderations": [
                {"name": inert(finding.title), "mitigationStrategy": ", ".join(map(inert, finding.defences)) or "none"}
                for finding in record.findings
            ],
        },
    }


def _metric(m: Measurement) -> dict[str, Any]:
    found: dict[str, Any] = {"type": inert(m.name), "value": f"{m.value:.6g}", "slice": inert(m.slice)}
    if m.low is not None and m.high is not None:
        found["confidenceInterval"] = {"lowerBound": f"{m.low:.6g}", "upperBound": f"{m.high:.6g}"}
    return found


def _data(digests: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "type": "data",
            "name": name,
            "bom-ref": name.replace(" ", "-"),
            "description": "SHA-256 over rows, truths and ids as Temper reads them, not over a file",
            "hashes": [{"alg": "SHA-256", "content": digests[name]}],
            "data": [{"type": "dataset", "name": name}],
        }
        for name in _DATA
        if _known(digests, name)
    ]


def _known(digests: dict[str, str], name: str) -> bool:
    return bool(_HEX.fullmatch(digests.get(name, "")))


def _library(name: str, version: str) -> dict[str, Any]:
    purl = f"pkg:pypi/{name}@{version}"
    return {"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl}


def _timestamp(started: str) -> dict[str, str]:
    """When the run started, where that is a time with its zone."""
    return {"timestamp": started} if _TIME.fullmatch(started) else {}
