"""The scanner: harmless stand-ins for payloads are found wherever they hide, ordinary models pass, nothing is run."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import struct
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from temper.core.errors import ContractError
from temper.targets import open_target
from temper.targets._unwrap import Limits
from temper.targets.artifact import scan

X = np.random.default_rng(5).normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)


class Call:
    """Pickles to a call of `function` with `arguments`; every function used here is harmless, and none is ever run."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> Any:
        return self.function, self.arguments


def text(module: str, name: str, argument: str = "I1\n") -> bytes:
    """A protocol 0 pickle that calls module.name(argument)."""
    return f"c{module}\n{name}\n({argument}tR.".encode()


def named(module: str, name: str) -> bytes:
    """A protocol 4 pickle that calls module.name(1) by STACK_GLOBAL."""

    def short(word: str) -> bytes:
        return b"\x8c" + bytes([len(word)]) + word.encode()

    return b"\x80\x04" + short(module) + short(name) + b"\x93K\x01\x85R."


def put(tmp_path: Path, content: bytes, name: str = "m.pkl") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


PAYLOADS = {
    "builtin": pickle.dumps(Call(eval, "1 + 1")),
    "old protocol": pickle.dumps(Call(eval, "1 + 1"), protocol=0),
    "python 2 name": text("__builtin__", "eval", "S'1'\n"),
    "renamed module": text("commands", "getoutput", "S'true'\n"),
    "os": named("os", "getcwd"),
    "posix": named("posix", "getpid"),
    "subprocess": named("subprocess", "Popen"),
    "importlib": named("importlib", "import_module"),
    "joblib load": named("joblib", "load"),
    "numpy load": named("numpy", "load"),
    "pandas": named("pandas", "read_pickle"),
    "logging": named("logging.config", "dictConfig"),
    "dotted": named("sklearn.datasets._base", "os.getpid"),
    "dotted builtin": named("builtins", "str.format"),
    "operator": named("operator", "attrgetter"),
    "inst": b"(S'1'\nios\ngetcwd\n.",
    "obj": b"(cos\ngetcwd\nI1\no.",
    "newobj": b"\x80\x02cos\ngetcwd\nI1\n\x85\x81.",
    "second pickle": pickle.dumps([1, 2]) + pickle.dumps(Call(eval, "1")),
    "inside a model": pickle.dumps({"model": LogisticRegression(), "more": Call(eval, "1")}),
    "extension": b"\x80\x02\x82\x01.",
    "persistent": b"\x80\x02Vx\nQ.",
    "call of a call": b"cnumpy\ndtype\nS'f8'\n\x85RI1\n\x85R.",
    "computed name": b"\x80\x04K\x01K\x02\x93.",
    "changes a class": b"\x80\x02cnumpy\nndarray\n}b.",
    "fills a class": b"\x80\x02cnumpy\nndarray\nI1\nI2\ns.",
    "cut off": pickle.dumps(list(range(50)))[:-5],
    "no pickle": b"hello world, this is no model",
    "empty": b"",
    "buffer": b"\x80\x05\x97.",
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_payload_is_a_finding(name: str, tmp_path: Path) -> None:
    report = scan(put(tmp_path, PAYLOADS[name]))
    assert report.findings
    assert not report.safe


@pytest.mark.parametrize("name", ["builtin", "os", "joblib load", "dotted"])
@pytest.mark.parametrize(
    "pack",
    [gzip.compress, bz2.compress, lzma.compress, zlib.compress, lambda raw: zlib.compress(gzip.compress(raw))],
    ids=["gzip", "bz2", "xz", "zlib", "twice"],
)
def test_compression_hides_nothing(name: str, pack: Any, tmp_path: Path) -> None:
    assert any("it names" in text for text in scan(put(tmp_path, pack(PAYLOADS[name]), "m.joblib")).findings)


@pytest.mark.parametrize("member", ["data.pkl", "weights", "model/part.bin", "a.npy"])
def test_archives_hide_nothing(member: str, tmp_path: Path) -> None:
    content = io.BytesIO()
    payload = pickle.dumps(Call(eval, "1"))
    if member == "a.npy":
        np.save(content, np.array([1, "x"], dtype=object), allow_pickle=True)
        payload = content.getvalue()[: content.getvalue().index(b"\n") + 1] + payload
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        archive.writestr(member, payload)
    assert any("eval" in text for text in scan(tmp_path / "m.pt").findings)


def test_a_payload_behind_an_array_is_found(tmp_path: Path) -> None:
    joblib.dump([np.arange(1000.0), Call(eval, "1")], tmp_path / "m.joblib")
    assert any("eval" in text for text in scan(tmp_path / "m.joblib").findings)
    joblib.dump(np.array([Call(eval, "1"), 2], dtype=object), tmp_path / "o.joblib")
    assert any("eval" in text for text in scan(tmp_path / "o.joblib").findings)


def test_opcodes_dressed_up_as_an_array_are_found(tmp_path: Path) -> None:
    """To joblib these bytes are numbers; whoever loads the same file with pickle would run them."""
    joblib.dump(np.zeros(64, dtype=np.uint8), tmp_path / "m.joblib")
    content = (tmp_path / "m.joblib").read_bytes()
    key = b"numpy_array_alignment_bytes"
    padding = content.index(b"b", content.rindex(key) + len(key)) + 1
    assert scan(tmp_path / "m.joblib").safe
    hidden = b"0" + text("builtins", "eval", "S'1'\n")  # joblib: 48 bytes of padding, for "0" is 48
    put(tmp_path, content[:padding] + hidden.ljust(1 + 48 + 64, b"\0") + b".", "n.joblib")
    assert joblib.load(tmp_path / "n.joblib").shape == (64,)
    assert scan(tmp_path / "n.joblib").findings == ("it names builtins.eval",)


def wrapper(hidden: bytes) -> bytes:
    """Opcodes of a joblib wrapper whose "array" of bytes is `hidden`, which pickle itself takes for opcodes."""
    made = b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81"
    dtype = b"cnumpy\ndtype\nX\x02\x00\x00\x00u1\x85R"
    shape = b"X\x05\x00\x00\x00shape" + b"K" + bytes([len(hidden)]) + b"\x85"
    return made + b"}(" + shape + b"X\x05\x00\x00\x00dtype" + dtype + b"ub" + hidden


HIDDEN = b"0cmycompany.tools\nrun\n)R"


def test_what_pickle_itself_would_see_is_seen_where_joblib_hands_over_to_it(tmp_path: Path) -> None:
    """An array of objects behind a plain array, in an .npy and in a torch archive: none of them is read by joblib."""
    joblib.dump([np.zeros(3), np.array([None, 1], dtype=object)], tmp_path / "m.joblib")
    content = (tmp_path / "m.joblib").read_bytes()
    inner = content.index(b"\x80", content.rindex(b"numpy_array_alignment_bytes"))
    end = content.index(b".", inner) + 1
    hostile = content[:inner] + b"\x80\x04" + wrapper(HIDDEN) + b"." + content[end:]
    assert scan(put(tmp_path, hostile, "n.joblib")).needs_review == ("mycompany.tools.run",)
    array = io.BytesIO()
    np.save(array, np.array([None], dtype=object), allow_pickle=True)
    head = array.getvalue()[: array.getvalue().index(b"\n") + 1]
    report = scan(put(tmp_path, head + b"\x80\x04" + wrapper(HIDDEN) + b".", "a.npy"))
    assert report.needs_review == ("mycompany.tools.run",)
    with zipfile.ZipFile(tmp_path / "t.pt", "w") as archive:
        archive.writestr("t/data.pkl", b"\x80\x04" + wrapper(HIDDEN) + b".")
    assert scan(tmp_path / "t.pt").needs_review == ("mycompany.tools.run",)


def test_a_magic_that_is_a_pickle_too_is_followed_as_one(tmp_path: Path) -> None:
    """CBM1 begins a CatBoost model, and for pickle a text of 66 bytes."""
    content = b"CBM1" + bytes(4) + bytes(60) + b"0cos\ngetcwd\n)R."
    assert "it names os.getcwd" in scan(put(tmp_path, content, "model")).findings


def made(module: str, name: str, arguments: bytes) -> bytes:
    """A protocol 2 pickle that calls module.name with these opcodes of a tuple."""
    return b"\x80\x02c" + module.encode() + b"\n" + name.encode() + b"\n" + arguments + b"R."


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (made("numpy._core", "_ufunc_reconstruct", b"U\x02osU\x06getcwd\x86"), "_ufunc_reconstruct"),
        (made("torch", "FloatStorage", b"\x8a\x06" + (1 << 40).to_bytes(6, "little") + b"\x85"), "more than"),
        (made("fractions", "Fraction", b"U\x0b1e100000000\x85"), "become very much"),
        (made("numpy", "dtype", b"U\x0eV1000000000000\x85"), "become very much"),
        (made("copyreg", "_reconstructor", b"cbuiltins\nlist\nclightgbm.basic\nBooster\nN\x87"), "in the place of"),
    ],
)
def test_an_ordinary_name_with_hostile_arguments_is_a_finding(content: bytes, told: str, tmp_path: Path) -> None:
    assert any(told in finding for finding in scan(put(tmp_path, content)).findings)


