"""YAML text to the tree of `document`: bounded in size and depth, no tags, no duplicated keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from temper.config.document import Listing, Node, Scalar, Section, describe
from temper.core.errors import ConfigError

if TYPE_CHECKING:
    from yaml.nodes import Node as YamlNode

LARGEST = 2**20
"""Bytes a document may have."""

NODES = 100_000
"""Values a document may hold once its aliases are written out."""

DEEPEST = 40
"""Levels of nesting."""


def read(path: Path) -> Section:
    """The document in this file. Raises `ConfigError` when it is missing, too large, not YAML or not a mapping."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", fix="`temper init` writes a temper.yaml") from error
    if len(raw) > LARGEST:
        raise ConfigError(f"{path} is larger than {LARGEST} bytes", fix="keep data in files of their own")
    try:
        return parse(raw.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: {error}", fix="save it as UTF-8") from error


def parse(text: str, source: str = "text") -> Section:
    """The document in this text; `source` is what messages call it.

    >>> parse("model: {path: m.json}").section("model").text("path")
    'm.json'
    """
    node = _tree(text, source)
    if isinstance(node, Scalar) and node.empty:
        raise ConfigError(f"{source} is empty", fix="`temper init` writes one")
    if not isinstance(node, Section):
        raise ConfigError(
            f"{source}: the document is {describe(node)}, expected a mapping", fix="`temper init` writes one"
        )
    return node


def _tree(text: str, source: str) -> Node:
    import yaml

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{source}:{line}: not YAML: {error.problem}", fix="check indentation and quotes") from error
    except yaml.YAMLError as error:
        first = str(error).partition("\n")[0]
        raise ConfigError(f"{source} is not YAML: {first}", fix="save it as plain UTF-8 text") from error
    except RecursionError:
        raise ConfigError(f"{source} is nested too deep", fix=f"stay below {DEEPEST} levels") from None
    return Scalar("", False, 1) if root is None else _Tree(source).node(root, "", 0)


class _Tree:
    """Counts what it writes out, so that aliases of aliases cannot fill the memory."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.count = 0

    def node(self, node: YamlNode, path: str, depth: int) -> Node:
        from yaml.nodes import MappingNode, ScalarNode, SequenceNode

        line = node.start_mark.line + 1
        self.count += 1
        if self.count > NODES or depth > DEEPEST:
            raise ConfigError(f"{self.source}:{line}: more than {NODES} values or {DEEPEST} levels", fix="use less")
        if not str(node.tag).startswith("tag:yaml.org,2002:") or ":python/" in str(node.tag):
            raise ConfigError(f"{self.source}:{line}: the tag {node.tag} is not accepted", fix="write a plain value")
        if isinstance(node, ScalarNode):
            return Scalar(node.value, node.style is not None, line)
        if isinstance(node, SequenceNode):
            return Listing(tuple(self.node(item, f"{path}.{i}", depth + 1) for i, item in enumerate(node.value)), line)
        if isinstance(node, MappingNode):
            return self.section(node, path, depth)
        raise ConfigError(f"{self.source}:{line}: cannot read {type(node).__name__}")

    def section(self, node: YamlNode, path: str, depth: int) -> Section:
        section = Section(self.source, path, node.start_mark.line + 1)
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key.value, str):
                raise ConfigError(f"{self.source}:{line}: a key must be text, not a list or a mapping")
            if key.value in section.entries:
                first = section.lines[key.value]
                raise ConfigError(f"{self.source}:{line}: duplicated key {key.value!r}, first on line {first}")
            section.lines[key.value] = line
            section.entries[key.value] = self.node(value, f"{path}.{key.value}" if path else key.value, depth + 1)
        return section
