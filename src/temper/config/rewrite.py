"""Change single answers of a temper.yaml and leave everything else, comments included, as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
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


def repointed(text: str, answer: Callable[[Path, str], Path | None]) -> tuple[str, dict[str, Path]]:
    """The text with its absolute paths replaced by what `answer` says of each and its section (None leaves it), and
    what was replaced.

    >>> repointed("guard: {profile: /var/p.npz} # kept", lambda path, section: Path("/new") / section / path.name)
    ('guard: {profile: "/new/guard/p.npz"} # kept', {'/var/p.npz': PosixPath('/new/guard/p.npz')})
    """
    replaced = {}
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for node, section in reversed([*_paths(root, "")]):
        if (new := answer(Path(node.value), section)) is not None:
            text = text[: node.start_mark.index] + flow(str(new)) + text[node.end_mark.index :]
            replaced[node.value] = new
    return text, replaced


def _paths(node: Any, section: str) -> Iterator[tuple[Any, str]]:
    """The values that are absolute paths, in their order."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from _paths(value, section or name.value)
    elif isinstance(node, yaml.SequenceNode):
        for one in node.value:
            yield from _paths(one, section)
    elif isinstance(node, yaml.ScalarNode) and node.value.startswith("/"):
        yield node, section


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
