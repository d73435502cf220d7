"""Files stay short and do one thing; everything public says what it is; a plugin file looks like every other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from architecture.source import SRC, File, Rule, dotted, files, nodes, plant

FILE_LINES = 400
FUNCTION_LINES = 50
# Every exception with its reason; one that is no longer needed fails.
LONG = {
    "core/schema.py": "columns, bounds, derived columns and relations are one contract that calls itself throughout",
}
VAGUE = re.compile(r"(^|_)(utils?|common|misc|helpers?|stuff|base)(_|$)")
VAGUE_CLASS = re.compile(r"(Manager|Helper|Utils?|Processor|Handler|Base)$|^Base[A-Z]")
VERBS = {
    "attacks/technique": "play",
    "attacks/abuse": "play",
    "attacks": "run",
    "judges": "judge",
    "stress": "apply",
    "fuzz": "search",
    "validation": "measure",
    "hardening": "apply",
    "guard/stages": "check",
    "detectors": "step",
    "monitoring/drift": "compare",
    "monitoring/security": "compare",
    "monitoring/accuracy": "measure",
    "monitoring/receivers": "send",
    "response/responses": "act",
    "chaos/faults/wire": "meet",
    "chaos/faults/scores": "answer",
    "chaos/faults/host": "strike",
}
PREPARES = {"detectors": ["fit"]}  # what a room's plugins do once, before their verb
SPEAKS = (
    "attacks",
    "stress",
    "chaos",
    "validation",
    "hardening",
    "monitoring",
)  # rooms whose plugins name their source and show an example
Callable_ = ast.FunctionDef | ast.AsyncFunctionDef


def files_are_short(root: Path) -> list[str]:
    """Under 400 lines, but for the exceptions."""
    return [
        f"{f.name}: {n} lines" for f in files(root) if (n := f.text.count("\n")) >= FILE_LINES and f.name not in LONG
    ]


def functions_are_short(root: Path) -> list[str]:
    """Under 50 lines without the docstring."""
    return [
        file.at(node, f"{node.name} has {size} lines")
        for file, node in nodes(root, ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(node, Callable_) and (size := _size(node)) >= FUNCTION_LINES
    ]


def names_say_something(root: Path) -> list[str]:
    """No utils, no common, no Manager."""
    vague = [f"{f.name}: names nothing" for f in files(root) if VAGUE.search(f.path.stem) or _in_vague_folder(f)]
    return vague + [
        file.at(node, f"{node.name} names nothing")
        for file, node in nodes(root, ast.ClassDef)
        if isinstance(node, ast.ClassDef) and VAGUE_CLASS.search(node.name)
    ]


def public_things_are_explained(root: Path) -> list[str]:
    """A docstring whose first paragraph is a sentence, for every module, public class, function and method.

    A method that implements a protocol of core is explained there.
    """
    known = _explained()
    return [
        file.at(node, f"{name or 'the module'} {fault}")
        for file in files(root)
        for name, node in _public(file.tree)
        if name.rsplit(".", 1)[-1] not in known and (fault := _fault(node))
    ]


def plugins_have_one_shape(root: Path) -> list[str]:
    """One frozen keyword-only dataclass with one verb, defaults for every field, and `PLUGIN = Class` at the end.

    What an attack hands its judge (a payload) may stand beside it: it is a noun without a verb.
    """
    return [
        f"{file.name}: {fault}" for file in files(root) if (verb := _verb(file)) for fault in _plugin_faults(file, verb)
    ]


def plugins_name_their_source(root: Path) -> list[str]:
    """The docstring of a strategy says where it comes from and shows an example that runs."""
    return [
        f"{file.name}: no {wanted!r} in the docstring"
        for file in files(root)
        if _verb(file) and file.name.split("/")[0] in SPEAKS
        for wanted in ("Source:", ">>>")
        if wanted not in "".join(ast.get_docstring(node) or "" for node in [file.tree, *_classes(file)])
    ]


def _size(node: Callable_) -> int:
    first = node.body[0]
    doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    docstring = (first.end_lineno or 0) - first.lineno + 1 if doc else 0
    return (node.end_lineno or 0) - node.lineno + 1 - docstring


def _in_vague_folder(file: File) -> bool:
    return any(VAGUE.search(part) for part in file.path.relative_to(file.root).parent.parts)


def _public(tree: ast.AST, above: str = "") -> Iterator[tuple[str, ast.AST]]:
    if isinstance(tree, ast.Module):
        yield "", tree
    for node in getattr(tree, "body", []):
        if isinstance(node, ast.ClassDef | Callable_) and not node.name.startswith("_") and not _setter(node):
            name = f"{above}{node.name}"
            yield name, node
            if isinstance(node, ast.ClassDef):
                yield from _public(node, f"{name}.")


def _setter(node: ast.AST) -> bool:
    marks = [dotted(mark) for mark in getattr(node, "decorator_list", [])]
    return any(mark.endswith((".setter", "overload")) for mark in marks)


def _fault(node: ast.AST) -> str:
    text = ast.get_docstring(node) or ""  # type: ignore[arg-type]
    first = text.strip().split("\n\n", 1)[0].split(">>>", 1)[0].strip()
    if not re.search(r"\w{2,}", first):
        return "has no docstring"
    return "" if first.endswith((".", ":", "?", "!")) else f"begins with no sentence: {first[:60]!r}"


def _explained() -> set[str]:
    """Names of methods that a protocol in core explains."""
    return {
        item.name
        for file in files(SRC)
        if file.name.startswith("core/")
        for node in file.tree.body
        if isinstance(node, ast.ClassDef) and any(dotted(b) == "Protocol" for b in node.bases)
        for item in node.body
        if isinstance(item, ast.FunctionDef) and ast.get_docstring(item)
    }


def _verb(file: File) -> str:
    if file.path.stem.startswith("_"):
        return ""
    return next((verb for folder, verb in VERBS.items() if file.name.startswith(f"{folder}/")), "")


def _classes(file: File) -> list[ast.ClassDef]:
    return [n for n in file.tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_")]


def _plugin_faults(file: File, verb: str) -> Iterator[str]:
    plugins = [node for node in _classes(file) if verb in _methods(node)]
    if len(plugins) != 1:
        yield f"{len(plugins)} classes that {verb}, expected one"
        return
    plugin = plugins[0]
    if ast.unparse(file.tree.body[-1]) != f"PLUGIN = {plugin.name}":
        yield f"does not end with PLUGIN = {plugin.name}"
    wanted = "dataclass(frozen=True, slots=True, kw_only=True)"
    if wanted not in [ast.unparse(mark) for mark in plugin.decorator_list]:
        yield f"{plugin.name} is not a @{wanted}"
    wanted_methods = [*PREPARES.get(file.name.split("/")[0], []), verb]
    if _methods(plugin) != wanted_methods:
        yield f"public methods {_methods(plugin)}, expected only {' and '.join(wanted_methods)}"
    for field in plugin.body:
        if isinstance(field, ast.AnnAssign) and field.value is None and "ClassVar" not in ast.unparse(field.annotation):
            yield f"{plugin.name}.{ast.unparse(field.target)} has no default"
    functions = [n.name for n in file.tree.body if isinstance(n, Callable_) and not n.name.startswith("_")]
    if functions and file.name.split("/")[0] in SPEAKS:
        yield f"public functions {functions}: they belong in kernels or in a file whose name starts with _"


def _methods(node: ast.ClassDef) -> list[str]:
    return [n.name for n in node.body if isinstance(n, Callable_) and not n.name.startswith("_") and not _property(n)]


def _property(node: Callable_) -> bool:
    return any(dotted(mark) in ("property", "functools.cached_property") for mark in node.decorator_list)


RULES: list[Rule] = [
    files_are_short,
    functions_are_short,
    names_say_something,
    public_things_are_explained,
    plugins_have_one_shape,
    plugins_name_their_source,
]

PLUGIN = '''"""A toy for the tests."""
from dataclasses import dataclass
@dataclass(frozen=True, slots=True, kw_only=True)
class Toy:
    """Moves nothing. Misleads always.

    Source: none.

    >>> Toy()
    Toy(step=1.0)
    """
    step: float = 1.0
    def run(self, oracle, scene, rng):
        return None
PLUGIN = Toy
'''
EVASION = "attacks/evasion/toy.py"
SHORT = '"""Says what it is."""\n'

CULPRITS: list[tuple[Rule, str, str]] = [
    (files_are_short, "core/x.py", SHORT * 400),
    (functions_are_short, "core/x.py", "def f():\n" + "    pass\n" * 49),
    (names_say_something, "core/utils.py", SHORT),
    (names_say_something, "common/x.py", SHORT),
    (names_say_something, "core/array_helpers.py", SHORT),
    (names_say_something, "core/x.py", "class AttackManager: ..."),
    (names_say_something, "core/x.py", "class BaseAttack: ..."),
    (public_things_are_explained, "core/x.py", "x = 1"),
    (public_things_are_explained, "core/x.py", '"""..."""'),
    (public_things_are_explained, "core/x.py", SHORT + "def f(): ..."),
    (public_things_are_explained, "core/x.py", SHORT + 'class A:\n    """words without an end"""'),
    (public_things_are_explained, "core/x.py", SHORT + 'class A:\n    """Is."""\n    def f(self): ...'),
    (plugins_have_one_shape, EVASION, PLUGIN.replace("frozen=True, ", "")),
    (plugins_have_one_shape, EVASION, PLUGIN.replace("PLUGIN = Toy", "Plugin = Toy")),
    (plugins_have_one_shape, EVASION, PLUGIN + "x = 1"),
    (plugins_have_one_shape, EVASION, PLUGIN.replace("def run", "def attack")),
    (plugins_have_one_shape, EVASION, PLUGIN.replace("    def run", "    def stop(self): ...\n    def run")),
    (plugins_have_one_shape, EVASION, PLUGIN.replace("float = 1.0", "float")),
    (plugins_have_one_shape, EVASION, PLUGIN.replace("@data", "class Other:\n    def run(self): ...\n@data")),
    (plugins_have_one_shape, EVASION, PLUGIN.replace("@data", "def helper(): ...\n@data")),
    (plugins_have_one_shape, "stress/toy.py", PLUGIN),
    (plugins_have_one_shape, "detectors/input/toy.py", PLUGIN.replace("def run", "def step")),
    (plugins_name_their_source, EVASION, PLUGIN.replace("Source: none.", "")),
    (plugins_name_their_source, EVASION, PLUGIN.replace(">>> Toy()", "")),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_source_keeps_the_rule(rule: Rule) -> None:
    assert not (breaches := rule(SRC)), "\n".join(breaches)


@pytest.mark.parametrize(("rule", "name", "text"), CULPRITS, ids=[f"{r.__name__}-{n}" for r, n, _ in CULPRITS])
def test_planted_breach_is_caught(rule: Rule, name: str, text: str, tmp_path: Path) -> None:
    assert rule(plant(tmp_path, name, text))


def test_a_proper_plugin_breaks_no_rule(tmp_path: Path) -> None:
    root = plant(tmp_path, EVASION, PLUGIN)
    plant(tmp_path, "attacks/evasion/_step.py", SHORT + '\ndef step():\n    """One step."""\n')
    assert [breach for rule in RULES for breach in rule(root)] == []


@pytest.mark.parametrize("name", LONG)
def test_exception_is_still_needed(name: str) -> None:
    assert (SRC / name).read_text(encoding="utf-8").count("\n") >= FILE_LINES
