"""The console: what a gateway says of itself, read for people, and a gateway that says nothing or too much."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from temper.core.errors import ConfigError
from temper.gateway.tables.counted import Counted
from temper.response.figures import checked
from temper.web.figures import asked, read
from temper.web.serve import serve
from unit.web_desk import World


def counted() -> str:
    found = Counted(help={"requests_total": "Requests, by the status of their answer."})
    found.add("requests_total", (("status", "200"),), 1234)
    found.add("requests_total", (("status", 'quo"te\n'),))
    found.gauges["breaker"] = ("0 closed, 1 half open, 2 open.", lambda: 2.0)
    for seconds in (0.0004, 0.003, 0.003, 9.0):
        found.seconds.add(seconds)
    return found.text()


@contextmanager
def gateway(status: int, body: bytes, **headers: str) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return None

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/metrics"
        finally:
            server.shutdown()
            thread.join()


def test_what_a_gateway_writes_is_what_the_console_reads() -> None:
    found = read(counted())
    assert [(one.name, one.labels, one.value) for one in found.lines] == [
        ("requests", "status 200", "1,234"),
        ("requests", 'status quo\\"te\\n', "1"),
        ("breaker", "", "2"),
    ]
    assert found.quantiles == [("half of the answers", "within 5 ms"), ("99 of 100", "slower than the last bar")]


@pytest.mark.parametrize(
    "text", ["", "temper_x", "temper_x nan", "temper_x{a=1} 2", "# HELP\n\x00", "temper_x 1 2\n" * 9]
)
def test_what_is_no_figure_is_left_out(text: str) -> None:
    assert read(text).quantiles == []


def test_the_dashboard_shows_the_figures_of_a_gateway(tmp_path: Path) -> None:
    with gateway(200, counted().encode()) as url:
        text = World.at(tmp_path, gateway_metrics_url=url).browser("vera").get("/dashboard").text
    assert "1,234" in text
    assert "within 5 ms" in text


def test_a_gateway_that_fails_or_points_elsewhere_is_a_sentence() -> None:
    with gateway(500, b"") as url:
        assert "did not answer" in asked(url, 0.0).trouble
    with gateway(200, counted().encode()) as other, gateway(302, b"", location=other) as url:
        assert "did not answer" in asked(url, 0.0).trouble
    assert "did not answer" in asked(url, 0.0).trouble, "and one that is gone"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "metrics", "http:///metrics"])
def test_an_address_of_figures_is_a_web_address(url: str) -> None:
    with pytest.raises(ConfigError, match="no address of a gateway"):
        checked(url)


@pytest.mark.parametrize("host", ["0.0.0.0", "console.example"])
def test_passwords_do_not_travel_without_a_certificate(host: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unprotected"):
        serve(tmp_path / "temper.yaml", host, 8081)


def test_a_gateway_is_shown_as_what_is_well_and_who_answered() -> None:
    figures = "temper_breaker {0}\ntemper_audit_failing {1}\ntemper_stopped 0\n"
    well = read(figures.format(0, 0), now=100.0).state
    assert well is not None
    assert {check.tone for check in well.checks} == {"pass"}
    told = 'temper_rows_total{source="primary"} 3\ntemper_rows_total{source="last_known"} 1\n'
    ill = read(figures.format(2, 1) + told, now=100.0).state
    assert ill is not None
    assert [check.name for check in ill.checks if check.tone == "fail"] == ["Breaker", "Ledger"]
    assert [(one.name, one.percent, one.begin) for one in ill.sources] == [
        ("primary", "75.0 %", 0.0),
        ("last known", "25.0 %", 75.0),
    ]


def test_nothing_is_called_well_that_was_not_said() -> None:
    assert read("temper_x 1\n").state is None
    only = read("temper_breaker 1\n").state
    assert only is not None
    assert [(check.name, check.tone) for check in only.checks] == [("Breaker", "open")]
    assert only.sources == only.load == ()
    figures = "temper_breaker 0\ntemper_checkpoints_kept {0}\ntemper_checkpoints_failing 0\n"
    states = [state for kept in (0, 1) if (state := read(figures.format(kept)).state) is not None]
    assert [state.checks[1].state for state in states] == ["there is no second place", "written to the second place"]
    assert [state.checks[1].tone for state in states] == ["open", "pass"]


def test_a_source_nobody_knows_is_no_part_of_the_bar() -> None:
    found = read(
        'temper_breaker 0\ntemper_rows_total{source="<script>"} 9\ntemper_rows_total{source="rules"} 1\n'
    ).state
    assert found is not None
    assert [(one.name, one.length) for one in found.sources] == [("rules", 100.0)]
