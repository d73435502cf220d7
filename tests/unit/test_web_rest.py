"""The control plane for programs: what is given is what is described, and nothing that comes in makes it fail."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.request import Request

import pytest
from jsonschema import Draft202012Validator

from temper.core.depth import Depth, Layer, Limits, Share, Worth
from temper.core.probe import Draft, Look, Severity, Subject, Told
from temper.core.requirement import Verdict
from temper.core.review import Right
from temper.store.codec import wrap
from temper.store.database import Store
from temper.store.depths import FORMAT, TASK
from temper.web.rest.openapi import document
from temper.web.rest.table import RESOURCES
from unit.bench_world import draft
from unit.kept_runs import assessed
from unit.test_web_tokens import INCIDENT, ask, lent
from unit.web_desk import NOW, Answer, Browser, World

ROOT = Path(__file__).parents[2]
DOCUMENT = document(RESOURCES)
ORDER = {"key": "0123456789abcdef", "suite": "quick", "why": "release 12"}
HALF = Share(value=0.5, low=0.25, high=0.75, n=8)
WORTH = Worth(alone=HALF, margin=HALF, part=HALF)
DEPTH = Depth(
    system="card-fraud",
    layers=(Layer(name="anomaly", fixed=WORTH, known=None, refused=HALF, asked=HALF),),
    **dict.fromkeys(("fixed", "unattended", "refused", "asked"), HALF),
    known=None,
    bare=None,
    limits=Limits(),
    verdict=Verdict.FAIL,
    at=NOW,
)
TALK = Draft(
    system="card-fraud",
    hypothesis="it falls later",
    subject=Subject(origin="a conversation of 2 turns", text=(("user", "a"), ("assistant", "b"), ("user", "c"))),
    look=Look(after=None, decided="", told=(Told(stage="rules", mode="enforce", level="ALLOW"),), earlier=((),)),
)


@dataclass(frozen=True, slots=True)
class Program:
    """Somebody's program with every right, at a console over the runs in this folder."""

    world: World
    token: str
    folder: Path

    def ask(self, path: str, **said: str) -> Answer:
        return ask(self.world, self.token, f"/api/v1{path}", **said)

    def told(self, path: str) -> Any:
        return json.loads(self.ask(path).body)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("rest")
    with assessed(folder) as world:
        found = Program(world, lent(world, "ada", *Right), folder)
        for path, said in (("/jobs", ORDER), ("/depths", ORDER), ("/incidents", INCIDENT)):
            assert found.ask(path, **said).status == 201
        world.control.probes.save("t", TALK, "ana", NOW)
        world.control.probes.save("r", replace(draft(amount="30"), system="card-fraud"), "ada", NOW)
        world.control.probes.rate(2, Severity.MAJOR, "a loss", "ben", NOW)
        for key, at in (("d0", NOW - 9.0), ("d1", NOW), ("d2", NOW - 5.0)):
            Store.open(folder).save_task(key, TASK, wrap(FORMAT, replace(DEPTH, at=at)))
        yield found


def schema(of: Any) -> Draft202012Validator:
    return Draft202012Validator(of | {"components": DOCUMENT["components"]})


READS = [one for one in RESOURCES if one.method == "GET"]


@pytest.mark.parametrize("resource", READS, ids=lambda one: one.path)
def test_what_is_given_is_what_is_described(program: Program, resource: Any) -> None:
    run = program.told("/runs")["items"][0]["run"]
    path = resource.path.replace("{id:int}", "1").replace("{run}", run).replace("{depth}", "d1")
    described = DOCUMENT["paths"]["/api/v1" + resource.path.replace(":int", "")]["get"]
    answer = program.ask(path)
    if resource.path == "/approvals/{id:int}":
        assert (answer.status, json.loads(answer.body)["status"]) == (422, 422), "nothing is up for approval"
        return
    assert answer.status == 200, answer.text
    assert answer.header("content-type") == "application/json"
    schema(described["responses"]["200"]["content"]["application/json"]["schema"]).validate(json.loads(answer.body))


