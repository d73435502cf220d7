"""A key is replaced without a client noticing, ends when it was said to, and shows when it was last used."""

import asyncio
import json
import time

import pytest
from typer.testing import CliRunner

from control_store import opened, peopled
from small_gateway import COLUMNS, GUARD, folder, models, written
from temper.cli import app
from temper.core.errors import TemperError
from temper.core.review import Role
from temper.gateway.tables.build import opened as opened_gateway
from temper.store.control.keys import LONGEST_OVERLAP
from temper.web.app import console
from unit.web_desk import Browser

__all__ = ["folder", "models"]


@pytest.fixture
def control(place):
    found = peopled(place)
    yield found
    found.close()


def kid(token):
    return token.partition(".")[0]


def test_both_hold_until_the_overlap_ends_and_the_new_one_is_what_the_old_one_was(control):
    old = control.keys.add("shop", "root", 100.0, scopes=("score", "explain"), group="web", expires=1_100.0)
    new = control.keys.rotate(kid(old), "ann", 500.0, overlap=60.0)
    held = control.keys.snapshot()
    assert [held.find(token, 559.9) is not None for token in (old, new)] == [True, True]
    assert [held.find(token, 560.0) is not None for token in (old, new)] == [False, True]
    key = held.find(new, 560.0)
    assert (key.name, key.group, key.scopes, key.follows) == ("shop", "web", ("score", "explain"), kid(old))
    assert key.expires == 1_500.0, "it holds for as long as the old one was made for"
    entry = control.audit.page(1)[0]
    assert (entry.who, entry.action, entry.subject) == ("ann", "key.rotate", kid(old))
    assert new.partition(".")[2] not in json.dumps(dict(entry.detail))
    assert control.audit.verify() == []


def test_an_overlap_never_makes_the_old_one_live_longer(control):
    old = control.keys.add("shop", "root", 0.0, expires=50.0)
    control.keys.rotate(kid(old), "root", 10.0, overlap=86_400.0)
    assert control.keys.snapshot().find(old, 50.0) is None


def test_no_overlap_ends_a_stolen_key_at_once(control):
    old = control.keys.add("shop", "root", 0.0)
    new = control.keys.rotate(kid(old), "root", 10.0, overlap=0.0)
    held = control.keys.snapshot()
    assert (held.find(old, 10.0), held.find(new, 10.0).kid) == (None, kid(new))
    assert held.find(new, 10.0).expires is None


def test_what_cannot_be_rotated_is_refused(control):
    old = control.keys.add("shop", "root", 0.0)
    new = control.keys.rotate(kid(old), "root", 10.0, overlap=60.0)
    with pytest.raises(TemperError, match=f"was replaced by {kid(new)}"):
        control.keys.rotate(kid(old), "root", 20.0, overlap=60.0)
    for overlap in (-1.0, float("nan"), float("inf"), LONGEST_OVERLAP + 1):
        with pytest.raises(TemperError, match="overlap"):
            control.keys.rotate(kid(new), "root", 20.0, overlap=overlap)
    with pytest.raises(TemperError, match="does not hold"):
        control.keys.rotate(kid(old), "root", 70.0, overlap=60.0)
    control.keys.revoke(kid(new), "root", 80.0)
    with pytest.raises(TemperError, match="does not hold"):
        control.keys.rotate(kid(new), "root", 90.0, overlap=60.0)
    with pytest.raises(TemperError, match="no key"):
        control.keys.rotate("none", "root", 90.0, overlap=60.0)
    assert len(control.keys.all()) == 2


def test_the_latest_use_counts_whoever_tells_it_and_is_no_audit_row(control):
    token = control.keys.add("shop", "root", 0.0)
    assert control.keys.all()[0].used is None
    rows, version = control.audit.head(), control.keys.version()
    for at in (5.0, 9.0, 7.0):
        control.keys.used({kid(token): at})
    assert control.keys.all()[0].used == 9.0
    assert (control.audit.head(), control.keys.version()) == (rows, version), "no gateway loads its keys again for that"


async def status(gateway, token):
    told = []
    body = json.dumps({"row": dict.fromkeys(COLUMNS, 1.0)}).encode()

    async def receive():
        return {"type": "http.request", "body": body}

    async def send(event):
        told.append(event)

    headers = [(b"authorization", f"Bearer {token}".encode())]
    await gateway({"type": "http", "method": "POST", "path": "/v1/score", "headers": headers}, receive, send)
    return told[0]["status"]


def test_a_gateway_takes_both_then_one_and_says_when_each_was_used(folder):
    written(folder, GUARD.replace("open: true", "open: false"))
    found = opened_gateway(folder / "temper.yaml")
    keys = found.control.keys
    try:
        old, unused = keys.add("shop", "root", time.time()), keys.add("other", "root", time.time())
        found.tending._keys()
        assert asyncio.run(status(found, old)) == 200
        before = time.time()
        new = keys.rotate(kid(old), "root", before, overlap=2.0)
        found.tending._keys()
        assert [asyncio.run(status(found, token)) for token in (old, new, old + "x")] == [200, 200, 401]
        time.sleep(max(0.0, before + 2.0 - time.time()))
        assert [asyncio.run(status(found, token)) for token in (old, new)] == [401, 200]
        found.tending.uses.noted()
        used = {key.kid: key.used for key in keys.all()}
        assert before < used[kid(old)] < before + 2.0 <= used[kid(new)] <= time.time()
        assert used[kid(unused)] is None
    finally:
        found.close()


def run(*words):
    done = CliRunner().invoke(app, list(words))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_the_command_and_the_console_show_both(tmp_path, monkeypatch):
    monkeypatch.setenv("TEMPER_CONTROL", str(tmp_path / "control.db"))
    old = run("keys", "add", "shop").strip()
    for wrong in ("soon", "-3h", "4000d", "nan"):
        with pytest.raises(TemperError):
            run("keys", "rotate", kid(old), "--overlap", wrong)
    new = run("keys", "rotate", kid(old), "--overlap", "24h").strip()
    lines = [line.split("\t") for line in run("keys", "list").splitlines()]
    assert [line[0] for line in lines] == [kid(old), kid(new)]
    assert [line[-2] for line in lines] == ["-", kid(old)]
    control = opened(tmp_path / "control.db")
    control.people.add("ada", Role.ADMIN, "a sentence to remember", "root", 0.0)
    control.keys.used({kid(new): time.time()})
    browser = Browser(console(control))
    browser.cookies["temper_session"] = control.sessions.open("ada", time.time())
    page = browser.get("/keys").text
    control.close()
    assert f", replaced by {kid(new)}" in page
    assert page.count("never") == 1
    assert not {old.partition(".")[2], new.partition(".")[2]} & set(page.split())
