"""The model card of an assessed model: README.md with the figures as a `model-index`, as model hubs read it.

Source: Mitchell et al., "Model Cards for Model Reporting", 2019; Hugging Face's model card and `model-index`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from temper.core.measure import Measurement, Status
from temper.core.requirement import Judgement
from temper.core.run import Record
from temper.report._figure import number
from temper.report._inert import inert
from temper.report._story import limits, sentences, worst_findings

_MARKDOWN = str.maketrans({one: f"\\{one}" for one in "\\`*_[]<>|#"})
_DATA = ("held-out data", "training data")
_SHOWN = 10


def render(record: Record) -> str:
    """Front matter with every figure, then what the model was held to, what breaks it and what this does not show."""
    parts = [
        _front(record),
        f"# {_text(record.system)}\n",
        *_about(record),
        *_held(record),
        *_weak(record),
        *_end(record),
    ]
    return "\n".join(parts)


def _front(record: Record) -> str:
    """YAML whose values are written as JSON, which every YAML reader takes the same way."""
    metrics = [_metric(m) for m in record.measurements if m.status is Status.OK and m.value is not None]
    data = dict(record.digests).get("held-out data", "")
    result = {
        "task": {"type": "other", "name": "robustness assessment"},
        "dataset": {"name": "held-out data", "type": "private", "revision": inert(data)},
        "metrics": metrics,
    }
    index = [{"name": inert(record.system), "results": [result] if metrics else []}]
    tags = ["temper", _verdict(record).lower(), *(["simulated"] if record.simulated else [])]
    return f"---\ntags: {json.dumps(tags)}\nmodel-index: {json.dumps(index, ensure_ascii=True, allow_nan=False)}\n---\n"


def _verdict(record: Record) -> str:
    """The verdict; of a run that did not come to its end how it ended instead."""
    return record.verdict.name if record.state == "finished" else record.state.upper()


def _metric(m: Measurement) -> dict[str, Any]:
    found: dict[str, Any] = {"type": inert(m.name), "name": inert(f"{m.name} ({m.slice})"), "value": m.value}
    if m.low is not None and m.high is not None:
        found["args"] = {"low": m.low, "high": m.high, "confidence": m.confidence, "n": m.n}
    return found


def _about(record: Record) -> Iterator[str]:
    digests = dict(record.digests)
    yield "\n".join(f"{_text(line)}  " for line in sentences(record))
    yield ""
    yield f"- Verdict: **{_verdict(record)}** (run {_text(record.id)}, suite {_text(record.suite)})"
    yield f"- Model: `{inert(digests.get('model', 'unknown'))}`"
    yield from (f"- {name.capitalize()}: `{inert(digests[name])}`" for name in _DATA if name in digests)
    yield from (f"- {_text(name)}: {_text(value)}" for name, value in record.facts)
    if record.simulated:
        yield "- **SIMULATED**: no figure here speaks of a real system"
    yield ""


def _held(record: Record) -> Iterator[str]:
    yield "## Requirements\n"
    if not record.judgements:
        yield "None were judged.\n"
        return
    yield "| verdict | requirement | figure | interval | n |\n|---|---|---|---|---|"
    yield from map(_row, record.judgements)
    yield ""


def _row(one: Judgement) -> str:
    value = "not measured" if one.value is None else number(one.value)
    ends = "" if one.low is None or one.high is None else f"{number(one.low)} to {number(one.high)}"
    return f"| {one.verdict.name} | {_text(one.requirement.id)} | {_text(one.measured)} {value} | {ends} | {one.n:,} |"


def _weak(record: Record) -> Iterator[str]:
    found = worst_findings(record)
    yield "## Robustness\n"
    yield f"{len(found)} weaknesses were found.\n" if found else "No weakness was found by what was tried.\n"
    for one in found[:_SHOWN]:
        yield f"- [{one.severity}] {_text(one.title)}; defences that address it: {', '.join(one.defences) or 'none'}"
    if found:
        yield ""


def _end(record: Record) -> Iterator[str]:
    yield "## What this does not show\n"
    yield from (f"- {_text(line)}" for line in limits(record))
    yield ""


def _text(value: object) -> str:
    """Words from outside that no Markdown reader can be moved by."""
    return inert(value).translate(_MARKDOWN)
