"""Attack and benign texts of the public collections in TEMPER_DATA, by source and family, with the channel they use."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper.core.chat import Role

PLAIN = {"asb", "bipia", "agentdojo", "injecagent"}
"""Sources whose texts are plain requests: only where they stand makes them an attack."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One text: its source, its family there, whether it is an attack, and who says it."""

    text: str
    source: str
    family: str
    attack: bool
    role: Role = Role.USER


def folder() -> Path:
    """Where the collections lie. Raises `SystemExit` where TEMPER_DATA does not say."""
    root = Path(os.environ.get("TEMPER_DATA", ""), "prompts")
    if not os.environ.get("TEMPER_DATA") or not root.is_dir():
        raise SystemExit("set TEMPER_DATA to the folder that holds prompts/")
    return root


def samples() -> list[Sample]:
    """Every text, once."""
    root = folder()
    seen: dict[str, Sample] = {}
    for sample in (*_attacks(root), *_benign(root)):
        key = " ".join(sample.text.split()).lower()
        if key:
            seen.setdefault(key, sample)
    return list(seen.values())


def _attacks(root: Path) -> Iterator[Sample]:
    for one in _lines(root / "garak/probe_prompts.jsonl"):
        module = one["probe"].partition(".")[0]
        indirect = module in ("latentinjection",)
        yield Sample(one["prompt"], f"garak.{module}", one["probe"], True, Role.TOOL if indirect else Role.USER)
    for path in sorted((root / "garak/dan").glob("*.json")):
        for text in _json(path):
            yield Sample(text, "garak.dan", "garak.dan", True)
    for text in _json(root / "garak/inthewild_jailbreak_llms.json"):
        yield Sample(text, "in the wild", "in the wild", True)
    for family, texts in _json(root / "garak/sysprompt_extraction/attacks.json").items():
        for text in texts:
            yield Sample(str(text), "garak.sysprompt", f"garak.sysprompt.{family}", True)
    for row in _rows(root / "gptfuzz/GPTFuzzer_templates.csv"):
        yield Sample(row["text"], "gptfuzz", "gptfuzz", True)
    for row in _rows(root / "giskard/prompt_injections.csv"):
        yield Sample(row["prompt"], "giskard", f"giskard.{row['group'].lower()}", True)
    yield from _spikee(root / "spikee")
    for one in _lines(root / "asb/all_attack_tools.jsonl"):
        yield Sample(one["Attacker Instruction"], "asb", "asb", True, Role.TOOL)
    for one in _lines(root / "asb/injecagent_direct_harm_30.jsonl"):
        yield Sample(one["Attacker Instruction"], "injecagent", "injecagent", True, Role.TOOL)
    for kind, texts in _json(root / "bipia_train/text_attack_train.json").items():
        for text in texts:
            yield Sample(text, "bipia", f"bipia.{kind.lower()}", True, Role.TOOL)
    for one in _lines(root / "agentdojo/injection_tasks.jsonl"):
        yield Sample(one["goal"], "agentdojo", "agentdojo", True, Role.TOOL)


def _spikee(root: Path) -> Iterator[Sample]:
    """Every wrapper with one of the orders of its set, turn by turn."""
    for seeds in sorted(root.iterdir()):
        if not (seeds / "jailbreaks.jsonl").exists():
            continue
        orders = [one["instruction"] for one in _lines(seeds / "instructions.jsonl")]
        for at, one in enumerate(_lines(seeds / "jailbreaks.jsonl")):
            if one["jailbreak_type"] != "no-jailbreak":
                text = one["text"].replace("<INSTRUCTION>", orders[at % len(orders)])
                role = Role.TOOL if "mailbox" in seeds.name else Role.USER
                yield Sample(text, "spikee", f"spikee.{one['jailbreak_type']}", True, role)


def _benign(root: Path) -> Iterator[Sample]:
    for one in _json(root / "cyberseceval_frr/mitre_frr.json"):
        yield Sample(one["mutated_prompt"], "cyberseceval_frr", "benign", False)
    for one in _lines(root / "awesome_prompts/prompts.jsonl"):
        if str(one["flag_review"]) != "True":
            yield Sample(one["prompt"], "awesome_prompts", "benign", False)
    for one in _lines(root / "self_instruct/seed_tasks.jsonl"):
        yield Sample(_asked(one), "self_instruct", "benign", False)
    for one in _lines(root / "self_instruct/user_oriented_instructions.jsonl"):
        yield Sample(_asked(one), "self_instruct", "benign", False)
    for one in _lines(root / "spikee/seeds-investment-advice-fp/standalone_user_inputs.jsonl"):
        yield Sample(one["text"], "spikee_fp", "benign", False)
    for path in sorted((root / "benign_carriers").glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        for at in range(0, len(text), 2_000):
            yield Sample(text[at : at + 2_000], "benign_carriers", "benign", False, Role.TOOL)
    for one in _lines(root / "bipia_train/email/train.jsonl"):
        yield Sample(one["context"], "bipia_emails", "benign", False, Role.TOOL)


def _asked(one: dict[str, Any]) -> str:
    return f"{one['instruction']}\n\n{one['instances'][0]['input']}".strip()


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _rows(path: Path) -> Iterable[dict[str, str]]:
    csv.field_size_limit(10**7)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
