"""One door for every kind of model: the adapter is chosen by what the model is, without importing any framework."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from temper.core.errors import ContractError, TemperError
from temper.core.schema import Schema
from temper.core.target import ScoreKind, Target

PICKLES = (".joblib", ".pkl", ".pickle")
_BOOSTS = (".json", ".ubj", ".model")
_NATIVE = (*_BOOSTS, ".txt", ".cbm", ".onnx")
_SCANNED = (*PICKLES, *_NATIVE, ".skops", ".npz", ".wrapped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user declared about a model; None and "" leave it to the model."""

    schema: Schema | None = None
    kind: ScoreKind | None = None
    classes: int | None = None
    stochastic: bool = False
    version: str = ""
    trust_pickle: bool = False
    authorised_by: str = ""
    labels_only: bool = False
    http: Mapping[str, Any] = field(default_factory=dict)


def open_target(
    model: Any,
    *,
    schema: Schema | None = None,
    kind: ScoreKind | None = None,
    classes: int | None = None,
    stochastic: bool = False,
    version: str = "",
    trust_pickle: bool = False,
    authorised_by: str = "",
    positive: int | str = 1,
    labels_only: bool = False,
    http: Mapping[str, Any] | None = None,
) -> Target:
    """A target around a fitted model: estimator, booster, torch module, ONNX, callable, path, "module:name" or URL.

    `kind` and `classes` are needed only where the model does not say. `positive` is what counts as class 1 of a binary
    model: a class number (0 turns the model round) or, as text, one of its class labels. `labels_only` is for
    callables, URLs and graphs that answer with class numbers. Pickled files are scanned, and refused unless
    `trust_pickle`. `http` holds settings of a URL: headers, timeout, batch, retries, max_requests.
    """
    wishes = Wishes(
        schema=schema,
        kind=kind,
        classes=classes,
        stochastic=stochastic,
        version=version,
        trust_pickle=trust_pickle,
        authorised_by=authorised_by,
        labels_only=labels_only,
        http=http or {},
    )
    target = _opened(model, wishes)
    return _facing(target, positive)


def _opened(model: Any, wishes: Wishes) -> Target:
    if hasattr(type(model), "access") and hasattr(type(model), "scores") and hasattr(type(model), "refit"):
        target: Target = model
        return target
    if isinstance(model, str) and model.startswith(("http://", "https://")):
        return _url(model, wishes)
    if isinstance(model, Path) or (isinstance(model, str) and not _reference(model)):
        return _file(Path(model), wishes)
    if isinstance(model, str):
        from temper.targets.function import find

        found = find(model)
        target = _opened(found, wishes)
        return replace(target, source=model) if type(target).__name__ == "Function" else target  # type: ignore[type-var]
    return _object(model, wishes)


def _reference(text: str) -> bool:
    """Whether the text is "package.module:name" or "file.py:name" and not a path (such as C:/model.json)."""
    place, colon, name = text.rpartition(":")
    return bool(colon) and name.replace(".", "_").isidentifier() and len(place) > 1 and not Path(text).exists()


def _object(model: Any, wishes: Wishes) -> Target:
    """By the classes a model is made of; a framework nobody has imported made no model."""
    homes = {kind.__module__.split(".")[0] for kind in type(model).__mro__}
    settings = (wishes.schema, wishes.kind, wishes.classes, wishes.stochastic)
    if isinstance(model, bytes | bytearray) or "onnx" in homes:
        from temper.targets.onnx import open_onnx

        content = bytes(model) if isinstance(model, bytes | bytearray) else model.SerializeToString()
        return open_onnx(content, *settings, labels_only=wishes.labels_only)
    if "torch" in homes and "torch" in sys.modules:
        return _network(model, wishes)
    if "xgboost" in homes:
        from temper.targets.xgboost import open_xgboost

        return open_xgboost(model, *settings)
    if "lightgbm" in homes:
        from temper.targets.lightgbm import open_lightgbm

        return open_lightgbm(model, *settings)
    if "catboost" in homes or "_catboost" in homes:
        from temper.targets.catboost import open_catboost

        return open_catboost(model, *settings)
    if "sklearn" in homes and hasattr(model, "predict"):
        from temper.targets.text import open_text, reads_texts

        if reads_texts(model):
            return open_text(model, *settings)
    if "sklearn" in homes or (hasattr(model, "predict") and hasattr(model, "fit")):
        from temper.targets.sklearn import open_sklearn

        return open_sklearn(model, *settings)
    return _callable(model, wishes)


