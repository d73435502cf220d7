"""Prometheus' text format: heads, labels, and what they may hold."""

from __future__ import annotations

from collections.abc import Iterator

Labels = tuple[tuple[str, str], ...]


def head(name: str, about: str, kind: str) -> Iterator[str]:
    """The two lines before the values of a name."""
    yield f"# HELP temper_{name} {about}"
    yield f"# TYPE temper_{name} {kind}"


def shown(labels: Labels) -> str:
    r"""Labels as they stand behind a name.

    >>> shown((("column", 'a "b"'),))
    '{column="a \\"b\\""}'
    """
    if not labels:
        return ""
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
