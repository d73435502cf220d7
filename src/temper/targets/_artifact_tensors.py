"""safetensors: a JSON header that must account for every byte behind it, once."""

from __future__ import annotations

import json
from typing import Any

from temper.targets._artifact_seen import Seen
from temper.targets._unwrap import Refused

_HEADER = 100_000_000  # the format's own limit
_BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
}


def tensors(file: Any, size: int, seen: Seen) -> None:
    """A file of `size` bytes: header within its limit, no name twice, tensors end to end without hole or overlap.

    Source: the format's own rules (safetensors README) and its validation.
    """
    length = int.from_bytes(file.read(8), "little")
    if length > min(_HEADER, size - 8):
        raise Refused(f"its header claims {length:,} bytes")
    seen.purse.read(length)
    header = _read(file.read(length), seen)
    spans = []
    for name, entry in header.items():
        if name == "__metadata__":
            if not (isinstance(entry, dict) and all(isinstance(text, str) for text in entry.values())):
                seen.note("its metadata holds something else than texts")
        else:
            spans.append(_span(name, entry))
    end = 0
    for start, stop in sorted(spans):
        if start != end:
            raise Refused("its tensors leave a hole or overlap")
        end = stop
    if end != size - 8 - length:
        seen.note(f"its tensors end at byte {end:,} of {size - 8 - length:,}")


def _read(raw: bytes, seen: Seen) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            seen.note("its header has a name twice")
        return dict(pairs)

    try:
        header = json.loads(raw, object_pairs_hook=once)
    except (ValueError, RecursionError) as fault:
        raise Refused(f"its header is damaged ({type(fault).__name__})") from fault
    if not isinstance(header, dict):
        raise Refused("its header is no table of tensors")
    return header


def _span(name: str, entry: Any) -> tuple[int, int]:
    try:
        start, stop = entry["data_offsets"]
        bits = _BITS[entry["dtype"]]
        for length in entry["shape"]:
            bits *= length if isinstance(length, int) and length >= 0 else 1 << 80
    except (TypeError, KeyError, ValueError) as fault:
        raise Refused(f"the tensor {name[:80]!r} is described in a way that cannot be followed") from fault
    if not (isinstance(start, int) and isinstance(stop, int) and 0 <= start <= stop and bits == 8 * (stop - start)):
        raise Refused(f"the tensor {name[:80]!r} has a shape that does not fit its place")
    return start, stop
