"""A torch module as a target: tensors in, tensors out, gradients by one forward and one backward pass."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np

from temper.core.data import Array, Data
from temper.core.errors import ContractError, NoGradient, Unsupported
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.targets import _digest
from temper.targets._score import SINGLE

_SURE = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class Torch:
    """A module in evaluation mode on its own device; inputs are tensors or arrays (n, ...), taken as float32.

    A tensor is answered with a tensor on the input's device, an array with an array. `stored` keeps the bytes of a
    scripted or exported program, which does not pickle by itself.
    """

    model: Any
    kind: ScoreKind = ScoreKind.LOGITS
    classes: int = 2
    stochastic: bool = False
    stored: bytes = b""
    remarks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The adapter's name."""
        return "torch"

    @property
    def access(self) -> Access:
        """Labels, scores and gradients."""
        return Access.LABELS | Access.SCORES | Access.GRADIENTS

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the structure and every parameter and buffer."""
        parts = [str(self.model).encode(), getattr(self.model, "code", "").encode()]
        for name, value in sorted(self.model.state_dict().items()):
            kept = value.detach().cpu().contiguous()
            parts += [f"{name} {tuple(kept.shape)} {kept.dtype}".encode(), _raw(kept)]
        return _digest.of_bytes(*parts)

    def scores(self, x: Array) -> Array:
        """Scores (n, classes) or (n, 1)."""
        import torch

        with torch.no_grad():
            out = self._forward(self._tensor(x))
        return _answer(out, x)

    def gradient(self, x: Array, cotangent: object) -> tuple[Array, Array]:
        """Scores, and d<cotangent(scores), scores>/dx of the shape of `x`: one forward, one backward pass."""
        import torch

        slope = cast(Callable[[Any], Any], cotangent)
        with torch.enable_grad():
            point = self._tensor(x).detach().requires_grad_(True)
            out = self._forward(point)
        shown = _answer(out.detach(), x)
        weights = torch.as_tensor(slope(shown), dtype=out.dtype, device=out.device)
        try:
            (found,) = torch.autograd.grad(out, point, grad_outputs=weights)
        except RuntimeError as crash:
            raise NoGradient(
                f"no gradient reaches the input: {crash}", fix="remove no_grad, detach and rounding from forward"
            ) from crash
        return shown, _answer(found, x)

    def native(self, x: Array) -> Array:
        """`x` as a float32 tensor on the module's device."""
        return self._tensor(x)

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """How a network is trained is the user's own code."""
        raise Unsupported("a torch module cannot be fitted again from its weights alone", fix="train it and open it")

    def _tensor(self, x: Array) -> Any:
        import torch

        return torch.as_tensor(x, dtype=torch.float32, device=self._device)

    def _forward(self, x: Any) -> Any:
        if self.model.training and not self.stored:
            raise ContractError("the module was put into training mode after it was opened", fix="call model.eval()")
        out = self.model(x.to(self._precision))
        if not hasattr(out, "shape"):
            raise ContractError(f"the module returned {type(out).__name__} and not a tensor", fix="return the scores")
        out = out.float()  # half precision in, single precision out: differences of scores must not be rounded away
        single = self.kind in (ScoreKind.MARGIN, ScoreKind.VALUE)
        if single and tuple(out.shape) in ((len(x),), (len(x), 1)):
            return out.reshape(len(x), 1)
        if tuple(out.shape) != (len(x), 1 if single else self.classes):
            fix = SINGLE if out.ndim < 2 or out.shape[1] == 1 else f"open it with classes={out.shape[-1]}"
            raise ContractError(f"the module returned {tuple(out.shape)} for {len(x)} rows", fix=fix)
        return out

    @cached_property
    def _device(self) -> Any:
        import torch

        first = next(itertools.chain(self.model.parameters(), self.model.buffers()), None)
        return torch.device("cpu") if first is None else first.device

    @cached_property
    def _precision(self) -> Any:
        """What the module's weights are kept in; inputs and scores are single precision either way."""
        import torch

        return next((p.dtype for p in self.model.parameters() if p.is_floating_point()), torch.float32)

    def __reduce__(self) -> tuple[Any, ...]:
        kept = {name: getattr(self, name) for name in ("kind", "classes", "stochastic", "stored", "remarks")}
        return _restored, (self.stored or self.model, kept)


