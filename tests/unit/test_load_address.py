"""Nobody's service is put under load by mistake."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from temper.core.errors import TemperError
from temper.traffic.address import address, within_caps


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x?y=1", "http://localhost:9/x?y=1", "http://[::1]:9/x?y=1"])
def test_this_machine_may_be_asked(url: str) -> None:
    found = address(url)
    assert (found.port, found.path, found.tls, found.url) == (9, "/x?y=1", False, url)


def test_another_host_must_be_named_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolved(host: str, port: int, **more: Any) -> list[Any]:
        return [(0, 0, 0, "", ("127.0.0.1", port)), (0, 0, 0, "", ("192.0.2.7", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    with pytest.raises(TemperError, match=r"shop\.example is not this machine"):
        address("https://shop.example/score")
    with pytest.raises(TemperError, match="is not this machine"):
        address("https://shop.example/score", confirmed="example")
    assert address("https://shop.example/score", confirmed="shop.example").port == 443


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/",
        "127.0.0.1:80",
        "http://",
        "http://a:b@127.0.0.1/",
        "http://127.0.0.1:999999/",
        "http://[::1/",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(TemperError, match="no URL"):
        address(url)


def test_a_letter_that_would_end_the_request_line_is_refused() -> None:
    with pytest.raises(TemperError, match="no URL holds"):
        address("http://127.0.0.1/a b")


def test_an_unknown_host_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*words: Any, **more: Any) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(TemperError, match="nobody knows the host"):
        address("http://nowhere.invalid/")


@pytest.mark.parametrize("asked", [(60_000, 1, 1), (1, 1e6, 1), (1, 1, 1e9), (float("nan"), 1, 1)])
def test_no_run_goes_beyond_the_caps(asked: tuple[float, float, float]) -> None:
    with pytest.raises(TemperError, match="more than a run may send"):
        within_caps(*asked)
    within_caps(50_000, 60, 3_000_000)
