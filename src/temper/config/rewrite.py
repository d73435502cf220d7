"""Change single answers of a temper.yaml and leave everything else, comments included, as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from temper.config.yaml_text import flow
from temper.core.errors import ConfigError


def rewritten(text: str, answers: Mapping[tuple[str, str], Any]) -> str:
    """The text with these (section, key) answers replaced, or added where the section lacks them.

    >>> print(rewritten("model: {path: a.ubj} # mine", {("model", "path"): "b.ubj", ("model", "threshold"): 0.4}))
    model: {threshold: 0.4, path: b.ubj} # mine
    """
    for (section, key), value in answers.items():
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        inner = _child(root, section)
        if not isinstance(inner, yaml.MappingNode):
            raise ConfigError(f"there is no section {section!r} to change")
        old = _child(inner, key)
        if old is not None:
            text = text[: old.start_mark.index] + flow(value) + text[_end(text, old) :]
        else:
            text = _added(text, inner, f"{key}: {flow(value)}")
    return text


def _child(node: Any, key: str) -> Any:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _end(text: str, node: Any) -> int:
    """Where the value ends; a block value's mark lies after the following blanks and line breaks."""
    part = text[node.start_mark.index : node.end_mark.index]
    return int(node.start_mark.index + len(part.rstrip()))


def _added(text: str, section: yaml.MappingNode, entry: str) -> str:
    at = section.start_mark.index
    if section.flow_style:
        return f"{text[: at + 1]}{entry}{', ' if section.value else ''}{text[at + 1 :]}"
    return f"{text[:at]}{entry}\n{' ' * section.start_mark.column}{text[at:]}"
