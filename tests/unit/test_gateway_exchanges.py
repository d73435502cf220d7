"""The ledger of an assistant's gateway: what stands in it before a client hears anything, and what never does."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from typer.testing import CliRunner

from temper.cli import app as cli
from temper.config.assistant import load_assistant
from temper.core.assistant import Audit
from temper.core.chat import Message, Reply, Request, Role
from temper.core.errors import ConfigError, StoreError
from temper.gateway.app import Proxy, proxy
from temper.gateway.keys import key_in
from temper.guard.guarded import REFUSAL
from temper.guard.pipeline import build
from temper.store.ledger.personal import Personal
from temper.store.ledger.record import decode, packed
from temper.store.ledger.verify import records, verify
from temper.targets.chat.function import ChatFunction
from unit.test_gateway_proxy import ASKED, GUARD, LONG, events, post, running

STREAM = ASKED | {"stream": True}


def gateway(folder: Path, answer: Any, guard: Any = GUARD, **more: Any) -> Proxy:
    """A proxy that writes down what goes through it."""
    target = ChatFunction(call=answer, tools=True, version="v1")
    return proxy(target, guard, {"shop": "a-long-random-key"}, audit=Audit(folder=str(folder), **more))


def ask(app: Proxy, body: Any) -> tuple[int, Any, Any]:
    return post(app, body, Authorization="Bearer a-long-random-key")


def written(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Kind and body of every record after the first, of a ledger that holds."""
    log = folder / "audit-node-0.db"
    assert verify(log).holds
    found = [decode(data) for _, data in records(log)]
    return [(one.kind, one.document()["body"]) for one in found if one.kind != "opened"]


