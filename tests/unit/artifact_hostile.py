# ruff: noqa: E501
"""Hostile files written from published bypasses of scanners and from the formats' documents, before the rules changed.

The scanner of that day flagged 191 of these 257 files (74 %); most it missed were of formats it did not look into. What
a payload does is harmless, and none is ever run.

Sources: the advisories of picklescan (CVE-2025-1716, -1889, -1944, -1945, -10155, -10156, -10157 and the gadget lists
of 2025), open issues of modelscan, ReversingLabs on broken pickles ("nullifAI"), Trail of Bits on stacked and polyglot
pickles, Keras CVE-2024-3660, CVE-2025-1550, CVE-2025-8747, ONNX CVE-2024-27318 and CVE-2024-5187, skops
CVE-2025-54412 and -54413, and the sources of pickle, joblib, numpy.lib.format, torch.serialization and safetensors.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator

from unit.artifact_opcodes import File, call, calls, name, old_name, pickled, text, value, zipped

SYSTEM = call("posix", "system", "true")
_STDLIB = """idlelib.pyshell ModifiedInterpreter|lib2to3.pgen2.pgen ParserGenerator|ensurepip _run_pip
doctest debug_script|cProfile runctx|trace Trace|code InteractiveInterpreter|imaplib IMAP4_stream|pydoc pipepager
asyncio.unix_events _UnixSubprocessTransport|uuid _get_command_stdout|_osx_support _read_output
_aix_support _read_cmd_output|test.support.script_helper assert_python_ok|unittest.mock _importer
pkgutil resolve_name|linecache getlines|ssl get_server_certificate|shelve open|dbm.dumb open|logging FileHandler
bz2 open|zipapp create_archive|venv create|xml.etree.ElementTree parse|mailcap findmatch|_pyrepl.pager pipe_pager
zipfile ZipFile|tarfile open|nturl2path url2pathname|_posixsubprocess fork_exec|_io FileIO|codecs open
sched scheduler|contextlib ExitStack|copy _reconstruct|string Formatter|_testcapi run_in_subinterp"""
_OTHERS = """torch.utils.bottleneck.__main__ run_cprofile|torch.utils._config_module load_config|torch.hub load
torch.jit.unsupported_tensor_ops execWrapper|torch.utils.collect_env run|torch.utils.data.datapipes.utils.decoder basichandlers
numpy.f2py.crackfortran getlincoef|numpy.f2py.crackfortran myeval|numpy.testing._private.utils runstring
numpy.distutils.exec_command exec_command|numpy.core.records fromfile|numpy.ctypeslib load_library
numpy.lib._npyio_impl load|numpy.testing.utils measure|pandas eval|pandas.core.computation.eval eval|pandas.io.pickle read_pickle
pandas.io.common get_handle|scipy.io loadmat|scipy.io._mmio mmread|sklearn.datasets._svmlight_format_io load_svmlight_file
sklearn.datasets._openml fetch_openml|sklearn.datasets._base load_files|sklearn.utils._testing assert_run_python_script_without_output
joblib.memory Memory|joblib.numpy_pickle load|joblib._utils eval_expr|joblib.externals.cloudpickle.cloudpickle loads
statsmodels.iolib.smpickle load_pickle|cloudpickle.cloudpickle _make_function|dill._dill _load_type
keras.src.utils.file_utils get_file|yaml unsafe_load|sympy.parsing.sympy_parser parse_expr|matplotlib.cbook get_sample_data
catboost.utils create_cd|lightgbm.basic _load_lib|xgboost.core _load_lib|setuptools.sandbox run_setup|IPython.utils.process system"""
_MODULES = """logging os|random _os|joblib.numpy_pickle os|torch.serialization pickle|sklearn.utils._testing subprocess
numpy.lib.npyio os|__main__ __builtins__|collections _sys|sklearn.linear_model._logistic np|datetime sys"""
_INSIDE = """builtins object.__subclasses__|numpy ndarray.tofile|builtins str.__class__.__base__
sklearn.pipeline Pipeline.fit|collections OrderedDict.__reduce_ex__|pathlib Path.write_text|pathlib Path.unlink"""


def _listed(block: str) -> Iterator[tuple[str, str]]:
    for entry in block.replace("\n", "|").split("|"):
        module, _, attribute = entry.strip().partition(" ")
        yield module, attribute


def _gadgets() -> Iterator[File]:
    for family, block in (("library gadget", _OTHERS), ("stdlib gadget", _STDLIB)):
        for module, attribute in _listed(block):
            yield File(family, f"{module}.{attribute}", "m.pkl", call(module, attribute, "1"))
    for module, attribute in _listed(_MODULES):
        yield File("module by another name", f"{module}.{attribute}", "m.pkl", pickled(name(module, attribute)))
    for module, attribute in _listed(_INSIDE):
        yield File("attribute of a class", f"{module}.{attribute}", "m.pkl", call(module, attribute, "1"))


def _virtual_machine() -> Iterator[File]:
    def case(label: str, content: bytes) -> File:
        return File("virtual machine", label, "m.pkl", content)

    yield case("escaped unicode names", b"\x80\x04V\\u006fs\nVsyste\\u006d\n\x93\x8c\x04true\x85R.")
    yield case("escaped string names", b"\x80\x04S'\\x6fs'\nS'system'\n\x93\x8c\x04true\x85R.")
    yield case("names by way of the memo", pickled(text("os"), b"\x94", text("system"), b"\x94000h\x00h\x01\x93N\x85R"))
    yield case(
        "memo overwritten", pickled(text("math"), b"q\x00", text("posix"), b"q\x000h\x00", text("system"), b"\x93")
    )
    yield case("names computed by a call", pickled(calls("builtins", "str", "os"), text("system"), b"\x93N\x85R"))
    yield case("names joined from bytes", pickled(calls("_codecs", "encode", "bf", "rot13"), text("system"), b"\x93"))
    yield case("inst in the middle", b"\x80\x02]q\x00(X\x04\x00\x00\x00trueiposix\nsystem\na.")
    yield case("obj in the middle", b"\x80\x02]q\x00(cposix\nsystem\nX\x04\x00\x00\x00trueoa.")
    yield case("newobj_ex", pickled(name("subprocess", "Popen"), value(("true",)), b"}\x92"))
    yield case("built with slots", pickled(name("types", "SimpleNamespace"), b")\x81", b"N}\x86b"))
    yield case("attribute set on a function", pickled(name("posix", "system"), b"}b"))
    yield case("extension 4", pickled(b"\x84\x01\x00\x00\x00"))
    yield case("persistent text id", b"Pposix.system\n.")
    yield case(
        "second frame",
        pickled(
            b"\x95\x01\x00\x00\x00\x00\x00\x00\x00N",
            b"\x95\x10\x00\x00\x00\x00\x00\x00\x000",
            calls("os", "system", "true"),
        ),
    )
    yield case("python 2 exec", old_name("__builtin__", "execfile") + b"(S'x'\ntR.")
    yield case("mapped python 2 module", old_name("dumbdbm", "open") + b"(S'x'\ntR.")
    yield case(
        "map eaten by a list",
        pickled(calls("builtins", "list", calls("builtins", "map", name("os", "system"), ["true"]))),
    )
    yield case("partial called", pickled(calls("functools", "partial", name("os", "system"), "true"), b")R"))
    yield case("default factory", pickled(calls("collections", "defaultdict", name("os", "getcwd"))))
    yield case("key of a dictionary", pickled(b"}(", calls("os", "getcwd"), b"Nu"))
    yield case("inside a popped value", pickled(calls("os", "getcwd"), b"0N"))
    yield case("under a popped mark", pickled(b"(", calls("os", "getcwd"), b"1N"))
    yield case("in a set", pickled(b"\x8f(", calls("os", "getcwd"), b"\x90"))
    yield case("nested as bytes and loaded", call("_pickle", "loads", b"B" + struct.pack("<I", len(SYSTEM)) + SYSTEM))
    yield case("metaclass call", pickled(calls("builtins", "type", "T", (), b"}"), b")\x81"))


def _broken() -> Iterator[File]:
    body = SYSTEM[:-1]
    yield File("broken after the payload", "no end", "m.pkl", body)
    yield File("broken after the payload", "garbage opcode", "m.pkl", body + b"\xff\xff")
    yield File("broken after the payload", "instruction that fails", "m.pkl", body + b"0000.")
    yield File("broken after the payload", "cut gzip", "m.pkl.gz", gzip.compress(SYSTEM + bytes(4000))[:-6])
    yield File("second stream", "after a harmless one", "m.pkl", pickled(b"N") + SYSTEM)
    yield File("second stream", "after padding", "m.pkl", pickled(b"N") + bytes(512) + SYSTEM)
    yield File("second stream", "second gzip member", "m.pkl.gz", gzip.compress(pickled(b"N")) + gzip.compress(SYSTEM))
    yield File("second stream", "payload behind the zlib end", "m.joblib", zlib.compress(pickled(b"N")) + SYSTEM)


def _archives() -> Iterator[File]:
    plain = zipped({"m/data.pkl": SYSTEM, "m/version": b"3"})

    def case(label: str, content: bytes, file: str = "m.pt") -> File:
        return File("archive", label, file, content)

    central = plain.index(b"PK\x01\x02")
    yield case("flagged as encrypted (CVE-2025-1945)", _at(plain, central + 8, b"\x01\x00"))
    yield case("local name differs (CVE-2025-1944)", plain.replace(b"m/data.pkl", b"m/data.txt", 1))
    yield case("wrong checksum (CVE-2025-10156)", _at(plain, central + 16, b"\0\0\0\0"))
    yield case("bytes in front", b"#!/bin/sh\n" + plain)
    yield case("no ending on the member", zipped({"weights": SYSTEM}))
    yield case("member called .npy", zipped({"a.npy": SYSTEM}), "m.npz")
    yield case("member called .py", zipped({"code/a.py": SYSTEM}))
    yield case("member called .json", zipped({"schema.json": SYSTEM}), "m.skops")
    yield case("old protocol without a magic", zipped({"m/blob": old_name("posix", "system") + b"(S'true'\ntR."}))
    yield case("archive in the archive", zipped({"inner.zip": plain}))
    yield case("pickle compressed in the archive", zipped({"a.bin": zlib.compress(SYSTEM)}))
    yield case("deflated", zipped({"m/data.pkl": SYSTEM}, zipfile.ZIP_DEFLATED))
    yield case("member escapes the folder", zipped({"../../evil.pkl": SYSTEM}))
    yield case("gzip around the archive", gzip.compress(plain), "m.pt.gz")
    yield case("tar", _tar({"pickle": SYSTEM, "storages": b""}), "m.tar")
    yield case("tar.gz with any name", gzip.compress(_tar({"data": SYSTEM})), "m.nemo")
    yield case("tar that escapes", _tar({"../../evil": b"x"}), "m.tar")
    yield case("7z (nullifAI)", b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(24) + SYSTEM, "m.pt")
    yield case(
        "zstd frame",
        b"\x28\xb5\x2f\xfd" + bytes([0x20, len(SYSTEM), 1 | (len(SYSTEM) << 3) & 0xFF, 0, 0]) + SYSTEM,
        "m.joblib",
    )
    yield case("a library instead of a model", b"\x7fELF\x02\x01\x01" + bytes(64), "m.pt")


def _at(content: bytes, place: int, piece: bytes) -> bytes:
    return content[:place] + piece + content[place + len(piece) :]


def _tar(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for member, data in members.items():
            about = tarfile.TarInfo(member)
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))
    return content.getvalue()


def _named_otherwise() -> Iterator[File]:
    old = old_name("posix", "system") + b"(S'true'\ntR."
    for ending in ("json", "txt", "onnx", "safetensors", "ubj", "cbm", "model", "h5", "bin", "config", "npy"):
        yield File("another ending", ending, f"m.{ending}", SYSTEM)
        yield File("another ending", f"{ending}, old protocol", f"m.{ending}", old)
    for label, pack in (("gzip", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress), ("zlib", zlib.compress)):
        yield File("another ending", f"{label} called .txt", "m.txt", pack(SYSTEM))


def _joblib() -> Iterator[File]:
    wrapper = calls("joblib.numpy_pickle", "NumpyArrayWrapper")
    old = pickled(
        name("joblib.numpy_pickle", "NDArrayWrapper"), b")\x81", b"}(", text("filename"), text("../x.npy"), b"ub"
    )
    yield File("joblib", "array in another file", "m.joblib", old)
    yield File("joblib", "file of joblib 0.9", "m.joblib", b"ZF0x20               " + zlib.compress(SYSTEM))
    yield File("joblib", "wrapper without a shape", "m.joblib", pickled(wrapper, b"}b"))
    yield File("joblib", "lz4 frame", "m.joblib.lz4", _lz4(SYSTEM))


def _lz4(content: bytes) -> bytes:
    """One uncompressed block in an lz4 frame without checksums."""
    block = struct.pack("<I", len(content) | 1 << 31) + content
    return b"\x04\x22\x4d\x18\x60\x40\x82" + block + bytes(4)


def _numpy() -> Iterator[File]:
    def npy(header: str, body: bytes) -> bytes:
        raw = header.encode().ljust(117) + b"\n"
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw)) + raw + body

    objects = npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", SYSTEM)
    records = npy("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,), }", SYSTEM)
    order = npy("{'fortran_order': False, 'shape': (1,), 'descr': '|O', }", SYSTEM)
    huge = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }", b"")
    yield File("numpy", "objects", "m.npy", objects)
    yield File("numpy", "objects in records", "m.npy", records)
    yield File("numpy", "descr comes last", "m.npy", order)
    yield File("numpy", "claims 8 TB", "m.npy", huge)
    yield File("numpy", "objects in an npz", "m.npz", zipped({"a.npy": objects}))
    yield File("numpy", "objects under any name", "m.npz", zipped({"a": records}))
    yield File("numpy", "descr comes last in an npz", "m.npz", zipped({"a.npy": order}))


def _keras() -> Iterator[File]:
    code = base64.b64encode(b"\xe3" + bytes(20)).decode()
    layer = {
        "class_name": "Lambda",
        "config": {"name": "l", "function": {"class_name": "__lambda__", "config": {"code": code}}},
    }
    found = {"module": "builtins", "class_name": "exec", "config": {}, "registered_name": "exec"}
    system = {"module": "os", "class_name": "function", "config": "system", "registered_name": "function"}
    fetch = {"module": "keras.utils", "class_name": "function", "config": "get_file", "registered_name": "get_file"}
    wrapped = {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"module": "gA=="}}
    for label, part in (
        ("lambda", layer),
        ("any class", found),
        ("any function", system),
        ("get_file", fetch),
        ("torch wrapper", wrapped),
    ):
        model = {"module": "keras", "class_name": "Sequential", "config": {"layers": [part]}, "registered_name": None}
        files = {
            "metadata.json": b"{}",
            "config.json": json.dumps(model).encode(),
            "model.weights.h5": b"\x89HDF\r\n\x1a\n",
        }
        yield File("keras", label, "m.keras", zipped(files))
        yield File(
            "keras",
            f"{label} in h5",
            "m.h5",
            b"\x89HDF\r\n\x1a\n" + bytes(600) + json.dumps(model).encode() + bytes(40),
        )


def _proto(field: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return _varint(field << 3) + _varint(content)
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def _onnx() -> Iterator[File]:
    def model(graph: bytes, *more: bytes) -> bytes:
        return (
            _proto(1, 8)
            + _proto(2, b"test")
            + _proto(7, graph)
            + b"".join(more)
            + _proto(8, _proto(1, b"") + _proto(2, 13))
        )

    def tensor(place: str) -> bytes:
        entry = _proto(1, b"location") + _proto(2, place.encode())
        return _proto(1, 1) + _proto(2, 1) + _proto(8, b"w") + _proto(13, entry) + _proto(14, 1)

    def node(kind: str, domain: str = "", *more: bytes) -> bytes:
        return (
            _proto(1, b"x") + _proto(2, b"y") + _proto(4, kind.encode()) + _proto(7, domain.encode()) + b"".join(more)
        )

    for label, place in (
        ("up", "../../etc/hostname"),
        ("absolute", "/etc/hostname"),
        ("up in the middle", "a/../../b"),
        ("windows", "..\\..\\b"),
        ("drive", "C:\\b"),
    ):
        yield File(
            "onnx", f"external data {label}", "m.onnx", model(_proto(1, node("Relu")) + _proto(5, tensor(place)))
        )
    inner = _proto(1, node("PyOp", "ai.onnx.contrib"))
    yield File("onnx", "custom domain", "m.onnx", model(_proto(1, node("Run", "com.evil"))))
    yield File("onnx", "python operator", "m.onnx", model(_proto(1, node("PyOp", "ai.onnx.contrib"))))
    yield File(
        "onnx",
        "custom domain in a branch",
        "m.onnx",
        model(_proto(1, node("If", "", _proto(5, _proto(1, b"b") + _proto(6, inner) + _proto(20, 5))))),
    )
    constant = _proto(5, _proto(1, b"value") + _proto(5, tensor("../x")) + _proto(20, 4))
    yield File("onnx", "external data in a constant", "m.onnx", model(_proto(1, node("Constant", "", constant))))
    yield File(
        "onnx",
        "custom domain in a function",
        "m.onnx",
        model(
            _proto(1, node("F", "local")),
            _proto(25, _proto(1, b"F") + _proto(7, node("PyOp", "ai.onnx.contrib")) + _proto(10, b"local")),
        ),
    )
    yield File("onnx", "cut off", "m.onnx", model(_proto(1, node("Relu")) + _proto(5, tensor("w.bin")))[:-9])


def _safetensors() -> Iterator[File]:
    def made(header: object, body: bytes = bytes(16), size: int | None = None) -> bytes:
        raw = header if isinstance(header, bytes) else json.dumps(header).encode()
        return struct.pack("<Q", len(raw) if size is None else size) + raw + body

    def entry(start: int, end: int, shape: list[int] | None = None) -> dict[str, object]:
        return {"dtype": "F32", "shape": [2] if shape is None else shape, "data_offsets": [start, end]}

    cases = {
        "claims a huge header": made({}, size=1 << 60),
        "header over its limit": made(b"{" + b" " * 100_000_001 + b"}", b""),
        "overlapping tensors": made({"a": entry(0, 8), "b": entry(4, 12)}),
        "outside the file": made({"a": entry(0, 8), "b": entry(8, 1 << 40)}),
        "wrong size": made({"a": entry(0, 16)}),
        "hole before the payload": made({"a": entry(8, 16)}),
        "payload behind the tensors": made({"a": entry(0, 8)}, bytes(8) + SYSTEM),
        "overflowing shape": made({"a": entry(0, 16, [1 << 62, 8])}),
        "a name twice": made(
            b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}'
        ),
        "metadata that is no text": made({"__metadata__": {"a": {"b": 1}}, "a": entry(0, 16, [4])}),
    }
    for label, content in cases.items():
        yield File("safetensors", label, "m.safetensors", content)


def _skops() -> Iterator[File]:
    def schema(loader: str, module: str, kind: str, **more: object) -> bytes:
        node = {"__class__": kind, "__module__": module, "__loader__": loader, "__id__": 1, **more}
        return zipped({"schema.json": json.dumps({**node, "protocol": 2, "_skops_version": "0.13"}).encode()})

    pair = {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "__id__": 2,
        "content": '"x"',
        "is_json": True,
    }
    cases = {
        "function": schema("FunctionNode", "os", "system", content="x"),
        "type": schema("TypeNode", "subprocess", "Popen"),
        "object": schema("ObjectNode", "subprocess", "Popen", content=None),
        "method (CVE-2025-54413)": schema("MethodNode", "builtins", "str", content={"func": "__class__", "obj": pair}),
        "operator (CVE-2025-54412)": schema(
            "OperatorFuncNode", "sklearn.linear_model", "LogisticRegression", attrs=pair
        ),
        "nested": schema(
            "ListNode",
            "builtins",
            "list",
            content=[{"__class__": "system", "__module__": "posix", "__loader__": "FunctionNode", "__id__": 3}],
        ),
        "unknown loader": schema("EvilNode", "builtins", "list"),
        "no zip at all": SYSTEM,
        "schema missing": zipped({"1.npy": b""}),
        "object array": zipped(
            {
                "schema.json": b'{"__class__":"ndarray","__module__":"numpy","__loader__":"NdArrayNode","type":"numpy","file":"a.npy"}',
                "a.npy": SYSTEM,
            }
        ),
    }
    for label, content in cases.items():
        yield File("skops", label, "m.skops", content)


def _boosted() -> Iterator[File]:
    tree = b"tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=1\nfeature_names=a b\nfeature_infos=[0:1] [0:1]\n"
    cases = {
        "UBJ claims 2^40 bytes": ("m.ubj", b"{L" + struct.pack(">q", 7) + b"learnerSL" + struct.pack(">q", 1 << 40)),
        "UBJ claims 2^40 numbers": ("m.ubj", b"{L" + struct.pack(">q", 1) + b"a[$d#L" + struct.pack(">q", 1 << 40)),
        "UBJ cut off": ("m.ubj", b"{L" + struct.pack(">q", 7) + b"lear"),
        "JSON cut off": ("m.json", b'{"learner": {"gradient_booster": {"model": {"trees": ['),
        "JSON of something else": ("m.json", b'{"auto_map": {"AutoModel": "evil.py--Model"}}'),
        "LightGBM counts that lie": (
            "m.txt",
            tree + b"tree_sizes=100\n\nTree=0\nnum_leaves=99999999\nnum_cat=0\nsplit_feature=0\n\nend of trees\n",
        ),
        "LightGBM feature out of range": (
            "m.txt",
            tree
            + b"tree_sizes=100\n\nTree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=7\nthreshold=0.5\nleft_child=-1\nright_child=-2\nleaf_value=1 2\n\nend of trees\n",
        ),
        "LightGBM cut off": ("m.txt", tree + b"tree_sizes=100\n\nTree=0\nnum_leaves=2\n"),
        "text of something else": ("m.txt", b"#!/bin/sh\ntrue\n"),
        "CatBoost of nothing": ("m.cbm", b"CBM1" + struct.pack("<I", 1 << 30)),
        "deep JSON": ("m.json", b'{"learner":' * 20000 + b"1" + b"}" * 20000),
    }
    for label, (file, content) in cases.items():
        yield File("boosted trees", label, file, content)


def _torch() -> Iterator[File]:
    magic = pickled(b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", protocol=2)
    legacy = magic + pickled(b"M\xe9\x03", protocol=2) + pickled(b"}", protocol=2)
    harmless = pickled(b"}")
    script = b"class M(Module):\n  def forward(self, x):\n    return torch.from_file('/etc/hostname', False, 10)\n"
    yield File("torch", "legacy, payload is the model", "m.pt", legacy + SYSTEM)
    yield File("torch", "legacy, payload is the list of keys", "m.pt", legacy + pickled(b"}") + SYSTEM)
    yield File("torch", "payload in constants", "m.pt", zipped({"m/data.pkl": harmless, "m/constants.pkl": SYSTEM}))
    yield File("torch", "payload beside", "m.pt", zipped({"m/data.pkl": harmless, "m/extra/x": SYSTEM}))
    yield File("torch", "payload in a storage", "m.pt", zipped({"m/data.pkl": harmless, "m/data/0": SYSTEM}))
    yield File(
        "torch",
        "program that reads files",
        "m.pt",
        zipped({"m/data.pkl": harmless, "m/constants.pkl": pickled(b")"), "m/code/__torch__.py": script}),
    )
    yield File(
        "torch",
        "package",
        "m.pt",
        zipped({"m/.data/version": b"6", "m/model/model.pkl": call("<torch_package_0>.evil", "run")}),
    )


def _bombs() -> Iterator[File]:
    big = 1 << 40
    doubled = b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86\x94" for i in range(60))
    cases = {
        "bytearray": call("builtins", "bytearray", big),
        "list of a range": pickled(calls("builtins", "list", calls("builtins", "range", big))),
        "array": call("numpy", "ndarray", (big,)),
        "array rebuilt": pickled(
            calls("numpy._core.multiarray", "_reconstruct", name("numpy", "ndarray"), (big,), b"C\x01b")
        ),
        "hash of doubled tuples": pickled(b")\x94", doubled, b"(h\x3c\x91"),
        "counter of a range": pickled(calls("collections", "Counter", calls("builtins", "range", big))),
        "memo index": pickled(b"Nr" + struct.pack("<I", 0xFFFFFFFF)),
        "bytes of 2 GB": pickled(b"\x8e" + struct.pack("<Q", 1 << 31)),
        "gzip of 2 GB": gzip.compress(b"\x80\x04" + b"N0" * 4_000_000)[:-8] + struct.pack("<II", 0, 8_000_002),
    }
    for label, content in cases.items():
        yield File("bomb", label, "m.pkl", content)


def _harmful_arguments() -> Iterator[File]:
    path = "/etc/hostname"
    yield File(
        "vouched class, hostile argument",
        "LightGBM reads a file",
        "m.pkl",
        call("lightgbm.basic", "Booster", None, None, path),
    )
    yield File(
        "vouched class, hostile argument",
        "XGBoost reads a file",
        "m.pkl",
        call("xgboost.core", "Booster", None, (), path),
    )
    yield File("vouched class, hostile argument", "index of an unknown call", "m.pkl", call("numpy", "memmap", path))
    yield File("vouched class, hostile argument", "CatBoost reads a file", "m.pkl", call("catboost.core", "Pool", path))


def hostile() -> list[File]:
    """All of them, 257 files of 19 families."""
    parts = (_gadgets, _virtual_machine, _broken, _archives, _named_otherwise, _joblib, _numpy, _keras, _onnx)
    more = (_safetensors, _skops, _boosted, _torch, _bombs, _harmful_arguments)
    return [file for part in (*parts, *more) for file in part()]
