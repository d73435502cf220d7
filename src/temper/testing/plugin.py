"""Laws every plugin keeps, whatever its room."""

from __future__ import annotations

import doctest
import inspect
import pickle
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from io import StringIO
from typing import Any
from unittest.mock import patch

from temper.testing.law import LawBroken, require, same

_SENTENCE = re.compile(r"^\s*\w.*?[.:]", flags=re.DOTALL)


def law_is_frozen(plugin: type[Any]) -> None:
    """A configured plugin never changes: it is a frozen dataclass."""
    made = _made(plugin)
    for name in [field.name for field in fields(made)] or ["anything"]:
        try:
            setattr(made, name, None)
        except (FrozenInstanceError, AttributeError, TypeError):
            continue
        raise LawBroken(f"{plugin.__name__}.{name} can be changed after it was made")


def law_is_keyword_only(plugin: type[Any]) -> None:
    """Options are named where they are given, so that their order can change."""
    _made(plugin)
    positional = [field.name for field in fields(plugin) if field.init and not field.kw_only]
    require(not positional, f"{plugin.__name__} takes {', '.join(positional)} by position")


def law_has_defaults(plugin: type[Any]) -> None:
    """It can be made without any option, and says what it is."""
    made = _made(plugin)
    for field in fields(made):
        require(hasattr(made, field.name), f"{plugin.__name__}.{field.name} has no value by default")
    require(repr(made).startswith(plugin.__name__), f"{plugin.__name__} prints as {made!r}")


def law_is_equal_after_pickle(plugin: type[Any]) -> None:
    """A worker process gets the same plugin."""
    made = _made(plugin)
    try:
        back = pickle.loads(pickle.dumps(made))  # noqa: S301 - it was pickled one call earlier, by this process
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise LawBroken(f"{plugin.__name__} cannot be sent to a worker: {error}") from error
    require(back == made, f"{plugin.__name__} is another plugin after pickling: {back!r}")


def law_is_equal_after_replace(plugin: type[Any]) -> None:
    """A copy with no option changed is equal, and two plugins made alike are equal."""
    made = _made(plugin)
    require(replace(made) == made, f"{plugin.__name__} differs from its own copy")
    require(_made(plugin) == made, f"two {plugin.__name__} made alike differ")


def law_survives_dump_and_build(plugin: type[Any]) -> None:
    """Its options, written down and read again, make an equal plugin."""
    made = _made(plugin)
    options = {field.name: getattr(made, field.name) for field in fields(made) if field.init}
    require(same(plugin(**options), made), f"{plugin.__name__} built from its own options is another one")


def law_explains_itself(plugin: type[Any]) -> None:
    """The docstring says what it does, when it misleads, and where it comes from."""
    text = inspect.getdoc(plugin) or ""
    require(not text.startswith(f"{plugin.__name__}("), f"{plugin.__name__} has no docstring of its own")
    require(_SENTENCE.match(text), f"the docstring of {plugin.__name__} begins with no sentence")
    require(re.search("mislead", text, flags=re.IGNORECASE), f"{plugin.__name__} does not say when it misleads")
    require(re.search(r"^Source: \S+", text, flags=re.MULTILINE), f"{plugin.__name__} names no source")


def law_its_example_runs(plugin: type[Any]) -> None:
    """The docstring has an example, and it gives what it says."""
    ran = _examples(plugin)
    require(ran.attempted, f"{plugin.__name__} shows no example")


def law_needs_no_network(plugin: type[Any]) -> None:
    """Nothing is looked up when it is made and its example is run."""
    with _offline(plugin.__name__):
        _made(plugin)
        _examples(plugin)


def _made(plugin: type[Any]) -> Any:
    require(is_dataclass(plugin), f"{plugin.__name__} is not a dataclass")
    try:
        return plugin()
    except TypeError as error:
        raise LawBroken(f"{plugin.__name__} cannot be made without options: {error}") from error


def _examples(plugin: type[Any]) -> doctest.TestResults:
    names = vars(sys.modules[plugin.__module__]) | {plugin.__name__: plugin}
    test = doctest.DocTestParser().get_doctest(plugin.__doc__ or "", dict(names), plugin.__name__, None, 0)
    said = StringIO()
    ran = doctest.DocTestRunner(verbose=False).run(test, out=said.write)
    require(not ran.failed, f"the example of {plugin.__name__} does not give what it shows:\n{said.getvalue()}")
    return ran


@contextmanager
def _offline(name: str) -> Iterator[None]:
    reached: list[str] = []

    def refuse(*words: Any, **more: Any) -> Any:
        reached.append(str(words[-1] if words else ""))
        raise OSError("there is no network here")

    with (
        patch.object(socket.socket, "connect", refuse),
        patch.object(socket.socket, "connect_ex", refuse),
        patch.object(socket, "getaddrinfo", refuse),
    ):
        try:
            yield
        except (OSError, LawBroken) as error:
            if not reached:
                raise
            raise LawBroken(f"{name} reaches for the network: {reached[0]}") from error
    require(not reached, f"{name} reaches for the network: {reached and reached[0]}")


LAWS = (
    law_is_frozen,
    law_is_keyword_only,
    law_has_defaults,
    law_is_equal_after_pickle,
    law_is_equal_after_replace,
    law_survives_dump_and_build,
    law_explains_itself,
    law_its_example_runs,
    law_needs_no_network,
)
