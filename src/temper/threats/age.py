"""Whether a description is older than the model it speaks of, by the digests and dates that runs keep."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from temper.core.description import Description
from temper.core.run import Record

_FIX = "read it again, correct it or set `system.reviewed`"


def outdated(
    description: Description, model: str, runs: Sequence[Record], changed: date | None = None, name: str = "model"
) -> str:
    """What to say when the model has changed and the description has not; "" where nothing speaks against it.

    `model` is the digest of what answers now, `runs` the system's, the first made first, `changed` the day on which the
    model's file was last written, `name` what runs call the model's digest.
    """
    same = [run for run in runs if description.digest and dict(run.digests).get("description") == description.digest]
    if same and dict(same[0].digests).get(name) != model:
        return (
            f"the description is as it was in run {same[0].id} of {same[0].started[:10]}, "
            f"and another model answers now: {_FIX}"
        )
    if description.reviewed and changed is not None and date.fromisoformat(description.reviewed) < changed:
        return f"the description was reviewed on {description.reviewed}, and the model's file is of {changed}: {_FIX}"
    return ""
