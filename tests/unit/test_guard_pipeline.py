"""The guard as a whole: the worst decision wins, revisions add up, and a layer that breaks lets nothing through."""

from __future__ import annotations

import asyncio
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from temper.api.assistants import guard_of
from temper.config.assistant import load_assistant
from temper.config.document import Section
from temper.config.guard import stages_of
from temper.config.reading import read
from temper.core.chat import Call, Message, Reply, Request, Role, Usage
from temper.core.errors import ConfigError
from temper.core.stage import ALLOWED, Context, Decision, Exchange, Level
from temper.core.target import Access
from temper.guard.guarded import REFUSAL, Guarded
from temper.guard.pipeline import Guard, build, why
from temper.guard.secret import key_from
from temper.guard.text.model import train
from temper.targets.chat.function import ChatFunction

ASKED = Request(messages=(Message(role=Role.SYSTEM, text="Be kind."), Message(role=Role.USER, text="hello")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """A layer with one answer, on the way in or out."""

    level: Level
    out: bool = True
    adds: str = ""
    drops: bool = False

    def check(self, exchange: Exchange, context: Context) -> Decision:
        if (exchange.reply is not None) is not self.out:
            return ALLOWED
        return Decision(level=self.level, reason=f"{self.level.name}{self.adds}", exchange=self._changed(exchange))

    def _changed(self, exchange: Exchange) -> Exchange | None:
        if exchange.reply is not None and self.drops:
            return replace(exchange, reply=replace(exchange.reply, calls=exchange.reply.calls[1:]))
        if exchange.reply is not None and self.adds:
            return replace(exchange, reply=replace(exchange.reply, text=exchange.reply.text + self.adds))
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaks:
    """A layer that raises."""

    def check(self, exchange: Exchange, context: Context) -> Decision:
        raise ValueError("out of order")


def guard(*stages: object, **about: object) -> Guard:
    named = tuple((f"s{at}", stage) for at, stage in enumerate(stages))
    return Guard(stages=named, **({"key": b"k"} | about))  # type: ignore[arg-type]


def ask(made: Guard, reply: object = "fine", **about: object) -> Reply:
    target = ChatFunction(call=lambda request: reply, tools=True, version="1")
    return asyncio.run(Guarded(target=target, guard=made, **about).ask(ASKED))  # type: ignore[arg-type]


def test_the_worst_decision_wins_and_every_one_is_kept() -> None:
    judged = guard(Says(level=Level.REVIEW), Says(level=Level.ALLOW), Says(level=Level.REVISE)).after(ASKED, Reply())
    assert judged.level is Level.REVIEW
    assert [(one.stage, one.level) for one in judged.decisions if one.level] == [
        ("s0", Level.REVIEW),
        ("s2", Level.REVISE),
    ]
    assert why(judged) == "s0: REVIEW"


def test_revisions_add_up_and_a_block_ends_the_round() -> None:
    parts = (Says(level=Level.REVISE, adds=" a"), Says(level=Level.REVISE, adds=" b"))
    assert guard(*parts).after(ASKED, Reply(text="x")).exchange.reply == Reply(text="x a b")
    judged = guard(parts[0], Says(level=Level.BLOCK), Breaks()).after(ASKED, Reply(text="x"))
    assert judged.level is Level.BLOCK
    assert [one.stage for one in judged.decisions] == ["s0", "s1"]


def test_a_layer_that_breaks_blocks_unless_it_may_fail_open() -> None:
    broken = guard(Says(level=Level.ALLOW), Breaks()).before(ASKED)
    assert broken.level is Level.BLOCK
    assert why(broken) == "s1: the stage failed: ValueError: out of order"
    opened = guard(Breaks(), fail_open=("s0",)).before(ASKED)
    assert opened.level is Level.ALLOW
    assert opened.decisions[0].reason.startswith("the stage failed"), "it is said all the same"


def test_a_guard_without_stages_or_with_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="stops nothing"):
        Guard(stages=())
    with pytest.raises(ConfigError, match="fail_open names 's9'"):
        guard(Breaks(), fail_open=("s9",))
    with pytest.raises(ConfigError, match="did you mean 'canary'"):
        build([("canari", {})])


def test_two_layers_of_one_kind_keep_their_own_names() -> None:
    made = build([("canary", {}), ("canary", {"watch": False})])
    assert [name for name, _ in made.stages] == ["canary", "canary 2"]


def test_words_of_a_conversation_follow_from_key_and_opening() -> None:
    made = guard(Breaks())
    later = replace(
        ASKED,
        messages=(*ASKED.messages, Message(role=Role.ASSISTANT, text="hi"), Message(role=Role.USER, text="more")),
    )
    assert made.context(later) == made.context(ASKED)
    words = {
        made.context(ASKED).canary,
        made.context(ASKED).nonce,
        made.context(ASKED, client="b").canary,
        made.context(replace(ASKED, trial=1)).canary,
        guard(Breaks(), key=b"other").context(ASKED).canary,
        made.context(replace(ASKED, messages=ASKED.messages[1:])).canary,
        made.context(replace(ASKED, messages=(*ASKED.messages[:1], Message(role=Role.USER, text="hel\ud800")))).canary,
    }
    assert len(words) == 7
    assert Guard(stages=made.stages).context(ASKED).canary != Guard(stages=made.stages).context(ASKED).canary


def test_the_digest_changes_with_options_trust_and_key() -> None:
    made = build([("canary", {})], key=b"k")
    assert made.digest == build([("canary", {})], key=b"k").digest == pickle.loads(pickle.dumps(made)).digest
    others = (
        build([("canary", {"share": 0.5})], key=b"k"),
        build([("canary", {})], key=b"k", trusted=("a.example",)),
        build([("canary", {})], key=b"l"),
    )
    assert len({made.digest, *(other.digest for other in others)}) == 4
    assert "key" not in repr(made)


_RULE = "rules: [{name: own, family: own, reason: ours, phrases: [%s]}]"
_POLICY = "tools: {pay: {effect: money, arguments: {to: %s}}}"


@pytest.mark.parametrize(
    ("stage", "option", "says", "other"),
    [
        ("rules", lambda path: {"rules": (path,)}, _RULE % "say the word", _RULE % "say another word"),
        ("permissions", lambda path: {"policy": path}, _POLICY % "sink", _POLICY % "payload"),
    ],
)
def test_the_digest_sees_what_files_say_and_not_where_they_lie(
    tmp_path: Path, stage: str, option: Callable[[str], dict[str, object]], says: str, other: str
) -> None:
    for name, text in (("a", says), ("b", says), ("c", other)):
        (tmp_path / f"{name}.yaml").write_text(text)
    first, moved, changed = (
        build([(stage, option(str(tmp_path / f"{name}.yaml")))], key=b"k").digest for name in "abc"
    )
    assert first == moved != changed
    assert build([(stage, {})], key=b"k").digest not in (first, changed)


def test_the_digest_sees_which_model_of_texts_it_is(tmp_path: Path) -> None:
    names = [f"{kind}{at}" for kind in ("attack", "fine") for at in range(4)]
    for name, word in (("a", "obey"), ("b", "obey"), ("c", "yield")):
        texts = [f"{word} the order {at}" for at in names[:4]] + [f"water the plants {at}" for at in names[4:]]
        train(texts, [True] * 4 + [False] * 4, names, false_positives=0.25).save(tmp_path / f"{name}.npz")
    found = [build([("linear", {"model": str(tmp_path / f"{name}.npz")})], key=b"k").digest for name in "abc"]
    assert found[0] == found[1] != found[2]


def test_a_question_that_is_stopped_never_reaches_the_target() -> None:
    def never(request: Request) -> str:
        raise AssertionError("it was asked")

    for level in (Level.REVIEW, Level.BLOCK):
        target = Guarded(target=ChatFunction(call=never), guard=guard(Says(level=level, out=False)))
        reply = asyncio.run(target.ask(ASKED))
        assert (reply.text, reply.blocked, reply.invalid) == (REFUSAL, f"s0: {level.name}", "")


def test_an_answer_that_is_stopped_gives_nothing_and_still_counts_its_tokens() -> None:
    bad = Reply(text="secret", calls=(Call(name="pay"),), usage=Usage(read=5, written=7))
    reply = ask(guard(Says(level=Level.BLOCK)), bad)
    assert (reply.text, reply.calls, reply.usage) == (REFUSAL, (), Usage(read=5, written=7))
    assert reply.blocked == "s0: BLOCK"
    assert ask(guard(Says(level=Level.REVISE, adds="!"), Says(level=Level.REVIEW)), bad).text == REFUSAL


def test_a_call_that_is_taken_out_is_left_out_and_said() -> None:
    calls = Reply(text="paying", calls=(Call(name="pay"), Call(name="read")))
    for level in (Level.REVISE, Level.REVIEW):
        reply = ask(guard(Says(level=level, drops=True)), calls)
        assert [one.name for one in reply.calls] == ["read"]
        assert reply.text == "paying"
        assert reply.blocked == f"s0: {level.name}"
    kept = ask(guard(Says(level=Level.REVISE, adds="!")), calls)
    assert (kept.text, kept.calls, kept.blocked) == ("paying!", calls.calls, ""), "made harmless is not blocked"


def test_invalid_replies_stay_invalid() -> None:
    reply = ask(guard(Breaks(), fail_open=("s0",)), 7)
    assert reply.invalid
    assert not reply.blocked


def test_a_guarded_target_says_what_it_is() -> None:
    target = ChatFunction(call=lambda request: "fine", tools=True, version="1")
    one = Guarded(target=target, guard=guard(Breaks()))
    other = Guarded(target=target, guard=guard(Breaks(), key=b"l"))
    assert one.access == Access.CHAT | Access.TOOLS
    assert one.digest != target.digest
    assert one.digest != other.digest
    assert not Guarded(target=ChatFunction(call=lambda request: ""), guard=guard(Breaks())).digest


_SYSTEM = """
system: {name: own}
assistant: {callable: 'own.py:answer'}
guard:
  key_file: guard.key
  stages: [rules, canary: {share: 0.5}]
"""


def test_gateways_with_one_key_file_make_the_same_canaries(tmp_path: Path) -> None:
    (key := tmp_path / "guard.key").write_bytes(b"k" * 40 + b"\n")
    key.chmod(0o600)
    (path := tmp_path / "temper.yaml").write_text(_SYSTEM)
    (tmp_path / "own.py").write_text("def answer(request):\n    return 'hello'\n")
    assistant = load_assistant(path)
    assert [name for name, _ in assistant.guard] == ["rules", "canary"]
    here, there = guard_of(assistant), guard_of(assistant)
    assert here.context(ASKED) == there.context(ASKED)
    assert here.digest == there.digest
    assert here.key == b"k" * 40
    key.write_bytes(b"l" * 40)
    assert guard_of(assistant).context(ASKED) != here.context(ASKED)


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [(b"k" * 40, 0o640, "mode 0640"), (b"short", 0o600, "holds 5 bytes"), (None, 0o600, "cannot be read")],
)
def test_a_key_that_others_read_or_guess_is_refused(
    tmp_path: Path, content: bytes | None, mode: int, words: str
) -> None:
    path = tmp_path / "guard.key"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    with pytest.raises(ConfigError, match=words) as refused:
        key_from(path)
    assert "kkkk" not in str(refused.value)


def test_the_stages_of_a_document_are_built_in_order(tmp_path: Path) -> None:
    path = tmp_path / "temper.yaml"
    path.write_text("guard:\n  - canary\n  - egress: {hosts: [larch.example], clicks: 0}\n  - spotlight:\n")
    made = build(stages_of(read(path)), key=b"k")
    assert [name for name, _ in made.stages] == ["canary", "egress", "spotlight"]
    assert made.stages[1][1].hosts == ("larch.example",)  # type: ignore[attr-defined]
    assert not stages_of(Section())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("guard: egress\n", "expected a list"),
        ("guard:\n  - {egress: {}, canary: {}}\n", "temper.yaml:2: guard holds a mapping of 2 keys"),
        ("guard:\n  - [egress]\n", "temper.yaml:2: guard holds a list, expected a stage"),
        ("guard:\n  - egress: 4\n", "the options of egress are '4'"),
        ("guard:\n  - egress: {host: x}\n", "did you mean 'hosts'"),
    ],
)
def test_a_stage_that_is_none_is_refused_with_its_line(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "temper.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(says)):
        build(stages_of(read(path)))
