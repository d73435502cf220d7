"""A language model on this machine, through the transformers library; nothing is loaded from a network."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temper.core.chat import Call, Message, Reply, Request, Role, Tool, Usage
from temper.core.errors import ContractError
from temper.core.target import Access
from temper.targets import _digest

_CALLS = re.compile(r"<tool_call>\s*(\{.*?\})\s*</tool_call>", re.DOTALL)
_CONTEXT = 1_000_000
_WRITTEN = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Transformers:
    """The model and the tokenizer in `folder`, a checkpoint with a chat template. One question at a time.

    `settings` go to `generate` (temperature, top_p, ...); without `do_sample` it is greedy and every trial says the
    same. A trial is a seed. Tools are told by the model's own template; calls are read in `<tool_call>` marks or as a
    bare object with a name, so a model that writes them in another way is seen not to call: see its answers first.
    Code that comes with a checkpoint is not run.
    """

    folder: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    version: str = ""
    _loaded: dict[str, Any] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def name(self) -> str:
        """The adapter's name."""
        return "transformers"

    @property
    def access(self) -> Access:
        """Chat, with tools."""
        return Access.CHAT | Access.TOOLS

    @property
    def digest(self) -> str:
        """Of the declared version, or of the files in the folder, by name, size and time."""
        files = sorted(path for path in Path(self.folder).glob("*") if path.is_file())
        seen = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        about = json.dumps([self.version or seen, dict(self.settings)], sort_keys=True)
        return _digest.of_bytes(b"transformers", about.encode())

    async def ask(self, request: Request) -> Reply:
        """One answer; what the model or the template refuses is an invalid reply."""
        started = time.monotonic()
        try:
            return await asyncio.to_thread(self._answered, request)
        except ContractError:
            raise
        except Exception as crash:
            trouble = f"the model failed: {type(crash).__name__}: {str(crash)[:200]}"
            return Reply(invalid=trouble, seconds=time.monotonic() - started)

    async def close(self) -> None:
        """Give the model's memory back."""
        self._loaded.clear()

    def _answered(self, request: Request) -> Reply:
        import torch

        with self._lock:
            model, tokenizer = self._open()
            started = time.monotonic()
            asked = _tokens(tokenizer, request).to(model.device)
            size = int(asked["input_ids"].shape[1])
            most = request.most_tokens or _WRITTEN
            if size + most > (getattr(model.config, "max_position_embeddings", None) or _CONTEXT):
                return Reply(invalid=f"the conversation has {size:,} tokens, more than the model's context holds")
            with torch.random.fork_rng(), torch.inference_mode():
                torch.random.set_rng_state(torch.Generator().manual_seed(request.trial).get_state())
                made = model.generate(**asked, max_new_tokens=most, **dict(self.settings))
            new = made[0][size:]
            text, calls = _read(tokenizer.decode(new, skip_special_tokens=True))
            usage = Usage(read=size, written=len(new))
            empty = "" if text or calls else "the reply is empty"
            return Reply(text=text, calls=calls, usage=usage, seconds=time.monotonic() - started, invalid=empty)

    def _open(self) -> tuple[Any, Any]:
        if not self._loaded:
            try:
                from transformers import AutoModelForCausalLM, AutoTokenizer
            except ImportError:
                raise ContractError(
                    "a local language model needs the transformers library", fix="pip install transformers"
                ) from None
            if not Path(self.folder).is_dir():
                raise ContractError(f"there is no folder {self.folder!r}", fix="download the checkpoint first")
            here: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
            try:
                self._loaded["tokenizer"] = AutoTokenizer.from_pretrained(self.folder, **here)
                model = AutoModelForCausalLM.from_pretrained(self.folder, use_safetensors=True, **here)
            except (OSError, ValueError) as error:
                self._loaded.clear()
                raise ContractError(f"{self.folder} is no checkpoint: {str(error)[:200]}") from error
            self._loaded["model"] = model.to(self.device).eval()
        return self._loaded["model"], self._loaded["tokenizer"]


def _tokens(tokenizer: Any, request: Request) -> Any:
    """The conversation in the model's own template."""
    messages = [_written(message) for message in request.messages]
    tools = [_tool(tool) for tool in request.tools] or None
    return tokenizer.apply_chat_template(
        messages, tools=tools, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )


def _written(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {"role": message.role.value, "content": message.text}
    if message.calls:
        found["tool_calls"] = [
            {"type": "function", "function": {"name": call.name, "arguments": _object(call.arguments)}}
            for call in message.calls
        ]
    if message.role is Role.TOOL:
        found["tool_call_id"] = message.answers
    return found


def _tool(tool: Tool) -> dict[str, Any]:
    about = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": about}


def _read(text: str) -> tuple[str, tuple[Call, ...]]:
    """The text without its calls, and the calls."""
    calls = tuple(call for at, body in enumerate(_CALLS.findall(text)) if (call := _call(body, at)))
    if calls:
        return _CALLS.sub("", text).strip(), calls
    whole = _call(text.strip(), 0) if text.strip().startswith("{") else None
    return ("", (whole,)) if whole else (text.strip(), ())


def _call(body: str, at: int) -> Call | None:
    found = _object(body)
    name, arguments = found.get("name"), found.get("arguments", found.get("parameters", {}))
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return None
    return Call(name=name, arguments=json.dumps(arguments), id=f"call{at}")


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
