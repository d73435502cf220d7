"""An ONNX model as a target, run by onnxruntime on one thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.data import Array, Data
from temper.core.errors import ContractError, Unsupported
from temper.core.schema import Schema
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.core.trees import TreeEnsemble
from temper.targets import _digest, _onnx_net, _trees_onnx
from temper.targets._score import SINGLE, one_hot, shaped
from temper.targets._trees_build import TREELESS
from temper.targets.frame import agree, coding, numeric, to_frame
from temper.targets.torch import Torch

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}
_SHARES = ("Softmax", "TreeEnsembleClassifier", "LinearClassifier", "SVMClassifier", "Normalizer", "ZipMap")


@dataclass(frozen=True, kw_only=True, eq=False)
class Onnx:
    """`content` is the serialised model; the session is opened once per process.

    One tensor input takes the matrix (or an image batch) as it is; several named inputs take a column each. `output`
    is the graph output that holds the scores, or the labels where there are none.
    """

    content: bytes
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    stochastic: bool = False
    schema: Schema | None = None
    output: str = ""
    labels_only: bool = False

    @property
    def name(self) -> str:
        """The adapter's name."""
        return "onnx"

    @cached_property
    def access(self) -> Access:
        """Labels; scores where the graph has any, trees where it is made of nothing else, gradients of a net."""
        if self.labels_only:
            return Access.LABELS
        inside = Access.TREES if self._trees is not None else Access.GRADIENTS if self._is_net else Access.NONE
        return Access.LABELS | Access.SCORES | inside

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the model's bytes."""
        return _digest.of_bytes(self.content)

    def scores(self, x: Array) -> Array:
        """Scores (n, classes) or (n, 1)."""
        parts = [self._run(part) for part in self._batches(x)]
        raw = np.concatenate(parts) if len(parts) != 1 else parts[0]
        if self.labels_only:
            return one_hot(raw.reshape(len(x)), self.classes)
        return shaped(raw, self.kind, self.classes, len(x), "the ONNX model")

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Scores of onnxruntime, and the slope that a torch copy of the graph gives."""
        if not self._is_net:
            raise Unsupported("this ONNX model has no gradients", fix="open the torch module it was exported from")
        shown = self.scores(np.asarray(x))
        _, slope = self._net.gradient(np.asarray(x), lambda scores: cotangent(self._agreeing(scores, shown)))
        return shown, slope

    def _agreeing(self, copied: Array, real: Array) -> Array:
        """The real scores, when the copy of the net says the same."""
        if not np.allclose(copied, real, rtol=1e-3, atol=1e-3):
            raise ContractError(
                "the torch copy of the ONNX net does not say what onnxruntime says, so its gradient is not trusted",
                fix="open the torch module it was exported from",
            )
        return real

    @cached_property
    def _is_net(self) -> bool:
        return _onnx_net.convertible(self.content)

    @cached_property
    def _net(self) -> Torch:
        copy = _onnx_net.module(self.content, self.output)
        return Torch(model=copy, kind=self.kind, classes=self.classes, stochastic=self.stochastic)

    def trees(self) -> TreeEnsemble:
        """The graph's one tree operator as arrays, read once per process."""
        if self.labels_only or self._trees is None:
            raise Unsupported("this ONNX graph is not one tree operator between casts", fix=TREELESS)
        return self._trees

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """An exported graph cannot be fitted again."""
        raise Unsupported("an ONNX model cannot be fitted again", fix="open the estimator it was exported from")

    def _run(self, x: Array) -> np.ndarray[Any, Any]:
        raw = self._session.run([self.output], self._feed(x))[0]
        if isinstance(raw, list):  # a ZipMap: one dictionary per row
            keys = sorted(raw[0]) if raw else []
            return np.array([[row[key] for key in keys] for row in raw])
        return np.asarray(raw)

    def _feed(self, x: Array) -> dict[str, Any]:
        inputs = self._session.get_inputs()
        if len(inputs) == 1:
            matrix = coding(self.schema).apply(np.asarray(x))
            return {inputs[0].name: np.ascontiguousarray(matrix, dtype=_dtype(inputs[0]))}
        if self.schema is None:
            raise ContractError(f"the ONNX model has {len(inputs)} inputs and no schema", fix="give schema=")
        names = {c.name for c in self.schema.columns if numeric(c)}
        texts = {i.name for i in inputs if i.type == "tensor(string)"}
        forms = {c.name: "number" for c in self.schema.columns if c.name in names and _plain(c.name) not in texts}
        frame = to_frame(x, self.schema, forms)
        frame.columns = [_plain(name) for name in frame.columns]
        return {i.name: frame[_plain(i.name)].to_numpy(dtype=object).astype(_dtype(i))[:, None] for i in inputs}

    def _batches(self, x: Array) -> Sequence[Array]:
        """The batch whole, or in the pieces of an export with a fixed batch size."""
        size = self._session.get_inputs()[0].shape[:1]
        if not size or not isinstance(size[0], int) or size[0] == len(x):
            return [x]
        if len(x) % size[0]:
            raise ContractError(
                f"the ONNX model takes batches of exactly {size[0]} rows, not {len(x)}",
                fix="export it with a free first axis (dynamic_axes or dynamic_shapes)",
            )
        return [x[at : at + size[0]] for at in range(0, len(x), size[0])]

    @cached_property
    def _trees(self) -> TreeEnsemble | None:
        return _trees_onnx.ensemble(self.content, self.output, self.classes, coding(self.schema), self.scores)

    @cached_property
    def _session(self) -> Any:
        return session(self.content)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_session", "_net")}