def test_a_false_ending_is_found(tmp_path: Path) -> None:
    assert scan(put(tmp_path, PAYLOADS["builtin"], "m.json")).findings
    assert scan(put(tmp_path, PAYLOADS["builtin"], "m.bin")).findings
    assert scan(put(tmp_path, b'{"learner": {"gradient_booster": {}}}', "n.json")).safe


def test_unknown_names_need_a_review_and_are_no_finding(tmp_path: Path) -> None:
    report = scan(put(tmp_path, named("mycompany.features", "Ratio")))
    assert (report.findings, report.needs_review, report.safe) == ((), ("mycompany.features.Ratio",), False)


def test_scanning_imports_and_runs_nothing(tmp_path: Path) -> None:
    (tmp_path / "trap_of_the_scanner.py").write_text("raise SystemExit('imported')")
    sys.path.insert(0, str(tmp_path))
    try:
        report = scan(put(tmp_path, named("trap_of_the_scanner", "Thing")))
    finally:
        sys.path.remove(str(tmp_path))
    assert report.needs_review == ("trap_of_the_scanner.Thing",)
    assert "trap_of_the_scanner" not in sys.modules


BOMBS = {
    "claims bytes": b"\x80\x05\x96" + struct.pack("<Q", 1 << 50) + b".",
    "claims text": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 50) + b".",
    "decompresses": gzip.compress(b"\x80\x04" + b"N0" * 40_000_000),
    "long line": b"S'" + b"a" * (1 << 20),
    "many opcodes": b"\x80\x04" + b"N0" * 300_000 + b"N.",
    "deep": gzip.compress(gzip.compress(gzip.compress(gzip.compress(pickle.dumps(1))))),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_a_finding_and_costs_little(name: str, tmp_path: Path) -> None:
    report = scan(put(tmp_path, BOMBS[name]), Limits(bytes=2_000_000, piece=1_000_000, opcodes=200_000, seconds=20))
    assert report.findings


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_answered_with_a_report(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    scan(put(tmp_path_factory.getbasetemp(), content, "any.pkl"))


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None)
@given(plain, st.integers(0, 5))
def test_plain_data_is_safe_in_every_protocol(
    tmp_path_factory: pytest.TempPathFactory, value: Any, protocol: int
) -> None:
    report = scan(put(tmp_path_factory.getbasetemp(), pickle.dumps(value, protocol=protocol), "any.pkl"))
    assert report.safe or protocol < 3  # protocols below 3 write bytes by way of a call of _codecs.encode


