"""Planted weaknesses of every room, each beside a sound twin of the same shape: `python -m bench.planted`."""

from __future__ import annotations

from importlib import import_module

from bench.planted._case import Case

ROOMS = (
    *("evasion", "poisoning", "supply", "extraction", "inversion", "stress", "fuzz", "validation"),
    *("assistants", "guard", "monitoring", "governance"),
)


def cases() -> tuple[Case, ...]:
    """Every case, room by room; a room is the file of its name."""
    return tuple(case for room in ROOMS for case in import_module(f"bench.planted.{room}").CASES)
