"""TextAttack's DeepWordBug, made to run: what it imports and does not use here is stood in for.

The library itself is not touched. Stand-ins that are used: its list of stop words (Temper's, the same English list),
the cache (a dict) and the edit distance. The last is a C extension; the time of its stand-in is measured and taken out.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import time
import types
import warnings
from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

ABSENT = frozenset(
    {"Levenshtein", "OpenHowNet", "bert_score", "datasets", "editdistance", "flair", "jieba", "langdetect"}
    | {"language_tool_python", "lemminflect", "lru", "more_itertools", "nltk", "num2words", "pinyin", "terminaltables"}
    | {"tokenizers", "transformers", "word2number"}
)


class _StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the packages of ABSENT, each an empty module whose names are mocks."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if name.split(".")[0] in ABSENT else None

    def create_module(self, spec: Any) -> types.ModuleType:
        module = types.ModuleType(spec.name)
        made: dict[str, Any] = {}

        def anything(name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return made.setdefault(name, type(name, (MagicMock,), {}) if name[:1].isupper() else MagicMock())

        module.__getattr__ = anything  # type: ignore[method-assign]
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        return


class Spent:
    """CPU seconds inside the stand-in for the edit distance."""

    seconds = 0.0

    def distance(self, a: str, b: str) -> int:
        """Levenshtein distance, timed."""
        from temper.core.text import edit_distance

        start = time.process_time()
        found = edit_distance(a, b)
        self.seconds += time.process_time() - start
        return found


def deep_word_bug(scores: Callable[[list[str]], Any], spent: Spent) -> Any:
    """The recipe around a model; ImportError where the library is absent."""
    stand_ins = _StandIns()
    sys.meta_path.append(stand_ins)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from textattack.attack_recipes import DeepWordBugGao2018
            from textattack.models.wrappers import ModelWrapper
    finally:
        sys.meta_path.remove(stand_ins)
    _fill(spent)

    class Wrapped(ModelWrapper):
        """The model as the library calls it."""

        def __init__(self) -> None:
            self.model, self.rows, self.calls = scores, 0, 0

        def __call__(self, texts: list[str]) -> Any:
            self.rows += len(texts)
            self.calls += 1
            return scores(list(texts))

    return DeepWordBugGao2018.build(Wrapped())


def _fill(spent: Spent) -> None:
    """Give the stand-ins that are used a working body."""
    from temper.kernels.text import STOP_WORDS

    sys.modules["editdistance"].eval = spent.distance  # type: ignore[attr-defined]
    sys.modules["lru"].LRU = lambda size: {}  # type: ignore[attr-defined]
    sys.modules["nltk"].corpus.stopwords.words = lambda language: sorted(STOP_WORDS)  # type: ignore[attr-defined]
