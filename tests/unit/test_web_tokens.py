"""Tokens of people's programs at the console: what they open, what they never do, and when they stop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from temper.core.errors import TemperError
from temper.core.review import RIGHTS, Forbidden, Right, Role
from temper.web.app import SCREENS
from unit.kept_runs import assessed
from unit.web_desk import NOW, PEOPLE, Answer, Browser, World

DAY = 86_400.0


@pytest.fixture
def world(place: str) -> Iterator[World]:
    with closing(World.at(place)) as found:
        yield found


def lent(world: World, person: str, *scopes: str, days: float = 30.0) -> str:
    return world.control.keys.lend(person, scopes, person, NOW, expires=NOW + days * DAY)


def ask(world: World, token: str, path: str, **said: str) -> Answer:
    """GET, or POST where something is said; nothing but the token goes with it."""
    headers = {"authorization": f"Bearer {token}"}
    if not said:
        return Browser(world.app).ask("GET", path, b"", headers)
    kind = {"content-type": "application/json"}
    return Browser(world.app).ask("POST", path, json.dumps(said).encode(), headers | kind)


def rows(world: World, many: int) -> list[tuple[str, str]]:
    return [(one.who, one.action) for one in world.control.audit.page(many)]


INCIDENT = {"title": "the queue grows", "severity": "major"}


def test_a_program_does_what_its_scopes_say_and_every_change_is_told_with_its_key(world: World) -> None:
    token = lent(world, "pia", "read", "respond")
    assert ask(world, token, "/api/v1/me").status == 200
    assert ask(world, token, "/api/v1/audit").status == 403, "she may, her program may not"
    assert rows(world, 1) == [("pia", "access.refuse")]
    answer = ask(world, token, "/api/v1/incidents", **INCIDENT)
    assert (answer.status, answer.header("set-cookie")) == (201, "")
    assert rows(world, 2) == [("pia", "incident.opened"), ("pia", "key.use")]
    used = world.control.audit.page(2)[1]
    assert (used.subject, used.detail) == (token.partition(".")[0], {"what": "POST /api/v1/incidents"})
    assert world.control.audit.verify() == []


def test_no_token_signs_in_decides_or_operates_whoever_it_belongs_to(tmp_path: Path) -> None:
    """Every address once, with every right: only those of programs are answered, and five of them change something."""
    world = World.at(tmp_path)
    number = world.case()
    token = lent(world, "ada", *Right)
    answered = set()
    for screen in SCREENS:
        path = screen.path.replace("{id:int}", "1")
        said = {} if screen.method == "GET" else {"version": "1", "verdict": "x"}
        answer = ask(world, token, path, **said)
        assert not answer.header("set-cookie"), screen
        if answer.status not in (401, 403, 415):
            answered.add((screen.method, screen.path))
    assert answered == {(one.method, one.path) for one in SCREENS if one.programs}
    changing = {path.removeprefix("/api/v1") for method, path in answered if method == "POST"}
    assert changing == {"/jobs", "/jobs/{id:int}/again", "/depths", "/incidents", "/incidents/{id:int}/notes"}
    assert world.control.reviews.get(number).owner is None


def test_a_bad_token_is_refused_whatever_cookie_comes_with_it(world: World) -> None:
    browser = world.browser("ada")
    word = browser.get("/queue").hidden("csrf")
    for token in ("", "x", "0123456789abcdef.x", "x" * 5_000, "ü"):
        headers = {"authorization": f"bearer {token}"}
        answer = browser.ask("GET", "/queue", b"", headers)
        assert (answer.status, answer.header("www-authenticate")) == (401, "Bearer")
        assert json.loads(answer.body)["heading"] == "No such token"
        assert browser.post("/incidents", {"csrf": word} | INCIDENT, **headers).status == 401
    assert not world.control.incidents.page()
    assert rows(world, 2)[0] == ("token", "access.refuse")
    assert rows(world, 2)[1] != ("token", "access.refuse"), "a minute has one row, however many knock"
    assert browser.ask("GET", "/queue", b"", {"authorization": "Basic YTpi"}).status == 200, "a proxy's own affair"


def test_a_cookie_stays_what_it_was_and_reads_no_plain_answers(tmp_path: Path) -> None:
    with assessed(tmp_path) as world:
        token = lent(world, "tess", "read", "order")
        form = {"key": "0123456789abcdef", "suite": "quick", "why": "release 12"}
        assert world.browser("tess").post("/jobs", form).status == 403, "a form without its word"
        answers = [json.loads(ask(world, token, "/api/v1/jobs", **form).body) for _ in "ab"]
        assert [one["id"] for one in answers] == [1, 1]
        job = json.loads(ask(world, token, "/api/v1/jobs/1").body)
        assert (job["by"], job["state"], job["verdict"]) == ("tess", "waiting", "")
        run = world.browser("vera").get("/runs").text.partition('href="/runs/')[2].partition('"')[0]
        found = ask(world, token, f"/api/v1/runs/{run}")
        assert json.loads(found.body)["format"] == "temper.report/1"
        assert world.browser("tess").get(f"/api/v1/runs/{run}").status == 401, "a cookie opens nothing of programs"


def test_a_token_ends_with_its_time_its_key_its_person_and_the_rights_of_their_role(world: World) -> None:
    control, token = world.control, lent(world, "ben", "read", "order", days=1.0)
    assert ask(world, token, "/api/v1/jobs/1/again", x="1").status == 404, "let in, and there is no such job"
    control.people.set_role("ben", Role.VIEWER, "ada", NOW)
    assert ask(world, token, "/api/v1/jobs/1/again", x="1").status == 403
    assert ask(world, token, "/api/v1/me").status == 200
    other = lent(world, "ben", "read")
    control.keys.revoke(other.partition(".")[0], "ada", NOW)
    assert ask(world, other, "/api/v1/me").status == 401
    world.clock.now += DAY
    assert ask(world, token, "/api/v1/me").status == 401
    world.clock.now = NOW
    control.people.disable("ben", "ada", NOW)
    assert ask(world, token, "/api/v1/me").status == 401


def test_nobody_is_lent_more_than_they_have(world: World) -> None:
    keys = world.control.keys
    for person, role in PEOPLE.items():
        for right in set(Right) - RIGHTS[role]:
            with pytest.raises(Forbidden):
                keys.lend(person, (right,), person, NOW, expires=NOW + DAY)
    with pytest.raises(Forbidden, match="takes the role admin"):
        keys.lend("ana", ("read",), "ben", NOW, expires=NOW + DAY)
    for scopes, end in (((), NOW + DAY), (("read",), NOW), (("read",), NOW + 400 * DAY), (("score",), NOW + DAY)):
        with pytest.raises(TemperError):
            keys.lend("ana", scopes, "ana", NOW, expires=end)
    assert keys.all() == []


def test_neither_kind_of_key_opens_the_others_door(world: World) -> None:
    keys = world.control.keys
    client = keys.add("shop", "ada", NOW, scopes=("score", "read", "order"))
    token = lent(world, "ana", "read")
    assert keys.holder(client, NOW) is None
    assert ask(world, client, "/api/v1/me").status == 401
    assert keys.snapshot().find(token, NOW) is None
    assert keys.snapshot().find(client, NOW) is not None
    with pytest.raises(TemperError, match="lent to a person"):
        keys.rotate(token.partition(".")[0], "ada", NOW, overlap=0.0)
    assert "programs of ana" in world.browser("ada").get("/keys").text


def test_the_secret_is_nowhere_in_the_store(world: World) -> None:
    token = lent(world, "ana", "read")
    held: list[Any] = [one.detail for one in world.control.audit.page(9)]
    with world.control._database.read() as tx:
        held += tx.all("SELECT * FROM access_key")
    assert token.partition(".")[0] in str(held)
    assert token.partition(".")[2] not in str(held)
