"""The first portfolio.yaml, from the temper.yaml files of a folder; tiers are guessed from what each says of itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from temper.config.portfolio import MOST
from temper.config.reading import read
from temper.config.yaml_text import flow
from temper.core.errors import ConfigError, TemperError
from temper.core.fleet import Level

NAME = "temper.yaml"
_HEAD = """\
# A draft: check the tiers, which are guessed from `system: criticality`, and say who owns what.
# What else an entry and this file may say: docs/formats.md.
systems:
"""


def write(folder: Path, out: Path) -> tuple[Path, int]:
    """Write the portfolio of this folder, and how many systems it names. What is there is not written over."""
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder}", fix="name the folder that holds the systems")
    if out.exists():
        raise ConfigError(f"{out} is there already", fix="add to it, or name another file with --out")
    lines = [_line(path, out.absolute().parent) for path in _found(folder.absolute())]
    if not lines:
        raise ConfigError(f"there is no {NAME} in {folder}", fix="`temper init` writes one")
    out.write_text(_HEAD + "".join(lines), encoding="utf-8")
    return out, len(lines)


def _found(folder: Path) -> Iterator[Path]:
    """In order of name. Hidden folders are left out, and links are not followed, so that no circle is walked."""
    count = 0
    for place, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        if NAME in names:
            count += 1
            if count > MOST:
                raise ConfigError(f"there are more than {MOST:,} systems in {folder}", fix="write several portfolios")
            yield Path(place) / NAME


def _line(path: Path, base: Path) -> str:
    """One entry; of a temper.yaml that cannot be read the middle tier, and why."""
    where = os.path.relpath(path, base)
    try:
        level, why = read(path).section("system").word("criticality", (*Level, "critical"), "medium"), "guessed"
    except TemperError as broken:
        level, why = "medium", f"guessed; {' '.join(broken.message.split())}"
    level = Level.HIGH if level == "critical" else level
    return f"  - {flow({'path': where, 'owner': '', 'tier': str(level)})}  # {why}\n"
