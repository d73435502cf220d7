"""The folder is the registry: the path is the name, one file is one plugin."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from dataclasses import dataclass, fields
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from temper.core.errors import ConfigError, TemperError


@dataclass(frozen=True, slots=True)
class Room:
    """A package whose files are plugins; listing imports nothing, `get` imports exactly one file.

    Plugins of other distributions come from the entry-point group of the room's package, and only when `allowed` names
    them: installing a package must not change what a security run does.

    >>> "evasion.noise" in Room("temper.attacks").names()
    True
    """

    package: str
    allowed: tuple[str, ...] = ()

    def names(self) -> tuple[str, ...]:
        """Every plugin's name, sorted."""
        return tuple(sorted({*self._own(), *self.allowed}))

    def offered(self) -> tuple[str, ...]:
        """Names of plugins that other installed packages offer, whether or not they are allowed."""
        return tuple(sorted({point.name for point in entry_points(group=self.package)}))

    def get(self, name: str) -> type[Any]:
        """The plugin class of this name; an unknown name is answered with the nearest one."""
        if name in self.allowed:
            return self._foreign(name)
        if not self._has(name):
            near = difflib.get_close_matches(name, self.names(), n=1)
            raise ConfigError(
                f"{self.package} has no plugin {name!r}",
                fix=f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(self.names())}",
            )
        plugin: type[Any] = importlib.import_module(f"{self.package}.{name}").PLUGIN
        return plugin

    def build(self, name: str, options: dict[str, Any] | None = None) -> Any:
        """A configured plugin; unknown options are refused with a suggestion."""
        plugin = self.get(name)
        known = [f.name for f in fields(plugin)]
        for option in options or {}:
            if option not in known:
                near = difflib.get_close_matches(option, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(known) or 'none'}"
                raise ConfigError(f"{name} has no option {option!r}", fix=hint)
        return plugin(**(options or {}))

    def summary(self, name: str) -> str:
        """First paragraph of the plugin's docstring, in one line."""
        return " ".join((self.get(name).__doc__ or "").strip().split("\n\n", 1)[0].split())

    def maker(self, name: str) -> str:
        """The distribution and its version that this plugin of another package comes from."""
        made = self._offered(name).dist
        return f"{made.name} {made.version}" if made else ""

    def _own(self) -> frozenset[str]:
        root = self._folder()
        return frozenset(
            ".".join(path.relative_to(root).with_suffix("").parts)
            for path in root.rglob("*.py")
            if not path.stem.startswith("_")
        )

    def _has(self, name: str) -> bool:
        """Whether there is a file of this name; to list the whole room for it takes a hundred times as long."""
        parts = name.split(".")
        named = all(part.isidentifier() for part in parts) and not parts[-1].startswith("_")
        return named and self._folder().joinpath(*parts).with_suffix(".py").is_file()

    def _folder(self) -> Path:
        spec = importlib.util.find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise TemperError(f"{self.package} is not a room")
        return Path(next(iter(spec.submodule_search_locations)))

    def _foreign(self, name: str) -> type[Any]:
        point = self._offered(name)
        if self._has(name):
            raise ConfigError(
                f"{name!r} is already the name of a plugin of {self.package}", fix="rename the foreign one"
            )
        plugin: type[Any] = point.load()
        return plugin

    def _offered(self, name: str) -> EntryPoint:
        found = [point for point in entry_points(group=self.package) if point.name == name]
        if len(found) != 1:
            raise ConfigError(f"{len(found)} installed packages offer the plugin {name!r} for {self.package}")
        return found[0]