def test_the_description_is_valid_and_names_a_right_for_every_operation() -> None:
    operations = [one for path in DOCUMENT["paths"].values() for one in path.values()]
    assert len({one["operationId"] for one in operations}) == len(operations) == len(RESOURCES)
    for one in operations:
        assert one["security"][0]["token"][0] in set(Right)
    for kind in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(kind)
        assert kind["description"][-1] == "."


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/jobs", b"{"),
        ("/jobs", b"[]"),
        ("/jobs", b'{"key": 7}'),
        ("/jobs", b'{"key": "0123456789abcdee", "suite": "endless", "why": "x"}'),
        ("/jobs", b'{"key": "0123456789abcdee", "suite": "quick", "why": " "}'),
        ("/jobs", b'{"key": "0123456789abcdee", "suite": "quick", "why": "x", "only": ["<b>"]}'),
        ("/depths", b'{"key": "0123456789abcdee", "suite": "quick", "why": "x", "through": 1.5}'),
        ("/depths", b'{"key": "0123456789abcdee", "suite": "quick", "why": "x", "through": null}'),
        ("/depths", b'{"key": "0123456789abcdee", "suite": "endless", "why": "x"}'),
        ("/incidents", b'{"title": "", "severity": "major"}'),
        ("/incidents", b'{"title": "x", "severity": "endless"}'),
        ("/incidents/1/notes", b'{"text": "' + b"x" * 3_000 + b'"}'),
        ("/incidents/1/notes", b"\xff\xfe"),
    ],
)
def test_what_is_not_taken_is_refused_in_words_and_changes_nothing(program: Program, path: str, body: bytes) -> None:
    before = (program.told("/jobs"), program.told("/incidents/1"))
    headers = {"authorization": f"Bearer {program.token}", "content-type": "application/json"}
    answer = Browser(program.world.app).ask("POST", f"/api/v1{path}", body, headers)
    assert answer.status == 422, answer.text
    schema(DOCUMENT["components"]["schemas"]["Refusal"]).validate(json.loads(answer.body))
    assert (program.told("/jobs"), program.told("/incidents/1")) == before


def test_a_list_is_read_in_pieces_and_by_what_is_asked_for(program: Program) -> None:
    every = program.told("/runs")
    assert [program.told(f"/runs?limit=1&offset={at}")["items"][0] for at in range(every["total"])] == every["items"]
    failed = program.told("/runs?verdict=fail")
    assert 0 < failed["total"] < every["total"]
    assert {one["verdict"] for one in failed["items"]} <= {"fail", "inconclusive"}
    assert program.told("/runs?limit=x")["status"] == 422
    assert program.told("/runs/none")["status"] == 404
    assert program.told("/incidents?open=1")[0]["title"] == INCIDENT["title"]


def test_layers_are_ordered_once_beside_assessments_and_measurements_are_read(program: Program) -> None:
    before = program.told("/jobs")
    weighed = json.loads(program.ask("/depths", **ORDER).body)
    assert program.told("/jobs") == before, "the same key orders once"
    order = program.world.control.jobs.get(weighed["id"]).order
    assert (order.depth, order.only, weighed["why"]) == (Limits(), (), "release 12")
    assert weighed["id"] != json.loads(program.ask("/jobs", **ORDER).body)["id"], "an assessment is another order"
    assert [one["id"] for one in program.told("/depths")] == ["d1", "d2", "d0"], "the newest first"
    assert [one["id"] for one in program.told("/depths?limit=1&offset=1")] == ["d2"]
    assert program.told("/depths?system=other") == []
    assert program.told("/depths")[0]["through"] == {"value": 0.5, "low": 0.25, "high": 0.75, "n": 8}
    whole = program.told("/depths/d1")
    assert (whole["format"], whole["verdict"]) == ("temper.depth/1", "fail")
    assert program.told("/depths/none")["status"] == 404
    reader = lent(program.world, "ada", "read")
    assert ask(program.world, reader, "/api/v1/depths", **ORDER).status == 403