def _callable(model: Any, wishes: Wishes) -> Target:
    if not callable(model):
        raise ContractError(
            f"a {type(model).__name__} is no model Temper knows",
            fix="give a fitted model, a callable, a path, module:name or a URL",
        )
    from temper.targets.function import Function

    kind = wishes.kind or ScoreKind.PROBABILITIES
    return Function(
        call=model,
        kind=kind,
        classes=_count(kind, wishes.classes),
        stochastic=wishes.stochastic,
        version=wishes.version,
        labels_only=wishes.labels_only,
    )


def _count(kind: ScoreKind, classes: int | None) -> int:
    if kind is ScoreKind.VALUE:
        return 1
    return 2 if classes is None or kind is ScoreKind.MARGIN else classes


def _url(url: str, wishes: Wishes) -> Target:
    from temper.targets.http import Http

    kind = wishes.kind or ScoreKind.PROBABILITIES
    return Http(
        url=url,
        kind=kind,
        classes=_count(kind, wishes.classes),
        stochastic=wishes.stochastic,
        schema=wishes.schema,
        version=wishes.version,
        labels_only=wishes.labels_only,
        authorised_by=wishes.authorised_by,
        **wishes.http,
    )


def _network(model: Any, wishes: Wishes) -> Target:
    import torch

    from temper.targets.torch import open_torch

    if not isinstance(model, torch.nn.Module):
        raise ContractError(f"a torch {type(model).__name__} is no module", fix="give the torch.nn.Module")
    stored = b""
    if isinstance(model, torch.jit.ScriptModule):
        stored = bytes(model.save_to_buffer())
    return open_torch(model, wishes.kind, wishes.classes, wishes.stochastic, stored)


def _file(path: Path, wishes: Wishes) -> Target:
    """By the file's ending, after a scan of its content: each is read by its own format's loader."""
    ending = path.suffix.lower()
    if not path.is_file():
        raise ContractError(f"the model {path} does not exist", fix="paths are relative to the temper.yaml")
    strange = _scanned(path) if ending in _SCANNED else ()
    if ending in PICKLES:
        return _object(_pickled(path, wishes.trust_pickle, strange), wishes)
    if ending == ".skops":
        return _object(_skops(path, wishes.trust_pickle), wishes)
    if ending in (".pt", ".pth", ".pt2"):
        return _program(path, wishes)
    if ending == ".onnx":
        from temper.targets.onnx import open_onnx, read

        settings = (wishes.schema, wishes.kind, wishes.classes, wishes.stochastic)
        return open_onnx(read(path), *settings, labels_only=wishes.labels_only)
    if ending == ".npz":
        from temper.targets.flat import open_trees

        return open_trees(path, wishes.schema, wishes.kind, wishes.classes)
    if ending == ".wrapped":
        from temper.targets.wrapped_file import open_wrapped

        return open_wrapped(path, wishes.schema, lambda inner: _file(inner, wishes))
    return _object(_boosted(path, ending), wishes)


def _boosted(path: Path, ending: str) -> Any:
    try:
        if ending in _BOOSTS:
            import xgboost

            return xgboost.Booster(model_file=str(path))
        if ending == ".txt":
            import lightgbm

            return lightgbm.Booster(model_file=str(path))
        if ending == ".cbm":
            import catboost

            return catboost.CatBoost().load_model(str(path))
    except ImportError:
        raise
    except Exception as crash:  # each library has errors of its own, without a common base
        raise ContractError(f"{path} cannot be read as a model: {_first_line(crash)}", fix="save it again") from crash
    raise ContractError(
        f"{path} has an ending Temper does not know",
        fix=".json .ubj .model (XGBoost), .txt (LightGBM), .cbm (CatBoost), .npz (trees), .wrapped, .onnx, .skops, "
        ".pt (scripted), .joblib .pkl (pickled, with trust_pickle)",
    )


