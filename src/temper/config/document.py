"""A document as a tree with the line of every key; its readers refuse unknown keys and wrong types."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from temper.core.errors import ConfigError

_TRUE, _FALSE, _NULL = ("true", "yes", "on"), ("false", "no", "off"), ("", "~", "null")


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value as it was written, so that the country NO stays NO and 1e3 is a number where a number is expected."""

    text: str
    quoted: bool
    line: int

    @property
    def empty(self) -> bool:
        """Whether nothing was written."""
        return not self.quoted and self.text.lower() in _NULL

    def plain(self) -> Any:
        """The value as YAML 1.2 reads it: null, boolean, whole number, number or text."""
        if self.quoted:
            return self.text
        if self.empty:
            return None
        if self.text.lower() in ("true", "false"):
            return self.text.lower() == "true"
        number = as_number(self.text)
        if number is None:
            return self.text
        return int(self.text) if re.fullmatch(r"[-+]?\d+", self.text) else number


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of values."""

    items: tuple[Node, ...]
    line: int

    def plain(self) -> Any:
        """A tuple, so that what is built from it can be hashed."""
        return tuple(item.plain() for item in self.items)


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping at `path` of `source`, with the line of each key; its readers name file, line, expected and found."""

    source: str = ""
    path: str = ""
    line: int = 1
    entries: dict[str, Node] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Everything below as plain values."""
        return {key: node.plain() for key, node in self.entries.items()}

    def only(self, *known: str) -> Section:
        """This section, once every key is one of `known`; otherwise a `ConfigError` with the nearest one."""
        for key in self.entries:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
                place = f" in {self.path}" if self.path else ""
                raise self.error(f"unknown key {key!r}{place}; {hint}", key)
        return self

    def error(self, message: str, key: str = "", fix: str = "") -> ConfigError:
        """A `ConfigError` that names the file and the line of `key` (or of this section)."""
        return ConfigError(f"{self.source}:{self.lines.get(key, self.line)}: {message}", fix=fix)

    def has(self, key: str) -> bool:
        """Whether something was written under this key."""
        node = self.entries.get(key)
        return node is not None and not (isinstance(node, Scalar) and node.empty)

    def text(self, key: str, default: str = "") -> str:
        """Text; anything that is one value counts, as it was written."""
        return self._scalar(key, "text").text if self.has(key) else default

    def needed(self, key: str) -> str:
        """Text that must be there."""
        if not self.text(key):
            raise self.error(f"{self._name(key)} is missing", key, fix=f"add `{key}:`")
        return self.text(key)

    def word(self, key: str, words: Sequence[str], default: str) -> str:
        """One of these words."""
        text = self.text(key, default)
        if text not in words:
            near = difflib.get_close_matches(text, words, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise self.error(f"{self._name(key)} is {text!r}, expected one of {', '.join(words)}{hint}", key)
        return text

    def number(self, key: str, default: float) -> float:
        """A finite number."""
        found = self.maybe(key)
        return default if found is None else found

    def maybe(self, key: str) -> float | None:
        """A finite number, or None where nothing was written."""
        if not self.has(key):
            return None
        scalar = self._scalar(key, "a number")
        value = None if scalar.quoted else as_number(scalar.text)
        if value is None:
            raise self.error(f"{self._name(key)} is {scalar.text!r}, expected a number", key)
        return value

    def whole(self, key: str, default: int) -> int:
        """A whole number."""
        value = self.number(key, default)
        if value != int(value):
            raise self.error(f"{self._name(key)} is {value:g}, expected a whole number", key)
        return int(value)

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        if not self.has(key):
            return default
        scalar = self._scalar(key, "true or false")
        word = "" if scalar.quoted else scalar.text.lower()
        if word not in _TRUE + _FALSE:
            raise self.error(f"{self._name(key)} is {scalar.text!r}, expected true or false", key)
        return word in _TRUE

    def day(self, key: str) -> date:
        """A date such as 2027-01-31."""
        text = self.needed(key)
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise self.error(f"{self._name(key)} is {text!r}, expected a date like 2027-01-31", key) from None

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty where nothing was written."""
        items = self.items(key)
        for item in items:
            if not isinstance(item, Scalar):
                raise self.error(f"{self._name(key)} holds {describe(item)}, expected text", key)
        return tuple(item.text for item in items if isinstance(item, Scalar))

    def numbers(self, key: str) -> tuple[float, ...]:
        """A list of numbers; empty where nothing was written."""
        found = [as_number(text) for text in self.texts(key)]
        if None in found:
            raise self.error(f"{self._name(key)} must be a list of numbers", key)
        return tuple(value for value in found if value is not None)

    def items(self, key: str) -> tuple[Node, ...]:
        """A list of anything; empty where nothing was written."""
        node = self.entries.get(key)
        if not self.has(key) or node is None:
            return ()
        if not isinstance(node, Listing):
            raise self.error(f"{self._name(key)} is {describe(node)}, expected a list", key)
        return node.items

    def section(self, key: str) -> Section:
        """A mapping; an empty one where nothing was written."""
        node = self.entries.get(key)
        if not self.has(key) or node is None:
            return Section(self.source, self._name(key), self.lines.get(key, self.line))
        if not isinstance(node, Section):
            raise self.error(f"{self._name(key)} is {describe(node)}, expected a mapping", key)
        return node

    def sections(self, key: str) -> tuple[Section, ...]:
        """A list of mappings; empty where nothing was written."""
        items = self.items(key)
        for item in items:
            if not isinstance(item, Section):
                raise self.error(f"{self._name(key)} holds {describe(item)}, expected mappings", key)
        return tuple(item for item in items if isinstance(item, Section))

    def every_line(self) -> Iterator[tuple[str, int]]:
        """(dotted path, line) of every key below; entries of lists go by their `id` or `name`, else their position."""
        for key, node in self.entries.items():
            path = self._name(key)
            yield path, self.lines[key]
            if isinstance(node, Section):
                yield from node.every_line()
            for at, item in enumerate(node.items if isinstance(node, Listing) else ()):
                if isinstance(item, Section):
                    yield f"{path}.{item.text('id') or item.text('name') or at}", item.line

    def _scalar(self, key: str, expected: str) -> Scalar:
        node = self.entries[key]
        if not isinstance(node, Scalar):
            raise self.error(f"{self._name(key)} is {describe(node)}, expected {expected}", key)
        return node

    def _name(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


Node = Scalar | Listing | Section


def as_number(text: str) -> float | None:
    """The finite number this text is, or None."""
    if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def describe(node: Node) -> str:
    """What was found, for messages."""
    if isinstance(node, Scalar):
        return repr(node.text) if node.text else "nothing"
    return "a list" if isinstance(node, Listing) else "a mapping"
