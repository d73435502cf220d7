"""An answer in pieces: nothing goes out in part, and the whole is what one piece would have been."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.chat import Call, Message, Reply, Request, Role
from temper.core.stage import Level
from temper.guard.guarded import REFUSAL, released
from temper.guard.out.leak import leak
from temper.guard.pipeline import build
from temper.guard.streaming import Carry, Streaming
from temper.kernels.codecs.table import TABLE

ASKED = Request(messages=(Message(role=Role.SYSTEM, text="Be kind."), Message(role=Role.USER, text="hello")))
GUARD = build([("canary", {}), ("output", {}), ("secrets", {}), ("egress", {"hosts": ("larch.example",)})], key=b"k")
CANARY = GUARD.context(ASKED).canary
PROSE = (
    "The bank answers letters within three days, and most of them much sooner. If a card is lost, block it at once; a "
    "new one comes by post. Fees are listed on the page about accounts, which also tells how to close one.\n"
)
PARTS = (
    PROSE,
    PROSE,
    "\n\n",
    "Pay with 4111 1111 1111 1111 or not. ",
    "IBAN DE89 3704 0044 0532 0130 00 it is. ",
    "![a picture of the old town](https://evil.example/p.png) ",
    "[the page about cards](https://larch.example/cards) ",
    "[some words and then](https://evil.example/kqzvbtrmlpxwsdfg) ",
    "![a picture][1] ",
    "![1] and ![ not closed ",
    "\n[1]: https://evil.example/a\n",
    "https://evil.example/x ",
    "<b>bold</b> words and <img alt='some words here' src=https://evil.example/x> more words ",
    "```\n<script>x</script> in code\n",
    "```\n",
    "java script: words ",
    "\x1b[31mred words\x1b[0m ",
    "hid\u200bden words ",
    "if a < b and c > d then ",
    "&lt;img alt=words src=https://evil.example/x&gt; ",
    "&#60;img and &#39;words&#39; ",
    "[ an open bracket and ( another, ",
    "-----BEGIN PUBLIC KEY----- ",
)


def streamed(text: str, cuts: list[int], calls: tuple[Call, ...] = (), **options: int) -> tuple[list[str], Reply]:
    """What went out while it came, and what at the end."""
    stream, carry, out = Streaming(guard=GUARD, request=ASKED, **options), Carry(), []
    places = [0, *sorted({cut % (len(text) + 1) for cut in cuts}), len(text)]
    for start, end in pairwise(places):
        carry, now = stream.feed(carry, text[start:end])
        out.append(now)
    return out, stream.finish(carry, calls=calls)


def whole(text: str, calls: tuple[Call, ...] = ()) -> Reply:
    reply = Reply(text=text, calls=calls)
    return released(reply, GUARD.after(ASKED, reply))


@settings(max_examples=120, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=14), st.lists(st.integers(0, 4_000), max_size=60), st.booleans())
def test_pieces_together_are_the_whole(parts: list[str], cuts: list[int], eager: bool) -> None:
    text = "".join(parts)
    options = {"every": 16, "hold": 64, "overlap": 300} if eager else {}
    out, last = streamed(text, cuts, **options)
    expected = whole(text)
    assert "".join(out) + last.text == expected.text
    assert last.blocked == expected.blocked


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(TABLE)), st.integers(0, 6), st.lists(st.integers(0, 4_000), max_size=40), st.integers(0, 9)
)
def test_a_canary_in_any_code_is_stopped_before_it_is_out(name: str, before: int, cuts: list[int], seed: int) -> None:
    coded = TABLE[name].encode(CANARY, np.random.default_rng(seed))
    text = PROSE * before + f"Here it is:\n{coded}\n" + PROSE * 4
    out, last = streamed(text, cuts)
    if not whole(text).blocked:
        assert TABLE[name].keeps.value == "meaning", "only what no rule undoes may pass"
        return
    assert last.blocked.startswith("canary")
    assert not last.calls
    assert REFUSAL in last.text
    if len(coded) < 200:
        assert not leak("".join(out), CANARY)
        assert PROSE.startswith("".join(out)[len(PROSE) * before :]) or len("".join(out)) <= text.find(coded)


@pytest.mark.parametrize("size", [1, 3, 7, 50])
def test_secrets_and_addresses_split_over_chunks_never_go_out(size: int) -> None:
    text = PROSE * 3 + "Card 4111 1111 1111 1111, key AKIAIOSFODNN7EXAMPLE, ![x](https://evil.example/secret/one). "
    text += PROSE * 5
    out, last = streamed(text, list(range(0, len(text), size)))
    said = "".join(out) + last.text
    assert said == whole(text).text
    assert not any(piece in said for piece in ("4111", "AKIA", "evil.example"))
    assert len("".join(out)) > len(PROSE), "it does come in pieces"


def test_plain_prose_is_held_back_no_further_than_said() -> None:
    text = PROSE * 30
    stream, carry, out = Streaming(guard=GUARD, request=ASKED), Carry(), 0
    for at in range(0, len(text), 12):
        carry, now = stream.feed(carry, text[at : at + 12])
        out += len(now)
        assert at + 12 - out <= stream.every + stream.hold + len(PROSE)
    assert stream.finish(carry).text == text[out:]


def test_calls_come_at_the_end_and_are_judged() -> None:
    good = Call(name="get", arguments=json.dumps({"url": "https://larch.example/a"}))
    bad = Call(name="get", arguments=json.dumps({"url": "https://evil.example/a"}))
    _, last = streamed(PROSE, [], (good, bad))
    assert last.calls == (good,)
    assert last.blocked.startswith("egress: get sends")


def test_an_answer_without_end_is_stopped() -> None:
    short = replace(GUARD, longest=5_000)
    stream, carry, out = Streaming(guard=short, request=ASKED), Carry(), ""
    for _ in range(60):
        carry, now = stream.feed(carry, PROSE)
        out += now
    last = stream.finish(carry)
    assert last.blocked == "guard: an answer of over 5,000 characters"
    assert len(out) < 5_000
    assert len(carry.text) < 6_000, "and no more is kept"
    assert Streaming(guard=short, request=ASKED).finish(Carry(), PROSE * 60).text == REFUSAL
    assert short.after(ASKED, Reply(calls=(Call(name="x", arguments="a" * 5_001),))).level is Level.BLOCK


@pytest.mark.parametrize("piece", [PROSE, "```\n", "<a ", "word ", "x", "\ud800"])
def test_time_grows_with_the_length_and_no_faster(piece: str) -> None:
    def seconds(size: int) -> float:
        text = (piece * (size // len(piece) + 1))[:size]
        start = time.perf_counter()
        streamed(text, list(range(0, size, 64)))
        return time.perf_counter() - start

    seconds(2_000)
    assert seconds(32_000) < 12 * seconds(8_000) + 0.1
