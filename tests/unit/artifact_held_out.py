# ruff: noqa: E501
"""Hostile files written by another hand than the scanner's, from the loaders' sources, without its rules at hand.

What a payload does is harmless, and none is ever run. On the first meeting the scanner flagged 111 of these 132 files
(84 %; 42 of 42 gadgets, 69 of the 90 others); the rules were completed on them afterwards, so from then on they guard
against going back and measure nothing.

Sources: pickle.c and copyreg, torch.storage and torch.package, TorchServe archives, Keras CVE-2025-12058, ONNX Runtime's
EPContext, joblib.numpy_pickle_compat, skops.io, XGBoost's and LightGBM's model readers, CVE-2024-27322 (R),
CVE-2024-34359 (templates in GGUF), PyYAML and jsonpickle.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from unit.artifact_opcodes import File, call, calls, name, old_name, pickled, text, zipped

PAYLOAD = call("timeit", "timeit", "pass")
_STDLIB = """timeit timeit|pty spawn|webbrowser open|site addsitedir|zipimport zipimporter|sqlite3 connect
multiprocessing.util spawnv_passfds|logging.config dictConfig|smtplib SMTP|ctypes CDLL|weakref finalize
concurrent.futures.thread ThreadPoolExecutor|http.server test|compileall compile_dir|types FunctionType|marshal loads
gc get_objects|inspect getsourcefile|builtins breakpoint|threading Thread|mmap mmap|tempfile NamedTemporaryFile"""
_OTHERS = """torch.fx.graph_module _forward_from_src|torch.package.package_importer PackageImporter|torch._ops _Ops.load_library
torch.utils.cpp_extension load|numpy vectorize|numpy frompyfunc|numpy.lib._datasource DataSource|pandas.io.parsers.readers read_csv
scipy._lib._ccallback LowLevelCallable|joblib.externals.loky.backend.spawn prepare|huggingface_hub.file_download hf_hub_download
nltk.data load|jinja2.environment Template|numexpr.necompiler evaluate|xgboost.core Booster.load_model|requests.api get
sklearn.utils.fixes parse_version|scipy.integrate._quadpack_py quad|pyarrow.fs LocalFileSystem|sklearn.utils.parallel Parallel"""


def _listed(block: str) -> Iterator[tuple[str, str]]:
    for entry in block.replace("\n", "|").split("|"):
        module, _, attribute = entry.strip().partition(" ")
        yield module, attribute


def _gadgets() -> Iterator[File]:
    for family, block in (("held-out stdlib", _STDLIB), ("held-out library", _OTHERS)):
        for module, attribute in _listed(block):
            yield File(family, f"{module}.{attribute}", "m.pkl", call(module, attribute, "pass"))


def _state(kind: tuple[str, str], **state: bytes) -> bytes:
    """An instance made without its constructor, with these attributes."""
    items = b"".join(text(key) + opcodes for key, opcodes in state.items())
    return name(*kind) + b")\x81}(" + items + b"ub"


def _vouched() -> Iterator[File]:
    """Classes every scanner lets through, holding or changing what runs later."""

    def case(label: str, *opcodes: bytes) -> File:
        return File("vouched class", label, "m.pkl", pickled(*opcodes))

    run = name("timeit", "timeit")
    transformer = ("sklearn.preprocessing._function_transformer", "FunctionTransformer")
    yield case("function of a transformer", _state(transformer, func=run))
    yield case(
        "tokenizer of a vectorizer", _state(("sklearn.feature_extraction.text", "CountVectorizer"), tokenizer=run)
    )
    yield case("partial with the state of another", name("functools", "partial"), name("builtins", "int"),
               b"\x85\x81(", run, b")}Ntb")  # fmt: skip
    yield case("attribute getter", calls("operator", "attrgetter", "__class__.__base__"))
    yield case("method caller", calls("operator", "methodcaller", "fit"))
    yield case("class of a library changed", name("joblib.numpy_pickle", "NumpyArrayWrapper"), b"N}(", text("read"),
               name("builtins", "int"), b"u\x86b")  # fmt: skip
    yield case("class of scikit-learn changed", name("sklearn.tree._tree", "Tree"), b"N}(", text("predict"),
               name("builtins", "int"), b"u\x86b")  # fmt: skip
    yield case("items added to a class", name("sklearn.pipeline", "Pipeline"), b"(", text("a"), text("b"), b"e")
    yield case("class swapped", name("collections", "OrderedDict"), b")R}(", text("__class__"),
               name("sklearn.pipeline", "Pipeline"), b"ub")  # fmt: skip
    yield case("numpy scalar of objects", name("numpy._core.multiarray", "scalar"), calls("numpy", "dtype", "O8", 0, 1),
               b"B" + struct.pack("<I", len(PAYLOAD)) + PAYLOAD, b"\x86R")  # fmt: skip
    yield case("reconstructor", calls("copyreg", "_reconstructor", run, name("builtins", "object"), b"N"))
    yield case("extension registered", calls("copyreg", "add_extension", "timeit", "timeit", 240), b"0\x82\xf0")
    yield case("setattr", calls("builtins", "setattr", name("collections", "OrderedDict"), "x", b"N"))
    yield case("map over a call", calls("builtins", "map", run, ("pass",)))


def _machine() -> Iterator[File]:
    """What the virtual machine allows and an approximation of it gets wrong."""

    def case(label: str, content: bytes) -> File:
        return File("opcodes", label, "m.pkl", content)

    module, function = text("timeit"), text("timeit")
    yield case(
        "memo place counted from zero", pickled(text("x"), b"q\x05", module, b"\x94", b"h\x01", function, b"\x93)R")
    )
    yield case(
        "memo place written twice", pickled(text("collections"), b"q\x000", module, b"q\x000h\x00", function, b"\x93)R")
    )
    yield case("frame that lies", b"\x80\x04\x95\x02\0\0\0\0\0\0\0" + name("timeit", "timeit") + b")R.")
    yield case("protocol told twice", b"\x80\x02\x80\x04" + name("timeit", "timeit") + b")R.")
    yield case("carriage return", b"ctimeit\r\ntimeit\r\n)R.")
    yield case("long names", b"\x80\x04X\x06\0\0\0timeit\x8d\x06\0\0\0\0\0\0\0timeit\x93)R.")
    yield case("inst without a protocol", b"(S'pass'\nitimeit\ntimeit\n.")
    yield case("names under a duplicate", pickled(module, function, b"\x93", b"2)R"))
    yield case("class of obj by memo", pickled(name("timeit", "timeit"), b"q\x010(h\x01o"))
    yield case("call inside arguments", pickled(name("builtins", "int"), calls("timeit", "timeit", "pass"), b"\x85R"))
    yield case("persistent id", pickled(text("file:///etc/passwd"), b"Q"))
    yield case("dotted below a vouched name", pickled(name("sklearn.pipeline", "Pipeline.fit.__globals__"), b"0N"))
    yield case("module of a package", pickled(name("numpy", "f2py"), b"0N"))
    yield case("extension 2", pickled(b"\x83\x01\x01"))
    yield case("state for nothing made", b"\x80\x02" + old_name("timeit", "Timer") + b")\x81N}b.")


def _tar(*members: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                entry = tarfile.TarInfo(member[0])
                entry.size = len(member[1])
                archive.addfile(entry, io.BytesIO(member[1]))
    return content.getvalue()


def _link(kind: bytes, to: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo("weights.bin")
    entry.type, entry.linkname = kind, to
    return entry


def _twice() -> bytes:
    content = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(content, "w") as archive:
        for data in (PAYLOAD, pickled(b"N").ljust(len(PAYLOAD), b"\0")):
            archive.writestr(zipfile.ZipInfo("m/data.pkl"), data)
    return content.getvalue()


def _archives() -> Iterator[File]:
    def case(label: str, content: bytes, file: str = "m.pt") -> File:
        return File("container", label, file, content)

    clean = pickled(b"}")
    plain = zipped({"m/data.pkl": clean})
    link = zipfile.ZipInfo("weights.bin")
    link.external_attr = 0o120777 << 16
    linked = io.BytesIO()
    with zipfile.ZipFile(linked, "w") as archive:
        archive.writestr(link, b"/etc/passwd")
    yield case("two members of one name", _twice())
    yield case("link in a zip", linked.getvalue(), "m.zip")
    yield case("link in a tar", _tar(_link(tarfile.SYMTYPE, "/etc/passwd")), "m.tar")
    yield case("device in a tar", _tar(_link(tarfile.CHRTYPE, "")), "m.tar")
    yield case("three archives deep", zipped({"a": gzip.compress(_tar(("b", zipped({"c": PAYLOAD}))))}))
    yield case("behind the end of a zip", plain + PAYLOAD)
    yield case(
        "compiled model of torch",
        zipped({"m/data.pkl": clean, "m/data/aotinductor/model.so": b"\x7fELF\x02\x01\x01" + bytes(57)}),
        "m.pt2",
    )
    yield case(
        "handler of TorchServe",
        zipped({"MAR-INF/MANIFEST.json": b'{"model": {"handler": "h.py"}}', "h.py": b"print(1)\n"}),
        "m.mar",
    )
    yield case(
        "package of torch",
        zipped({"m/.data/version": b"1", "m/.data/extern_modules": b"timeit\n", "m/a.py": b"import timeit\n"}),
    )
    yield case(
        "zstd",
        b"\x28\xb5\x2f\xfd\x04\x58" + struct.pack("<I", len(PAYLOAD) << 3 | 1)[:3] + PAYLOAD + bytes(4),
        "m.pkl.zst",
    )
    yield case("bz2 in gzip in zlib", zlib.compress(gzip.compress(bz2.compress(PAYLOAD))), "m.joblib")
    yield case("two zlib streams", zlib.compress(clean) + zlib.compress(PAYLOAD), "m.joblib")


def _torch() -> Iterator[File]:
    def case(label: str, *opcodes: bytes) -> File:
        return File("torch names", label, "m.pt", zipped({"m/data.pkl": pickled(*opcodes), "m/version": b"3"}))

    held = b"B" + struct.pack("<I", len(PAYLOAD)) + PAYLOAD
    yield case("storage from bytes", calls("torch.storage", "_load_from_bytes", held))
    yield case(
        "rebuilt by any function",
        calls("torch._tensor", "_rebuild_from_type_v2", name("timeit", "timeit"), name("torch", "Tensor"), (), b"N"),
    )
    yield case(
        "hook of a module",
        _state(("torch.nn.modules.linear", "Linear"), _forward_hooks=b"}(K\x00" + name("timeit", "timeit") + b"u"),
    )
    yield case(
        "storage of a strange kind", b"(", text("storage"), name("timeit", "timeit"), text("0"), text("cpu"), b"K\x01tQ"
    )
    yield case(
        "storage outside",
        b"(",
        text("storage"),
        name("torch", "FloatStorage"),
        text("../../0"),
        text("cpu"),
        b"K\x01tQ",
    )
    code = b"class M(Module):\n  def forward(self):\n    return ops.evil.run()\n"
    yield File(
        "torch names",
        "operator of a stranger in a program",
        "m.pt",
        zipped({"m/data.pkl": pickled(b"}"), "m/code/__torch__.py": code}),
    )


def _keras() -> Iterator[File]:
    def case(label: str, layer: dict[str, Any], **more: Any) -> File:
        config = {"module": "keras", "class_name": "Sequential", "config": {"layers": [layer]}, **more}
        content = zipped({"metadata.json": b'{"keras_version": "3.9.0"}', "config.json": json.dumps(config).encode()})
        return File("keras config", label, "m.keras", content)

    dense = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 1}}
    hidden = {"module": "keras.layers", "class_name": "Lambda", "config": {"function": {"class_name": "__lambda__"}}}
    yield case(
        "vocabulary from a file (CVE-2025-12058)",
        {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
    )
    yield case(
        "lambda in a wrapper", {"module": "keras.layers", "class_name": "TimeDistributed", "config": {"layer": hidden}}
    )
    yield case(
        "lambda as activation",
        {**dense, "config": {"units": 1, "activation": {"class_name": "__lambda__", "config": {"value": "4wAA"}}}},
    )
    yield case(
        "loss of any module",
        dense,
        compile_config={"loss": {"module": "timeit", "class_name": "function", "config": "timeit"}},
    )
    yield case(
        "torch module",
        {
            "module": "keras.layers",
            "class_name": "TorchModuleWrapper",
            "config": {"module": base64.b64encode(PAYLOAD).decode()},
        },
    )
    yield case(
        "registered elsewhere", {"module": "builtins", "class_name": "X", "registered_name": "evil>X", "config": {}}
    )


def _field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(rest: int) -> bytes:
    out = b""
    while rest > 127:
        out, rest = out + bytes([rest & 127 | 128]), rest >> 7
    return out + bytes([rest])


def _onnx() -> Iterator[File]:
    def model(node: bytes, *more: bytes) -> bytes:
        graph = _field(1, node) + _field(2, b"g")
        return _field(1, 8) + b"".join(more) + _field(7, graph) + _field(8, _field(1, b"") + _field(2, 18))

    def node(kind: str, domain: str = "", *attributes: bytes) -> bytes:
        return (
            _field(2, b"y")
            + _field(4, kind.encode())
            + _field(7, domain.encode())
            + b"".join(_field(5, a) for a in attributes)
        )

    far = (
        _field(1, 1)
        + _field(2, 1)
        + _field(8, b"w")
        + _field(14, 1)
        + _field(13, _field(1, b"location") + _field(2, b"/etc/passwd"))
    )
    cache = _field(1, b"ep_cache_context") + _field(4, b"../../lib.so") + _field(20, 3)
    sparse = _field(1, b"sparse_value") + _field(20, 11) + _field(22, _field(1, far))
    function = _field(1, b"f") + _field(7, node("Run", "com.evil")) + _field(10, b"local")
    training = _field(2, _field(1, node("Relu")) + _field(5, far))
    relu = node("Relu")
    yield File("onnx model", "context in another file", "m.onnx", model(node("EPContext", "com.microsoft", cache)))
    yield File("onnx model", "file of a sparse constant", "m.onnx", model(node("Constant", "", sparse)))
    yield File("onnx model", "operator inside a function", "m.onnx", model(relu, _field(25, function)))
    yield File("onnx model", "file of a training graph", "m.onnx", model(relu, _field(20, training)))
    yield File("onnx model", "graph told twice", "m.onnx", model(node("Run", "com.evil")) + _field(7, _field(1, relu)))


def _arrays() -> Iterator[File]:
    def npy(header: str, body: bytes, version: bytes = b"\x01\x00") -> bytes:
        size = struct.pack("<H" if version[0] == 1 else "<I", len(header) + 1)
        return b"\x93NUMPY" + version + size + header.encode() + b"\n" + body

    def described(descr: str, shape: str = "(1,)") -> str:
        return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"

    yield File(
        "array file",
        "objects inside records inside records",
        "m.npy",
        npy(described("[('a', [('b', '|O')])]"), PAYLOAD),
    )
    yield File("array file", "array of objects in a record", "m.npy", npy(described("[('a', '|O', (2,))]"), PAYLOAD))
    yield File("array file", "objects by another letter", "m.npy", npy(described("'O8'"), PAYLOAD, b"\x03\x00"))
    yield File("array file", "expression as header", "m.npy", npy("__import__('timeit').timeit('pass')", bytes(8)))
    yield File(
        "array file",
        "descr told twice",
        "m.npy",
        npy("{'descr': '<f8', 'descr': '|O', 'fortran_order': False, 'shape': (1,), }", PAYLOAD),
    )
    yield File("array file", "negative shape", "m.npy", npy(described("'<f8'", "(-1,)"), bytes(8)))


def _tensors() -> Iterator[File]:
    def made(header: str, body: bytes) -> bytes:
        return struct.pack("<Q", len(header)) + header.encode() + body

    one = '{"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}'
    two = '{"dtype": "F32", "shape": [2], "data_offsets": [64, 72]}'
    yield File("tensor file", "tensor told twice", "m.safetensors", made(f'{{"a": {one}, "a": {one}}}', bytes(8)))
    yield File(
        "tensor file",
        "payload in a gap",
        "m.safetensors",
        made(f'{{"a": {one}, "b": {two}}}', bytes(8) + PAYLOAD.ljust(56, b"\0") + bytes(8)),
    )
    yield File(
        "tensor file", "fractional shape", "m.safetensors", made(f'{{"a": {one.replace("[2]", "[2.0]")}}}', bytes(8))
    )
    yield File(
        "tensor file",
        "shards from outside",
        "model.safetensors.index.json",
        b'{"weight_map": {"w": "../../../etc/passwd"}}',
    )


def _skops() -> Iterator[File]:
    def case(label: str, schema: str) -> File:
        return File("skops schema", label, "m.skops", zipped({"schema.json": schema.encode()}))

    def node(loader: str, module: str, kind: str, content: Any = None) -> dict[str, Any]:
        return {"__class__": kind, "__module__": module, "__loader__": loader, "__id__": 1, "content": content}

    harmless = node("TypeNode", "builtins", "int")
    told = json.dumps(node("TypeNode", "builtins", "int"))
    yield case(
        "name told twice", told.replace('"__module__": "builtins"', '"__module__": "timeit", "__module__": "builtins"')
    )
    yield case("operator's getter", json.dumps(node("OperatorFuncNode", "operator", "attrgetter", {"attrs": harmless})))
    yield case("scikit-learn's fetcher", json.dumps(node("FunctionNode", "sklearn.datasets", "fetch_file")))
    yield case(
        "file from outside",
        json.dumps({**node("NdArrayNode", "numpy", "ndarray"), "type": "numpy", "file": "../../x.npy"}),
    )
    yield case(
        "partial of a stranger",
        json.dumps(node("PartialNode", "functools", "partial", {"func": node("FunctionNode", "timeit", "timeit")})),
    )


def _trees() -> Iterator[File]:
    """Real boosters whose trees lead outside the arrays, or in a circle: the reader runs on, or never ends."""
    import lightgbm
    import numpy as np
    import xgboost

    x = np.arange(80.0).reshape(40, 2) % 17
    y = (x[:, 0] > 8).astype(int)
    booster = xgboost.XGBClassifier(n_estimators=1, max_depth=2).fit(x, y).get_booster()
    plain = bytes(booster.save_raw("json"))

    def changed(**arrays: Any) -> bytes:
        model = json.loads(plain)
        tree = model["learner"]["gradient_booster"]["model"]["trees"][0]
        for key, change in arrays.items():
            tree[key] = change(tree[key])
        return json.dumps(model).encode()

    yield File("tree", "circle", "m.json", changed(left_children=lambda nodes: [0, *nodes[1:]]))
    yield File("tree", "child outside", "m.json", changed(right_children=lambda nodes: [9_999_999, *nodes[1:]]))
    yield File("tree", "column outside", "m.json", changed(split_indices=lambda nodes: [7_777_777, *nodes[1:]]))
    yield File("tree", "shorter array", "m.json", changed(split_conditions=lambda nodes: nodes[:1]))
    ubj = bytes(booster.save_raw("ubj"))
    place = ubj.index(b"left_children") + len(b"left_children")
    yield File(
        "tree",
        "claims more than there is",
        "m.ubj",
        ubj[: place + 4] + b"L" + struct.pack(">q", 1 << 60) + ubj[place + 13 :],
    )
    lines = (
        lightgbm.LGBMClassifier(n_estimators=1, min_child_samples=2, verbose=-1).fit(x, y).booster_.model_to_string()
    )
    lines = "\n".join(
        "left_child=0" + line[line.index("=") + 2 :] if line.startswith("left_child=") else line
        for line in lines.split("\n")
    )
    yield File("tree", "circle in a text", "m.txt", lines.encode())


def _documents() -> Iterator[File]:
    def case(file: str, label: str, content: bytes) -> File:
        return File("document", label, file, content)

    yield case("m.yaml", "call in YAML", b"model: !!python/object/apply:timeit.timeit ['pass']\n")
    yield case(
        "m.json", "call in jsonpickle", b'{"py/reduce": [{"py/function": "timeit.timeit"}, {"py/tuple": ["pass"]}]}'
    )
    yield case(
        "m.pmml",
        "entity from outside",
        b'<?xml version="1.0"?><!DOCTYPE P [<!ENTITY x SYSTEM "file:///etc/passwd">]><PMML>&x;</PMML>',
    )
    yield case("config.json", "code to fetch", b'{"architectures": ["A"], "auto_map": {"AutoModel": "evil/repo--m.A"}}')
    template = b"{{ ''.__class__.__base__.__subclasses__() }}"
    key = b"tokenizer.chat_template"
    gguf = b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, len(key)) + key + struct.pack("<IQ", 8, len(template)) + template
    yield case("m.gguf", "template in GGUF (CVE-2024-34359)", gguf)
    yield case("m.ser", "object of Java", b"\xac\xed\x00\x05sr\x00\x11java.util.HashMap" + bytes(40))
    yield case(
        "m.rds",
        "promise of R (CVE-2024-27322)",
        gzip.compress(b"X\n\x00\x00\x00\x03\x00\x04\x03\x02\x00\x00\x00\x05" + bytes(40)),
    )
    yield case("m.pyc", "compiled Python", b"\xa7\x0d\x0d\x0a" + bytes(12) + b"\xe3" + bytes(40))
    yield case("m.exe", "program of Windows", b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + bytes(40))
    yield case(
        "saved_model.pb",
        "graph that reads files",
        _field(1, 1) + _field(2, _field(2, _field(1, _field(1, b"r") + _field(2, b"ReadFile")))),
    )
    yield case("m.t7", "function of Lua", struct.pack("<ii", 6, 1) + bytes(40))


PARTS = (_gadgets, _vouched, _machine, _archives, _torch, _keras, _onnx, _arrays, _tensors, _skops, _trees, _documents)


def held_out() -> list[File]:
    """All of them."""
    return [file for part in PARTS for file in part()]
