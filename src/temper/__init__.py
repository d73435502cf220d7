"""Temper hardens machine-learning models and tests their robustness: attack, judge, fix, prove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from temper.api import Hardening, System, assess, attack, certificates, compare, harden, load, target
    from temper.api.assistants import load_assistant
    from temper.api.campaigns import redteam
    from temper.api.fleet import fleet_assess, fleet_status
    from temper.api.layers import weigh
    from temper.core.budget import Budget

__version__ = "0.1.0"
__all__ = [
    "Budget",
    "Hardening",
    "System",
    "assess",
    "attack",
    "certificates",
    "compare",
    "fleet_assess",
    "fleet_status",
    "harden",
    "load",
    "load_assistant",
    "redteam",
    "target",
    "weigh",
]
_ELSEWHERE = {
    "Budget": "temper.core.budget",
    "fleet_assess": "temper.api.fleet",
    "fleet_status": "temper.api.fleet",
    "load_assistant": "temper.api.assistants",
    "redteam": "temper.api.campaigns",
    "weigh": "temper.api.layers",
}


def __getattr__(name: str) -> Any:
    """Load a public name on first use, so that `import temper` stays fast."""
    if name not in __all__:
        raise AttributeError(f"module 'temper' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_ELSEWHERE.get(name, "temper.api")), name)
