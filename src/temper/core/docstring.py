"""What a plugin says of itself in its docstring."""

from __future__ import annotations

import inspect
import re
from typing import Any


def paragraphs(text: str) -> list[str]:
    """The prose of a docstring, one line per paragraph, its source apart, without its examples.

    >>> paragraphs("What it is.\\n\\nMisleads\\nwhen.\\nSource: a paper.\\n\\n>>> f()\\n1\\n")
    ['What it is.', 'Misleads when.', 'Source: a paper.']
    """
    blocks = inspect.cleandoc(text).replace("\nSource:", "\n\nSource:").split("\n\n")
    return [" ".join(block.split()) for block in blocks if block.strip() and not block.lstrip().startswith(">>>")]


def prose(plugin: type[Any]) -> list[str]:
    """The paragraphs of a plugin's class, or its module's where the class leaves them to the module."""
    own = paragraphs(plugin.__doc__ or "")
    module = paragraphs(inspect.getmodule(plugin).__doc__ or "")
    return own if len(own) > 1 else [*own, *(paragraph for paragraph in module if paragraph not in own)]


def misleads(plugin: type[Any]) -> str:
    """The sentences that say when the plugin's figures mislead, "" where docstrings were stripped."""
    for paragraph in prose(plugin):
        sentences = re.split(r"(?<=[.:;]) +(?=[A-Z])", paragraph)
        at = next((at for at, sentence in enumerate(sentences) if re.search("mislead", sentence, re.IGNORECASE)), None)
        if at is not None:
            return " ".join(sentences[at:])
    return ""
