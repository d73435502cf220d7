"""A run as an in-toto statement over the model's digest: to be signed (DSSE) and kept beside the model.

Source: in-toto Attestation Framework, Statement v1 and the predicate test-result v0.1.
"""

from __future__ import annotations

import json
from typing import Any

from temper.core.requirement import Verdict
from temper.core.run import Record
from temper.report._inert import inert
from temper.report._story import limits
from temper.report.mlbom import file_digest

PAYLOAD = "application/vnd.in-toto+json"
"""The type of what is signed."""
_RESULTS = {Verdict.PASS: "PASSED", Verdict.FAIL: "FAILED", Verdict.ERROR: "FAILED"}


def statement(record: Record) -> dict[str, Any]:
    """Subject: the model by the SHA-256 of its file where it was scanned, and by the digest of its content. What was
    waived or not decided is a warning, and never a pass.
    """
    digests = dict(record.digests)
    file = file_digest(record)
    subject = {"temperContent": inert(digests.get("model", "")), **({"sha256": file} if file else {})}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": inert(record.system), "digest": subject}],
        "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
        "predicate": {
            "result": _RESULTS.get(record.verdict, "WARNED") if record.state == "finished" else "WARNED",
            "configuration": [
                {"name": inert(name), "digest": {"temperContent": inert(digests[name])}}
                for name in ("assessment", "held-out data", "training data", "attacks")
                if name in digests
            ],
            "passedTests": _tests(record, "PASSED"),
            "warnedTests": [*_unfinished(record), *_tests(record, "WARNED")],
            "failedTests": _tests(record, "FAILED"),
        },
    }


def render(record: Record) -> str:
    """The statement as JSON, unsigned; the same bytes for the same record."""
    return json.dumps(statement(record), sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _unfinished(record: Record) -> list[str]:
    """That a run which did not come to its end shows nothing by what it left out."""
    return [] if record.state == "finished" else [inert(limits(record)[0])]


def _tests(record: Record, result: str) -> list[str]:
    return [inert(one.requirement.id) for one in record.judgements if _RESULTS.get(one.verdict, "WARNED") == result]