def fitted() -> dict[str, Any]:
    table = np.array([["a", 1.0], ["b", 2.0]] * 30, dtype=object)
    coded = ColumnTransformer([("one", OneHotEncoder(), [0])], remainder=StandardScaler())
    return {
        "linear": make_pipeline(StandardScaler(), FunctionTransformer(np.tanh), LogisticRegression()).fit(X, Y),
        "forest": RandomForestClassifier(5).fit(X, Y),
        "boosting": GradientBoostingClassifier(n_estimators=5).fit(X, Y),
        "histogram": HistGradientBoostingClassifier(max_iter=5).fit(X, Y),
        "neighbours": KNeighborsClassifier(algorithm="kd_tree").fit(X, Y),
        "vectors": SVC().fit(X, Y),
        "table": make_pipeline(coded, LogisticRegression()).fit(table, Y),
        "list": [np.arange(10), {"scaler": StandardScaler().fit(X)}],
    }


@pytest.mark.parametrize("how", ["pickle", "joblib", "joblib zlib", "joblib xz", "old pickle"])
def test_ordinary_models_pass(how: str, tmp_path: Path) -> None:
    for name, model in fitted().items():
        path = tmp_path / f"{name}.joblib"
        if "pickle" in how:
            path.write_bytes(pickle.dumps(model, protocol=2 if how == "old pickle" else 5))
        else:
            joblib.dump(model, path, compress={"joblib": 0, "joblib zlib": 3, "joblib xz": ("xz", 3)}[how])
        report = scan(path)
        assert (name, report.findings, report.needs_review) == (name, (), ())


