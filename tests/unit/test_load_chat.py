"""A chat under load: planted times are found, an answer that is none has failed, a cap holds, a key stays away."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from bench.load._chat import chat
from temper.cli import app
from temper.core.errors import TemperError
from temper.core.load import Knee, Limit, Loaded, Spoken, Spread, Trial
from temper.engine.load.chat import Chat
from temper.engine.load.course import Course
from temper.engine.load.order import LoadTest
from temper.report.load import document, page, sentences
from temper.report.load_terminal import show
from temper.traffic.address import Address, address
from temper.traffic.arrivals import constant, due
from temper.traffic.chat import BROKE_OFF, EMPTY, ERROR, Answer, Asked, Heard, Talk
from temper.traffic.knee import bracketed
from temper.traffic.messages import written
from temper.traffic.played import Played, merged
from temper.traffic.processes import Capped, Generators
from temper.traffic.spoken import spoken, spread
from temper.traffic.trial import weighed

EVENT = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
DONE = b"data: [DONE]\n\n"


def _trial(stream: bool = True, silence: float = 1.0, rate: float = 20.0, **more: object) -> Trial:
    with (
        chat(**more) as url,
        Generators(address=address(url), timeout=silence, connections=64, chat=Asked(stream=stream)) as one,
    ):
        asked = [written(one.address, "POST", body) for body in Chat(stream=stream).bodies()]
        return weighed(one.play(asked, due(constant(rate, 1.5))), 1.5, Limit(seconds=1.0))


def _said(trial: Trial) -> Spoken:
    assert trial.spoken is not None
    return trial.spoken


def test_planted_times_of_a_stream_are_found() -> None:
    trial = _trial(first=0.05, token=0.02, tokens=8)
    said = _said(trial)
    assert trial.p50 == said.first.p50 == pytest.approx(0.05, abs=0.005)
    assert said.each.p50 == pytest.approx(0.02, abs=0.005)
    assert said.whole.p50 == pytest.approx(0.05 + 7 * 0.02, abs=0.005 * 2)
    assert (trial.good, said.tokens, said.told, said.guessed) == (30, 240, 30, 0)
    assert said.rate == pytest.approx(240 / (1.5 + 0.14), rel=0.05)


def test_pieces_are_counted_where_the_service_does_not() -> None:
    said = _said(_trial(mute=1))
    assert (said.tokens, said.told, said.guessed) == (240, 0, 30)


def test_an_answer_in_one_piece_has_its_first_token_when_it_has_its_last() -> None:
    trial = _trial(stream=False)
    said = _said(trial)
    assert trial.p50 == said.whole.p50 == pytest.approx(0.19, abs=0.01)
    assert (said.tokens, said.each.n, said.each.p50) == (240, 0, None)


@pytest.mark.parametrize(
    ("fault", "kind"), [("stall", "stalled"), ("break", "broke_off"), ("cut", "broke_off"), ("error", "errors")]
)
def test_an_answer_that_is_none_counts_as_failed(fault: str, kind: str) -> None:
    trial = _trial(fault=fault, every=3)
    said = _said(trial)
    assert (trial.good, trial.failed) == (20, 10)
    assert {name: getattr(said, name) for name in ("broke_off", "errors", "stalled", "empty")} == {
        "broke_off": 0,
        "errors": 0,
        "stalled": 0,
        "empty": 0,
        kind: 10,
    }
    assert not trial.holds(Limit(seconds=1.0))
    assert trial.p99 is None
    assert said.first.p50 == pytest.approx(0.05, abs=0.01)


def test_a_line_that_ends_after_the_end_of_a_stream_ends_it_well() -> None:
    trial = _trial(fault="drip", every=2)
    assert (trial.good, trial.failed) == (30, 0)


def test_what_is_turned_away_is_no_failure() -> None:
    trial = _trial(fault="shed", every=3)
    assert (trial.good, trial.shed, trial.failed, _said(trial).first.n) == (20, 10, 0, 20)


@pytest.mark.parametrize(
    ("body", "mark"),
    [
        (EVENT + DONE, 0),
        (EVENT.replace(b"\n", b"\r\n") + b"data: [DONE]", 0),
        (b'data: {"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}\n' + DONE, 0),
        (EVENT, BROKE_OFF),
        (b"", BROKE_OFF),
        (DONE, EMPTY),
        (b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n' + DONE, EMPTY),
        (EVENT + b"data: {not json}\n\n" + DONE, ERROR),
        (EVENT + b"data: [1]\n\n" + DONE, ERROR),
        (EVENT + b'event: error\ndata: {"message":"gone"}\n\n', ERROR),
        (EVENT + b'data: {"error":{"code":500}}\n\n' + DONE, ERROR),
        (b"data: " + b"[" * 200_000 + b"\n\n" + DONE, ERROR),
        (b"x" * 3_000_000 + b"\n" + DONE, ERROR),
        (b'data: {"choices":[7,{"delta":null}],"usage":{"completion_tokens":true}}\n' + EVENT + DONE, 0),
    ],
)
@pytest.mark.parametrize("cut", [1 << 30, 100_003, 7])
def test_streams_of_all_kinds_however_they_are_cut(body: bytes, mark: int, cut: int) -> None:
    if cut == 7 and len(body) > 10_000:
        cut = 50_021
    answer = Answer(stream=True)
    for at in range(0, len(body), cut):
        answer.fed(body[at : at + cut], 0.1)
    assert answer.over(0.2) == mark
    assert not answer.told
    assert answer.tokens == answer.pieces


def test_an_answer_in_one_piece_is_read_whole() -> None:
    for body, mark, tokens in (
        (b'{"choices":[{"message":{"content":"hi"}}],"usage":{"completion_tokens":3}}', 0, 3),
        (b'{"choices":[{"message":{"content":"hi"}}]}', 0, -1),
        (b'{"choices":[{"message":{"content":""}}]}', EMPTY, -1),
        (b'{"error":"no"}', ERROR, -1),
        (b'{"choi', ERROR, -1),
    ):
        answer = Answer(stream=False)
        answer.fed(body[:5], 0.1)
        answer.fed(body[5:], 0.2)
        assert (answer.over(0.3), answer.tokens) == (mark, tokens)
    assert answer.first != answer.first


def _played(ended: list[float], tokens: list[int]) -> Played:
    heard, n = Heard(len(ended)), len(ended)
    for at, end in enumerate(ended):
        if math.isfinite(end):
            answer = Answer(stream=True)
            answer.first, answer.last, answer.pieces = at + 0.1, end, tokens[at]
            heard.keep(at, answer, end)
    whole = np.isfinite(ended)
    due_at, none = np.arange(n, dtype=float), np.zeros(n, dtype=np.int64)
    done = np.where(whole, due_at + 0.1, np.nan)
    return Played(due=due_at, taken=due_at, sent=due_at, done=done, status=200 * whole, marks=none, talk=heard.talk())


def test_figures_of_a_run_by_hand() -> None:
    said = spoken(_played([0.5, 1.9, np.nan, 3.3], [5, 5, 0, 1]), 4.0)
    assert said is not None
    assert (said.tokens, said.span, said.rate, said.guessed) == (11, 4.0, 11 / 4, 3)
    assert (said.each.n, said.first.n) == (2, 4)
    assert said.each.p50 == pytest.approx(0.1)
    assert said.each.p99 == pytest.approx(0.2)
    assert (said.whole.p50, said.whole.p99) == (pytest.approx(0.5), None)
    assert spread(np.array([])) == Spread(n=0, p50=None, p95=None, p99=None, low=None, high=None)


def test_parts_and_joins_keep_every_answer_in_its_place() -> None:
    whole = _played([0.5, 1.9, np.nan, 3.3], [5, 6, 0, 7])
    odd, even = (whole.take(np.arange(at, 4, 2)) for at in (1, 0))
    again = merged([odd, even]).talk
    assert isinstance(again, Talk)
    assert isinstance(whole.talk, Talk)
    assert again.tokens.tolist() == whole.talk.tokens.tolist() == [5, 6, -1, 7]
    np.testing.assert_array_equal(again.last, whole.talk.last)


class _Simulated:
    """SIMULATED generators before a chat that bears 12 a second, with a cap and without a clock."""

    address = Address(host="127.0.0.1", port=80, own=True)
    many = 1

    def __init__(self, cap: int) -> None:
        self.cap, self.asked = cap, 0

    def play(self, requests: Any, times: np.ndarray) -> Played:
        if self.asked + len(times) > self.cap:
            raise Capped(self.cap, self.asked, len(times))
        self.asked += len(times)
        wait = 0.1 if len(times) < 3 or len(times) / times[-1] < 12 else 9.0
        heard, none = Heard(len(times)), np.zeros(len(times), dtype=np.int64)
        for at, when in enumerate(times):
            answer = Answer(stream=True)
            answer.first, answer.last, answer.pieces = when + wait, when + wait + 2, 21
            heard.keep(at, answer, when + wait + 2)
        more: dict[str, Any] = {"status": none + 200, "marks": none, "talk": heard.talk()}
        return Played(due=times, taken=times, sent=times, done=times + wait, **more)


def _course(cap: int, told: list[str]) -> Course:
    simulated: Any = _Simulated(cap)
    limit = Limit(seconds=1.0)
    return Course(
        generators=simulated, requests=[b""], limit=limit, first=1.0, enough=100, gently=2.0, told=told.append
    )


def test_runs_are_long_enough_for_answers_to_overlap_and_find_the_knee() -> None:
    told: list[str] = []
    found = _course(100_000, told).searched("now")
    assert "an answer takes 2.1 s; runs last 6.3 s or more" in told
    assert min(trial.seconds for trial in found.trials) == pytest.approx(6.3)
    assert found.knee is not None
    assert found.knee.value == pytest.approx(12, rel=0.1)
    (line,) = [line for line in sentences(found) if "A stream then" in line]
    assert "brings 10 [10, 10] tokens a second at p50" in line


def test_a_cap_ends_a_search_with_what_its_runs_say() -> None:
    simulated = _course(700, [])
    found = simulated.searched("now")
    assert simulated.generators.asked <= 700
    assert found.knee is not None
    assert found.knee.low < 12 < (found.knee.high or 0)
    assert found.knee.searches == ()
    assert any("would pass the cap of 700" in line for line in found.caveats)
    assert "a search that was not finished" in next(sentences(found))
    with pytest.raises(Capped, match="cap of 5"):
        _course(5, []).searched("now")


def test_a_search_that_was_not_finished_has_a_bracket_and_no_interval() -> None:
    trials = [
        weighed(_Simulated(10**6).play([], due(constant(rate, 10.0))), 10.0, Limit()) for rate in (8.0, 10.0, 14.0)
    ]
    limit = Limit(seconds=1.0)
    assert bracketed(trials, limit) == Knee(value=math.sqrt(140), low=10.0, high=14.0, searches=(), most=14.0)
    assert bracketed(trials[:2], limit) == Knee(value=10.0, low=10.0, high=None, searches=(), most=10.0)
    assert bracketed(trials[2:], limit).low == 0.0


def test_prompts_are_lines_or_turns_and_the_cost_is_told(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text('Say "good day".\n\n{"messages":[{"role":"system","content":"be brief"}]}\n')
    first, second = (json.loads(one) for one in Chat(model="m", prompts=path, max_tokens=9).bodies())
    assert first["messages"] == [{"role": "user", "content": 'Say "good day".'}]
    assert second["messages"] == [{"role": "system", "content": "be brief"}]
    assert (first["model"], first["max_tokens"], first["stream"]) == ("m", 9, True)
    assert "stream" not in json.loads(Chat(stream=False).bodies()[0])
    assert "up to 18,000 written" in Chat(prompts=path, max_tokens=9).estimate(2_000)
    for text in ("", '{"messages": []}', "{"):
        path.write_text(text)
        with pytest.raises(TemperError):
            Chat(prompts=path).bodies()


def _loaded(trial: Trial) -> Loaded:
    return Loaded(url="http://a/", limit=Limit(seconds=1.0), plan="p", generators=1, started="2026", trials=(trial,))


def test_the_report_says_what_was_said_and_which_answers_were_none(capsys: pytest.CaptureFixture[str]) -> None:
    found = _loaded(weighed(_Simulated(10**6).play([], due(constant(8.0, 10.0))), 10.0, Limit()))
    for width in (70, 160):
        show(found, Path("a.html"), Console(width=width))
        out = capsys.readouterr().out
        assert "first p50" in out
        assert "100 ms" in out
    assert "the pieces that came" in "".join(sentences(found))
    assert "of first tokens within" in "".join(sentences(found))
    assert json.loads(document(found))["trials"][0]["spoken"]["guessed"] == 80
    assert '<section id="tokens">' in page(found)


def test_from_the_command_line_a_key_is_sent_and_never_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHAT_KEY", "sk-never-told")
    with chat() as url:
        words = [
            "stress",
            url,
            "--chat",
            "--model",
            "m",
            "--plan",
            "constant:10",
            "--seconds",
            "1",
            "--key-env",
            "CHAT_KEY",
        ]
        done = CliRunner().invoke(app, words)
        script = CliRunner().invoke(app, [*words, "--script", "k6"])
        capped = CliRunner().invoke(app, [*words, "--max-requests", "9"])
    assert done.exit_code == 0, done.output
    assert "HELD" in done.output
    assert "at most 10 requests" in done.output
    told = done.output + script.output + "".join(one.read_text() for one in tmp_path.rglob("*.html"))
    assert "sk-never-told" not in told
    assert "CHAT_KEY" in script.output
    assert capped.exit_code != 0
    assert "cap of 9" in capped.output + str(capped.exception)


def test_what_a_chat_cannot_be_is_refused(tmp_path: Path) -> None:
    for more in ({"target": "serve"}, {"method": "GET"}, {"body": tmp_path}):
        settings: dict[str, Any] = {"target": "http://127.0.0.1:9/", **more}
        with pytest.raises(TemperError):
            LoadTest(config=tmp_path / "none", chat=Chat(), **settings)._service(None)
    assert LoadTest(target="http://127.0.0.1:9/", chat=Chat())._service(None).limit.seconds == 1.0