def open_torch(model: Any, kind: ScoreKind | None, classes: int | None, stochastic: bool, stored: bytes = b"") -> Torch:
    """The adapter of a module; a `ContractError` says what must be declared.

    A module in training mode is copied and the copy put into evaluation mode, so the user's own stays as it is.
    """
    width = _last_width(model)
    found = kind or _kind(model, width)
    if found in (ScoreKind.MARGIN, ScoreKind.VALUE):
        count: int | None = 2 if found is ScoreKind.MARGIN else 1
    else:
        count = classes or width
    if count is None:
        raise ContractError("the number of classes cannot be read off the module", fix="declare classes=")
    training = not stored and any(part.training for part in model.modules())
    if training:
        import copy

        model = copy.deepcopy(model).eval()
    opened = Torch(model=model, kind=found, classes=count, stochastic=stochastic, stored=stored)
    return replace(opened, remarks=_remarks(training, opened))


def _remarks(training: bool, opened: Torch) -> tuple[str, ...]:
    """What a person should know of how the module is tested."""
    said = []
    if training:
        said.append("it was in training mode: a copy in evaluation mode is tested, dropout and batch statistics off")
    if (precision := str(opened._precision).removeprefix("torch.")) != "float32":
        said.append(f"it computes in {precision}; inputs and scores are handed over in float32")
    return tuple(said)


def load_stored(content: bytes) -> Any:
    """The module of a scripted (`torch.jit`) or exported (`torch.export`) program."""
    import warnings

    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit is deprecated, its files are not gone
        if b"archive_format" in content:
            return torch.export.load(io.BytesIO(content)).module()
        return torch.jit.load(io.BytesIO(content), map_location="cpu").eval()  # type: ignore[no-untyped-call]


def log_probabilities(out: Any, kind: ScoreKind) -> Any:
    """Log-probabilities (n, classes) of what a module returned, for losses that are differentiated."""
    import torch

    if kind is ScoreKind.MARGIN:
        margin = out.reshape(len(out), 1)
        return torch.nn.functional.logsigmoid(torch.cat([-margin, margin], dim=1))
    if kind is ScoreKind.PROBABILITIES:
        return out.clamp(min=_SURE).log()
    return out.log_softmax(dim=1)


def _kind(model: Any, width: int | None) -> ScoreKind:
    """What the last layer says the scores are; logits unless it is a softmax."""
    last = _leaves(model)[-1:]
    title = type(last[0]).__name__ if last else ""
    if width == 1 or title == "Sigmoid":
        raise ContractError("the module has one output", fix=SINGLE)
    return ScoreKind.PROBABILITIES if title == "Softmax" else ScoreKind.LOGITS


def _last_width(model: Any) -> int | None:
    """Outputs of the last layer that has weights, None where it cannot be told."""
    widths = [part.out_features for part in _leaves(model) if hasattr(part, "out_features")]
    if widths:
        return int(widths[-1])
    matrices = [p for p in model.parameters() if p.ndim >= 1]
    return int(matrices[-1].shape[0]) if matrices and not _leaves(model)[1:] else None


def _leaves(model: Any) -> list[Any]:
    return [part for part in model.modules() if not list(part.children())]


def _answer(values: Any, like: Array) -> Array:
    """`values` as the caller asked: a tensor on the device of a tensor, else a float64 array."""
    if isinstance(like, np.ndarray):
        return values.detach().cpu().numpy().astype(np.float64)
    return values.to(like.device)


def _raw(tensor: Any) -> bytes:
    import torch

    return bytes(tensor.reshape(-1).view(torch.uint8).numpy().tobytes()) if tensor.numel() else b""


def _restored(model: Any, kept: dict[str, Any]) -> Torch:
    return Torch(model=load_stored(model) if isinstance(model, bytes) else model, **kept)
