"""The guard of temper.yaml: its stages in order, each by name, with options where it has any; and the file of its key.

guard: [rules, canary]

guard:                  # gateways with one key make the same canaries, so a conversation may go on at any of them
  key_file: guard.key   # 32 random bytes or more, to be read by their owner alone
  stages: [rules, canary]
  audit: {folder: .temper/audit, ack: durable, texts: none}     # every exchange is written down before it is answered
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from temper.config.document import Node, Scalar, Section, describe
from temper.core.assistant import TEXTS, Audit
from temper.core.errors import ConfigError

ACKS = ("durable", "async")
Stages = tuple[tuple[str, Mapping[str, Any]], ...]


def stages_of(document: Section) -> Stages:
    """The stages under `guard:`, or under its `stages:`, in order; empty where nothing is written. Which names and
    options there are is for those who build them.

    >>> from temper.config.document import Listing
    >>> egress = Section(entries={"egress": Section(entries={"clicks": Scalar("0", False, 3)})})
    >>> stages_of(Section(entries={"guard": Listing((Scalar("limits", False, 2), egress), 1)}))
    (('limits', {}), ('egress', {'clicks': 0}))
    """
    if not isinstance(document.entries.get("guard"), Section):
        return tuple(_stage(document, node) for node in document.items("guard"))
    own = document.section("guard").only("key_file", "stages", "audit")
    return tuple(_stage(document, node) for node in own.items("stages"))


def key_file_of(document: Section, base: Path) -> str:
    """Where the guard's key lies, seen from `base`; "" where none is named."""
    own = document.entries.get("guard")
    path = own.text("key_file") if isinstance(own, Section) else ""
    return str(base / path) if path else ""


def audit_of(document: Section, base: Path) -> Audit | None:
    """How exchanges are written down, with paths seen from `base`; None where nothing is said of it.

    >>> guard = Section(entries={"audit": Section(entries={"ack": Scalar("async", False, 2)})})
    >>> audit_of(Section(entries={"guard": guard}), Path("/x"))
    Audit(folder='/x/.temper/audit', durable=False, checkpoints='', texts='none')
    """
    own = document.entries.get("guard")
    if not isinstance(own, Section) or not own.has("audit"):
        return None
    section = own.section("audit").only("folder", "ack", "checkpoints", "texts")
    checkpoints = section.text("checkpoints")
    return Audit(
        folder=str(base / section.text("folder", ".temper/audit")),
        durable=section.word("ack", ACKS, ACKS[0]) == ACKS[0],
        checkpoints=str(base / checkpoints) if checkpoints else "",
        texts=section.word("texts", TEXTS, TEXTS[0]),
    )


def _stage(document: Section, node: Node) -> tuple[str, Mapping[str, Any]]:
    if isinstance(node, Scalar) and not node.empty:
        return node.text, {}
    if not isinstance(node, Section) or len(node.entries) != 1:
        found = f"a mapping of {len(node.entries)} keys" if isinstance(node, Section) else describe(node)
        raise _wrong(document, node, f"guard holds {found}, expected a stage")
    (name, options), *_ = node.entries.items()
    if isinstance(options, Scalar) and options.empty:
        return name, {}
    if not isinstance(options, Section):
        raise _wrong(document, node, f"the options of {name} are {describe(options)}, expected a mapping")
    return name, options.plain()


def _wrong(document: Section, node: Node, message: str) -> ConfigError:
    return ConfigError(f"{document.source}:{node.line}: {message}", fix="write `- name` or `- name: {option: value}`")


__all__ = ["ACKS", "Stages", "audit_of", "key_file_of", "stages_of"]
