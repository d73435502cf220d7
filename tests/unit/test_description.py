"""The system around the model in temper.yaml: what is read, what follows, and every way to contradict oneself."""

from __future__ import annotations

import re

import pytest

from temper.config.description import described, exposed
from temper.config.document import Section
from temper.config.reading import parse
from temper.core.description import Control, Flow, Interface
from temper.core.errors import ConfigError
from temper.core.system import Exposure
from temper.core.threat import Actor

WHOLE = """
system: {name: card-fraud, purpose: stop fraud, harmed: "", reviewed: 2026-11-01}
exposure: {returns: score, personal_data: }
actors:
  - {name: fraudster, writes: [input, labels]}
  - {name: clerk, writes: [customer file]}
assets:
  - {name: customer file, personal: true}
interfaces:
  - {name: card API, returns: [label, score], public: true}
  - {name: batch, returns: score, public: false}
boundaries:
  - {name: bank, holds: [card API, batch, model, clerk]}
flows:
  - {from: fraudster, to: training data, carries: labels, told: disputes}
  - {from: card API, to: fraudster, carries: score}
controls:
  - {name: query limit, on: card API}
  - {name: night desk, answers: [evasion], note: calls back}
guard:
  stages: [rules, {egress: {clicks: 0}}]
"""


def said(text: str) -> Section:
    return parse(text, "temper.yaml")


def read(text: str):  # type: ignore[no-untyped-def]
    document = said(text)
    actors = tuple(Actor(name=s.text("name"), writes=s.texts("writes")) for s in document.sections("actors"))
    own = document.section("exposure")
    exposure = Exposure(
        returns=own.text("returns", "score"),
        public=own.flag("public", True),
        personal_data=own.flag("personal_data", True),
    )
    return described(document, actors, exposed(document, exposure))


def test_everything_that_was_written_is_read() -> None:
    found = read(WHOLE)
    assert found.interfaces == (
        Interface(name="card API", returns=("label", "score")),
        Interface(name="batch", returns=("score",), public=False),
    )
    assert found.flows[0] == Flow(source="fraudster", to="training data", carries="labels", told="disputes", known=True)
    assert found.controls[1] == Control(name="night desk", answers=("evasion",), note="calls back", line=19)
    assert [asset.name for asset in found.assets if asset.personal] == ["customer file"]
    assert found.boundaries[0].holds == ("card API", "batch", "model", "clerk")
    assert found.reviewed == "2026-11-01"


def test_an_empty_answer_is_none() -> None:
    found = read(WHOLE).answered
    assert found["system.purpose"] == "stop fraud"
    assert "system.harmed" not in found
    assert "exposure.personal_data" not in found
    assert {"exposure.returns", "guard.stages.rules", "guard.stages.egress", "actors.clerk"} <= set(found)


def test_only_what_was_said_of_the_system_changes_its_digest() -> None:
    first = read(WHOLE).digest
    assert read(WHOLE + "policy: default\n").digest == first
    assert read(WHOLE.replace("stop fraud", "stop theft")).digest != first
    assert read(WHOLE.replace("2026-11-01", "2026-11-02")).digest != first


def test_what_is_left_out_of_exposure_follows_from_interfaces() -> None:
    document = said(
        "interfaces:\n  - {name: a, returns: [label, explanation]}\n  - {name: b, returns: score, public: false}"
    )
    found = exposed(document, Exposure())
    assert (found.public, found.returns, found.explains) == (True, "label", True)
    shut = exposed(said("interfaces: [{name: b, returns: score, public: false}]"), Exposure())
    assert (shut.public, shut.returns) == (False, "score")
    assert exposed(said("system: {name: x}"), Exposure(returns="label")) == Exposure(returns="label")


