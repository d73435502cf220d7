"""Models as somebody can reach them: one adapter per framework, the oracle, the artifact scanner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from temper.targets.load import open_target as open_target

__all__ = ["open_target"]


def __getattr__(name: str) -> Any:
    """Load the dispatcher when it is first asked for: importing the package stays free."""
    if name == "open_target":
        from temper.targets.load import open_target

        return open_target
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