def test_boosted_models_pass(tmp_path: Path) -> None:
    lightgbm, xgboost = pytest.importorskip("lightgbm"), pytest.importorskip("xgboost")
    for model in (
        lightgbm.LGBMClassifier(n_estimators=3, n_jobs=1, verbose=-1).fit(X, Y),
        xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(X, Y),
    ):
        joblib.dump(model, tmp_path / "m.joblib")
        assert scan(tmp_path / "m.joblib").safe


def test_a_pickle_is_loaded_only_when_it_is_trusted_and_clean(tmp_path: Path) -> None:
    model = LogisticRegression().fit(X, Y)
    joblib.dump(model, tmp_path / "m.joblib")
    with pytest.raises(ContractError, match="nothing unusual") as told:
        open_target(tmp_path / "m.joblib")
    assert "trust_pickle=True" in told.value.fix
    np.testing.assert_array_equal(
        open_target(tmp_path / "m.joblib", trust_pickle=True).scores(X), model.predict_proba(X)
    )
    with pytest.raises(ContractError, match=r"it names (builtins|__builtin__)\.eval"):
        open_target(put(tmp_path, PAYLOADS["builtin"]), trust_pickle=True)
    with pytest.raises(ContractError, match=r"it names mycompany\.features\.Ratio"):
        open_target(put(tmp_path, named("mycompany.features", "Ratio")))


def test_skops_files_are_opened_and_strange_types_listed(tmp_path: Path) -> None:
    skops = pytest.importorskip("skops.io")
    model = make_pipeline(StandardScaler(), RandomForestClassifier(3)).fit(X, Y)
    skops.dump(model, tmp_path / "m.skops")
    assert scan(tmp_path / "m.skops").safe
    np.testing.assert_array_equal(open_target(tmp_path / "m.skops").scores(X), model.predict_proba(X))
    skops.dump(make_pipeline(FunctionTransformer(shifted), LogisticRegression()).fit(X, Y), tmp_path / "n.skops")
    with pytest.raises(ContractError, match=r"types nobody vouched for: .*shifted"):
        open_target(tmp_path / "n.skops")
    assert open_target(tmp_path / "n.skops", trust_pickle=True).classes == 2


def shifted(x: Any) -> Any:
    return x + 1.0


def test_torch_weights_and_programs_pass(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "m.pt")
    assert scan(tmp_path / "m.pt").safe


def test_an_absent_file_is_told() -> None:
    with pytest.raises(ContractError, match="does not exist"):
        scan("nowhere.pkl")
