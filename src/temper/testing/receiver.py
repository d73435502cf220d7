"""Laws of receivers of alerts: what is sent arrives, the same each time, to nobody else, and no secret is told."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from temper.core.alert import Alert
from temper.core.errors import TemperError
from temper.core.incident import Severity
from temper.testing import listening
from temper.testing.law import LawBroken, require

_SECRET = "a-secret-that-nobody-is-told"
_ALERT = Alert(
    key="predictions.0a1b2c.drift",
    severity=Severity.MAJOR,
    title="predictions: drift in amount",
    text="1 window since 1970-01-02",
    labels=(("feed", "predictions"), ("rule", "drift")),
    columns=("amount",),
    starts=86_400.0,
)


def law_an_alert_arrives(receiver: type[Any]) -> None:
    """One message comes, and it says what is wrong, how badly, and by which key."""
    with _ground(receiver) as (made, heard):
        _send(made, _ALERT)
        messages = heard()
    require(len(messages) == 1, f"sends {len(messages)} messages of one alert")
    for word in (_ALERT.title, _ALERT.key):
        require(word.encode() in messages[0], f"does not tell {word!r}")


def law_the_end_is_told(receiver: type[Any]) -> None:
    """That it is over is another message than that it began."""
    with _ground(receiver) as (made, heard):
        for alert in (_ALERT, replace(_ALERT, ends=172_800.0)):
            _send(made, alert)
        messages = heard()
    require(len(messages) == 2 and messages[0] != messages[1], "tells nobody that it is over")


def law_twice_is_the_same(receiver: type[Any]) -> None:
    """A message that is sent again is the same, so whoever gets it can know it again."""
    with _ground(receiver) as (made, heard):
        for _ in range(2):
            _send(made, _ALERT)
        messages = heard()
    require(len(messages) == 2 and messages[0] == messages[1], "says something else the second time")


def law_what_was_not_taken_is_said(receiver: type[Any]) -> None:
    """Where it is not taken, a `TemperError` says so: only then is it sent again."""
    for answer in (503, 404):
        with _ground(receiver, answer) as (made, _):
            require(_fault(made) is not None, "takes for sent what was refused")
    with _ground(receiver, gone=True) as (made, _):
        require(_fault(made) is not None, "takes for sent what nobody heard")


def law_nobody_is_asked_elsewhere(receiver: type[Any]) -> None:
    """Where a receiver points to another address, nobody follows."""
    with listening.http() as other:
        with _ground(receiver, 302, location=f"http://127.0.0.1:{other.port}/") as (made, _):
            require(_fault(made) is not None or not _posts(receiver), "takes being sent elsewhere for sent")
        require(not other.bodies, "follows to where it was not told to go")


def law_only_the_named_host_is_asked(receiver: type[Any]) -> None:
    """An address from the environment is asked on the host that temper.yaml names, or not at all."""
    if _posts(receiver):
        with _ground(receiver, host="hooks.bank.example") as (made, heard):
            require(_fault(made) is not None, "asks a host that nobody named")
            require(not heard(), "asks a host that nobody named, and says so afterwards")


def law_no_secret_is_told(receiver: type[Any]) -> None:
    """Neither what it prints as nor what it says of a failure holds a secret."""
    for options in ({"answer": 503}, {"gone": True}, {"host": "hooks.bank.example"}):
        with _ground(receiver, **options) as (made, _):
            require(_SECRET not in f"{made!r} {_fault(made)}", "tells a secret")


def law_hostile_text_is_inert(receiver: type[Any]) -> None:
    """What columns and feeds are called begins no header and moves no terminal."""
    hostile = "amount\r\nBcc: eve@bank.example\x1b[31m"
    with _ground(receiver) as (made, heard):
        _send(made, replace(_ALERT, title=hostile, text=hostile, columns=(hostile,), key=hostile))
        messages = heard()
    require(messages, "sends nothing")
    for sign in (b"\nBcc:", b"\\nBcc:", b"\x1b", b"\\u001b"):
        require(all(sign not in message for message in messages), f"sends {sign!r} on as it came")


LAWS = (
    law_an_alert_arrives,
    law_the_end_is_told,
    law_twice_is_the_same,
    law_what_was_not_taken_is_said,
    law_nobody_is_asked_elsewhere,
    law_only_the_named_host_is_asked,
    law_no_secret_is_told,
    law_hostile_text_is_inert,
)


def _posts(receiver: type[Any]) -> bool:
    return "url_env" in _options(receiver)


def _options(receiver: type[Any]) -> set[str]:
    return {field.name for field in fields(receiver)}


@contextmanager
def _ground(
    receiver: type[Any], answer: int = 200, *, location: str = "", host: str = "127.0.0.1", gone: bool = False
) -> Iterator[tuple[Any, Any]]:
    """This receiver, set up for a server on this machine, and what that was sent so far."""
    if _posts(receiver):
        ground = _by_http(receiver, answer, location, host, gone)
    elif "sender" in _options(receiver):
        ground = _by_mail(receiver, 250 if answer == 200 else 451, gone)
    else:
        ground = _by_file(receiver, gone or answer != 200)
    with ground as (made, heard):
        yield made, heard


@contextmanager
def _by_http(receiver: type[Any], answer: int, location: str, host: str, gone: bool) -> Iterator[tuple[Any, Any]]:
    secrets = {name: f"TEMPER_LAW_{name.upper()}" for name in _options(receiver) if name.endswith("_env")}
    with listening.http(answer, location) as heard:
        port = 1 if gone else heard.port
        values = dict.fromkeys(secrets.values(), _SECRET)
        values[secrets["url_env"]] = f"http://127.0.0.1:{port}/{_SECRET}"
        with patch.dict(os.environ, values):
            yield receiver(host=host, **secrets), lambda: list(heard.bodies)


@contextmanager
def _by_mail(receiver: type[Any], answer: int, gone: bool) -> Iterator[tuple[Any, Any]]:
    with listening.smtp(answer) as heard, patch.dict(os.environ, {"TEMPER_LAW_PASSWORD": _SECRET}):
        people = {"sender": "temper@bank.example", "to": ("ops@bank.example",)}
        door = {"host": "127.0.0.1", "port": 1 if gone else heard.port, "tls": "none"}
        yield (
            receiver(**people, **door, user="temper", password_env="TEMPER_LAW_PASSWORD"),
            lambda: list(heard.bodies),
        )


@contextmanager
def _by_file(receiver: type[Any], gone: bool) -> Iterator[tuple[Any, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "gone", "alerts") if gone else Path(folder, "alerts")
        yield receiver(path=str(path)), lambda: path.read_bytes().splitlines() if path.exists() else []


def _send(made: Any, alert: Alert) -> None:
    if (fault := _fault(made, alert)) is not None:
        raise LawBroken(f"does not send it: {fault}")


def _fault(made: Any, alert: Alert = _ALERT) -> TemperError | None:
    """Why it was not sent; any other error breaks the law."""
    try:
        made.send(alert)
    except TemperError as error:
        return error
    except Exception as crash:
        raise LawBroken(f"fails with {type(crash).__name__}") from crash
    return None
