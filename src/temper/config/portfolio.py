"""The systems of a bank, a hospital or a ministry in one file, portfolio.yaml.

name: retail bank                     # without it the folder's
tiers:                                # without it: high, medium and low as below
  high: {suite: deep, minutes: 240, memory: 16, priority: 3, age: 30d}
  medium: {suite: standard, minutes: 60, priority: 2, age: 90d}
  low: {suite: quick, minutes: 20, priority: 1, age: 180d}
roots: [/srv/models]                  # folders besides this file's own in which systems may lie
include: [cards/portfolio.yaml]       # portfolios of others; tiers and roots are their own
systems:
  - path: fraud/temper.yaml           # or a glob, models/*/temper.yaml: what no entry before it names
    name: fraud                       # without it the folder, as seen from this file
    owner: cards team
    tier: high
    suite: standard                   # suite, minutes, memory, priority, age: instead of the tier's
    only: [evasion, stress]           # without it everything
    tags: [payments, pci]

What is wrong with an entry is said in one line, and the others are as good as without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from temper.config.document import Section
from temper.config.monitor import seconds
from temper.config.reading import read
from temper.core.errors import ConfigError, TemperError
from temper.core.fleet import TIERS, Entry, Level, Portfolio, Refused, Tier

MOST = 10_000
"""Systems of a portfolio; a glob that finds more is refused."""
_SUITES = ("quick", "standard", "deep")
_TIER = ("suite", "minutes", "memory", "priority", "age")
_KEYS = ("path", "name", "owner", "tier", "only", "tags", *_TIER)
_LEVELS = tuple(map(str, Level))
_GLOB = set("*?[")


@dataclass(slots=True, kw_only=True)
class _Found:
    """What was read so far, of this file and of those it includes."""

    entries: list[Entry] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    configs: dict[Path, str] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """One more system, or why it is not one."""
        config = Path(entry.config)
        if config in self.configs:
            self.refuse(entry.where, f"{entry.name} is the system of {self.configs[config]} once more")
        elif entry.name in self.names:
            self.refuse(entry.where, f"there is a system {entry.name!r} ({self.names[entry.name]}); add `name:`")
        elif len(self.entries) >= MOST:
            self.refuse(entry.where, f"{entry.name} is one more than the {MOST:,} systems a portfolio may have")
        else:
            self.names[entry.name] = self.configs[config] = entry.where
            self.entries.append(entry)

    def refuse(self, where: str, why: str) -> None:
        """One line about what is broken."""
        self.refused.append(Refused(where=where, why=why))


def load_portfolio(path: str | Path = "portfolio.yaml") -> Portfolio:
    """The portfolio in this file. Raises `ConfigError` where the file as a whole cannot be read; a broken entry, or a
    broken file that it includes, is `refused` in one line.
    """
    path = Path(path)
    found = _Found()
    if not path.exists():
        raise ConfigError(f"there is no portfolio at {path}", fix="`temper fleet init FOLDER` writes one")
    document = read(path)
    _take(document, path.absolute(), "", (), found)
    if not found.entries and not found.refused:
        raise document.error("no system is named", "systems", fix="`temper fleet init FOLDER` writes a portfolio")
    name = document.text("name", path.absolute().parent.name)
    return Portfolio(source=str(path), name=name, entries=tuple(found.entries), refused=tuple(found.refused))


def _take(document: Section, path: Path, prefix: str, above: tuple[Path, ...], found: _Found) -> None:
    """Everything one file names. `prefix` tells its systems from those of the file that includes it."""
    document.only("name", "tiers", "roots", "include", "systems")
    base, here = path.parent, path.resolve()
    tiers = _tiers(document.section("tiers"))
    roots = (base.resolve(), *(_root(base, text, document) for text in document.texts("roots")))
    for section in _each(document, found):
        try:
            for one in _entries(section, base, roots, tiers):
                if isinstance(one, Refused):
                    found.refused.append(one)
                elif not (_GLOB & set(section.text("path")) and Path(one.config) in found.configs):
                    found.add(replace(one, name=f"{prefix}{one.name}"))
        except TemperError as broken:
            found.refuse(*_line(broken, f"{document.source}:{section.line}"))
    for text in document.texts("include"):
        where = f"{document.source}:{document.lines['include']}"
        other = base / text
        if other.resolve() in (*above, here):
            found.refuse(where, f"{text} includes itself, by way of {len(above) + 1} files")
            continue
        try:
            _inside(other, roots, text)
            below = f"{prefix}{Path(text).parent.as_posix()}/" if Path(text).parent != Path() else prefix
            _take(read(other), other, below, (*above, here), found)
        except TemperError as broken:
            found.refuse(*_line(broken, where))


def _each(document: Section, found: _Found) -> Iterator[Section]:
    """The entries that are mappings; the others are refused."""
    for item in document.items("systems"):
        if isinstance(item, Section):
            yield item
        else:
            found.refuse(f"{document.source}:{item.line}", "an entry is a mapping with `path:`")


def _line(broken: TemperError, where: str) -> tuple[str, str]:
    """Where it is broken and why, in one line: messages about a document begin with its file and line."""
    message = " ".join(broken.message.split())
    place, _, rest = message.partition(": ")
    return (place, rest) if isinstance(broken, ConfigError) and rest and ":" in place else (where, message)


def _tiers(section: Section) -> dict[Level, Tier]:
    section.only(*_LEVELS)
    return {level: _tier(section.section(level).only(*_TIER), usual) for level, usual in TIERS.items()}


def _tier(section: Section, usual: Tier) -> Tier:
    found = Tier(
        suite=section.word("suite", _SUITES, usual.suite),
        minutes=section.number("minutes", usual.minutes),
        memory=section.number("memory", usual.memory),
        priority=section.number("priority", usual.priority),
        age=seconds(section, "age", usual.age),
    )
    if found.minutes <= 0:
        raise section.error(f"{section.path or 'an entry'}: minutes must be above 0", "minutes")
    if min(found.memory, found.age) < 0:
        raise section.error(f"{section.path or 'an entry'}: memory and age are not negative", "memory", fix="0: none")
    return found


def _entries(
    section: Section, base: Path, roots: tuple[Path, ...], tiers: dict[Level, Tier]
) -> Iterator[Entry | Refused]:
    """The systems of one entry: of a glob, one for each file that it finds."""
    section.only(*_KEYS)
    text, level = section.needed("path"), Level(section.word("tier", _LEVELS, Level.MEDIUM))
    tier = _tier(section, tiers[level])
    paths = [*_files(section, base, text)]
    if section.has("name") and len(paths) > 1:
        raise section.error(f"`name:` names one system, and {text} finds {len(paths)}", "name", fix="leave it out")
    for path in paths:
        where = f"{section.source}:{section.line}"
        try:
            config = _inside(path, roots, text if len(paths) == 1 else path.relative_to(base).as_posix())
        except TemperError as outside:
            yield Refused(where=where, why=outside.message)
            continue
        folder = path.parent.relative_to(base).as_posix() if path.is_relative_to(base) else path.parent.as_posix()
        yield Entry(
            name=section.text("name", base.name if folder == "." else folder),
            config=str(config),
            where=where,
            owner=section.text("owner"),
            level=level,
            tier=tier,
            only=section.texts("only"),
            tags=section.texts("tags"),
        )


def _files(section: Section, base: Path, text: str) -> Iterable[Path]:
    """The temper.yaml files that a path or a glob names, in order of name."""
    if not _GLOB & set(text):
        path = base / text
        path = path / "temper.yaml" if path.is_dir() else path
        if not path.is_file():
            raise section.error(f"there is no {text}", "path", fix="paths are relative to the portfolio")
        return [path]
    if text.startswith("/") or ".." in Path(text).parts:
        raise section.error(f"the glob {text!r} leads outside of {base}", "path", fix="name each system instead")
    found = sorted(path for path in islice(base.glob(text), MOST + 1) if path.is_file())
    if not found:
        raise section.error(f"{text} finds no file", "path", fix="`temper init` writes a temper.yaml")
    if len(found) > MOST:
        raise section.error(f"{text} finds more than {MOST:,} files", "path", fix="be more exact")
    return found


def _root(base: Path, text: str, document: Section) -> Path:
    root = (base / text).resolve()
    if not root.is_dir():
        raise document.error(f"roots: there is no folder {text}", "roots")
    return root


def _inside(path: Path, roots: tuple[Path, ...], text: str) -> Path:
    """The file itself, links followed; what it names is imported and run, so it lies where somebody expects it."""
    real = path.resolve()
    if not any(real.is_relative_to(root) for root in roots):
        raise TemperError(f"{text} lies outside of {', '.join(map(str, roots))}; add its folder to `roots:`")
    return real
