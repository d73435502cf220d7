"""A temper.yaml that is to be read from another folder than the one it was written for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_PATHS = {
    ("model",): ("path", "manifest", "public_key"),
    ("data",): ("test", "train", "accepted", "history"),
    ("guard", "fallback"): ("challenger",),
    ("guard", "fallback", "challenger"): ("path",),
}


def elsewhere(config: Path) -> dict[str, Any]:
    """Its document with the files of model, data and challenger named in full, and with a name for the system, which
    would else be that of the folder. What a guard writes (audit, control, profile) is left to whoever asks.
    """
    import yaml

    document: dict[str, Any] = yaml.safe_load(config.read_text(encoding="utf-8"))
    base = config.absolute().parent
    for place, keys in _PATHS.items():
        section: Any = document
        for step in place:
            section = section.get(step) if isinstance(section, dict) else None
        for key in keys if isinstance(section, dict) else ():
            if isinstance(section.get(key), str):
                section[key] = str(base / section[key])
    about = document.get("system") or {}
    document["system"] = {**about, "name": about.get("name") or base.name}
    return document
