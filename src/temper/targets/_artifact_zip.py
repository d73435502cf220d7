"""Archives: every member of a zip (torch, skops, Keras, npz) or tar, and the archive's own tricks."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import PurePosixPath
from typing import Any, cast

from temper.targets._artifact_array import array
from temper.targets._artifact_graph import keras_config, program_text, skops_schema
from temper.targets._artifact_kind import HEAD, PACKED, TAR, ZIP, ending_of, escapes, kind_of
from temper.targets._artifact_seen import Seen
from temper.targets._unwrap import BROKEN, Refused, Stream, unwrapped

_MEMBERS = 100_000
_DOCUMENT = 256 << 20
_RATIO = 1000  # deflate cannot shrink more than about this
_BOMB = 256 << 20
_PICKLES = (".pkl", ".pickle", ".joblib")
_TORCH = ("/data.pkl", "/constants.pkl")
_NESTED = 3
_PROGRAMS = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\x00asm")  # shorter ones may begin a weight
_CODE = (".py", ".pyc", ".pyd", ".so", ".dll", ".dylib", ".exe", ".sh", ".bat", ".ps1", ".js", ".jar")
_END, _TAIL = b"PK\x05\x06", 22 + (1 << 16)  # how a zip ends, and the most that may come from there on
_PROTOCOL = b"\x05"  # no reader takes a pickle of a later one; a weight may begin like that


def zip_archive(file: Any, seen: Seen, ending: str = "", depth: int = 0) -> None:
    """Every member of a zip."""
    try:
        _tail(file, seen)
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if len(members) > _MEMBERS:
                raise Refused(f"the archive has {len(members):,} members")
            names = [member.filename for member in members]
            if len(set(names)) < len(names):
                seen.note("the archive has two members of one name")
            if ending == ".skops" and "schema.json" not in names:
                seen.note("it holds no schema.json, so it is no skops file")
            torch = any(f"/{name}".endswith(_TORCH) for name in names)
            seen.program |= any(f"/{name}".endswith("/constants.pkl") for name in names)
            for member in members:
                _odd(member, seen)
                _document(archive, member, seen)
                with archive.open(member) as raw:
                    file = io.BufferedReader(cast(io.RawIOBase, raw))
                    _look(file, member.filename, member.file_size, seen, torch, depth)
    except Refused as refusal:
        seen.note(str(refusal))
    except BROKEN as crash:
        seen.note(f"the archive cannot be read ({type(crash).__name__}: {crash})")


def tar_archive(file: Any, seen: Seen) -> None:
    """Every member of a tar, also a compressed one."""
    try:
        with tarfile.open(fileobj=unwrapped(file), mode="r|") as archive:
            for count, member in enumerate(archive):
                if count > _MEMBERS:
                    raise Refused(f"the archive has more than {_MEMBERS:,} members")
                if escapes(member.name) or not (member.isfile() or member.isdir()):
                    seen.note(f"the archive would write outside its folder or make a link ({member.name})")
                inside = archive.extractfile(member) if member.isfile() else None
                if inside is not None:
                    file = io.BufferedReader(cast(io.RawIOBase, inside))
                    _look(file, member.name, member.size, seen, torch=True, depth=_NESTED)
    except Refused as refusal:
        seen.note(str(refusal))
    except BROKEN as crash:
        seen.note(f"the archive cannot be read ({type(crash).__name__}: {crash})")


def _tail(file: Any, seen: Seen) -> None:
    """A zip ends with its own record; what comes behind it is nobody's."""
    file.seek(max(file.seek(0, io.SEEK_END) - _TAIL, 0))
    tail = file.read()
    file.seek(0)
    at = tail.rfind(_END)
    if at >= 0 and len(tail) - at != 22 + int.from_bytes(tail[at + 20 : at + 22], "little"):
        seen.note("there are bytes behind the end of the archive")


def _odd(member: zipfile.ZipInfo, seen: Seen) -> None:
    if stat.S_ISLNK(member.external_attr >> 16):
        seen.note(f"the member {member.filename} is a link")
    if member.flag_bits & 1:
        seen.note(f"the member {member.filename} is marked as encrypted")
    if escapes(member.filename):
        seen.note(f"the archive would write outside its folder ({member.filename})")
    if member.file_size > _BOMB and member.file_size > _RATIO * max(member.compress_size, 1):
        raise Refused(f"the member {member.filename} unfolds to {member.file_size:,} bytes (a decompression bomb?)")


def _document(archive: zipfile.ZipFile, member: zipfile.ZipInfo, seen: Seen) -> None:
    """The documents by which skops and Keras build a model."""
    name = PurePosixPath(member.filename).name
    if name == "schema.json" or (name == "config.json" and member.filename == "config.json"):
        if member.file_size > _DOCUMENT:
            raise Refused(f"{name} has {member.file_size:,} bytes")
        with archive.open(member) as raw:
            content = Stream(raw, seen.purse).take(member.file_size)
        if content[:1] != b"{":
            seen.note("it is no JSON document", name)
        elif name == "schema.json":
            skops_schema(content, seen)
        else:
            keras_config(content, seen, name)


def _look(file: io.BufferedReader, name: str, size: int, seen: Seen, torch: bool, depth: int) -> None:
    """One member, by its first bytes."""
    head = file.peek(HEAD)[:HEAD]
    kind, ending = kind_of(head, size, ""), ending_of(name)
    if kind == TAR or (kind == ZIP and depth >= _NESTED):
        raise Refused(f"{name} is an archive inside the archive")
    script = ending == ".py" and seen.program and "code/" in name
    if head.startswith(_PROGRAMS) or (ending in _CODE and not script):
        seen.note("it is a program, and runs with the model", name)
    if kind == ZIP:
        zip_archive(file, seen, depth=depth + 1)
    elif head.startswith(b"\x93NUMPY"):
        array(file, seen, size, name)
    elif (head[:1] == b"\x80" and head[1:2] <= _PROTOCOL) or ending in _PICKLES:
        seen.pickle(file, name, stored=torch, arrays=ending == ".joblib")
    elif ending == ".py" and "code/" in name:
        program_text(Stream(file, seen.purse).take(min(size, _DOCUMENT)), seen, name)
    elif kind == PACKED and _packs_archive(file):
        raise Refused(f"{name} is an archive inside the archive")
    elif kind != PACKED or size < _BOMB:
        seen.glimpse(file)


def _packs_archive(file: io.BufferedReader) -> bool:
    """Whether a compressed member is an archive; one that only looks compressed, as a weight may, is none."""
    try:
        head = unwrapped(file).peek(HEAD)[:HEAD]
    except (Refused, *BROKEN):
        return False
    finally:
        file.seek(0)
    return kind_of(head, len(head), "") in (ZIP, TAR)
