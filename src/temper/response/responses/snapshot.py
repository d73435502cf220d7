"""The evidence, put aside and signed before anybody changes anything."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from temper.core.errors import ConfigError, StoreError
from temper.core.incident import Acted
from temper.response.context import Context
from temper.store.codec import dump
from temper.store.control.records import KINDS
from temper.store.ledger import record as lines
from temper.store.ledger.tree import leaf
from temper.store.ledger.verify import logs, records, root, size
from temper.targets.signature import ENDING, sign

_WINDOWS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Copies what a later look needs into one folder and signs it with the ledger's key: temper.yaml, the incident,
    what holds for gateways, the newest windows of the feed, the ledger's records of the last `minutes` and the root of
    every log. `temper verify` shows whether it is still what it was.

    The ledger holds no rows, only what binds them. Whoever has the ledger's key can sign another snapshot: keep the
    digest elsewhere. Of more than `most` records the newest are kept, and it says so.
    """

    risky: ClassVar[bool] = False
    minutes: float = 1_440.0
    most: int = 100_000

    def __post_init__(self) -> None:
        if not (self.minutes > 0 and self.most > 0):
            raise ConfigError("a snapshot takes minutes and a number of records above 0", fix="correct them")

    def act(self, context: Context) -> Acted:
        folder = Path(context.serving.audit).parent / "evidence" / _name(context)
        if (folder / f"temper{ENDING}").exists():
            return Acted(found=f"the evidence is kept already: {_told(folder)}", evidence=_told(folder))
        if context.dry:
            return Acted(found="the evidence is not kept yet", does=f"it is copied to {folder} and signed")
        self._write(context, folder)
        told = _told(folder)
        return Acted(found="the evidence was not kept yet", does=told, lasting="it stays", evidence=told)

    def _write(self, context: Context, folder: Path) -> None:
        """All of it beside its place first: a folder that is there is whole."""
        beside = folder.with_name(f".{folder.name}.part")
        try:
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(parents=True)
            for name, found in self._documents(context):
                text = json.dumps(found, indent=1, ensure_ascii=True, allow_nan=False)
                (beside / name).write_text(text + "\n", encoding="utf-8")
            if context.config:
                shutil.copyfile(context.config, beside / "temper.yaml")
            sign(beside, Path(context.serving.audit) / "ledger.key")
            beside.replace(folder)
        except OSError as error:
            raise StoreError(
                f"the evidence could not be kept: {error}", fix="make room, or name another disk"
            ) from None

    def _documents(self, context: Context) -> Iterator[tuple[str, Any]]:
        control = context.control
        if context.incident is not None:
            yield "incident.json", dump(control.incidents.get(context.incident))
        yield "records.json", {kind: dump(control.records.current(kind)) for kind in KINDS}
        if context.feed:
            yield "windows.json", dump(control.windows.page(context.feed, _WINDOWS))
        yield "ledger.json", self._ledger(context)

    def _ledger(self, context: Context) -> dict[str, Any]:
        since = int((context.clock() - 60.0 * self.minutes) * 1e9)
        heads, found = {}, []
        for log in logs(Path(context.serving.audit)):
            many = size(log)
            heads[log.name] = {"size": many, "root": root(log, many).hex()}
            for _, data in records(log):
                if (record := lines.decode(data)).wall >= since:
                    found.append({"log": log.name, "leaf": leaf(data).hex(), **_plain(record.document())})
        return {"heads": heads, "left_out": max(0, len(found) - self.most), "records": found[-self.most :]}


def _plain(value: Any) -> Any:
    """Bytes as hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _name(context: Context) -> str:
    return context.run if context.incident is None else f"incident-{context.incident}-{context.run}"


def _told(folder: Path) -> str:
    digest = hashlib.sha256((folder / f"temper{ENDING}").read_bytes()).hexdigest()
    return f"{folder} sha256:{digest}"


PLUGIN = Snapshot