def test_probes_are_told_as_their_pages_tell_them(program: Program) -> None:
    row, talk = program.told("/probes")
    assert (row["author"], row["blind"], row["ratings"][0]["person"]) == ("ada", False, "ben")
    assert row["changes"][0] == {"column": "amount", "before": row["changes"][0]["before"], "after": "30.00"}
    assert (talk["author"], talk["blind"], talk["ratings"]) == ("", True, []), "she may still rate it"
    assert [[words["who"] for words in turn["said"]] for turn in talk["turns"]] == [["user", "assistant"], ["user"]]
    assert [one["name"] for one in talk["turns"][1]["stages"]] == ["rules"]
    viewer = json.loads(ask(program.world, lent(program.world, "vera", "read"), "/api/v1/probes/2").body)
    assert viewer["author"] == "ada"
    assert program.told("/probes/77")["status"] == 404


def test_nobody_without_a_token_is_told_anything(program: Program) -> None:
    for one in RESOURCES:
        answer = Browser(program.world.app).ask(one.method, "/api/v1" + one.path.replace("{id:int}", "1"))
        assert (answer.status, answer.header("www-authenticate")) == (401, "Bearer"), one.path


def test_no_place_of_this_machine_is_told(program: Program) -> None:
    said = json.dumps([program.told(one.path) for one in READS if "{" not in one.path])
    assert str(program.folder) not in said


def test_the_example_of_a_client_orders_once_waits_and_ends_with_the_verdict(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    order = runpy.run_path(str(ROOT / "examples" / "client" / "order.py"))
    run = program.told("/runs?verdict=fail")["items"][0]["run"]
    jobs = program.world.control.jobs

    def send(request: Request) -> bytes:
        if request.get_method() == "GET" and "/jobs/" in request.full_url and (job := jobs.claim("w1", NOW)):
            jobs.end(job, 1, {"run": run, "verdict": "fail"}, "", NOW)
        headers = {"authorization": request.headers["Authorization"], "content-type": "application/json"}
        path = request.full_url.removeprefix("http://console")
        return Browser(program.world.app).ask(request.get_method(), path, request.data or b"", headers).body

    client = order["Client"]("http://console", program.token, send)
    for _ in range(2):
        while (job := jobs.claim("w1", NOW)) and job.order.why != "release 13":
            jobs.end(job, 0, {"run": run, "verdict": "pass"}, "", NOW)
        if job:
            jobs.leave(job, NOW)
        assert order["main"](client, "release 13", every=0.0) == 1
    said = capsys.readouterr().out
    assert said.count(f"run {run}: FAIL") == 2
    assert f"temper replay {program.told(f'/runs/{run}/findings')[0]['id']}" in said
    assert len([one for one in program.told("/jobs") if one["why"] == "release 13"]) == 1


def test_the_example_of_a_client_weighs_layers_and_reads_probes(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    order = runpy.run_path(str(ROOT / "examples" / "client" / "order.py"))
    jobs = program.world.control.jobs

    def send(request: Request) -> bytes:
        while request.get_method() == "GET" and "/jobs/" in request.full_url and (job := jobs.claim("w2", NOW)):
            jobs.end(job, 1, {"depth": "d1", "verdict": "fail"}, "", NOW)
        headers = {"authorization": request.headers["Authorization"], "content-type": "application/json"}
        path = request.full_url.removeprefix("http://console")
        return Browser(program.world.app).ask(request.get_method(), path, request.data or b"", headers).body

    client = order["Client"]("http://console", program.token, send)
    assert order["layers"](client, "release 14", every=0.0) == 1
    assert order["probes"](client, "") == 1
    said = capsys.readouterr().out
    assert "anomaly: FAIL\n  50.0% (25.0% to 75.0%, n = 8) of attacks get through" in said
    assert "probe 2: a small amount passes (held-out row" in said
    assert "probe 1: it falls later" in said
