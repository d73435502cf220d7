"""Long runs of plain values are passed over by compiled code: what the scan says does not change by a word."""

from __future__ import annotations

import io
import pickle
import struct
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from temper.kernels._jit_pickle import characters
from temper.targets import _pickle
from temper.targets._pickle import read_pickle
from temper.targets._pickle_reading import Made, Reading
from temper.targets._pickle_run import Table
from temper.targets._unwrap import Limits, Purse, Refused, Stream
from temper.targets.artifact import scan
from unit.artifact_held_out import held_out
from unit.artifact_hostile import hostile
from unit.artifact_opcodes import name, text


def followed(content: bytes, monkeypatch: pytest.MonkeyPatch, fast: bool) -> Any:
    """Everything the scan keeps of a pickle: value, names, findings, characters, the refusal, what a whole one cost."""
    monkeypatch.setattr(_pickle, "worth", lambda opcodes: fast)
    purse = Purse(Limits())
    reading, refusal, value = Reading(purse, arrays=False), "", None
    try:
        value = read_pickle(Stream(io.BytesIO(content), purse), reading)
    except Refused as refused:
        refusal = str(refused)
    return plain(value), reading.names, reading.findings, reading.kept, refusal, refusal or purse._opcodes


def plain(value: Any) -> Any:
    """A value whose stand-ins compare by what they stand for."""
    if isinstance(value, Table):
        return {key: plain(item) for key, item in value.whole().items()}
    if isinstance(value, Made):
        return ("made", value.by, plain(value.arguments), plain(value.state))
    return tuple(map(plain, value)) if isinstance(value, tuple) else value


def same(content: bytes, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The answer, which is the same with and without the compiled reader."""
    slow, fast = (followed(content, monkeypatch, fast) for fast in (False, True))
    assert slow == fast
    return fast


SCALAR = name("numpy._core.multiarray", "scalar") + b"\x94" + name("numpy", "dtype") + text("i8") + b"\x85R\x94"
VALUES = (
    *(b"N", b"\x88", b"\x89", b"K\x07", b"M\x01\x02", b"J\x01\x02\x03\x04", b"G" + bytes(8)),
    *(b"\x8a\x02\x01\x02", b"C\x02ab", b"B" + struct.pack("<I", 3) + b"abc"),
    *(text("os"), text("system"), text("numpy"), text("é水"), b"\x8c\x02\xff\xfe", b"\x8c\x03\xed\xa0\x80"),
    *(b"X" + struct.pack("<I", n) + b"w" * n for n in (3, 300, 1500)),
    *(b"h" + bytes([n]) for n in (0, 1, 2, 3, 5, 9)),
    *(b"j" + struct.pack("<I", n) for n in (0, 4, 30)),
    *(b"h\x00h\x01C\x08" + bytes(8) + end for end in (b"\x86R", b"\x94\x86\x94R\x94", b"\x86R\x94")),
    *(b")", b"}", b"]", b"(", b"\x85", b"\x95" + bytes(8), b"cos\nsystem\n"),
)
KEPT = (b"", b"\x94", b"q\x05", b"q\x02", b"r\x07\x00\x00\x00")
ENDS = (b"u", b"e", b"\x90", b"t", b"l", b"d", b"")
TARGETS = (b"}", b"]", b"\x8f", b"N", b"", name("collections", "OrderedDict") + b")R", name("collections", "Counter"))
LATER = (
    b"",
    b"h\x05h\x06\x93",
    b"h\x02h\x03\x93)R",
    b"h\x04",
    b"\x85",
    b"}b",
    b"0h\x08",
    b"q\x01",
    b"q\x04h\x04",
    b"2",
)


@st.composite
def runs(draw: st.DrawFn) -> bytes:
    """Batches of values that keep and fetch, on every kind of target, and something that asks for them later."""
    content = SCALAR + b"\x94" * draw(st.integers(0, 1))
    for _ in range(draw(st.integers(1, 4))):
        content += draw(st.sampled_from(TARGETS)) + draw(st.sampled_from(KEPT[:3]))
        for _ in range(draw(st.integers(1, 3))):
            pairs = draw(st.lists(st.tuples(st.sampled_from(VALUES), st.sampled_from(KEPT)), max_size=6))
            content += b"(" + b"".join(value + kept for value, kept in pairs) + draw(st.sampled_from(ENDS))
        content += draw(st.sampled_from(LATER))
    return b"\x80\x04" + content + b"."


@settings(max_examples=400, deadline=None)
@given(content=runs())
def test_what_is_read_of_a_pickle_is_the_same(content: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        same(content, patch)


@settings(max_examples=100, deadline=None)
@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
), st.integers(0, 5))  # fmt: skip
def test_what_is_read_of_plain_data_is_the_same(data: Any, protocol: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        assert same(pickle.dumps([data, data, {"again": data}], protocol), patch)[4] == ""


@pytest.mark.filterwarnings("ignore")
def test_every_file_of_the_corpora_is_answered_in_the_same_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = []
    for number, file in enumerate(file for file in (*hostile(), *held_out()) if file.family != "bomb"):
        (tmp_path / str(number)).mkdir()
        files.append(tmp_path / str(number) / file.name)
        files[-1].write_bytes(file.content)
    texts = TfidfVectorizer(max_features=300).fit([" ".join(map(str, range(n, n + 50))) for n in range(400)])
    for compress in (0, 3):
        files += joblib.dump(texts, tmp_path / f"texts-{compress}.joblib", compress=compress)
    answers = []
    for fast in (False, True):
        monkeypatch.setattr(_pickle, "worth", lambda opcodes, fast=fast: fast)
        answers.append([scan(file) for file in files])
    assert answers[0] == answers[1]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=6) | st.text(max_size=6).map(lambda word: word.encode("utf-8", "surrogatepass")))
def test_characters_are_counted_as_python_does(content: bytes) -> None:
    try:
        expected = len(content.decode("utf-8", "surrogatepass"))
    except UnicodeDecodeError:
        expected = -1
    assert characters(np.frombuffer(content, np.uint8), 0, len(content)) == expected


def test_a_name_out_of_a_vocabulary_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries of the memo that were passed over are read when a name is made of them."""
    words = b"".join(text(word) + b"\x94K\x01" for word in ("a", "posix", "b", "system"))
    content = b"\x80\x04}\x94(" + words + b"u(" + text("c") + b"\x94K\x02u0h\x02h\x04\x93)R."
    value, names, *_ = same(content, monkeypatch)
    assert [str(name) for name in names] == ["posix.system"]
    assert value == ("made", next(iter(names)), (), None)


def test_a_vocabulary_is_not_followed_word_by_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 100,000 entries in 100 batches none is read until the table is asked for."""
    content = pickle.dumps({f"word{n}": n for n in range(100_000)}, 4)
    followed_again, replay = [], _pickle._Machine._replay
    monkeypatch.setattr(
        _pickle._Machine, "_replay", lambda self, batch: followed_again.append(batch.first) or replay(self, batch)
    )
    monkeypatch.setattr(_pickle, "worth", lambda opcodes: True)
    table = read_pickle(Stream(io.BytesIO(content), Purse(Limits())), Reading(Purse(Limits())))
    assert followed_again == []
    assert len(table) == 0
    assert table.whole() == {f"word{n}": n for n in range(100_000)}
