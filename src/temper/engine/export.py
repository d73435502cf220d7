"""The certificates of a run as a document of their own: what was proven, of which model, row by row."""

from __future__ import annotations

import json
import math
from typing import Any

from temper.core.errors import TemperError
from temper.core.run import Record
from temper.store.database import Store

FORMAT = "temper.certificates/1"


def certificates(store: Store, record: Record) -> str:
    """JSON: the model's and the data's digests, then per certificate its method, norm, subject, confidence, settings
    and a [sample id, certified radius, nearest known success] triple per row (null where none is known).

    Raises `TemperError` when the run proved nothing.
    """
    found = [_document(task) for key in record.tasks if (task := store.task(key)) and "certified_ids" in task[1]]
    if not found:
        raise TemperError(
            f"run {record.id} holds no certificate", fix="assess trees or a net with `--only evasion`, or see `threats`"
        )
    document = {
        "format": FORMAT,
        "system": record.system,
        "run": record.id,
        "seed": record.seed,
        "started": record.started,
        "simulated": record.simulated,
        "digests": dict(record.digests),
        "certificates": found,
    }
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"


def _document(task: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    arrays = {name.removeprefix("certified_"): values for name, values in task[1].items()}
    words = {name: str(arrays[name][0]) for name in ("method", "norm", "subject")}
    rows = [
        [int(sample), float(radius), float(limit) if math.isfinite(limit) else None]
        for sample, radius, limit in zip(arrays["ids"], arrays["radius"], arrays["limit"], strict=True)
    ]
    settings = dict(str(line).partition("=")[::2] for line in arrays["settings"])
    return words | {"confidence": float(arrays["confidence"][0]), "settings": settings, "rows": rows, "n": len(rows)}