def _first_line(crash: Exception) -> str:
    """What a C++ library says before its place in the source and its stack trace."""
    line = next(iter(str(crash).strip().splitlines()), type(crash).__name__)
    return re.sub(r"^\[[\d:]+\] \S+:\d+: ", "", line)


def _scanned(path: Path) -> tuple[str, ...]:
    """The names in the file that nobody vouched for; a file with findings is not loaded, trusted or not."""
    from temper.targets.artifact import scan

    report = scan(path)
    if report.findings:
        told = "cannot be read as a model" if path.suffix.lower() in _NATIVE else "is not loaded"
        raise ContractError(
            f"{path} {told}, the scan found: {'; '.join(report.findings)}",
            fix="ask where the file comes from, or save the model again",
        )
    return report.needs_review


def _pickled(path: Path, trusted: bool, strange: tuple[str, ...]) -> Any:
    if not trusted:
        told = f"it names {', '.join(strange)}" if strange else "the scan found nothing unusual"
        raise ContractError(
            f"{path} is a pickle, and loading a pickle runs the code it names ({told})",
            fix="set trust_pickle=True if you know its origin, or save the model as ONNX, skops or its native format",
        )
    import joblib

    return joblib.load(path)


def _skops(path: Path, trusted: bool) -> Any:
    """skops builds only the types it is told to; those of the scanner's allow-list need no opinion."""
    import skops.io

    from temper.targets.artifact import known

    unknown = [str(name) for name in skops.io.get_untrusted_types(file=path)]
    strange = sorted(name for name in unknown if not known(*name.rpartition(".")[::2]))
    if strange and not trusted:
        raise ContractError(
            f"{path} holds types nobody vouched for: {', '.join(strange)}", fix="set trust_pickle=True if you know them"
        )
    return skops.io.load(path, trusted=unknown)


def _program(path: Path, wishes: Wishes) -> Target:
    """Scripted and exported programs; whatever else torch.save writes is a pickle without the class."""
    import zipfile

    if not zipfile.is_zipfile(path):
        raise ContractError(f"{path} is no torch program", fix="save it with torch.jit.save or torch.export.save")
    with zipfile.ZipFile(path) as archive:
        names = [name.split("/", 1)[-1] for name in archive.namelist()]
    _scanned(path)
    exported = "archive_format" in names
    if not exported and "constants.pkl" not in names:
        raise ContractError(
            f"{path} holds weights or a pickled module, not a program",
            fix="build the module in Python and open file.py:function, or save it with torch.export.save",
        )
    if exported and not wishes.trust_pickle:  # torch falls back to unpickling when the safe way fails
        raise ContractError(
            f"{path} is an exported program, and torch may unpickle parts of it", fix="set trust_pickle=True"
        )
    from temper.targets.torch import load_stored, open_torch

    content = path.read_bytes()
    return open_torch(load_stored(content), wishes.kind, wishes.classes, wishes.stochastic, content)


def _facing(target: Target, positive: int | str) -> Target:
    """The target with `positive` as class 1; only a binary model can be turned round."""
    if target.classes != 2 or positive == 1:
        return target
    labels = [str(label) for label in getattr(getattr(target, "model", None), "classes_", ())] or ["0", "1"]
    at = positive if isinstance(positive, int) else labels.index(positive) if positive in labels else -1
    if at not in (0, 1):
        raise TemperError(f"the model has no class {positive!r}", fix=f"its classes are {', '.join(labels)}")
    from temper.targets._flipped import Flipped

    return target if at == 1 else Flipped(inner=target)
