"""Defects as pytest files: a service's stands alone, a model's asks it through Temper's public functions."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from temper.fuzz._case import Case
from temper.fuzz._oracle import MEANING
from temper.fuzz._search import Defect
from temper.fuzz._service import Service
from temper.fuzz._wire import framed

_TAIL = """

CASES = [
{cases}
]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_the_law_holds(case):
    assert not broken(case), f"{case['meaning']}: {case['note']}"
"""
_SECRET = "{key}"
Named = Sequence[tuple[str, Defect]]


def service_tests(defects: Named, service: Service, start: Sequence[str] = ()) -> str:
    """A file that needs pytest alone: requests as bytes, sent to TEMPER_FUZZ_URL (by default where they were found).

    What was found at a service that `start` runs is tested at one that is started for it. A key is not written into it:
    it is read from TEMPER_FUZZ_KEY.
    """
    url = f"{'https' if service.where.context() else 'http'}://{service.where.told}{service.where.path}"
    settings = {"url": url, "low": str(service.low), "high": str(service.high), "deadline": service.deadline,
                "answer": service.form.answer, "ca": service.where.ca, "start": list(start)}  # fmt: skip
    cases = [_case(id_, one, service) for id_, one in defects]
    return _filled("_cases_of_a_service", settings, cases)


def model_tests(defects: Named, source: str, *, deadline: float) -> str:
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
    settings = {"source": str(Path(source).absolute()), "deadline": deadline}
    text = _filled("_cases_of_a_model", settings, cases).replace(
        "import pytest\n", "import pytest\n\nimport temper\n", 1
    )
    return text.replace("MODEL: Any = None", 'MODEL: Any = temper.load(SETTINGS["source"]).target', 1)


def _filled(runner: str, settings: dict[str, Any], cases: Sequence[dict[str, Any]]) -> str:
    """The runner with its settings and cases."""
    text = Path(__file__).with_name(f"{runner}.py").read_text(encoding="utf-8")
    text = text.replace("from typing import Any\n", "from typing import Any\n\nimport pytest\n", 1)
    text = text.replace("SETTINGS: dict[str, Any] = {}", f"SETTINGS: dict[str, Any] = {settings!r}", 1)
    lines = "\n".join(f"    json.loads({json.dumps(case)!r})," for case in cases)
    start = "" if "\nimport json\n" in text else "import json\n"
    return text.replace("import math\n", f"{start}import math\n", 1) + _TAIL.replace("{cases}", lines)


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
    return float(value).hex()
