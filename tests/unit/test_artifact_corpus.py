"""Two corpora: every hostile file is flagged, every ordinary one passes; and random disguises hide nothing."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts import allow_list
from temper.targets._allowed import FOLDER, dangerous, known
from temper.targets.artifact import scan
from unit import artifact_benign as benign
from unit.artifact_held_out import held_out
from unit.artifact_hostile import hostile
from unit.artifact_opcodes import File, calls, name, old_name, pickled, text, zipped

FILES = hostile()
FAMILIES = sorted({file.family for file in FILES})


def flagged(file: File, folder: Path) -> bool:
    path = folder / file.name
    path.write_bytes(file.content)
    return not scan(path).safe


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert (len(FILES), len(FAMILIES), len({file.id for file in FILES})) == (257, 19, 257)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_hostile_file_is_flagged(family: str, tmp_path: Path) -> None:
    files = [file for file in FILES if file.family == family]
    assert [file.id for file in files if not flagged(file, tmp_path)] == []


def test_every_file_by_another_hand_is_flagged(tmp_path: Path) -> None:
    files = held_out()
    assert len({file.id for file in files}) == 132
    assert {file.content for file in files}.isdisjoint(file.content for file in FILES)
    assert [file.id for file in files if not flagged(file, tmp_path)] == []


@pytest.mark.parametrize("part", benign.PARTS)
@pytest.mark.filterwarnings("ignore")
def test_ordinary_files_pass(part: str, tmp_path: Path) -> None:
    for library in {"native": ("catboost", "xgboost", "lightgbm"), "onnx": ("skl2onnx",)}.get(part, (part,)):
        if library not in ("estimators", "saved"):
            pytest.importorskip(library)
    reports = {path.name: scan(path) for path in benign.PARTS[part](tmp_path)}
    assert {name: (r.findings, r.needs_review) for name, r in reports.items() if not r.safe} == {}
    assert len(reports) >= {"estimators": 200, "saved": 80, "native": 30, "skops": 20, "torch": 8, "onnx": 5}[part]


@pytest.mark.filterwarnings("ignore")
def test_the_shipped_allow_list_is_that_of_the_installed_scikit_learn() -> None:
    import json

    import sklearn

    minor = ".".join(sklearn.__version__.split(".")[:2])
    file = FOLDER / f"scikit-learn-{minor}.json"
    if not file.exists():
        pytest.skip(f"no allow-list for scikit-learn {minor} is shipped: python scripts/allow_list.py writes it")
    shipped, found = (
        {(module, name) for module, listed in names.items() for name in listed}
        for names in (json.loads(file.read_text(encoding="utf-8")), allow_list.names())
    )
    assert found <= shipped
    # Some estimators draw from the global generator and do not always use the same helpers.
    assert len(shipped - found) <= 3


def test_nothing_on_the_allow_list_is_a_loader() -> None:
    import json

    for file in FOLDER.glob("*.json"):
        for module, names in json.loads(file.read_text(encoding="utf-8")).items():
            assert module.split(".")[0] == "sklearn"
            assert [name for name in names if name.startswith(("load", "fetch", "read", "open"))] == []
            assert all(known(module, name) and not dangerous(module, name) for name in names)


class Frames(io.RawIOBase):
    """A reader of lz4 frames that pack nothing (a block may be stored as it is), in the place of the package's."""

    def __init__(self, raw: Any) -> None:
        content, self._inside = raw.read(), io.BytesIO()
        at = 7
        while length := int.from_bytes(content[at : at + 4], "little") & 0x7FFFFFFF:
            self._inside.write(content[at + 4 : at + 4 + length])
            at += 4 + length
        self._inside.seek(0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._inside.readinto(buffer)


def test_lz4_is_looked_into_with_the_package_and_a_finding_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from temper.targets import _unwrap
    from unit.artifact_hostile import SYSTEM, _lz4

    for content, told in ((SYSTEM, ("it names posix.system",)), (pickled(b"N"), ())):
        path = tmp_path / "m.joblib"
        path.write_bytes(_lz4(content))
        monkeypatch.setattr(_unwrap.importlib.util, "find_spec", lambda name: None)
        assert "lz4" in scan(path).findings[0]
        monkeypatch.setattr(_unwrap.importlib.util, "find_spec", lambda name: name)
        monkeypatch.setattr(
            _unwrap.importlib, "import_module", lambda name: type("frame", (), {"LZ4FrameFile": Frames})
        )
        assert scan(path).findings == told
        monkeypatch.undo()


TARGETS = ["os system", "posix popen", "subprocess Popen", "builtins eval", "runpy run_path", "importlib import_module"]
PACKS = [bytes, gzip.compress, bz2.compress, lzma.compress, zlib.compress]
FILLING = [b"N", b"K\x07", text("word"), b"]", b"}", b"(K\x01K\x02t", calls("collections", "OrderedDict")]


@st.composite
def disguised(draw: st.DrawFn) -> bytes:
    """A call of a dangerous name, asked for in one of three ways, among harmless values, packed at random."""
    module, _, attribute = draw(st.sampled_from(TARGETS)).partition(" ")
    memo = text(module) + b"\x94" + text(attribute) + b"\x94" + b"00h\x00h\x01\x93"
    asked = draw(st.sampled_from([name(module, attribute), old_name(module, attribute), memo]))
    harm = asked + draw(st.sampled_from([b")R", b"K\x01\x85R", b")\x81", b")}\x92", b""]))
    before = b"".join(value + b"0" for value in draw(st.lists(st.sampled_from(FILLING), max_size=5)))
    after = draw(st.sampled_from([b"", b"0N", b"\x85", b"h\x000" if asked is memo else b"", b"]\x94q\x05"]))
    content = pickled(before if asked is not memo else b"", harm, after, protocol=draw(st.integers(3, 5)))
    for pack in draw(st.lists(st.sampled_from(PACKS), max_size=2)):
        content = pack(content)
    return zipped({draw(st.sampled_from(["data.pkl", "a", "x.npy"])): content}) if draw(st.booleans()) else content


@settings(max_examples=200, deadline=None)
@given(disguised())
def test_no_disguise_hides_a_dangerous_name(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "disguised.bin"
    path.write_bytes(content)
    assert any("it names" in finding for finding in scan(path).findings)


BOMB = """
import resource, sys, time
from temper.targets.artifact import scan
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.process_time()
report = scan(sys.argv[1])
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(int(not report.safe), grown // 1024, round(time.process_time() - start, 1))
"""
GIGABYTES = 2 << 30


def _sparse(path: Path, start: bytes, end: bytes) -> None:
    with path.open("wb") as file:
        file.write(start)
        file.truncate(GIGABYTES)
        file.seek(0, 2)
        file.write(end)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["bytes", "text", "objects", "zeros", "memo"])
def test_two_gigabytes_cost_little_memory_and_time(what: str, tmp_path: Path) -> None:
    """2 GB on disk or unfolded: the scan grows by less than 600 MB and ends within a minute."""
    path = tmp_path / "bomb.pkl"
    length = (GIGABYTES - 20).to_bytes(8, "little")
    if what in ("bytes", "text"):
        _sparse(path, b"\x80\x04" + (b"\x8e" if what == "bytes" else b"\x8d") + length, b"0c")
    elif what == "zeros":
        path.write_bytes(zlib.compress(b"\x80\x04\x8e" + (1 << 31).to_bytes(8, "little") + bytes(1 << 28), 9))
    else:
        path.write_bytes(b"\x80\x04" + (b"}" if what == "objects" else b"}\x940") * 8_000_000 + b".")
    ran = subprocess.run(
        [sys.executable, "-c", BOMB, str(path)], capture_output=True, text=True, timeout=120, check=True
    )
    found, grown, seconds = ran.stdout.split()
    assert found == "1"
    assert int(grown) < 600
    assert float(seconds) < 60
