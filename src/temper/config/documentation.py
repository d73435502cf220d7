"""What temper.yaml answers of the questions that a person asks about any system."""

from __future__ import annotations

from typing import Any

from temper.config.document import Section

_WRITTEN = ("owner", "provenance", "limits", "oversight")


def documented(document: Section) -> dict[str, dict[str, Any]]:
    """`documentation: {owner, provenance, limits, oversight}`, purpose, harmed and policy, as options of the check."""
    about, section = document.section("system"), document.section("documentation").only(*_WRITTEN)
    answers = [(key, about.text(key)) for key in ("purpose", "harmed")]
    answers += [(key, section.text(key)) for key in _WRITTEN]
    answers.append(("requirements", "a policy" if document.has("policy") else ""))
    return {"validation.documentation": {"answers": tuple(answers)}}
