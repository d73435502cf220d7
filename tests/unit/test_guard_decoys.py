"""Decoys and canaries per document: what is planted is told to nobody honest, and whoever touches it is stopped."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.core.chat import Call, Message, Reply, Request, Role, Tool
from temper.core.stage import Context, Exchange, Level
from temper.guard.guarded import Guarded
from temper.guard.pipeline import build
from temper.guard.stages.canary import Canary
from temper.guard.stages.decoys import KEY, Decoys, _tool
from temper.guard.streaming import Carry, Streaming
from temper.targets.chat.function import ChatFunction

CONTEXT = Context(canary="kqzvbtrmlpxwsd", nonce="n")
TOOLS = (Tool(name="get_balance"), Tool(name="send_mail"))
ASKED = Request(
    messages=(Message(role=Role.SYSTEM, text="Help."), Message(role=Role.USER, text="What is new?")), tools=TOOLS
)
READ = replace(
    ASKED,
    messages=(
        *ASKED.messages,
        Message(role=Role.ASSISTANT, calls=(Call(name="inbox", id="a"), Call(name="notes", id="b"))),
        Message(role=Role.TOOL, text="The rent is due.", answers="a"),
        Message(role=Role.TOOL, text='{"note": "call Ann"}', answers="b"),
    ),
)


def planted(request: Request = ASKED, stage: Decoys | Canary = Decoys()) -> Request:
    decision = stage.check(Exchange(request=request), CONTEXT)
    assert decision.level is Level.ALLOW, "planting is no objection"
    assert decision.exchange is not None
    return decision.exchange.request


def key_of(request: Request) -> str:
    text = request.messages[0].text
    return text[text.index(KEY) :].split(".")[0]


def said(reply: Reply, stage: Decoys | Canary = Decoys(), request: Request = ASKED) -> tuple[str, str]:
    found = stage.check(Exchange(request=request, reply=reply), CONTEXT)
    return found.level.name, found.reason


def test_a_key_and_a_tool_are_there_for_the_model_alone() -> None:
    shown = planted()
    assert KEY in key_of(shown)
    assert [tool.name for tool in shown.tools[:2]] == ["get_balance", "send_mail"]
    assert len(shown.tools) == 3
    again = Decoys().check(Exchange(request=shown), CONTEXT)
    assert again.exchange is None, "what is planted is planted once"


def test_whoever_tells_or_uses_the_key_or_calls_the_tool_is_stopped() -> None:
    shown = planted()
    key, tool = key_of(shown), shown.tools[-1].name
    coded = base64.b64encode(key.encode()).decode()
    assert said(Reply(text=f"It is {key}.")) == ("BLOCK", "a decoy key was told")
    assert said(Reply(text=f"In base64: {coded}"))[0] == "BLOCK"
    assert said(Reply(text=f"Backwards {key.removeprefix(KEY)[::-1]}"))[0] == "BLOCK"
    mail = Call(name="send_mail", arguments=json.dumps({"body": key}))
    assert said(Reply(calls=(mail,))) == ("BLOCK", "a decoy key was used in a call of send_mail")
    assert said(Reply(calls=(Call(name=tool),))) == ("BLOCK", f"a decoy tool was called: {tool}")
    assert said(Reply(text="Nothing new.", calls=(Call(name="get_balance"),)))[0] == "ALLOW"


def test_each_half_can_be_left_out() -> None:
    assert planted(stage=Decoys(keys=False)).messages == ASKED.messages
    assert planted(stage=Decoys(tools=False)).tools == TOOLS
    tool = planted().tools[-1].name
    assert said(Reply(calls=(Call(name=tool),)), Decoys(tools=False))[0] == "ALLOW"
    assert said(Reply(text=key_of(planted())), Decoys(keys=False))[0] == "ALLOW"


def test_no_tool_comes_where_there_are_none_and_none_takes_the_name_of_another() -> None:
    assert planted(replace(ASKED, tools=())).tools == ()
    taken = TOOLS
    for _ in range(37):
        name = _tool(replace(ASKED, tools=taken), CONTEXT.canary)
        assert name not in {tool.name for tool in taken}
        taken = (*taken, Tool(name=name))


def test_a_user_who_wrote_the_key_himself_is_told_it() -> None:
    key = key_of(planted())
    own = replace(ASKED, messages=(*ASKED.messages[:1], Message(role=Role.USER, text=f"Is {key} mine?")))
    assert said(Reply(text=f"{key} is not."), request=own)[0] == "ALLOW"


@given(st.text(max_size=8), st.text(max_size=8))
def test_other_conversations_have_other_keys(one: str, other: str) -> None:
    keys = {key_of(replace_canary(canary)) for canary in (one + "x", other + "y")}
    assert len(keys) == 2


def replace_canary(canary: str) -> Request:
    found = Decoys().check(Exchange(request=ASKED), replace(CONTEXT, canary=canary)).exchange
    assert found is not None
    return found.request


def test_a_guard_stops_a_model_that_takes_the_bait_whole_and_streamed() -> None:
    guard = build([("decoys", {})], key=b"k")

    def greedy(request: Request) -> Reply:
        return Reply(calls=(Call(name=request.tools[-1].name, id="c"),))

    def leaky(request: Request) -> str:
        return request.messages[0].text

    for call, reason in ((greedy, "decoys: a decoy tool was called"), (leaky, "decoys: a decoy key was told")):
        reply = asyncio.run(Guarded(target=ChatFunction(call=call, tools=True), guard=guard).ask(ASKED))
        assert reply.blocked.startswith(reason)
        assert reply.calls == ()
    stream, text = Streaming(guard=guard, request=ASKED), guard.before(ASKED).exchange.request.messages[0].text
    carry, out = Carry(), ""
    for at in range(0, len(text), 7):
        carry, now = stream.feed(carry, text[at : at + 7])
        out += now
    out += stream.finish(carry).text
    assert KEY not in out


def test_a_leak_names_the_document_it_came_from() -> None:
    stage = Canary(documents=True)
    shown = planted(READ, stage)
    first, second = (one.text for one in shown.messages[-2:])
    assert first.startswith("The rent is due.\n(Reference")
    mails = [Call(name="send_mail", arguments=json.dumps({"body": text})) for text in (first, second[::-1])]
    assert said(Reply(calls=(mails[0],)), stage, READ) == ("BLOCK", "the canary of document 1 (inbox) was let out")
    reason = "the canary of document 2 (notes) was let out, backwards"
    assert said(Reply(calls=(mails[1],)), stage, READ) == ("BLOCK", reason)
    link = f"https://example.org/?q={first.split(': ')[-1].removesuffix('.)')}"
    assert said(Reply(text=link), stage, READ) == ("BLOCK", "the canary of document 1 (inbox) was let out")
    assert said(Reply(calls=(mails[0],)), Canary(), READ)[0] == "ALLOW", "off unless asked for"


def test_a_user_may_be_told_a_document_word_for_word() -> None:
    stage = Canary(documents=True)
    first = planted(READ, stage).messages[3].text
    told = stage.check(Exchange(request=READ, reply=Reply(text=f"It says: {first}")), CONTEXT)
    assert (told.level, told.reason) == (Level.ALLOW, "")
    assert told.exchange is not None
    assert told.exchange.reply == Reply(text="It says: The rent is due.")


def test_the_canary_of_a_document_stays_while_the_conversation_goes_on() -> None:
    stage = Canary(documents=True)
    later = replace(
        READ,
        messages=(
            *READ.messages,
            Message(role=Role.ASSISTANT, calls=(Call(name="inbox", id="c"),)),
            Message(role=Role.TOOL, text="Rent again.", answers="c"),
        ),
    )
    before, after = planted(READ, stage), planted(later, stage)
    assert before.messages[3:5] == after.messages[3:5]
    marks = {message.text.split(": ")[-1] for message in after.messages if message.role is Role.TOOL}
    assert len(marks) == 3


@pytest.mark.parametrize("text", ["", "\ud800", "x" * 200_000])
def test_any_document_can_be_marked(text: str) -> None:
    odd = replace(READ, messages=(*READ.messages[:3], Message(role=Role.TOOL, text=text, answers="?")))
    shown = planted(odd, Canary(documents=True))
    mail = Call(name="send_mail", arguments=json.dumps({"body": shown.messages[3].text[-200:]}))
    assert said(Reply(calls=(mail,)), Canary(documents=True), odd)[1] == "the canary of document 1 (a tool) was let out"
