"""Rows brought as CSV: each seen by itself, hostile ones refused in one sentence, chosen ones kept, no formula out."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from temper.core.errors import SchemaError, TemperError
from temper.core.schema import Column
from temper.core.written import value_of
from temper.guard.serving.pasted import MOST_BYTES, MOST_ROWS, of_file, pasted
from temper.report.probes import table
from temper.threats import tried
from temper.web.form import parts
from temper.web.refused import Refused
from unit.bench_world import bench, draft, flagged
from unit.test_web_workbench import words
from unit.web_desk import NOW, Answer, Browser, World

GOOD = f"""row,amount,channel,limit
{flagged()},30,,
,50,online,3000
{flagged()},9000,,
,=1+1,chip,3000
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World.at(tmp_path, bench=bench())) as found:
        yield found


def test_each_line_is_the_row_that_is_edited_by_hand() -> None:
    first, new, broken, formula = pasted(bench(), GOOD.encode())
    by_hand, _ = bench().edited(bench().row(flagged()), {"amount": "30"})
    assert first.look == bench().look(by_hand)
    assert (first.line, first.start, first.look.outcome) == (2, f"row {flagged()}", "turned, and nothing stops it")
    assert new.look is not None
    assert (new.look.before, new.look.decided) == (None, "honest")
    assert broken.look is not None
    assert broken.look.broken[0] == "amount 9000 is outside [1, 5000]"
    assert formula.look is None
    assert formula.wrong == "amount cannot be '=1+1': write a number, or nothing for missing"


@pytest.mark.parametrize(
    "text", [GOOD.replace(",", ";"), GOOD.replace(",", "\t"), "\ufeff" + GOOD, GOOD.replace("\n", "\r\n")]
)
def test_spreadsheets_of_every_kind_are_read(text: str) -> None:
    assert [one.look for one in pasted(bench(), text.encode())] == [one.look for one in pasted(bench(), GOOD.encode())]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "nothing was brought"),
        (b" \n\n", "nothing was brought"),
        (b"amuont,limit\n1,2\n", "no column 'amuont'.*did you mean 'amount'"),
        (b"amount,amount\n1,2\n", "stands there twice"),
        (b"amount,limit\n1\n", "line 2 has 1 values, the first line names 2 columns"),
        (b"amount,limit\n1,2,3\n", "quotes round a value"),
        (b"amount,limit\n1,\x002\n", "a NUL"),
        (b"amount,limit\n1,\xff\xfe2\n", "byte 15 of what was brought is not UTF-8"),
        ("amount,limit\n1,2\n".encode("utf-16"), "is UTF-16, no CSV"),
        (b"PK\x03\x04xlsx", "is a spreadsheet, no CSV"),
        (b'amount,limit\n"1,2\n', "line 2 is no CSV"),
        (b'amount,limit\n"1"x,2\n', "line 2 is no CSV"),
        (b"amount,limit\n" + b"1,2\n" * (MOST_ROWS + 1), "more than 500 rows"),
        (b"amount,limit\n" + b"1" * MOST_BYTES, "has 1.0 MB"),
        (b"<script>alert(1)</script>,=cmd\n1,2\n", "no column"),
    ],
)
def test_a_hostile_paste_is_one_sentence(raw: bytes, said: str) -> None:
    with pytest.raises(TemperError) as refused:
        pasted(bench(), raw)
    import re

    assert re.search(said, str(refused.value).replace("\n", " "))
    assert len(str(refused.value)) < 300


def test_a_hundred_megabytes_are_not_even_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(TemperError, match="has 100 MB"):
        of_file(huge)
    with pytest.raises(TemperError, match="there is no file"):
        of_file(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("99999,1,chip,2000", "no held-out row 99999"),
        ("x,1,chip,2000", "'x' is no number"),
        (",1e999,chip,2000", "amount cannot be"),
        (',"1,5",chip,2000', "amount cannot be '1,5'"),
        (",1,@SUM(A1),2000", "write one of chip, online"),
    ],
)
def test_a_cell_that_cannot_be_read_is_told_of_its_line(line: str, said: str) -> None:
    (one,) = pasted(bench(), f"row,amount,channel,limit\n{line}\n".encode())
    assert one.look is None
    assert said in one.wrong


def test_a_comma_is_for_thousands_alone() -> None:
    number = Column(name="n")
    assert value_of(number, "-1,234,567.5") == -1_234_567.5
    for text in ("1,5", "12,34", "1,2345", ",5", "1,234,5"):
        with pytest.raises(SchemaError):
            value_of(number, text)


def test_a_new_row_gives_every_value() -> None:
    (one,) = pasted(bench(), b"amount,channel\n1,chip\n")
    assert "limit is not there" in one.wrong


def post(world: World, path: str = "/workbench/rows", **more: str) -> Answer:
    browser = world.browser("ana")
    page = browser.get("/workbench/rows")
    return browser.post(path, {name: page.hidden(name) for name in ("csrf", "key")} | {"text": GOOD} | more)


