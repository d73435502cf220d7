"""`temper threats`."""

from __future__ import annotations

from pathlib import Path

from temper.cli import _options as options


def command(config: options.Config = Path("temper.yaml"), trust_pickle: options.Trust = False) -> None:
    """Show the scenarios of this system with their because, and what was left out with its why not."""
    from temper import api
    from temper.report.terminal import show_threats
    from temper.threats.rules import scenarios

    kept, left_out = scenarios(api.load(config, trust_pickle=trust_pickle))
    show_threats(kept, left_out)
