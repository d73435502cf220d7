"""What a delivery consists of, to the byte: names, sizes and digests of files, in one canonical form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from temper.core.errors import TemperError

_FORMAT = "temper-manifest-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file: SHA-256 of its bytes, and how many there are."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Files by their path below the manifest's folder; `whole` says that the folder holds nothing else."""

    files: Mapping[str, Entry]
    whole: bool = False

    def canonical(self) -> bytes:
        """The bytes that are signed: the same manifest always gives the same ones.

        >>> Manifest(files={"m.ubj": Entry(sha256="ab", size=2)}).canonical()[:40]
        b'{"files":{"m.ubj":{"sha256":"ab","size":'
        """
        files = {path: {"sha256": entry.sha256, "size": entry.size} for path, entry in self.files.items()}
        document = {"format": _FORMAT, "files": files, "whole": self.whole}
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()

    def faults(self, found: Mapping[str, Entry]) -> tuple[str, ...]:
        """What is wrong with the files found, one sentence each; none when they are what the manifest says."""
        told = [f"{path} is missing" for path in self.files if path not in found]
        told += [f"{path} has been changed" for path in self.files if path in found and found[path] != self.files[path]]
        extra = sorted(found.keys() - self.files.keys()) if self.whole else []
        return tuple(told + [f"{path} is not in the manifest" for path in extra])


def parsed(document: Any) -> Manifest:
    """A manifest from its decoded JSON; whatever is not exactly one is refused."""
    try:
        if document["format"] != _FORMAT or document.keys() != {"format", "files", "whole"}:
            raise ValueError
        files = {path: Entry(sha256=entry["sha256"], size=entry["size"]) for path, entry in document["files"].items()}
        whole = document["whole"]
    except (TypeError, KeyError, ValueError, AttributeError) as fault:
        raise TemperError("this is no manifest of Temper", fix="write it with `temper sign`") from fault
    if not isinstance(whole, bool) or any(_outside(path) for path in files):
        raise TemperError("the manifest names files outside its folder", fix="do not use it; ask who wrote it")
    return Manifest(files=files, whole=whole)


def _outside(path: str) -> bool:
    parts = path.replace("\\", "/").split("/")
    return ".." in parts or "" in parts or ":" in path
