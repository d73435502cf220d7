"""Text in data that wants to act: it shows as text in the terminal, in HTML, JUnit and SARIF; secrets never show."""

import json
import os
import re
import shutil
import xml.etree.ElementTree as ElementTree
from unittest import mock

import pytest

from scenarios.story import Desk, Folder, fixed, refused, typed
from temper.engine.task import SUITES

SCRIPT = "<script>alert(1)</script>"
HIDDEN = "]]><x/>&lt;"
CLEARS = "\x1b[2J\x1b]0;owned\x07"
BRACKETS = "[bold red]PASS[/bold red]"
LINK = "javascript:alert(1)"
TURNED = "safe\u202egnp.exe"
FORGED = "ok\n::error file=x::forged"
HOSTILE = (SCRIPT, HIDDEN, CLEARS, BRACKETS, LINK, TURNED, FORGED)


@pytest.fixture(scope="module")
def hostile(written, tmp_path_factory):
    """The payments again, with hostile names of a category, of the system and of its requirement."""
    import yaml

    system = Folder(shutil.copytree(written, tmp_path_factory.mktemp("hostile") / "bank"))
    for part in ("test", "train"):
        frame = system.frame(part)
        frame["merchant_category"] = frame["merchant_category"].astype(object).map(renamed).astype(object)
        system.write(frame, part)
    document = yaml.safe_load(system.config.read_text(encoding="utf-8"))
    category = document["schema"]["columns"]["merchant_category"]
    category["categories"] = [renamed(name) for name in category["categories"]]
    document["schema"]["columns"]["age_band"]["sensitive"] = False
    category["sensitive"] = True  # so that the groups of the fairness check carry the names
    document["system"] |= {"name": f"bank {SCRIPT}{CLEARS}{BRACKETS}", "purpose": FORGED, "harmed": TURNED}
    document["policy"] = [
        {"id": f"holds {SCRIPT}", "metric": "evasion.*.success_rate", "at_most": 0.01, "reason": f"{HIDDEN}{CLEARS}"},
        {"id": f"fair {BRACKETS}", "metric": "fairness.*", "at_most": 0.01, "reason": f"{LINK} {FORGED}"},
    ]
    system.config.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return system


NAMES = ("grocery", "fuel", "restaurant", "fashion", "electronics", "travel", "digital", "cash")


def renamed(name):
    """The first categories become hostile, the others stay; positions stay, so the model is as good as before."""
    at = NAMES.index(name)
    return HOSTILE[at] if at < len(HOSTILE) else name


@pytest.fixture(scope="module")
def assessed(hostile, sizes):
    with mock.patch.dict(SUITES, quick=sizes), mock.patch.dict(os.environ, COLUMNS="200"):
        told = Desk(typed).assess(hostile, "--only", "evasion.coordinate", "--only", "validation.fairness")
    assert told.code == 1, told.all
    return hostile, told


def report(desk, system, form):
    told = desk("report", "-c", system.config, "--format", form)
    assert told.code == 0, told.all
    return told.out


ACTS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


def test_nothing_in_the_data_acts_on_the_terminal(assessed):
    _, told = assessed
    assert not ACTS.search(told.all), ACTS.findall(told.all)
    assert BRACKETS in told.out  # shown as it is written, not taken for markup
    assert not re.search(r"^::error", told.all, re.MULTILINE)
    assert "alert(1)" in told.out


def test_the_page_shows_hostile_text_as_text(desk, assessed):
    system, _ = assessed
    page = report(desk, system, "html")
    assert SCRIPT not in page
    assert "&lt;script&gt;alert(1)" in page
    assert not re.search(r"(href|src|on\w+)\s*=\s*[\"']?\s*javascript:", page, re.IGNORECASE)
    assert not ACTS.search(page)


def test_junit_stays_well_formed_and_says_the_names(desk, assessed):
    system, _ = assessed
    root = ElementTree.fromstring(report(desk, system, "junit"))
    names = [case.get("name") for case in root.iter("testcase")]
    assert any(SCRIPT in name for name in names), names
    assert not list(root.iter("x"))


def test_sarif_and_json_hold_the_text_as_strings(desk, assessed):
    system, _ = assessed
    for form in ("sarif", "json"):
        text = report(desk, system, form)
        json.loads(text)
        assert not ACTS.search(text)


def test_a_hostile_name_in_a_refusal_does_not_act_on_the_terminal(desk, system):
    frame = system.frame()
    frame["channel"] = frame["channel"].astype(object)
    frame.loc[3, "channel"] = CLEARS + TURNED
    told = desk.assess(system.write(frame))
    refused(told, "channel", "row 3")
    assert not ACTS.search(told.all)


def test_a_model_whose_complaint_is_hostile_does_not_act_on_the_terminal(desk, system):
    system.function(f"def answer(x):\n    raise ValueError({CLEARS + TURNED!r})\n")
    told = desk.assess(system)
    refused(told, "ValueError")
    assert not ACTS.search(told.all)


SECRET = "hunter2-sEcReT"


@pytest.fixture
def served():
    """A model behind an address that asks for a password in the URL."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            rows = asked["rows"]
            body = json.dumps({"scores": [[0.7, 0.3] if row["amount"] < 50 else [0.2, 0.8] for row in rows]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *parts):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def everything(system):
    """Every byte that was written beside the temper.yaml."""
    files = [path for path in system.path.rglob("*") if path.is_file() and path != system.config]
    return {path.relative_to(system.path): path.read_bytes() for path in files}


def remote(system, url):
    return system.model(
        f'url: "{url}", kind: probabilities, threshold: 0.5, version: "1", authorised_by: "the bank, today"'
    )


def test_a_password_in_a_url_is_refused_without_repeating_it(desk, system):
    told = desk.assess(remote(system, f"http://risk:{SECRET}@127.0.0.1:9/score"))
    fixed(told, "password")
    assert SECRET not in told.all


def test_a_token_in_a_url_is_written_nowhere(desk, system, served):
    remote(system, f"http://127.0.0.1:{served}/score?token={SECRET}")
    told = desk.assess(system, "--only", "evasion.noise", "--only", "validation.performance")
    assert told.code in (1, 3), told.all
    assert SECRET not in told.all
    assert [path for path, content in everything(system).items() if SECRET.encode() in content] == []


def test_a_token_in_a_url_that_does_not_answer_is_not_repeated(desk, system):
    told = desk.assess(remote(system, f"http://127.0.0.1:9/score?token={SECRET}"))
    refused(told, "127.0.0.1", code=told.code)
    assert told.code in (2, 4)
    assert SECRET not in told.all


def test_the_environment_is_written_nowhere(desk, system, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    desk.assess(system, "--only", "validation.performance")
    for form in ("html", "json", "junit", "sarif"):
        assert SECRET not in report(desk, system, form)
    assert [path for path, content in everything(system).items() if SECRET.encode() in content] == []


def test_a_remote_model_is_not_touched_without_permission(desk, system, served):
    system.model(f'url: "http://127.0.0.1:{served}/score", kind: probabilities, threshold: 0.5')
    refused(desk.assess(system), "authorised_by")
