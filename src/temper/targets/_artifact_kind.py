"""What a file is, told by its first bytes; what its ending promises is only held against that."""

from __future__ import annotations

import struct
from pathlib import PurePath, PurePosixPath

HEAD = 512
_MAGIC = {
    b"PK\x03\x04": "a zip archive",
    b"\x93NUMPY": "an array",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"CBM1": "a CatBoost model",
    b"tree\n": "a LightGBM model",
    b"tree\r\n": "a LightGBM model",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"#!": "a program",
    b"\xcf\xfa\xed\xfe": "a program",
    b"\xca\xfe\xba\xbe": "a program",
    b"\x00asm": "a program",
}
_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x5d\x00\x00", b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf")
PICKLE, PACKED, JSON, UBJ = "a pickle", "compressed", "JSON", "UBJSON"
ZIP, TAR, ARRAY, HDF5, ONNX, TENSORS = (
    "a zip archive",
    "a tar archive",
    "an array",
    "an HDF5 file",
    "an ONNX model",
    "safetensors",
)
CATBOOST, LIGHTGBM, PROGRAM = "a CatBoost model", "a LightGBM model", "a program"
_PICKLES = (PICKLE, PACKED)
_PROMISED = {
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), _PICKLES),
    **dict.fromkeys((".pt", ".pth", ".bin", ".ckpt"), (*_PICKLES, ZIP, TAR)),
    **dict.fromkeys((".pt2", ".npz", ".skops", ".keras"), (ZIP,)),
    **dict.fromkeys((".h5", ".hdf5"), (HDF5,)),
    ".json": (JSON,),
    ".ubj": (UBJ,),
    ".model": (JSON, UBJ),
    ".txt": (LIGHTGBM,),
    ".cbm": (CATBOOST,),
    ".onnx": (ONNX,),
    ".safetensors": (TENSORS,),
    ".npy": (ARRAY,),
}


def kind_of(head: bytes, size: int, ending: str) -> str:
    """What the file is by its first bytes; ONNX and safetensors have no magic and are believed by their form.

    >>> kind_of(b"\\x80\\x04N.", 4, ".txt"), kind_of(b'{"learner": {}}', 15, "")
    ('a pickle', 'JSON')
    """
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    if head.startswith(_PACKED) or _zlib(head):
        return PACKED
    if head[257:262] == b"ustar":
        return TAR
    if head[:1] == b"{":
        return JSON if head[1:].lstrip(b" \t\r\n")[:1] in (b'"', b"}") else UBJ
    if len(head) > 8 and head[8:9] == b"{" and (ending == ".safetensors" or _length(head) <= size - 8):
        return TENSORS
    if head[:1] == b"\x08" or (ending == ".onnx" and head[:1] not in (b"\x80", b"c", b"(")):
        return ONNX
    return PICKLE


def broken_promise(kind: str, ending: str) -> str:
    """What is wrong between content and ending; "" where the ending promises nothing or keeps it."""
    promised = _PROMISED.get(ending)
    if promised is None or kind in promised:
        return ""
    if kind == PICKLE:
        kind = "a pickle or nothing known"
    return f"its content is {kind}, its ending {ending} says otherwise"


def ending_of(path: str | PurePath) -> str:
    """The ending in small letters."""
    return PurePath(path).suffix.lower()


def escapes(name: str) -> bool:
    """Whether a path leads out of its folder, on any system."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or name[1:2] == ":"


def _zlib(head: bytes) -> bool:
    return head[:1] == b"\x78" and len(head) > 1 and int.from_bytes(head[:2], "big") % 31 == 0


def _length(head: bytes) -> int:
    (length,) = struct.unpack_from("<Q", head)
    return int(length)
