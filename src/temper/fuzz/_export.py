"""Defects as pytest files: a service's stands alone, a model's asks it through Temper's public functions."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from temper.fuzz._case import Case
from temper.fuzz._oracle import MEANING
from temper.fuzz._search import Defect
from temper.fuzz._service import Service
from temper.fuzz._wire import framed

_RUNNER = Path(__file__).with_name("_case_runner.py")
_SECRET = "{key}"
Named = Sequence[tuple[str, Defect]]


def service_tests(defects: Named, service: Service) -> str:
    """A file that needs pytest alone: requests as bytes, sent to TEMPER_FUZZ_URL (by default where they were found).

    A key is not written into it: it is read from TEMPER_FUZZ_KEY.
    """
    url = f"{'https' if service.where.context() else 'http'}://{service.where.told}{service.where.path}"
    settings = {"url": url, "low": _plain(service.low), "high": _plain(service.high), "deadline": service.deadline,
                "answer": service.form.answer}  # fmt: skip
    cases = [_case(id_, one, service) for id_, one in defects]
    return _filled({"settings": settings, "cases": cases}, "service")


def model_tests(defects: Named, source: str, *, strict: bool, names: Sequence[str]) -> str:
    """A file that opens `source` with `temper.load` and asks its model for the rows."""
    cases = [
        {
            "id": id_,
            "law": one.law,
            "meaning": MEANING[one.law],
            "rows": [[_plain(value) for value in case.row] for case in one.cases],
            "note": "; ".join(map(str, one.cases))[:400],
        }
        for id_, one in defects
    ]
    settings = {"source": str(Path(source).absolute()), "strict": strict, "columns": list(names)}
    return _filled({"settings": settings, "cases": cases}, "model")


def _filled(document: dict[str, Any], kind: str) -> str:
    """The runner with its cases; the half of it that is for the other kind is left out."""
    text = _RUNNER.read_text(encoding="utf-8")
    head, rest = text.split("# -- model\n", 1)
    model, service = rest.split("# -- service\n", 1)
    literal = json.dumps(document, ensure_ascii=True, allow_nan=False, indent=1)
    return head.replace("DOCUMENT: Any = {}", f'DOCUMENT: Any = json.loads(r"""{literal}""")') + (
        model if kind == "model" else service
    )


def _case(id_: str, defect: Defect, service: Service) -> dict[str, Any]:
    """Requests of each case alone, of all in one, and of the row as usual where that is what is compared with."""
    case = defect.cases[0]
    return {
        "id": id_,
        "law": defect.law,
        "meaning": MEANING[defect.law],
        "note": "; ".join(map(str, defect.cases))[:400],
        "alone": [_packed(service, [one]) for one in defect.cases],
        "batch": _packed(service, defect.cases) if len(defect.cases) > 1 and service.form.batches else None,
        "usual": _packed(service, [Case(base=case.base)]),
    }


def _packed(service: Service, cases: Sequence[Case]) -> dict[str, Any]:
    """One request: its bytes packed (ten megabytes of one letter are a line), its pause, how many answers are due."""
    text = service.form.body(service.schema, cases)
    headers = [(name, f"Bearer {_SECRET}" if name == "Authorization" else value) for name, value in service.headers]
    sending = framed(cases[0].frame, text, "{host}", service.where.path, headers)
    pieces = [base64.b64encode(zlib.compress(piece, 9)).decode() for piece in sending.pieces]
    return {"pieces": pieces, "pause": sending.pause, "answers": sending.answers, "rows": len(cases)}


def _plain(value: Any) -> Any:
    """A number as text that Python reads back to the bit; a text in a list."""
    if isinstance(value, str):
        return [value]
    return float(value).hex() if np.isfinite(value) else str(float(value))
