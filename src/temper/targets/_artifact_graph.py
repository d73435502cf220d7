"""Models written as documents: which classes a Keras config or a skops schema would build, what TorchScript reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from temper.targets._artifact_kind import escapes
from temper.targets._artifact_seen import Seen

_KERAS = re.compile(
    r"(keras|tf_keras|tensorflow\.keras)(\.(src|layers|models|initializers|optimizers|losses|metrics|regularizers|"
    r"activations|constraints|dtype_policies|quantizers|random|engine)\b[\w.]*)?"
)
_CODE = ("Lambda", "__lambda__", "TorchModuleWrapper", "TFSMLayer", "get_file")
_LOADERS = (
    "DictNode DefaultDictNode ListNode SetNode TupleNode FunctionNode PartialNode TypeNode SliceNode ObjectNode "
    "ConstructorFromReduceNode MethodNode JsonNode BytesNode BytearrayNode OperatorFuncNode NdArrayNode "
    "MaskedArrayNode RandomStateNode RandomGeneratorNode DTypeNode SparseMatrixNode QuantileForestNode ReduceNode "
    "TreeNode LossNode SGDNode CachedNode _DictWithDeprecatedKeysNode"
)
_FILES = ("StringLookup", "IntegerLookup", "TextVectorization")
_OPERATORS = re.compile(rb"\bops\.(\w+)\.(\w+)")
_OURS = (
    "aten prim prims quantized torchvision torchaudio mkldnn mkldnn_prepacked onednn xnnpack prepacked sparse inductor "
    "profiler static_runtime cuda _caffe2 _quantized"
)
_SCRIPT = re.compile(rb"torch\.(from_file|save|load)\b|ops\.aten\.(from_file|save)\b|\bos\.|\bopen\(")
_JSON = re.compile(rb'\{\s*"')
_WINDOWS = (1 << 12, 1 << 18, 1 << 26)


def parsed(content: bytes, seen: Seen, place: str) -> Any:
    """The document, or None with a finding; a nesting that would break a parser is one, and so is a name that comes
    twice: parsers differ in which they take.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen.note("the document has a name twice", place)
        return found

    try:
        return json.loads(content, object_pairs_hook=once)
    except RecursionError:
        seen.note("the document is nested too deeply", place)
    except ValueError as fault:
        seen.note(f"the document is damaged ({fault})", place)
    return None


def keras_config(content: bytes, seen: Seen, place: str = "") -> None:
    """A Keras config: lambdas and layers that hold code are findings, classes outside Keras need a review.

    Source: keras.src.saving.serialization_lib; CVE-2024-3660, CVE-2025-1550, CVE-2025-8747.
    """
    keras_nodes(parsed(content, seen, place), seen)


def keras_nodes(document: Any, seen: Seen) -> None:
    """Every class and function a decoded config names."""
    for node in _objects(document):
        kind, module = node.get("class_name"), node.get("module")
        called = node.get("config") if kind == "function" else kind
        if called in _CODE or kind in _CODE:
            seen.note(f"its layer {called if isinstance(called, str) else kind} holds code or loads it")
        elif isinstance(called, str) and isinstance(module, str) and not _KERAS.fullmatch(module):
            seen.name(module, called)
        if kind in _FILES and isinstance(_inner(node).get("vocabulary"), str):
            seen.note(f"its layer {kind} reads a file ({_inner(node)['vocabulary'][:80]})")
        if "auto_map" in node:
            seen.note("it asks for Python files to be run with it (auto_map)")
        if any(key.startswith("py/") for key in node):
            seen.note("it is a pickle written as JSON (jsonpickle)")
        for file in _inner(node, "weight_map").values():
            if isinstance(file, str) and escapes(file):
                seen.note(f"its weights are to be read from outside its folder ({file[:80]})")


def _inner(node: dict[str, Any], key: str = "config") -> dict[str, Any]:
    inner = node.get(key)
    return inner if isinstance(inner, dict) else {}


def hdf5(content: Any, seen: Seen) -> None:
    """Keras configs in an HDF5 file, found by their text: attributes are never compressed there."""
    decoder, at = json.JSONDecoder(), 0
    while (found := _JSON.search(content, at)) is not None:
        at = found.end()
        for window in _WINDOWS:
            text = content[found.start() : found.start() + window].decode("utf-8", "replace")
            try:
                document, length = decoder.raw_decode(text)
            except RecursionError:
                seen.note("the config is nested too deeply")
                break
            except json.JSONDecodeError as fault:
                if fault.pos >= len(text) - 16 or fault.msg.startswith("Unterminated"):
                    continue  # the window was too short
                break
            keras_nodes(document, seen)
            at = found.start() + length
            break
        else:
            if b'"class_name"' in content[found.start() : found.start() + _WINDOWS[0]]:
                seen.note("it has a config that cannot be read to its end")


def skops_schema(content: bytes, seen: Seen) -> None:
    """A skops schema: the types it would build and the functions it would call, as skops itself finds them.

    Source: skops.io._audit; CVE-2025-54412, CVE-2025-54413.
    """
    for node in _objects(parsed(content, seen, "schema.json")):
        loader, module, kind = (node.get(f"__{word}__") for word in ("loader", "module", "class"))
        if loader is None:
            continue
        if loader not in _LOADERS.split():
            seen.note(f"the schema has a node skops does not know ({loader})")
        elif loader == "OperatorFuncNode" and module != "operator":
            seen.note(f"the schema calls {module}.{kind} as if it were an operator")
        elif loader == "MethodNode":
            method = node["content"].get("func") if isinstance(node.get("content"), dict) else None
            if not isinstance(method, str) or method.startswith("_"):
                seen.note(f"the schema calls a hidden method ({method})")
        if isinstance(module, str) and isinstance(kind, str):
            seen.name(module, kind)
        if isinstance(node.get("file"), str) and escapes(node["file"]):
            seen.note(f"the schema asks for a file outside the archive ({node['file'][:80]})")


def program_text(content: bytes, seen: Seen, place: str) -> None:
    """TorchScript: operators that read or write files run with the model, those of strangers need a review."""
    for called in _OPERATORS.finditer(content):
        space, operator = called[1].decode(), called[2].decode()
        if space not in _OURS.split():
            seen.name(f"torch.ops.{space}", operator)
    for found in sorted({match.group().decode() for match in _SCRIPT.finditer(content)}):
        seen.note(f"its program calls {found}", place)


def _objects(document: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object, however deep, without recursion."""
    waiting = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
