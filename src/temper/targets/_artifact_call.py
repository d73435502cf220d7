"""Calls that do harm by their arguments, though the name they call is an ordinary one."""

from __future__ import annotations

import re
from typing import Any

from temper.targets._pickle_run import Table

_ITEMS = 1 << 24  # no ordinary file makes this much out of a few bytes
_UNFOLDED = 10_000
_MAKERS = ("list", "tuple", "set", "frozenset", "dict", "bytes", "bytearray", "Counter", "deque", "OrderedDict", "str")
_ARRAYS = ("ndarray", "_reconstruct", "matrix", "recarray", "MaskedArray")
_BOOSTERS = ("xgboost", "lightgbm", "catboost")
_BUILTIN = ("builtins", "__builtin__")
_CODINGS = ("latin1", "latin-1", "iso-8859-1", "utf-8", "utf8", "ascii")


def doubt(name: Any, arguments: Any) -> str:
    """What is wrong with this call of a global, by its arguments; "" where nothing is.

    Boosters open any file they are given the name of; a range is short to write and long to count through; codecs
    compute names; an array can be asked for before there is one.
    """
    given = arguments if isinstance(arguments, tuple) else (arguments,)
    module, called = name.module, name.name
    if called == "scalar" and module.startswith("numpy"):
        anything = any("O" in str(_code(item)) for item in given)
        return f"it asks {name} for a scalar that is any object" if anything else ""
    if module.split(".")[0] in _BOOSTERS and any(_said(item) for item in given):
        return f"it calls {name} with arguments, and an ordinary file only restores it"
    if called in _MAKERS and module in ("builtins", "__builtin__", "collections"):
        if any(_many(item) for item in given):
            return f"it makes a {called} of more than {_ITEMS:,} items out of nothing"
        if any(isinstance(item, tuple) and spreads(item) for item in given):
            return f"it makes a {called} of a tuple that unfolds without end"
    if called in _ARRAYS and module.startswith("numpy") and any(_large(item) for item in given):
        return f"it asks {name} for an array of more than {_ITEMS:,} items before there is one"
    if (
        module.split(".")[0] == "torch"
        and called.endswith(("Storage", "Tensor"))
        and any(_many(item) for item in given)
    ):
        return f"it asks {name} for more than {_ITEMS:,} items before there is one"
    if (module, called) == ("_codecs", "encode") and not _plain_coding(given):
        return "it computes text with a codec"
    if called == "_reconstructor" and len(given) > 1 and getattr(given[1], "module", "builtins") not in _BUILTIN:
        return f"it starts {given[1]} in the place of another class"
    if any(isinstance(item, str) and _swells(called, item) for item in given):
        return f"it calls {name} with a few characters that become very much"
    return ""


def _code(kind: Any) -> Any:
    """How NumPy is told a type that is a plain call of `dtype`."""
    told = kind.arguments if getattr(getattr(kind, "by", None), "name", "") == "dtype" else ()
    return told[0] if isinstance(told, tuple) and told else ""


def _swells(called: str, text: str) -> bool:
    """A power of ten with all its digits, an item of gigabytes."""
    power = re.search(r"[eE]\+?(\d+)$", text.strip()) if called == "Fraction" else None
    size = re.fullmatch(r"[<>|=]?[SUVa](\d+)", text) if called == "dtype" else None
    return (power is not None and len(power[1]) > 4) or (size is not None and int(size[1]) > _ITEMS)


def spreads(value: tuple[Any, ...]) -> bool:
    """Whether a nested tuple has more than ten thousand leaves once nothing in it is shared.

    >>> pair = (1, 1)
    >>> for _ in range(40): pair = (pair, pair)
    >>> spreads(pair), spreads(((1, 2), (3, 4)))
    (True, False)
    """
    waiting, seen = [value], 0
    while waiting:
        seen += 1
        if seen > _UNFOLDED:
            return True
        waiting += [item for item in waiting.pop() if type(item) is tuple]
    return False


def _said(item: Any) -> bool:
    return item is not None and item != () and (item.whole() if isinstance(item, Table) else item) != {}


def _many(item: Any) -> bool:
    if isinstance(item, int):
        return item > _ITEMS
    made_by = getattr(item, "by", None)
    if made_by is None or made_by.name != "range":
        return False
    return any(isinstance(bound, int) and abs(bound) > _ITEMS for bound in item.arguments or ())


def _large(item: Any) -> bool:
    sizes = [size for size in (item if isinstance(item, tuple) else (item,)) if isinstance(size, int)]
    count = 1
    for size in sizes:
        count *= max(size, 1)
    return bool(sizes) and 0 not in sizes and count > _ITEMS


def _plain_coding(given: tuple[Any, ...]) -> bool:
    return len(given) < 2 or (isinstance(given[1], str) and given[1].lower().replace("_", "-") in _CODINGS)
