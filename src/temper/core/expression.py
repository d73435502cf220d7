"""A small safe grammar for relations over columns: parsed, never evaluated as code, vectorised over rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.errors import SchemaError

Node = tuple[Any, ...]
Columns = Mapping[str, Any]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?P<name>[A-Za-z_]\w*)|`(?P<quoted>[^`]+)`"
    r"|(?P<op><=|>=|==|!=|[-+*/(),<>=]))"
)
_FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "abs": (1, np.abs),
    "exp": (1, np.exp),
    "floor": (1, np.floor),
    "log": (1, np.log),
    "max": (2, np.maximum),
    "min": (2, np.minimum),
    "mod": (2, np.mod),
    "round": (1, np.round),
    "sqrt": (1, np.sqrt),
}
_BINARY: dict[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "<=": np.less_equal,
    ">=": np.greater_equal,
    "<": np.less,
    ">": np.greater,
    "==": np.equal,
    "!=": np.not_equal,
}
_COMPARISONS = ("<=", ">=", "<", ">", "==", "=", "!=")
_DEPTH = 50


@dataclass(frozen=True, slots=True)
class Expression:
    """Arithmetic, comparisons and a few functions over column names; `was(column)` is the value before the attack.

    Names with spaces are quoted with backticks. A comparison is 1 where it holds and 0 elsewhere.

    >>> parse("total - 2 * each").value({"total": np.array([5.0]), "each": np.array([2.0])}, {})
    array([1.])
    """

    text: str
    root: Node

    @property
    def names(self) -> frozenset[str]:
        """The columns read as they are now (not those only read through `was`)."""
        return frozenset(_names(self.root))

    @property
    def every_name(self) -> frozenset[str]:
        """All columns read, now or before."""
        return frozenset(_names(self.root, past=True))

    def value(self, now: Columns, before: Columns) -> Any:
        """The value per row; division by zero and logs of negatives give NaN or infinity, which no schema admits."""
        with np.errstate(all="ignore"):
            return _value(self.root, now, before)


@dataclass(frozen=True, slots=True)
class Relation:
    """`left <= right`, `left = right` and so on; `excess` is how far a row is from satisfying it."""

    text: str
    left: Expression
    sign: str
    right: Expression

    def excess(self, now: Columns, before: Columns) -> Any:
        """Zero where the relation holds, else the positive distance to it; NaN where that is unknown."""
        with np.errstate(invalid="ignore"):  # infinity on both sides
            gap = np.asarray(self.left.value(now, before) - self.right.value(now, before), dtype=float)
        if self.sign in ("<=", "<"):
            return np.maximum(gap, 0.0)
        if self.sign in (">=", ">"):
            return np.maximum(-gap, 0.0)
        return np.abs(gap)


def parse(text: str) -> Expression:
    """Parse an expression; a `SchemaError` names the place that is wrong."""
    parser = _Parser(text)
    root = parser.comparison()
    parser.finish()
    return Expression(text, root)


def parse_relation(text: str) -> Relation:
    """Parse a relation: two expressions with <=, >=, <, > or = between them."""
    parser = _Parser(text)
    left = parser.sum()
    sign = parser.take()
    if sign not in ("<=", ">=", "<", ">", "=", "=="):
        raise SchemaError(f"relation {text!r} has no comparison", fix="write it as `a <= b` or `a = b * c`")
    right = parser.sum()
    parser.finish()
    return Relation(text, Expression(text, left), "=" if sign == "==" else sign, Expression(text, right))


class _Parser:
    """Recursive descent: comparison > sum > product > unary > atom."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(self._split(text))
        self.at = 0
        self.depth = 0

    def _split(self, text: str) -> Any:
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if not match:
                raise SchemaError(
                    f"cannot read {text[at:].strip()[:20]!r} in {text!r}",
                    fix="use column names, numbers, + - * / ( ), comparisons and " + ", ".join(sorted(_FUNCTIONS)),
                )
            at = match.end()
            yield match.lastgroup, match.group(match.lastgroup or 0)

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) and self.tokens[self.at][0] == "op" else ""

    def take(self) -> str:
        token = self.peek()
        self.at += bool(token)
        return token

    def finish(self) -> None:
        if self.at < len(self.tokens):
            raise SchemaError(f"{self.text!r} goes on after its end at {self.tokens[self.at][1]!r}")

    def comparison(self) -> Node:
        left = self.sum()
        if self.peek() in _COMPARISONS:
            sign = self.take()
            return ("==" if sign == "=" else sign, left, self.sum())
        return left

    def sum(self) -> Node:
        left = self.product()
        while self.peek() in ("+", "-"):
            left = (self.take(), left, self.product())
        return left

    def product(self) -> Node:
        left = self.unary()
        while self.peek() in ("*", "/"):
            left = (self.take(), left, self.unary())
        return left

    def unary(self) -> Node:
        self.depth += 1
        if self.depth > _DEPTH:
            raise SchemaError(f"{self.text[:40]!r}... is nested more than {_DEPTH} deep")
        if self.peek() in ("-", "+"):
            sign = self.take()
            inner = self.unary()
            node = ("-", ("number", 0.0), inner) if sign == "-" else inner
        else:
            node = self.atom()
        self.depth -= 1
        return node

    def atom(self) -> Node:
        if self.at >= len(self.tokens):
            raise SchemaError(f"{self.text!r} ends too early")
        kind, token = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return ("number", float(token))
        if kind == "quoted":
            return ("column", token)
        if kind == "name":
            return self.call(token) if self.peek() == "(" else ("column", token)
        if token == "(":
            inner = self.comparison()
            self.close()
            return inner
        raise SchemaError(f"{token!r} is out of place in {self.text!r}")

    def call(self, name: str) -> Node:
        self.take()
        arguments = [self.comparison()]
        while self.peek() == ",":
            self.take()
            arguments.append(self.comparison())
        self.close()
        if name == "was":
            if len(arguments) != 1 or arguments[0][0] != "column":
                raise SchemaError(f"was() takes one column in {self.text!r}")
            return ("was", arguments[0][1])
        if name not in _FUNCTIONS:
            raise SchemaError(f"unknown function {name!r} in {self.text!r}", fix="use " + ", ".join(sorted(_FUNCTIONS)))
        if len(arguments) != _FUNCTIONS[name][0]:
            raise SchemaError(f"{name}() takes {_FUNCTIONS[name][0]} argument(s) in {self.text!r}")
        return ("call", name, *arguments)

    def close(self) -> None:
        if self.take() != ")":
            raise SchemaError(f"a bracket is not closed in {self.text!r}")


def _value(node: Node, now: Columns, before: Columns) -> Any:
    kind = node[0]
    if kind == "number":
        return node[1]
    if kind == "column":
        return now[node[1]]
    if kind == "was":
        return before[node[1]]
    if kind == "call":
        return _FUNCTIONS[node[1]][1](*(_value(child, now, before) for child in node[2:]))
    result = _BINARY[kind](_value(node[1], now, before), _value(node[2], now, before))
    return result.astype(float) if np.asarray(result).dtype.kind == "b" else result


def _names(node: Node, past: bool = False) -> set[str]:
    kind = node[0]
    if kind == "number":
        return set()
    if kind == "column":
        return {node[1]}
    if kind == "was":
        return {node[1]} if past else set()
    return {name for child in node[2 if kind == "call" else 1 :] for name in _names(child, past)}
