"""Signing in by a provider of identities: who comes in, as what, and every way in which an answer can be a lie."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt

from temper.config.reading import parse
from temper.config.sign_in import sign_in_of
from temper.core.errors import ConfigError, TemperError
from temper.core.review import Role
from temper.web.provider import Provider
from unit.identities import KEY, OTHER, Issuer, issuing
from unit.web_desk import NOW, PASSWORD, Answer, Browser, World


@pytest.fixture(scope="module")
def answering() -> Iterator[Issuer]:
    with issuing() as found:
        yield found


@pytest.fixture
def issuer(answering: Issuer) -> Issuer:
    """The provider, honest again."""
    fresh = Issuer(address=answering.address, now=lambda: NOW)
    answering.__dict__.update(fresh.__dict__)
    return answering


@pytest.fixture
def world(tmp_path: Path, issuer: Issuer) -> Iterator[World]:
    world = World.at(tmp_path, provider=Provider(settings=issuer.settings()))
    yield world
    world.close()


def begun(world: World, after: str = "") -> tuple[Browser, str]:
    """A browser that has asked, and where it was sent."""
    browser = Browser(world.app)
    return browser, browser.get(f"/sign-in{after}").header("location")


def came(world: World, issuer: Issuer, after: str = "") -> tuple[Browser, Answer]:
    """A browser that went to the provider and back."""
    browser, where = begun(world, after)
    return browser, browser.get(inside(issuer.approve(urlsplit(where).query)))


def inside(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}"


def refusals(world: World) -> list[tuple[str, str]]:
    return [(one.who, one.detail["why"]) for one in world.control.audit.page(99) if one.action == "access.refuse"]


def nobody_is_in(world: World, browser: Browser) -> bool:
    return browser.get("/queue").header("location").startswith("/login")


def test_somebody_comes_in_with_the_first_role_that_fits_and_is_led_on(world: World, issuer: Issuer) -> None:
    page = Browser(world.app).get("/login?next=/queue")
    assert 'href="/sign-in?next=/queue"' in page.text
    browser, answer = came(world, issuer, "?next=/queue")
    assert (answer.status, 'content="0; url=/queue"' in answer.text) == (200, True)
    assert "val.idator" in browser.get("/audit").text
    assert world.control.people.get("val.idator").role is Role.VALIDATOR
    opened, added, *_ = world.control.audit.page(2)
    assert (opened.action, opened.who, opened.detail) == ("session.open", "val.idator", {"issuer": issuer.address})
    assert (added.action, added.who, added.detail["role"]) == ("person.add", "provider", "validator")
    strict = [value for name, value in answer.headers if name == "set-cookie" and "temper_session" in value]
    assert "SameSite=strict" in strict[0]


def test_what_is_sent_out_is_a_code_with_pkce_and_no_secret(world: World, issuer: Issuer) -> None:
    (browser, where), (_, other) = begun(world), begun(world)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(where).query).items()}
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert asked["redirect_uri"] == issuer.settings().redirect
    assert "secret" not in where
    (kept,) = browser.cookies.values()
    assert not any(word in where for word in kept.split(":")[:1])
    assert all(asked[name] not in other for name in ("state", "nonce", "code_challenge"))


def test_another_role_at_the_provider_is_another_role_here_and_is_written_down(world: World, issuer: Issuer) -> None:
    first, _ = came(world, issuer)
    issuer.groups = "fraud desk"
    second, _ = came(world, issuer)
    assert world.control.people.get("val.idator").role is Role.ANALYST
    assert nobody_is_in(world, first), "what was begun as something else ends"
    assert second.get("/queue").status == 200
    (row,) = [one for one in world.control.audit.page(9) if one.action == "person.role"]
    assert (row.who, row.subject, row.detail) == ("provider", "val.idator", {"role": "analyst", "before": "validator"})


@pytest.mark.parametrize("groups", [(), None, "Validation", {"validation": True}, ["validation2"], 7, [["staff"]]])
def test_who_has_no_role_does_not_come_in(world: World, issuer: Issuer, groups: Any) -> None:
    issuer.groups = groups
    browser, answer = came(world, issuer)
    assert (answer.status, nobody_is_in(world, browser)) == (403, True)
    assert world.control.people.get("val.idator") is None
    assert refusals(world)[0][1] == "nothing that the provider says of you is a role here"


def test_a_name_of_here_is_not_taken_over_and_who_is_shut_out_stays_out(world: World, issuer: Issuer) -> None:
    issuer.who, issuer.groups = "ada", ["staff"]
    assert came(world, issuer)[1].status == 403
    assert world.control.people.get("ada").role is Role.ADMIN
    issuer.who = "eve"
    came(world, issuer)
    assert world.control.people.check("eve", "", NOW) is None
    assert world.control.people.check("eve", "nobody has this password", NOW) is None
    with pytest.raises(TemperError, match="signs in with a provider"):
        world.control.people.set_password("eve", PASSWORD, "ada", NOW)
    world.control.people.disable("eve", "ada", NOW)
    assert came(world, issuer)[1].status == 403
    issuer.who, issuer.claims = "renamed", {"sub": "sub-eve"}
    assert came(world, issuer)[1].status == 403, "the subject is who somebody is, not the name"
    issuer.claims = {"preferred_username": "a\u202eb"}
    assert came(world, issuer)[1].status == 422


def hs(told: dict[str, Any]) -> str:
    """Signed with what everybody knows: the public key of the provider as a secret."""
    said = packed({"alg": "HS256", "kid": "one"}, told)
    mark = hmac.digest(KEY.as_pem(private=False), said.encode(), "sha256")
    return f"{said}.{base64.urlsafe_b64encode(mark).rstrip(b'=').decode()}"


def unsigned(told: dict[str, Any]) -> str:
    return f"{packed({'alg': 'none', 'kid': 'one'}, told)}."


def packed(*parts: dict[str, Any]) -> str:
    return ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in parts)


def cut(told: dict[str, Any]) -> str:
    """The signature of another identity."""
    real = jwt.encode({"alg": "RS256", "kid": "one"}, told | {"sub": "somebody"}, KEY)
    wanted = jwt.encode({"alg": "RS256", "kid": "one"}, told, KEY)
    return f"{wanted.rpartition('.')[0]}.{real.rpartition('.')[2]}"


LIES: dict[str, dict[str, Any]] = {
    "another nonce": {"claims": {"nonce": "0" * 64}},
    "no nonce": {"claims": {"nonce": None}},
    "another audience": {"claims": {"aud": "payroll"}},
    "several audiences": {"claims": {"aud": ["temper", "payroll"]}},
    "another party": {"claims": {"azp": "payroll"}},
    "another issuer": {"claims": {"iss": "https://evil.example"}},
    "no subject": {"claims": {"sub": None}},
    "expired": {"claims": {"iat": int(NOW) - 500, "exp": int(NOW) - 61}},
    "no end": {"claims": {"exp": None}},
    "old": {"claims": {"iat": int(NOW) - 700}},
    "of tomorrow": {"claims": {"iat": int(NOW) + 700, "exp": int(NOW) + 900}},
    "not yet": {"claims": {"nbf": int(NOW) + 700}},
    "unsigned": {"make": unsigned},
    "signed with the public key": {"make": hs},
    "signed for another identity": {"make": cut},
    "no token at all": {"make": lambda told: "x.y"},
    "signed by another": {"key": OTHER},
    "signed by a key that is not published": {"key": OTHER, "header": {"alg": "RS256", "kid": "two"}},
}


@pytest.mark.parametrize("lie", LIES, ids=str)
def test_no_lie_comes_in(world: World, issuer: Issuer, lie: str) -> None:
    for name, value in LIES[lie].items():
        setattr(issuer, name, value)
    browser, answer = came(world, issuer)
    assert (answer.status, nobody_is_in(world, browser)) == (403, True)
    assert "You are not signed in" in answer.text
    assert world.control.people.get("val.idator") is None
    assert refusals(world)[0][0] == "provider"


def test_an_answer_opens_one_session_in_the_browser_that_asked(world: World, issuer: Issuer) -> None:
    issuer.once = False
    browser, where = begun(world)
    kept = dict(browser.cookies)
    back = inside(issuer.approve(urlsplit(where).query))
    thief, (other, _) = Browser(world.app), begun(world)
    assert thief.get(back).status == 403, "no sign-in was begun there"
    assert other.get(back).status == 403, "another one was"
    assert browser.get(back).status == 200
    assert browser.get(back).status == 403, "its secret is gone"
    again = Browser(world.app, cookies=kept)
    assert again.get(back).status == 403, "and put back it opens nothing either, though the provider says yes again"
    assert nobody_is_in(world, again)
    late, where = begun(world)
    world.clock.now += 601
    assert late.get(inside(issuer.approve(urlsplit(where).query))).status == 403


@pytest.mark.parametrize("more", ["&iss=https://evil.example", "&error=access_denied", "&code="])
def test_what_else_may_come_back_is_refused(world: World, issuer: Issuer, more: str) -> None:
    browser, where = begun(world)
    assert browser.get(inside(issuer.approve(urlsplit(where).query)) + more).status == 403


@pytest.mark.parametrize(
    "after", ["//evil.example", "https://evil.example", "/\\evil.example", '/"><script>', "/sign-in"]
)
def test_nobody_is_led_out_of_the_console(world: World, issuer: Issuer, after: str) -> None:
    browser, where = begun(world, f"?next={after}")
    assert where.startswith(f"{issuer.address}/ask?")
    (name, kept) = next(iter(browser.cookies.items()))
    browser.cookies[name] = ":".join([*kept.split(":")[:2], after])
    assert 'url=/"' in browser.get(inside(issuer.approve(urlsplit(where).query))).text


def test_a_new_key_is_looked_for_and_not_at_every_knock(world: World, issuer: Issuer) -> None:
    came(world, issuer)
    issuer.published, issuer.key, issuer.header = [KEY, OTHER], OTHER, {"alg": "RS256", "kid": "two"}
    assert came(world, issuer)[1].status == 403
    assert came(world, issuer)[1].status == 403
    assert issuer.seen.count("/keys") == 1
    world.clock.now += 61
    assert came(world, issuer)[1].status == 200
    assert issuer.seen.count("/keys") == 2


@pytest.mark.parametrize(
    "document",
    [{"issuer": "https://evil.example"}, {"token_endpoint": "http://id.example/token"}, {"jwks_uri": None}],
    ids=["another name", "an open line", "nothing"],
)
def test_a_provider_that_describes_itself_wrongly_is_not_asked(
    world: World, issuer: Issuer, document: dict[str, Any]
) -> None:
    issuer.document = document
    assert Browser(world.app).get("/sign-in").status == 503


def test_a_provider_that_is_gone_is_said_and_passwords_still_open(tmp_path: Path, issuer: Issuer) -> None:
    gone = replace(issuer.settings(), issuer="http://127.0.0.1:9")
    world = World.at(tmp_path, provider=Provider(settings=gone))
    assert Browser(world.app).get("/sign-in").status == 503
    assert Browser(world.app).login("ana").header("location") == "/queue"
    assert Browser(World.at(tmp_path).app).get("/sign-in").status == 404
    world.close()


SETTINGS = """
console:
  sign_in:
    issuer: https://id.bank.example/realms/risk
    client: temper
    redirect: https://console.bank.example/sign-in/back
    roles: {model-validation: validator, fraud-desk: analyst}
