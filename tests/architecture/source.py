"""The source tree as the architecture tests see it: parsed files, their imports, their rooms."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

SRC = Path(__file__).parents[2] / "src" / "temper"
ROOT = SRC.parents[1]
DYNAMIC = {"import_module", "__import__", "Room", "find_spec"}


@dataclass(frozen=True)
class Import:
    """One import: the dotted module, the line, whether it runs when the file is imported, whether it runs at all."""

    module: str
    line: int
    at_top: bool
    typing_only: bool


@dataclass(frozen=True)
class File:
    """One parsed file; `name` is its path inside the package, such as "core/data.py"."""

    path: Path
    root: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(self.root).as_posix()

    @property
    def module(self) -> str:
        parts = self.path.relative_to(self.root).with_suffix("").parts
        return ".".join(("temper", *(parts[:-1] if parts[-1] == "__init__" else parts)))

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree))

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        return tuple(_imports(self))

    def at(self, node: ast.AST, says: str) -> str:
        """One line of a breach list."""
        return f"{self.name}:{getattr(node, 'lineno', 1)}: {says}"


Rule = Callable[[Path], list[str]]


def files(root: Path) -> list[File]:
    """Every Python file of the package at `root`, sorted; parsed once."""
    return list(_files(root)) if root == SRC else [File(path, root) for path in sorted(root.rglob("*.py"))]


def nodes(root: Path, *kinds: type[ast.AST]) -> Iterator[tuple[File, ast.AST]]:
    """Every node of these kinds in every file."""
    for file in files(root):
        for node in file.nodes:
            if isinstance(node, kinds):
                yield file, node


def dotted(node: ast.AST) -> str:
    """`a.b.c` of an attribute chain, "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (head := dotted(node.value)):
        return f"{head}.{node.attr}"
    return ""


def plant(root: Path, name: str, text: str) -> Path:
    """Write one file of a make-believe package and return the package's root."""
    path = root / "temper" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return root / "temper"


@lru_cache(maxsize=1)
def _files(root: Path) -> tuple[File, ...]:
    return tuple(File(path, root) for path in sorted(root.rglob("*.py")))


def _imports(file: File) -> Iterator[Import]:
    for node, at_top, typing_only in _walk(file.tree, True, False):
        for module in _modules(node, file):
            yield Import(module, getattr(node, "lineno", 1), at_top, typing_only)


def _walk(node: ast.AST, at_top: bool, typing_only: bool) -> Iterator[tuple[ast.AST, bool, bool]]:
    for child in ast.iter_child_nodes(node):
        yield child, at_top, typing_only
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        guard = isinstance(child, ast.If) and dotted(child.test).endswith("TYPE_CHECKING")
        yield from _walk(child, at_top and not inside and not guard, typing_only or guard)


def _modules(node: ast.AST, file: File) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _absolute(node, file)
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            yield inner if _exists(inner, file.root) else base
    elif isinstance(node, ast.Call) and dotted(node.func).rsplit(".", 1)[-1] in DYNAMIC:
        yield from (word.value for word in node.args if isinstance(word, ast.Constant) and isinstance(word.value, str))


def _absolute(node: ast.ImportFrom, file: File) -> str:
    if not node.level:
        return node.module or ""
    package = file.path.relative_to(file.root).parent.parts
    parts = ("temper", *package)[: len(package) + 2 - node.level]
    return ".".join((*parts, *([node.module] if node.module else [])))


def _exists(module: str, root: Path) -> bool:
    head, *rest = module.split(".")
    path = root.joinpath(*rest)
    return head == "temper" and (path.with_suffix(".py").is_file() or path.is_dir())
