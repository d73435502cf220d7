"""A language model on this machine: its calls are read, its trouble is told, and a real one answers the same twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from temper.core.chat import Message, Request, Role
from temper.core.errors import ContractError
from temper.targets.chat.transformers import Transformers, _read

ASKED = Request(messages=(Message(role=Role.USER, text="hello"),), most_tokens=8)


@pytest.mark.parametrize(
    ("written", "text", "calls"),
    [
        ("Hello.", "Hello.", []),
        ('Let me see. <tool_call>{"name": "pay", "arguments": {"to": "x"}}</tool_call>', "Let me see.", ["pay"]),
        ('{"name": "pay", "parameters": {"to": "x"}}', "", ["pay"]),
        ('{"name": 3, "parameters": {}}', '{"name": 3, "parameters": {}}', []),
        ("<tool_call>{broken}</tool_call>", "<tool_call>{broken}</tool_call>", []),
        ('{"amount": 5}', '{"amount": 5}', []),
    ],
)
def test_calls_are_read_from_what_the_model_writes(written: str, text: str, calls: list[str]) -> None:
    found, made = _read(written)
    assert (found, [call.name for call in made]) == (text, calls)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="the transformers library is not installed")
    with pytest.raises(ContractError, match="no folder"):
        asyncio.run(Transformers(folder=str(tmp_path / "none")).ask(ASKED))
    with pytest.raises(ContractError, match="no checkpoint"):
        asyncio.run(Transformers(folder=str(tmp_path)).ask(ASKED))


def test_without_the_library_the_fix_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ContractError, match="transformers library"):
        asyncio.run(Transformers(folder=str(tmp_path)).ask(ASKED))


@pytest.fixture
def checkpoint(tmp_path: Path) -> str:
    """A tiny model of random weights with a tokenizer of single characters."""
    library: Any = pytest.importorskip("transformers", reason="the transformers library is not installed")
    tokenizers: Any = pytest.importorskip("tokenizers")
    signs = {chr(at): at - 32 for at in range(32, 127)} | {"<s>": 95, "</s>": 96, "\n": 97}
    plain = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=signs, merges=[]))
    tokenizer = library.PreTrainedTokenizerFast(tokenizer_object=plain, bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: "
    tokenizer.save_pretrained(tmp_path)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = library.LlamaConfig(vocab_size=98, max_position_embeddings=256, **sizes)
    library.LlamaForCausalLM(config).save_pretrained(tmp_path)
    return str(tmp_path)


def test_a_trial_is_a_seed_and_a_long_conversation_is_invalid(checkpoint: str) -> None:
    target = Transformers(folder=checkpoint, settings={"do_sample": True})
    long = replace(ASKED, messages=(Message(role=Role.USER, text="x" * 400),))

    async def asked() -> list[Any]:
        return [await target.ask(one) for one in (ASKED, ASKED, replace(ASKED, trial=1), long)]

    first, again, other, refused = asyncio.run(asked())
    assert first.text == again.text != other.text
    assert first.usage.written == 8
    assert "context" in refused.invalid
