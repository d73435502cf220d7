"""Everything the command line does can be done from Python, and the table that says where is right."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from temper.api.by_command import BY_COMMAND
from temper.cli import app


def commands(name: str, command: Any) -> Iterator[str]:
    below = getattr(command, "commands", None)
    if below is None:
        yield name
    else:
        for word, one in below.items():
            yield from commands(f"{name} {word}".strip(), one)


def found(path: str) -> Any:
    """What lies at this path: the longest part of it that is a module, and what it has of that name."""
    parts = path.split(".")
    for end in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            thing = getattr(thing, part)
        return thing
    raise AssertionError(path)


def test_every_command_has_a_function_and_every_line_a_command() -> None:
    every = set(commands("", typer.main.get_command(app)))
    assert every <= set(BY_COMMAND)
    assert {" ".join(word for word in one.split() if word.islower() and word[0] != "-") for one in BY_COMMAND} <= every


@pytest.mark.parametrize("path", sorted(set(BY_COMMAND.values())))
def test_what_a_line_names_is_there_and_says_what_it_does(path: str) -> None:
    thing = found(path)
    assert thing.__doc__ or isinstance(thing, tuple)


def test_a_path_that_leads_nowhere_is_found() -> None:
    with pytest.raises(AttributeError):
        found("temper.engine.backup.nothing")