def session(content: bytes) -> Any:
    """An inference session on one thread; a `ContractError` when the bytes are no model it can run."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as crash:  # its exception classes have no common public base
        raise ContractError(
            f"onnxruntime cannot load the model: {crash}", fix="export it again and check it"
        ) from crash


def read(path: Path) -> bytes:
    """The model's bytes, with tensors that are kept in files beside it taken in."""
    import onnx

    content = path.read_bytes()
    try:
        model = onnx.load_model_from_string(content)
    except Exception as crash:  # protobuf's DecodeError has no stable home
        raise ContractError(f"{path} is not an ONNX model: {crash}", fix="export it again") from crash
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
        return bytes(onnx.load(str(path)).SerializeToString())
    return content


def open_onnx(
    content: bytes,
    schema: Schema | None,
    kind: ScoreKind | None,
    classes: int | None,
    stochastic: bool,
    labels_only: bool = False,
) -> Onnx:
    """The adapter of a serialised model; a `ContractError` says what must be declared."""
    running = session(content)
    _agree_inputs(running.get_inputs(), schema)
    score, label = _outputs(running.get_outputs())
    settings: dict[str, Any] = {"content": content, "stochastic": stochastic, "schema": schema}
    if score is None or labels_only:
        if label is None or classes is None:
            raise ContractError("the ONNX model gives labels only", fix="declare labels_only=True and classes=")
        return Onnx(classes=classes, output=label.name, labels_only=True, **settings)
    found = kind or _kind(content, score)
    if found in (ScoreKind.MARGIN, ScoreKind.VALUE):
        return Onnx(kind=found, classes=2 if found is ScoreKind.MARGIN else 1, output=score.name, **settings)
    count = classes or _labelled(content) or _width(running, score)
    if count == 1:
        raise ContractError(f"the ONNX output {score.name!r} has one column", fix=SINGLE)
    return Onnx(kind=found, classes=count, output=score.name, **settings)


def _agree_inputs(inputs: Sequence[Any], schema: Schema | None) -> None:
    if len(inputs) == 1:
        width = inputs[0].shape[1] if len(inputs[0].shape) == 2 else None
        agree(None, width if isinstance(width, int) else None, schema, "the ONNX model")
        return
    if schema is not None and {_plain(i.name) for i in inputs} != {_plain(name) for name in schema.names}:
        agree([i.name for i in inputs], None, schema, "the ONNX model")


def _outputs(outputs: Sequence[Any]) -> tuple[Any, Any]:
    """(scores, labels) among the graph's outputs, None where there is none."""
    score = [o for o in outputs if o.type.startswith("seq(") or o.type in list(_TYPES)[:3]]
    label = [o for o in outputs if o.type in ("tensor(int64)", "tensor(int32)", "tensor(string)")]
    named = [o for o in score if "prob" in o.name.lower()]
    if len(score) > 1 and not named:
        raise ContractError(
            f"the ONNX model has several outputs that may be scores: {', '.join(o.name for o in score)}",
            fix="export it with the scores alone",
        )
    return next(iter(named or score), None), next(iter(label), None)


def _kind(content: bytes, score: Any) -> ScoreKind:
    """What the operator that makes the scores says they are."""
    import onnx

    nodes = {name: node for node in onnx.load_model_from_string(content).graph.node for name in node.output}
    node = nodes.get(score.name)
    while node is not None and node.op_type in ("Cast", "Identity", "Reshape") and node.input:
        node = nodes.get(node.input[0])
    if score.type.startswith("seq(") or "prob" in score.name.lower() or (node and node.op_type in _SHARES):
        return ScoreKind.PROBABILITIES
    raise ContractError(
        f"the ONNX output {score.name!r} may be logits, probabilities or a value",
        fix="declare kind=ScoreKind.LOGITS, PROBABILITIES, MARGIN or VALUE",
    )


def _labelled(content: bytes) -> int | None:
    """Number of classes a classifying operator lists."""
    import onnx

    for node in onnx.load_model_from_string(content).graph.node:
        for item in node.attribute:
            if item.name.startswith("classlabels_") and node.op_type.endswith("Classifier"):
                return len(item.ints) or len(item.strings) or None
    return None


def _width(running: Any, score: Any) -> int:
    """Number of score columns: as the graph declares it, else as one row of zeros shows it."""
    if len(score.shape) == 2 and isinstance(score.shape[1], int):
        return score.shape[1]
    feed = {
        i.name: np.full([1, *(s if isinstance(s, int) else 1 for s in i.shape[1:])], _zero(i))
        for i in running.get_inputs()
    }
    try:
        raw = running.run([score.name], feed)[0]
    except Exception as crash:  # see `session`
        raise ContractError(
            f"the number of classes is not in the ONNX model: {crash}", fix="declare classes="
        ) from crash
    return len(raw[0]) if isinstance(raw, list) else int(np.prod(np.shape(raw)[1:]))


def _zero(wanted: Any) -> Any:
    return "" if wanted.type == "tensor(string)" else _dtype(wanted)(0)


def _dtype(wanted: Any) -> Any:
    if wanted.type not in _TYPES:
        raise ContractError(f"the ONNX input {wanted.name!r} is {wanted.type}", fix="export it with float inputs")
    return _TYPES[wanted.type]


def _plain(name: str) -> str:
    """Exporters write _ for what ONNX does not take in a name."""
    return "".join(letter if letter.isalnum() else "_" for letter in name)
