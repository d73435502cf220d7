"""The console: who gets in, what a form must carry, and what every answer says to the browser."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from temper.config.sign_in import BACK
from temper.core.review import RIGHTS, Right, Role, State
from temper.store.control import Control
from temper.store.control.deployed import deployed
from temper.web import operations, visit
from temper.web.app import SCREENS, console
from unit.web_desk import NOW, PASSWORD, PEOPLE, Browser, World

FORM = {"reason": "known customer", "verdict": "allow"}


@pytest.fixture
def world(place: str) -> Iterator[World]:
    with closing(World.at(place)) as found:
        yield found


def path(screen: visit.Screen) -> str:
    return screen.path.replace("{id:int}", "1")


# -- every address takes a role ---------------------------------------------------------------------------------------


def test_every_address_is_in_the_table_and_only_the_door_is_open(world: World) -> None:
    known = {(one.method, one.path) for one in SCREENS}
    served = {(method, route.path) for route in world.app.routes for method in route.methods if method != "HEAD"}
    assert {(method, where) for method, where in served if not where.startswith("/style.")} == known
    assert {one.path for one in SCREENS if one.right is None} == {"/login", "/sign-in", BACK}
    assert {one.right for one in SCREENS} <= {None, *Right}, "a role is no right"


GUARDED = [one for one in SCREENS if one.right is not None and not one.programs]


def test_nobody_sees_anything_without_logging_in(world: World) -> None:
    number = world.case()
    form = {"csrf": "x", "version": "1", "token": "t"} | FORM
    browser = Browser(world.app)
    for screen in GUARDED:
        answer = browser.get(path(screen)) if screen.method == "GET" else browser.post(path(screen), form)
        assert (answer.status, answer.header("location").partition("?")[0]) == (303, "/login"), screen
    assert world.control.reviews.get(number).state is State.OPEN


@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.label)
def test_a_role_opens_what_it_may_and_nothing_else(world: World, role: Role) -> None:
    """Every address, one after the other; what is refused is a row of the audit, by name."""
    world.case()
    name = next(name for name, held in PEOPLE.items() if held is role)
    fields = {"version": "1", "token": "t", "state": "automatic", "word": "STOP"} | FORM
    refused = []
    for screen in GUARDED:
        browser = world.browser(name)
        form = {"csrf": visit.csrf(next(iter(browser.cookies.values())))} | fields
        answer = browser.get(path(screen)) if screen.method == "GET" else browser.post(path(screen), form)
        assert (answer.status == 403) == (screen.right not in RIGHTS[role]), screen
        refused += [f"{screen.method} {path(screen)}"] * (answer.status == 403)
    told = [one for one in world.control.audit.page(10_000) if one.action == "access.refuse"]
    assert [(one.who, one.subject) for one in reversed(told)] == [(name, where) for where in refused]


# -- sessions and forms -----------------------------------------------------------------------------------------------


def test_the_right_password_opens_a_session_with_a_new_secret(world: World) -> None:
    browser = Browser(world.app)
    browser.get("/login")
    before = dict(browser.cookies)
    assert browser.login("ana").header("location") == "/queue"
    assert browser.cookies != before, "the secret of before the log-in is not the session's"
    assert "ana" in browser.get("/queue").text


@pytest.mark.parametrize(
    ("name", "password"), [("ana", "wrong"), ("nobody", PASSWORD), ("", ""), ("ana\x00", PASSWORD)]
)
def test_a_wrong_password_says_the_same_for_every_name(world: World, name: str, password: str) -> None:
    answer = Browser(world.app).login(name, password)
    assert answer.status == 403
    assert "do not fit together" in answer.text
    assert PASSWORD not in answer.text


def test_a_name_that_turns_the_line_round_is_shown_and_does_not_act(world: World) -> None:
    text = Browser(world.app).login("\u202egnp\x1b", "wrong").text
    assert "‹U+202E›gnp" in text
    assert not any(char in text for char in "\u202e\x1b")


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(world: World) -> None:
    kept = Browser(world.app).get("/login").header("set-cookie")
    assert "HttpOnly" in kept
    assert "SameSite=strict" in kept
    assert "Secure" not in kept
    over_tls = Browser(world.app, scheme="https").get("/login")
    assert over_tls.header("set-cookie").startswith("__Host-temper_session=")
    assert "Secure" in over_tls.header("set-cookie")
    assert over_tls.header("strict-transport-security")


def test_logging_out_ends_the_session_for_a_copied_cookie_too(world: World) -> None:
    browser, thief = world.browser("ana"), Browser(world.app)
    thief.cookies = dict(browser.cookies)
    assert browser.send("/queue", "/logout").status == 303
    assert thief.get("/queue").header("location").startswith("/login")


def test_a_form_of_another_session_is_refused(world: World) -> None:
    world.case()
    stolen = world.browser("ben").get("/queue").hidden("csrf")
    for word in ("", "x", stolen, "ü"):
        assert world.browser("ana").post("/cases/1/claim", {"csrf": word}).status == 403
    assert world.control.reviews.get(1).owner is None


@pytest.mark.parametrize(
    "page", ["//evil.example", "https://evil.example", "/\\evil.example", "/login", "javascript:x"]
)
def test_a_login_leads_nowhere_but_inside(world: World, page: str) -> None:
    browser = Browser(world.app)
    form = {"csrf": browser.get("/login").hidden("csrf"), "name": "ana", "password": PASSWORD, "next": page}
    assert browser.post("/login", form).header("location") == "/"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"csrf=x", "application/json", 415),
        (b"csrf=x", "multipart/form-data; boundary=x", 415),
        (b"a=" + b"x" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"&".join(b"a=1" for _ in range(60)), "application/x-www-form-urlencoded", 400),
        (b"csrf=%ff", "application/x-www-form-urlencoded", 400),
        (b"\xff\xfe", "application/x-www-form-urlencoded", 400),
    ],
)
def test_what_is_no_form_is_refused(world: World, body: bytes, kind: str, status: int) -> None:
    assert world.browser("ana").ask("POST", "/queue/next", body, {"content-type": kind}).status == status


def test_a_store_without_people_says_how_to_let_somebody_in(tmp_path: Path) -> None:
    control = Control.open(str(tmp_path / "empty.db"))
    assert "temper people add" in Browser(console(control)).get("/login").text
    assert "temper people add" not in Browser(World.at(tmp_path).app).get("/login").text


def test_a_crowd_at_the_door_keeps_nobody_inside_waiting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty passwords are being checked, and a page is answered before the first of them is."""
    inside, outside, opened = world.browser("ana"), Browser(world.app), threading.Event()
    form = {"csrf": outside.get("/login").hidden("csrf"), "name": "ana", "password": "guess"}
    monkeypatch.setattr(type(world.control.people), "check", lambda *_: opened.wait(20) and None)

    async def crowd() -> tuple[int, list[int]]:
        guesses = [asyncio.create_task(outside.sent("POST", "/login", form)) for _ in range(50)]
        await asyncio.sleep(0.1)
        try:
            page = await asyncio.wait_for(inside.sent("GET", "/queue", {}), 10)
            assert not any(guess.done() for guess in guesses)
        finally:
            opened.set()
        return page.status, [(await guess).status for guess in guesses]

    assert asyncio.run(crowd()) == (200, [403] * 50)


