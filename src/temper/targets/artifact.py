"""What a model file would do when it is loaded, found without loading it: nothing is imported, nothing is run."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper.core.errors import ContractError
from temper.targets import _artifact_kind as kinds
from temper.targets._allowed import known as known
from temper.targets._artifact_array import array
from temper.targets._artifact_boosted import catboost_model, json_document, ubj_document
from temper.targets._artifact_graph import hdf5
from temper.targets._artifact_lightgbm import lightgbm_text
from temper.targets._artifact_onnx import onnx_model
from temper.targets._artifact_seen import Seen
from temper.targets._artifact_tensors import tensors
from temper.targets._artifact_zip import tar_archive, zip_archive
from temper.targets._unwrap import BROKEN, Limits, Purse, Refused, unwrapped


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanReport:
    """`findings` are reasons not to load the file; `needs_review` are names it uses that nobody vouched for.

    `kind` is what the file is by its content.
    """

    kind: str = ""
    findings: tuple[str, ...] = ()
    needs_review: tuple[str, ...] = ()

    @property
    def safe(self) -> bool:
        """Nothing found and nothing unfamiliar."""
        return not self.findings and not self.needs_review


def scan(path: str | Path, limits: Limits | None = None) -> ScanReport:
    """Read a model file as data, by what its bytes are and not by its ending; report what it names, calls and reaches.

    Pickles (also of joblib and torch, compressed, in zip and tar, in arrays of objects) are followed opcode by opcode;
    Keras configs, skops schemas, ONNX graphs, safetensors, XGBoost, LightGBM and CatBoost files are read for what
    their loaders would build, open or believe. Whatever cannot be read to its end is a finding.
    It misleads where a class that looks harmless does harm when it is restored (the allow-list vouches for names, not
    for every version of a library), and says nothing about what the model has learned: a backdoor is no bad file.
    Source: Python's pickletools, joblib.numpy_pickle, and the documents of the formats named in each `_artifact_*`.
    """
    path = Path(path)
    if not path.is_file():
        raise ContractError(f"the file {path} does not exist", fix="give the path of a model file")
    seen = Seen(Purse(limits or Limits()))
    with path.open("rb") as file:
        size, ending = path.stat().st_size, kinds.ending_of(path)
        kind = kinds.kind_of(file.peek(kinds.HEAD)[: kinds.HEAD], size, ending)
        if wrong := kinds.broken_promise(kind, ending):
            seen.note(wrong)
        try:
            _read(kind, file, path, size, seen)
        except Refused as refusal:
            seen.note(str(refusal))
        except (*BROKEN, LookupError, TypeError, AttributeError, struct.error) as crash:
            seen.note(f"it cannot be read to its end ({type(crash).__name__}: {crash})")
    findings, strange = seen.verdict()
    return ScanReport(kind=kind, findings=findings, needs_review=strange)


def _read(kind: str, file: Any, path: Path, size: int, seen: Seen) -> None:
    """The reader of a kind; a file that is no pickle is still followed as one as far as that goes."""
    ending = kinds.ending_of(path)
    if kind == kinds.PROGRAM:
        seen.note("it is a program or a script, not a model")
    elif kind == kinds.ZIP:
        zip_archive(file, seen, ending)
    elif kind == kinds.TAR:
        tar_archive(file, seen)
    elif kind == kinds.PACKED:
        _packed(file, seen)
    elif kind == kinds.ARRAY:
        array(file, seen, size)
    elif kind == kinds.TENSORS:
        tensors(file, size, seen)
    elif kind == kinds.CATBOOST:
        catboost_model(file, size)
    elif kind == kinds.PICKLE:
        seen.pickle(file)
    else:
        with _mapped(file) as content:
            _documents(kind, content, path, seen)
    if kind in (kinds.TENSORS, kinds.ONNX, kinds.LIGHTGBM, kinds.CATBOOST, kinds.TAR):
        file.seek(0)
        seen.glimpse(file)


def _documents(kind: str, content: Any, path: Path, seen: Seen) -> None:
    if kind == kinds.JSON:
        json_document(content, seen)
    elif kind == kinds.UBJ:
        ubj_document(content, seen)
    elif kind == kinds.LIGHTGBM:
        lightgbm_text(content, seen)
    elif kind == kinds.HDF5:
        hdf5(content, seen)
    else:
        onnx_model(content, path, seen)


def _packed(file: Any, seen: Seen) -> None:
    """A compressed file holds a pickle, or a tar; anything else in it is followed as a pickle and found wanting."""
    if unwrapped(file).peek(kinds.HEAD)[257:262] == b"ustar":
        file.seek(0)
        tar_archive(file, seen)
        return
    file.seek(0)
    seen.pickle(file)


@contextmanager
def _mapped(file: Any) -> Iterator[mmap.mmap]:
    content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        yield content
    finally:
        with suppress(BufferError):  # an error on its way out may still look into it; the last one to look closes it
            content.close()
