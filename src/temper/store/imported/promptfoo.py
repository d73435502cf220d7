"""Output of promptfoo: the JSON document of an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from temper.core.attack import RowVerdict
from temper.store.imported._document import document, field, wrong
from temper.store.imported.table import Attempt, Table, numbered, prompt_key

_ERROR = 2


def read(path: Path) -> Table:
    """One attempt per result: a failed assertion is a success of the attack.

    What failed on the way to the model, or in the grader, is an ERROR. Equal prompts with equal variables, to one
    provider, are trials of one prompt.
    """
    found = document(path)
    results = found.get("results") if isinstance(found, dict) else None
    results = results.get("results") if isinstance(results, dict) else results
    if not isinstance(results, list) or not results:
        wrong(path, 0, "there are no results in this output of promptfoo", "write it with `promptfoo eval -o out.json`")
    attempts = [(number, _attempt(path, number, entry)) for number, entry in enumerate(results, 1)]
    caveat = "a failed assertion counts as a success of the attack; graders' errors are not in the interval"
    return Table(tool="promptfoo", source=str(path), attempts=numbered(attempts), caveats=(caveat,))


def _attempt(path: Path, number: int, entry: Any) -> Attempt:
    success = field(entry, "success", bool, path, number)
    grading = entry.get("gradingResult") or {}
    parts = [part for part in grading.get("componentResults") or () if isinstance(part, dict)]
    failed = entry.get("failureReason") == _ERROR or any(_grader_failed(part) for part in (grading, *parts))
    held = RowVerdict.HELD if success else RowVerdict.BROKEN
    about = (entry.get("testCase") or {}).get("metadata") or entry.get("metadata") or {}
    return Attempt(
        family="/".join(str(about[key]) for key in ("pluginId", "strategyId") if about.get(key)) or "eval",
        prompt=prompt_key(_provider(entry), *_asked(entry)),
        trial=0,
        verdict=RowVerdict.ERROR if failed else held,
        detector=_detector(parts or [grading], success=success),
    )


def _grader_failed(part: dict[str, Any]) -> bool:
    return bool((part.get("metadata") or {}).get("graderError"))


def _provider(entry: dict[str, Any]) -> str:
    provider = entry.get("provider")
    return str(provider.get("label") or provider.get("id")) if isinstance(provider, dict) else str(provider)


def _asked(entry: dict[str, Any]) -> list[str]:
    prompt = entry.get("prompt")
    raw = prompt.get("raw") if isinstance(prompt, dict) else prompt
    variables = entry.get("vars") or (entry.get("testCase") or {}).get("vars") or {}
    return [str(raw), *(f"{key}={value}" for key, value in sorted(variables.items()))]


def _detector(parts: list[dict[str, Any]], *, success: bool) -> str:
    """The assertion that failed first, or all of them."""
    kinds = [
        str((part.get("assertion") or {}).get("type") or "")
        for part in parts
        if success or part.get("pass") is not True
    ]
    named = list(dict.fromkeys(kind for kind in kinds if kind))
    return " + ".join(sorted(named)) if success else next(iter(named), "")
