"""What a model file would do when it is loaded, found without loading it: nothing is imported, nothing is run."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from temper.core.errors import ContractError
from temper.targets._allowed import dangerous
from temper.targets._allowed import known as known
from temper.targets._pickle import Name, Reading, read_pickle
from temper.targets._unwrap import Limits, Purse, Refused, Stream, unwrapped

_NATIVE = (".json", ".ubj", ".model", ".txt", ".cbm", ".onnx", ".safetensors")
_INERT = (*_NATIVE, ".npy", ".py", ".debug_pkl")
_PICKLES = (".pkl", ".pickle", ".joblib")
_STORED = ("data.pkl", "constants.pkl")
_MEMBERS = 100_000
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, NotImplementedError)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanReport:
    """`findings` are reasons not to load the file; `needs_review` are names it uses that nobody vouched for."""

    findings: tuple[str, ...] = ()
    needs_review: tuple[str, ...] = ()

    @property
    def safe(self) -> bool:
        """Nothing found and nothing unfamiliar."""
        return not self.findings and not self.needs_review


def scan(path: str | Path, limits: Limits | None = None) -> ScanReport:
    """Read every pickle in a file (compressed, of joblib, or in a zip) as data; report what it names and calls.

    Formats whose loaders run no code (.json, .ubj, .txt, .cbm, .onnx, .safetensors) are only checked not to be a
    pickle or an archive. Whatever cannot be read to its end is a finding. It misleads where a class that looks
    harmless does harm when it is restored: the allow-list vouches for names, not for every version of a library.
    Source: Python's pickletools and joblib.numpy_pickle.
    """
    path = Path(path)
    if not path.is_file():
        raise ContractError(f"the file {path} does not exist", fix="give the path of a model file")
    seen = _Seen(Purse(limits or Limits()))
    with path.open("rb") as file:
        start = file.peek(4)[:4]
        if path.suffix.lower() in _NATIVE:
            seen.native(start)
        elif start.startswith(b"PK\x03\x04"):
            seen.archive(file)
        else:
            seen.whole(file)
    return seen.report()


class _Seen:
    """Findings and names over everything in one file."""

    def __init__(self, purse: Purse) -> None:
        self._purse = purse
        self._findings: dict[str, None] = {}
        self._names: dict[Name, None] = {}

    def report(self) -> ScanReport:
        """Dangerous names are findings, unfamiliar ones need a review."""
        bad = [f"it names {name}" for name in self._names if dangerous(name.module, name.name)]
        strange = [n for n in self._names if not dangerous(n.module, n.name) and not known(n.module, n.name)]
        return ScanReport(
            findings=tuple(dict.fromkeys([*self._findings, *bad])), needs_review=tuple(sorted(map(str, strange)))
        )

    def native(self, start: bytes) -> None:
        """A file that its own parser reads: it must not be a pickle or an archive under a false name."""
        if start[:1] == b"\x80" or start.startswith((b"PK\x03\x04", b"\x1f\x8b")):
            self._findings["its content is a pickle or an archive, its ending says otherwise"] = None

    def whole(self, file: Any, place: str = "", stored: bool = False) -> None:
        """One pickle, perhaps compressed, with nothing behind it."""
        reading = Reading(self._purse, stored=stored)
        try:
            stream = Stream(unwrapped(file), self._purse)
            read_pickle(stream, reading)
            if stream.read(1):
                reading.note("there are bytes behind the end of the pickle")
        except Refused as refusal:
            reading.note(str(refusal))
        except _BROKEN as crash:
            reading.note(f"it cannot be read to its end ({type(crash).__name__})")
        self._take(reading, place)
        if reading.wrapped and hasattr(file, "seek"):
            file.seek(0)
            self.glimpse(file, place)

    def glimpse(self, file: Any, place: str = "") -> None:
        """Follow the bytes as a plain pickle as far as they go, and keep only what is dangerous.

        For members of unknown format; and for joblib files, where bytes that joblib takes for an array are opcodes to
        whoever loads the file with pickle itself.
        """
        reading = Reading(self._purse, arrays=False, stored=True)
        try:
            read_pickle(Stream(unwrapped(file), self._purse), reading)
        except (Refused, *_BROKEN):
            reading.findings.clear()
        reading.names = {name: None for name in reading.names if dangerous(name.module, name.name)}
        reading.findings.clear()
        self._take(reading, place)

    def archive(self, file: Any) -> None:
        """Every member of a zip (torch, skops, npz)."""
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                if len(members) > _MEMBERS:
                    raise Refused(f"the archive has {len(members):,} members")
                for member in members:
                    self._member(archive, member)
        except Refused as refusal:
            self._findings[str(refusal)] = None
        except _BROKEN as crash:
            self._findings[f"the archive cannot be read ({type(crash).__name__})"] = None

    def _member(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        name = member.filename
        ending = Path(name).suffix.lower()
        with archive.open(member) as raw:
            file = io.BufferedReader(cast(io.RawIOBase, raw))
            start = file.peek(8)[:8]
            if start.startswith(b"\x93NUMPY"):
                self._npy(file, name)
            elif start.startswith(b"PK\x03\x04"):
                raise Refused(f"{name} is an archive inside the archive")
            elif start[:1] == b"\x80" or ending in _PICKLES:
                self.whole(file, name, stored=Path(name).name in _STORED)
            elif ending not in _INERT:
                self.glimpse(file, name)

    def _npy(self, file: Any, name: str) -> None:
        """An array file: one of objects holds a pickle behind its header."""
        head = file.read(8)
        size = int.from_bytes(file.read(2 if head[6] == 1 else 4), "little")
        header = file.read(min(size, 1 << 16))
        if b"O" in header.split(b"fortran_order")[0].split(b"descr")[-1]:
            self.whole(file, name)

    def _take(self, reading: Reading, place: str) -> None:
        self._names |= reading.names
        for text in reading.findings:
            self._findings[f"{place}: {text}" if place else text] = None
