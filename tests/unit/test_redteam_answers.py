"""Questions are asked once: kept, shared while on the way, and asked again only where nothing is known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from temper.core.chat import Message, Reply, Request, Role, Tool
from temper.core.errors import RunStopped
from temper.engine.redteam.answers import Answers
from temper.store.journal import Journal
from temper.targets.chat.function import ChatFunction


@dataclass
class Scripted:
    """Counts what it is asked, and how many at once."""

    reply: Callable[[Request], Reply] = field(default=lambda request: Reply(text=request.messages[-1].text.upper()))
    asked: int = 0
    most: int = 0
    _now: int = 0

    async def __call__(self, request: Request) -> Reply:
        self.asked, self._now = self.asked + 1, self._now + 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(0.001)
        self._now -= 1
        return self.reply(request)


def question(text: str, trial: int = 0, tools: tuple[Tool, ...] = ()) -> Request:
    return Request(messages=(Message(role=Role.USER, text=text),), trial=trial, tools=tools)


def answered(path: Path, script: Scripted, *requests: Request, scope: str = "s", width: int = 4) -> list[Reply]:
    async def all_of_them(journal: Journal) -> list[Any]:
        answers = Answers(target=ChatFunction(call=script), journal=journal, scope=scope, width=width)
        return await asyncio.gather(*map(answers.ask, requests))

    with Journal(path / "answers") as journal:
        return asyncio.run(all_of_them(journal))


def test_the_same_question_is_asked_once_at_once_and_later(tmp_path: Path) -> None:
    script = Scripted()
    replies = answered(tmp_path, script, *(question("hello") for _ in range(20)))
    assert {reply.text for reply in replies} == {"HELLO"}
    assert answered(tmp_path, script, question("hello"))[0].text == "HELLO"
    assert script.asked == 1


def test_whatever_the_answer_may_depend_on_is_another_question(tmp_path: Path) -> None:
    script = Scripted()
    tool = Tool(name="pay", description="Pays.")
    others = (
        question("hello"),
        question("hello", trial=1),
        question("hello", tools=(tool,)),
        question("hello", tools=(replace(tool, description="Pays now."),)),
        question("hello\ud800"),
        question("hello\ud801"),
        replace(question("hello"), most_tokens=5),
        Request(messages=(Message(role=Role.SYSTEM, text="hello"),)),
    )
    answered(tmp_path, script, *others)
    answered(tmp_path, script, question("hello"), scope="another target")
    assert script.asked == len(others) + 1


def test_trouble_is_not_kept(tmp_path: Path) -> None:
    broken = Scripted(reply=lambda request: Reply(invalid="status 500"))
    assert answered(tmp_path, broken, question("hello"))[0].invalid
    assert answered(tmp_path, Scripted(), question("hello"))[0].text == "HELLO"


def test_no_more_than_the_width_are_on_their_way(tmp_path: Path) -> None:
    script = Scripted()
    answered(tmp_path, script, *(question(str(n)) for n in range(40)), width=3)
    assert (script.asked, script.most) == (40, 3)


def test_a_spent_cap_reaches_everybody_who_waits(tmp_path: Path) -> None:
    def spent(request: Request) -> Reply:
        raise RunStopped("the cap is spent")

    with pytest.raises(RunStopped, match="cap"):
        answered(tmp_path, Scripted(reply=spent), question("hello"), question("hello"))