"""


def test_settings_are_read_and_what_would_be_open_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = sign_in_of(parse(SETTINGS))
    assert (found.role(["fraud-desk"]), found.role(["others"]), found.secret) == (Role.ANALYST, None, "")
    assert sign_in_of(parse("system: {name: x}")) is None
    for before, after, said in (
        ("https://id.bank", "http://id.bank", "expected https"),
        ("/sign-in/back", "/elsewhere", "has to end in /sign-in/back"),
        ("validator", "valuator", "did you mean 'validator'"),
        ("roles: {model-validation: validator, fraud-desk: analyst}", "claim: groups", "nobody could come in"),
        ("client: temper", "client: temper\n    secret: x", "unknown key 'secret'"),
        ("client: temper", "client: temper\n    secret_env: TEMPER_NO_SUCH", "TEMPER_NO_SUCH is not set"),
    ):
        with pytest.raises(ConfigError, match=said):
            sign_in_of(parse(SETTINGS.replace(before, after)))
    monkeypatch.setenv("TEMPER_SOME_SECRET", "s3cret")
    read = sign_in_of(parse(SETTINGS.replace("client: temper", "client: temper\n    secret_env: TEMPER_SOME_SECRET")))
    assert read.secret == "s3cret"
    assert "s3cret" not in repr(read)