ODD = st.text(max_size=60) | st.sampled_from(["0", "-1", "9" * 40, "\x00", "%00", "\ud800", "../..", "open", "1e9"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    screen=st.sampled_from(SCREENS),
    query=st.dictionaries(st.sampled_from(["state", "page", "before", "verify", "said", "next"]), ODD),
    form=st.dictionaries(st.sampled_from(["verdict", "reason", "token", "version", "state", "word", "name"]), ODD),
    cookie=st.none()
    | st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters=";,"), max_size=40),
)
def test_nothing_that_comes_in_makes_a_page_fail(
    world: World, screen: visit.Screen, query: dict[str, str], form: dict[str, str], cookie: str | None
) -> None:
    world.case(request=f"odd {world.control.audit.head()[0]}")
    browser = world.browser("ada")
    word = visit.csrf(next(iter(browser.cookies.values())))
    if cookie is not None:
        browser.cookies = {"temper_session": cookie}
    where = f"{path(screen)}?{urlencode(query, errors='replace')}"
    if screen.method == "GET":
        assert browser.get(where).status < 500
    elif screen.path != "/login":
        assert browser.post(where, {"csrf": word, "password": "x"} | form).status < 500


# -- what every answer carries ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["/login", "/queue", "/cases/1", "/nowhere", "/cases/77", "/dashboard/figures"])
def test_every_page_is_closed_to_others_and_is_not_kept(world: World, where: str) -> None:
    world.case()
    answer = world.browser("ada").get(where)
    policy = dict(part.split(" ", 1) for part in answer.header("content-security-policy").split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert re.fullmatch(r"'nonce-[\w-]{20,}'", policy["script-src"])
    assert answer.header("x-frame-options") == "DENY"
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("cache-control") == "no-store"
    assert not re.search(r"\son\w+=|\sstyle=|javascript:|(src|href|action)=.https?:", answer.text), (
        "inline handlers or other hosts"
    )
    for nonce in re.findall(r'<script nonce="([^"]*)"', answer.text):
        assert nonce in policy["script-src"]


def test_no_two_pages_share_a_nonce(world: World) -> None:
    browser = world.browser("ada")
    first, second = (browser.get("/queue").header("content-security-policy") for _ in range(2))
    assert first != second


def test_the_style_is_kept_and_its_address_changes_with_it(world: World) -> None:
    address = re.search(r'href="(/style\.\w+\.css)"', Browser(world.app).get("/login").text)
    assert address
    answer = Browser(world.app).get(address[1])
    assert answer.header("content-type").startswith("text/css")
    assert "immutable" in answer.header("cache-control")


def test_a_page_that_is_not_there_and_a_method_that_is_not_taken(world: World) -> None:
    assert world.browser("ana").get("/queue/../etc/passwd").status == 404
    assert world.browser("ana").ask("DELETE", "/queue").status == 405
    assert world.browser("ana").get("/cases/" + "9" * 30).status == 404


def test_a_store_that_fails_is_a_page_that_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from temper.core.errors import StoreError

    def broken(self: object) -> None:
        raise StoreError("the disk is full of secrets", fix="")

    browser = world.browser("ana")
    monkeypatch.setattr(type(world.control.reviews), "counts", broken)
    answer = browser.get("/queue")
    assert (answer.status, answer.header("retry-after")) == (503, "30")
    assert "secrets" not in answer.text


def test_a_crash_tells_nothing_of_what_it_held(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: object) -> None:
        raise ValueError("card 4111 1111 1111 1111")

    browser = world.browser("ana")
    monkeypatch.setattr(type(world.control.reviews), "counts", broken)
    answer = browser.get("/queue")
    assert answer.status == 500
    assert "4111" not in answer.text + caplog.text
    assert answer.header("content-security-policy")


def test_the_console_runs_on_a_store_that_others_use(world: World, place: str) -> None:
    other = Control.open(place)
    other.reviews.enqueue("from a gateway", {}, NOW)
    assert "#1" in world.browser("ana").get("/queue").text
    other.close()


# -- what an operator switches ----------------------------------------------------------------------------------------


def test_the_switches_are_what_a_gateway_follows(world: World) -> None:
    browser = world.browser("ada")
    for state in ("open", "closed", "automatic"):
        browser.send("/operations", "/operations/breaker", state=state, reason="slow since noon")
        assert world.control.records.current("breaker").value == state
    browser.send("/operations", "/operations/kill", word="stop", reason="wrong scores")
    assert world.control.records.current("kill").value is True
    assert "START" in browser.get("/operations").text
    browser.send("/operations", "/operations/kill", word="START", reason="model replaced")
    assert world.control.records.current("kill").value is False
    assert world.control.records.history("kill")[1].reason == "wrong scores"


def test_store_and_gateway_know_every_state_a_breaker_can_be_set_to() -> None:
    from temper.gateway.tables.tending import FORCED
    from temper.store.control.records import SWITCHES

    assert set(operations.BREAKER) == set(FORCED) == set(SWITCHES["breaker"])
    assert set(operations.WORDS) == set(SWITCHES["kill"])


@pytest.mark.parametrize(("word", "status"), [("", 422), ("yes", 422), ("START", 409)])
def test_a_kill_switch_wants_the_right_word(world: World, word: str, status: int) -> None:
    assert world.browser("ada").send("/operations", "/operations/kill", word=word, reason="x").status == status
    assert world.control.records.current("kill") is None


@pytest.mark.parametrize("form", [{"state": "ajar", "reason": "x"}, {"state": "open", "reason": ""}])
def test_a_breaker_is_set_to_a_state_with_a_reason(world: World, form: dict[str, str]) -> None:
    assert world.browser("ada").send("/operations", "/operations/breaker", **form).status == 422
    assert world.control.records.current("breaker") is None


def test_an_operator_takes_a_model_back_once_a_click(world: World) -> None:
    put, browser = world.control.records.put, world.browser("ada")
    page = browser.get("/operations").text
    assert "the model of temper.yaml" in page
    assert "/operations/model" not in page
    for name, mode in (("old", "live"), ("new", "live"), ("next", "canary")):
        value = {"path": name, "name": f"{name}.ubj", "digest": name * 20, "mode": mode}
        put("model", value | ({"share": 0.1} if mode == "canary" else {}), "ada", "trained", NOW)
    page = browser.get("/operations")
    assert "canary: next.ubj (nextnextnext) for 10% of the clients" in page.text
    form = {"csrf": page.hidden("csrf"), "record": page.hidden("record"), "reason": "wrong scores"}
    assert browser.post("/operations/model", form).status == 303
    assert browser.post("/operations/model", form).status == 409, "a double click"
    assert "Live: <b>new.ubj (newnewnewnew)</b>" in browser.get("/operations").text
    page = browser.get("/operations")
    assert "go back to old.ubj (oldoldoldold)" in page.text
    browser.send("/operations", "/operations/model", record=page.hidden("record"), reason="wrong scores")
    assert deployed(world.control).live["name"] == "old.ubj"
    assert "wrong scores" in browser.get("/operations").text
    assert world.control.records.current("model").by == "ada"


@pytest.mark.parametrize("value", [{"mode": "sideways"}, "x", None, {"mode": "live"}])
def test_a_record_of_a_model_that_nobody_can_read_leaves_the_other_switches(world: World, value: object) -> None:
    world.control.records.put("model", value, "ada", "by hand", NOW)
    page = world.browser("ada").get("/operations")
    assert page.status == 200
    assert "not readable" in page.text
    assert "/operations/kill" in page.text


def test_the_audit_is_verified_and_a_change_in_it_is_seen(world: World) -> None:
    world.case()
    browser = world.browser("pia")
    assert "The audit holds" in browser.get("/audit?verify=1").text
    world.unguarded("audit", "UPDATE audit SET who = 'nobody' WHERE seq = 1")
    assert "The audit does not hold" in browser.get("/audit?verify=1").text


def test_lists_show_people_and_keys_and_no_secret(world: World) -> None:
    secret = world.control.keys.add("fraud-web", "ada", NOW).partition(".")[2]
    browser = world.browser("ada")
    assert "fraud-web" in browser.get("/keys").text
    assert secret not in browser.get("/keys").text
    assert all(name in browser.get("/people").text for name in ("vera", "ana", "ada"))
    assert "argon2" not in browser.get("/people").text