CONTRADICTIONS = [
    ("actors: [{name: a, writes: [labls]}]", 1, "'a' writes the unknown asset 'labls'", "did you mean 'labels'?"),
    ("flows:\n  - {from: model, to: modle store, carries: x}", 2, "unknown element 'modle store'", "'model store'"),
    ("flows: [{from: nobody, to: model, carries: x}]", 1, "unknown element 'nobody'", "there are: input"),
    ("flows: [{from: model, to: model, carries: x}]", 1, "from 'model' to itself", "where it goes"),
    (
        "flows:\n  - {from: model, to: training, carries: x}\n  - {from: model, to: training, carries: x}",
        3,
        "is written twice",
        "drop one",
    ),
    ("interfaces:\n  - name: api\n    public: true", 2, "'api' does not say what it returns", "add `returns:`"),
    ("interfaces:\n  - name: api\n    returns: []", 3, "does not say what it returns", "label, score"),
    ("interfaces: [{name: api, returns: scores}]", 1, "cannot return 'scores'", "did you mean 'score'?"),
    (
        "exposure:\n  returns: score\ninterfaces: [{name: api, returns: label}]",
        2,
        "exposure.returns is score, yet the public interfaces return label",
        "write `returns: label`",
    ),
    (
        "exposure:\n  public: false\ninterfaces: [{name: api, returns: label, public: true}]",
        2,
        "exposure.public is false, yet the interface 'api' is public",
        "change one of them",
    ),
    (
        "exposure: {public: true}\ninterfaces: [{name: api, returns: label, public: false}]",
        1,
        "no interface is public, yet exposure.public is true",
        "follows from interfaces",
    ),
    (
        "exposure: {personal_data: false}\nassets:\n  - {name: files, personal: true}",
        3,
        "'files' is personal, yet exposure.personal_data is false (line 1)",
        "personal_data: true",
    ),
    ("assets: [{name: a}, {name: a}]", 1, "'a' is named twice", "rename"),
    ("actors:\n  - {name: a}\nassets:\n  - {name: a}", 4, "'a' is named twice, first on line 2", "rename"),
    ("interfaces: [{name: model, returns: label}]", 1, "'model' is the name of something else", "rename"),
    ("boundaries: [{name: b, holds: [modl]}]", 1, "the boundary 'b' holds 'modl'", "did you mean 'model'?"),
    (
        "boundaries:\n  - {name: b, holds: [model]}\n  - {name: c, holds: [model]}",
        3,
        "'model' lies in 'c' and in 'b'",
        "leave it in one",
    ),
    (
        "actors: [{name: a, writes: [input]}]\nflows: [{from: a, to: training data, carries: labels}]",
        2,
        "'a' reaches 'training data' by this flow, yet his `writes` does not name it",
        "add 'training data'",
    ),
    (
        "interfaces: [{name: api, returns: label}]\nflows: [{from: api, to: model, carries: score}]",
        2,
        "carries a score from 'api', which returns label",
        "add 'score'",
    ),
    ("controls: [{name: query limit, on: apo}]", 1, "a control stands on the unknown element 'apo'", "there are"),
    ("controls: [{nme: query limit}]", 1, "unknown key 'nme'", "did you mean 'name'?"),
    ("flows: [{from: model, too: training, carries: x}]", 1, "unknown key 'too'", "did you mean 'to'?"),
    ("system: {reviewed: yesterday}", 1, "expected a date", ""),
]


@pytest.mark.parametrize(("text", "line", "says", "fix"), CONTRADICTIONS, ids=[each[2] for each in CONTRADICTIONS])
def test_what_contradicts_itself_is_refused_with_line_and_fix(text: str, line: int, says: str, fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert caught.value.message.startswith(f"temper.yaml:{line}: "), caught.value.message
    assert says in caught.value.message
    assert fix in f"{caught.value.message} {caught.value.fix}"


def test_the_sound_twins_of_contradictions_are_accepted() -> None:
    """Each refusal is for what contradicts, not for what stands beside it."""
    read("exposure: {returns: label}\ninterfaces: [{name: api, returns: label}, {name: b, public: false}]")
    read("actors: [{name: a, writes: [training data]}]\nflows: [{from: a, to: training data, carries: labels}]")
    read("interfaces: [{name: api, public: false}]")
    read("exposure: {personal_data: false}\nassets: [{name: files}]")
    assert re.fullmatch("[0-9a-f]{64}", read("assets: [{name: files}]").digest)