def test_rows_are_a_table_in_the_console_and_one_is_picked(world: World) -> None:
    page = post(world)
    told = words(page)
    for text in (
        "3 of 4 rows can be read",
        "turned, and nothing stops it",
        "amount 9000 is outside",
        "cannot be '=1+1'",
    ):
        assert text in told, text
    assert 'name="line-2"' in page.text
    assert f">\n{GOOD}</textarea>" in page.text, "it can be sent again, as a browser drops a first line break"
    assert 'name="line-5"' not in page.text
    picked = post(world, edit="2")
    assert f'name="start" value="row {flagged()}"' in picked.text
    assert 'name="c0" inputmode="decimal" autocomplete="off" maxlength="40" value="30"' in picked.text
    assert post(world, edit="77").status == 422
    assert "no column" in words(post(world, text="<script>alert(1)</script>,x\n1,2\n"))
    assert "<script>alert" not in post(world, text="<script>alert(1)</script>,x\n1,2\n").text
    assert post(world, file="not base64!").status == 422
    assert world.browser("vera").get("/workbench/rows").status == 403


def test_a_file_is_brought_like_a_paste(world: World) -> None:
    browser = world.browser("ana")
    page = browser.get("/workbench/rows")
    fields = {name: page.hidden(name) for name in ("csrf", "key")}
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    parts.append(f'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n{GOOD}\r\n--b--\r\n')
    kind = {"content-type": "multipart/form-data; boundary=b"}
    answer = browser.ask("POST", "/workbench/rows", "".join(parts).encode(), kind)
    assert "3 of 4 rows can be read" in words(answer)
    assert browser.ask("POST", "/workbench/rows", b"x" * 4_000_000, kind).status == 413


def test_a_stranger_sends_no_large_form_and_no_form_takes_long_to_read(world: World) -> None:
    kind = {"content-type": "multipart/form-data; boundary=b"}
    large = b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\n' + b"\n" * 100_000 + b"\r\n--b--\r\n"
    assert Browser(world.app).ask("POST", "/workbench/rows", large, kind).status == 413
    assert Browser(world.app).ask("POST", "/workbench/rows", large.replace(b"\n" * 99_000, b""), kind).status == 303
    assert world.browser("ana").ask("POST", "/workbench/rows", large, kind).status == 403, "read, and of another page"
    nested = (f'Content-Type: multipart/mixed; boundary="{at}"\r\n\r\n--{at}\r\n' for at in range(200))
    begun = time.process_time()
    with pytest.raises(Refused):
        parts(kind["content-type"], b"--b\r\n" + "".join(nested).encode() + b"\n" * 30_000)
    assert len(parts(kind["content-type"], large.replace(b"\n" * 100_000, b"\n" * 1_000_000))["text"]) == 1_000_000
    assert time.process_time() - begun < 1.0


def test_chosen_rows_are_kept_under_one_hypothesis_all_or_none(world: World) -> None:
    about = {"hypothesis": "small amounts pass", "technique": "AML.T0015"}
    assert post(world, "/probes/rows", **about).status == 422
    browser = world.browser("ana")
    page = browser.get("/workbench/rows")
    form = {name: page.hidden(name) for name in ("csrf", "key")} | {"text": GOOD, "line-2": "1", "line-4": "1"} | about
    assert [browser.post("/probes/rows", form).status for _ in "ab"] == [303, 303]
    kept = world.control.probes.page("payments", "ana")
    assert [one.probe.draft.look.outcome for one in kept] == ["breaks a rule", "turned, and nothing stops it"]
    assert {one.probe.draft.hypothesis for one in kept} == {"small amounts pass"}
    drafts = [draft(), replace(draft(), hypothesis="")]
    with pytest.raises(TemperError):
        world.control.probes.save_all("k", drafts, "ana", NOW)
    assert len(world.control.probes.page("payments", "ana")) == 2


def test_what_is_exported_holds_no_formula(world: World) -> None:
    probes = world.control.probes
    probes.save("a", draft('=HYPERLINK("http://evil")', amount="30"), "ana", NOW)
    probes.save("b", draft("-2+3", amount="40"), "ana", NOW)
    text = world.browser("ana").get("/probes/report?format=csv")
    assert "probes.csv" in text.header("content-disposition")
    one, two = csv.DictReader(io.StringIO(text.text))
    assert (one["hypothesis"], two["hypothesis"]) == ('\'=HYPERLINK("http://evil")', "'-2+3")
    assert (one["amount"], one["channel"] in ("chip", "online"), one["policy"]) == ("30", True, "temper.yaml")
    assert float(one["cost"]) > 0.0
    again = pasted(bench(), "\n".join(",".join(row) for row in _columns(text.text)).encode())
    assert [line.look.after for line in again if line.look] == [float(one["after"]), float(two["after"])]
    assert world.browser("ana").get("/probes/report?format=xlsx").status == 404
    document = tried.document("payments", probes.of("payments"), [], [], NOW)
    assert table(document).splitlines()[0].startswith("probe,author,made,hypothesis")


def _columns(text: str) -> list[list[str]]:
    names = bench().system.schema.names
    return [list(names), *([row[name] for name in names] for row in csv.DictReader(io.StringIO(text)))]
