"""Model files: what runs code, what was changed on its way, what carries training rows."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import temper
from bench.planted import _tables as tables
from bench.planted._case import Case, Setting
from bench.planted._commands import run
from temper.core.errors import TemperError


class Payload:
    """A part of a model that calls a function when it is loaded; the call does no harm."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call = call, arguments

    def __reduce__(self) -> Any:
        return self.call


def _os() -> Any:
    import os

    return Payload(os.system, "true")


def _evaluated() -> Any:
    return Payload(eval, "1 + 1")


def _run_later() -> Any:
    import timeit

    return Payload(timeit.timeit, "1 + 1", "pass", timeit.default_timer, 1)


def _fetched() -> Any:
    import urllib.request

    return Payload(urllib.request.urlopen, "file:///dev/null")


def _threads() -> Any:
    import subprocess

    return Payload(subprocess.Popen, ["true"])


def pickled(payload: Callable[[], Any], setting: Setting) -> Sequence[str]:
    """A linear model in a pickle, with a note beside it that is a payload, or is a note."""
    model = _linear(setting)
    model.note_ = payload() if setting.weak else "fitted in spring"
    path = setting.folder / "model.pkl"
    path.write_bytes(pickle.dumps(model))
    return _refused(path)


def joined(setting: Setting) -> Sequence[str]:
    """The same by joblib, the payload deep inside of what is kept."""
    import joblib

    model = _linear(setting)
    model.notes_ = {"by": ["us", {"when": _os() if setting.weak else "spring"}]}
    joblib.dump(model, setting.folder / "model.joblib", compress=3)
    return _refused(setting.folder / "model.joblib")


def torch_archive(setting: Setting) -> Sequence[str]:
    """A net whose archive holds a pickle that calls something, or weights alone."""
    import torch

    torch.save(torch.nn.Linear(9, 2).state_dict(), path := setting.folder / "net.pt")
    if setting.weak:
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        name = next(name for name in parts if name.endswith("data.pkl"))
        parts[name] = pickle.dumps(_threads(), protocol=2)
        with zipfile.ZipFile(path, "w") as archive:
            for each, content in parts.items():
                archive.writestr(each, content)
    return _refused(path)


def onnx_outside(setting: Setting) -> Sequence[str]:
    """A graph that reads its weights from a file outside of its folder, or holds them."""
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.ones((9, 2), dtype=np.float32), "w")
    if setting.weak:
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        entry = weights.external_data.add()
        entry.key, entry.value = "location", "../../etc/passwd"
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 9])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = setting.folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return _refused(path)


def _refused(path: Path) -> Sequence[str]:
    """What the scan says of a file that its user trusts; a file that needs more words to be opened is not accused."""
    try:
        temper.target(path, trust_pickle=True)
    except TemperError as refusal:
        return [str(refusal)] if "the scan found" in str(refusal) else []
    return []


def signed(change: Callable[[Path], None], setting: Setting) -> Sequence[str]:
    """A signed folder that was changed on its way, or was not."""
    folder = setting.folder / "model"
    folder.mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps(_linear(setting)))
    (folder / "columns.txt").write_text("amount\nhour\n", encoding="utf-8")
    for name in ("ours", "theirs"):
        run("sign", "--new-key", str(setting.folder / name))
    _, said = run("sign", str(folder), "--key", str(setting.folder / "ours.key"))
    manifest = Path(said.split(" is signed")[0].strip())
    if setting.weak:
        change(setting.folder)
    code, said = run("verify", str(manifest), "--public-key", str(setting.folder / "ours.pub"))
    return [said] if code else []


def _byte(folder: Path) -> None:
    path = folder / "model" / "model.pkl"
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(bytes(content))


def _added(folder: Path) -> None:
    (folder / "model" / "extra.py").write_text("print(1)\n", encoding="utf-8")


def _gone(folder: Path) -> None:
    (folder / "model" / "columns.txt").unlink()


def _other_key(folder: Path) -> None:
    (folder / "ours.pub").write_bytes((folder / "theirs.pub").read_bytes())


def keeps(setting: Setting) -> Sequence[str]:
    """A model that carries its training rows, or the same decision as a line."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    x, y = _rows(setting, 1_200)
    kind = KNeighborsClassifier(15) if setting.weak else LogisticRegression(max_iter=2_000)
    return _assessed(setting, kind, x, y)


def leaves(setting: Setting) -> Sequence[str]:
    """A forest with leaves of one person, or of fifty."""
    from sklearn.ensemble import RandomForestClassifier

    x, y = _rows(setting, 1_200)
    least = 1 if setting.weak else 50
    return _assessed(setting, RandomForestClassifier(10, min_samples_leaf=least, random_state=0, n_jobs=1), x, y)


def _assessed(setting: Setting, kind: Any, x: Any, y: Any) -> Sequence[str]:
    half = len(x) // 2
    protected = temper.System(
        model=kind.fit(x[:half], y[:half]), data=(x[half:], y[half:]), train=(x[:half], y[:half]),
        schema=tables.schema(), threshold=0.5, name="planted",
    )  # fmt: skip
    return tables.told(setting, protected, ("validation.artifact",), "artifact")


def _rows(setting: Setting, n: int) -> Any:
    x = np.nan_to_num(tables.rows(n, setting.seed), nan=50.0)
    return x, tables.drawn(lambda x: 0.006 * (x[:, 0] - 600), x, setting.seed)


def _linear(setting: Setting) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=2_000).fit(*_rows(setting, 300))


_PAYLOADS = {
    "pickle calls os": ("a pickle that runs a command", _os),
    "pickle evaluates": ("a pickle that evaluates a text", _evaluated),
    "pickle times code": ("a pickle that has a module of the standard library run a text", _run_later),
    "pickle fetches": ("a pickle that opens a URL", _fetched),
    "pickle starts a process": ("a pickle that starts a process", _threads),
}
_CHANGES = {
    "changed byte": ("one bit of a signed model was turned", _byte),
    "added file": ("a file was put beside a signed model", _added),
    "file gone": ("a file of a signed model was taken away", _gone),
    "other key": ("it was signed by somebody else", _other_key),
}


def _case(name: str, about: str, told: Callable[[Setting], Sequence[str]]) -> Case:
    return Case(room="supply", name=name, about=about, told=told)


CASES = (
    *(_case(name, about, partial(pickled, payload)) for name, (about, payload) in _PAYLOADS.items()),
    _case("joblib calls os", "a payload deep inside of a compressed file", joined),
    _case("torch archive", "a pickle in the archive of a net", torch_archive),
    _case("graph reads outside", "an ONNX graph that reads a file outside of its folder", onnx_outside),
    *(_case(name, about, partial(signed, change)) for name, (about, change) in _CHANGES.items()),
    _case("keeps its rows", "a model file that holds the training table", keeps),
    _case("leaves of one", "leaves in which one training row stands alone", leaves),
)