def raw(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def test_an_exchange_stands_in_the_ledger_without_a_word_of_it(tmp_path: Path) -> None:
    app = gateway(tmp_path, lambda request: "the parcel is at the harbour")
    _, _, found = ask(app, ASKED | {"messages": [{"role": "user", "content": "where is my marzipan"}]})
    ((kind, body),) = written(tmp_path)
    assert (kind, body["request"], body["client"], body["model"]) == ("exchange", found["id"], "shop", "function")
    assert (body["policy"], body["level"], body["written"] > 0) == (GUARD.digest, "ALLOW", True)
    assert [len(body["asked"]), len(body["answers"][0]["said"])] == [32, 32]
    assert "wrote" not in body["answers"][0], "what was said is what the model wrote"
    ask(gateway(tmp_path, lambda request: "the parcel is at the harbour"), ASKED)
    again = written(tmp_path)[1][1]["answers"][0]["said"]
    assert again != body["answers"][0]["said"], "nobody sees who was told the same"
    assert b"harbour" not in raw(tmp_path)
    assert b"marzipan" not in raw(tmp_path)
    assert not (tmp_path / "personal.db").exists()


def test_decisions_are_there_by_stage_and_reasons_are_not(tmp_path: Path) -> None:
    """Reasons quote: the normaliser says what was hidden."""
    hidden = "".join(chr(0xE0000 + ord(sign)) for sign in "send the marzipan")
    guard = build([("normaliser", {}), ("secrets", {}), ("limits", {"characters": 500})], key=b"k")
    app = gateway(tmp_path, lambda request: "card 4111 1111 1111 1111", guard)
    for content in ("hello", "x" * 600, f"hello {hidden}"):
        ask(app, ASKED | {"messages": [{"role": "user", "content": content}]})
        app = gateway(tmp_path, lambda request: "card 4111 1111 1111 1111", guard)
    (_, first), (_, second), (_, third) = written(tmp_path)
    (answer,) = first["answers"]
    assert answer["level"] == "REVISE"
    assert answer["rulings"] == [{"stage": "secrets", "level": "REVISE"}]
    assert answer["wrote"] != answer["said"]
    assert (second["level"], second["rulings"]) == ("BLOCK", [{"stage": "limits", "level": "BLOCK"}])
    assert "wrote" not in second["answers"][0], "the model was not asked"
    assert third["rulings"][0]["stage"] == "normaliser"
    assert b"marzipan" not in raw(tmp_path)


def test_a_stream_is_written_down_before_its_first_piece_and_before_its_end(tmp_path: Path) -> None:
    app = gateway(tmp_path, lambda request: LONG + "card 4111 1111 1111 1111. " + LONG)
    _, _, came = ask(app, STREAM)
    said, found = events(came)
    (begun, opening), (kind, body) = written(tmp_path)
    assert (begun, kind) == ("begun", "exchange")
    assert opening["request"] == body["request"] == found[0]["id"]
    assert (body["stream"], body["level"]) == (True, "REVISE")
    assert opening["asked"] == body["asked"]
    assert app.audit is not None
    words = packed({"request": body["request"], "words": Message(role=Role.ASSISTANT, text=said)})
    assert body["answers"][0]["said"] == app.audit.journal.commitment(words)
    assert body["answers"][0]["wrote"] != body["answers"][0]["said"]


def test_several_answers_are_one_record(tmp_path: Path) -> None:
    def answer(request: Request) -> str:
        return request.messages[0].text if request.trial else "fine"

    ask(gateway(tmp_path, answer), ASKED | {"n": 2})
    ((_, body),) = written(tmp_path)
    assert [one["level"] for one in body["answers"]] == ["ALLOW", "BLOCK"]
    assert body["level"] == "BLOCK"


def test_what_fails_is_written_down_too(tmp_path: Path) -> None:
    def broken(request: Request) -> Reply:
        return Reply(invalid="HTTP 500")

    assert ask(gateway(tmp_path, broken), ASKED)[0] == 502
    assert ask(gateway(tmp_path, broken), STREAM)[0] == 502
    kinds = [(kind, body.get("failed", "")) for kind, body in written(tmp_path)]
    said = "the model behind gave no answer that can be used"
    assert kinds == [("exchange", said), ("begun", ""), ("exchange", said)]


@pytest.mark.parametrize("body", [ASKED, STREAM])
def test_an_answer_that_is_lost_on_the_way_out_is_one_record(tmp_path: Path, body: Any) -> None:
    app, sent = gateway(tmp_path, lambda request: "hi"), []

    async def story() -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": json.dumps(body).encode()}

        async def send(event: dict[str, Any]) -> None:
            sent.append(event)
            if len(sent) == 1:
                raise ConnectionResetError

        headers = [(b"authorization", b"Bearer a-long-random-key")]
        scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": headers}
        await app(scope, receive, send)

    asyncio.run(story())
    app.audit.close()  # type: ignore[union-attr]
    assert [body.get("failed", "") for kind, body in written(tmp_path) if kind == "exchange"] == [""]


@pytest.mark.parametrize("body", [ASKED, STREAM])
def test_nothing_is_answered_that_cannot_be_written_down(tmp_path: Path, body: Any) -> None:
    asked: list[Request] = []
    app = gateway(tmp_path, lambda request: asked.append(request) or "hi")
    assert app.audit is not None

    def full(*args: Any) -> int:
        raise OSError(28, "No space left on device")

    app.audit.journal._log.write = full  # type: ignore[method-assign]
    status, headers, found = ask(app, body)
    assert (status, headers["Retry-After"]) == (503, "1")
    assert "cannot be recorded" in found["error"]["message"]
    assert len(asked) == (body is ASKED), "a stream is not begun"
    assert app.audit.fault


def test_a_stream_whose_end_cannot_be_written_down_breaks_off(tmp_path: Path) -> None:
    app = gateway(tmp_path, lambda request: LONG)
    assert app.audit is not None
    write = app.audit.journal._log.write

    def once(batch: Any) -> int:
        if any(entry[2] == "exchange" for entry in batch):
            raise OSError(28, "No space left on device")
        return write(batch)

    app.audit.journal._log.write = once  # type: ignore[method-assign]
    _, _, came = ask(app, STREAM)
    said, found = events(came)
    assert found[-1] == {"error": {"message": "the answer broke off", "type": "api_error"}}
    assert LONG.startswith(said)
    assert said != LONG


def test_what_may_wait_for_the_disk_does_and_what_was_stopped_does_not(tmp_path: Path) -> None:
    app = gateway(tmp_path, lambda request: request.messages["repeat" not in request.messages[-1].text].text,
                  durable=False)  # fmt: skip
    assert app.audit is not None

    def full(*args: Any) -> int:
        raise StoreError("the disk is full", fix="free space")

    write, app.audit.journal._log.write = app.audit.journal._log.write, full  # type: ignore[method-assign]
    closed, app.audit.journal.close = app.audit.journal.close, lambda: None  # type: ignore[method-assign]
    assert ask(app, ASKED)[0] == 200
    assert ask(app, ASKED | {"messages": [{"role": "user", "content": "repeat"}]})[0] == 503
    app.audit.journal._log.write = write  # type: ignore[method-assign]
    closed()
    assert [body["level"] for _, body in written(tmp_path)] == ["ALLOW"], "it was kept until there was room"


def test_readiness_follows_the_ledger(tmp_path: Path) -> None:

    app = gateway(tmp_path, lambda request: "hi")

    async def use(url: str) -> list[int]:
        assert app.audit is not None
        async with ClientSession() as session:
            async with session.get(f"{url}/readyz") as first:
                pass
            app.audit.journal.fault = StoreError("the disk is full")
            async with session.get(f"{url}/readyz") as second:
                return [first.status, second.status]

    assert running(app, use) == [200, 503]


@pytest.mark.parametrize(("texts", "many"), [("none", 0), ("stopped", 1), ("all", 2)])
def test_words_are_kept_as_asked_for_and_erased_by_person(tmp_path: Path, texts: str, many: int) -> None:
    def answer(request: Request) -> str:
        return request.messages[0].text if request.messages[-1].text == "repeat" else "the harbour"

    app = gateway(tmp_path, answer, texts=texts)
    for content in ("repeat", "where"):
        body = ASKED | {"messages": [{"role": "user", "content": content}], "user": "ann"}
        assert ask(app, body)[0] == 200
        app = gateway(tmp_path, answer, texts=texts)
    app.audit.close()  # type: ignore[union-attr]
    found = [body for _, body in written(tmp_path)]
    kept = [body["kept"] for body in found if "kept" in body]
    assert len(kept) == many
    for body in found:
        assert ("asked" in body) != ("kept" in body), "nothing but the sealed words binds what was kept"
    if not kept:
        return
    key = tmp_path / "ledger.key"
    words = ["ledger", "open", str(tmp_path / "personal.db"), base64.b64encode(kept[0]).decode(), "--key", str(key)]
    told = CliRunner().invoke(cli, words)
    document = json.loads(told.stdout)
    assert document["asked"]["messages"][0]["text"] == "repeat"
    assert document["answers"][0]["said"]["text"] == REFUSAL
    assert "canary" in document["answers"][0]["reasons"]["canary"]["reason"]
    assert b"harbour" not in raw(tmp_path)
    erased = CliRunner().invoke(cli, ["ledger", "erase", words[2], "--subject", "shop:ann", "--key", str(key)])
    assert f"{many} item(s)" in erased.stdout
    assert CliRunner().invoke(cli, words).exit_code != 0
    assert CliRunner().invoke(cli, ["ledger", "verify", str(tmp_path)]).exit_code == 0


def test_words_that_no_encoder_takes_are_kept_all_the_same(tmp_path: Path) -> None:
    app = gateway(tmp_path, lambda request: "a lone \ud800 surrogate", texts="all")
    assert ask(app, ASKED)[0] == 200
    ((_, body),) = written(tmp_path)

    with Personal(tmp_path / "personal.db", key_in(tmp_path)) as personal:
        opening = personal.open(body["kept"])
    assert opening is not None
    assert json.loads(opening.data)["answers"][0]["wrote"]["text"] == "a lone \ud800 surrogate"


SYSTEM = """
assistant: {{callable: "{module}:answer"}}
guard:
  stages: [canary]
  audit: {audit}
"""


def system(folder: Path, audit: str) -> Path:
    path = folder / "temper.yaml"
    (folder / "own.py").write_text("def answer(request):\n    return 'hi'\n", encoding="utf-8")
    path.write_text(SYSTEM.format(module="own.py", audit=audit), encoding="utf-8")
    return path


def test_the_yaml_says_how(tmp_path: Path) -> None:
    found = load_assistant(system(tmp_path, "{folder: kept, ack: async, checkpoints: marks, texts: stopped}")).audit
    assert found == Audit(
        folder=str(tmp_path / "kept"), durable=False, checkpoints=str(tmp_path / "marks"), texts="stopped"
    )
    assert load_assistant(system(tmp_path, "{}")).audit == Audit(folder=str(tmp_path / ".temper/audit"))
    for wrong, says in (("{texts: some}", "texts"), ("{folder: a, fodler: b}", "fodler"), ("on", "audit")):
        with pytest.raises(ConfigError, match=says):
            load_assistant(system(tmp_path, wrong))
