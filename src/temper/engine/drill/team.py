"""SIMULATED reviewers of a drill: they decide the cases of a control store in the queue's order, or are absent.

    python -m temper.engine.drill.team STORE ORDERS PACE          # PACE: decisions a second, of all of them together

Every answer is the same and means nothing: what a drill looks at is when it comes.
"""

from __future__ import annotations

import secrets
import sys
import time
from pathlib import Path

from temper.chaos.orders import Orders
from temper.core.errors import StoreError
from temper.core.review import Conflict, Role, Ruling
from temper.store.control import Control

NAMES = ("simulated-ana", "simulated-ben")
"""Two, since a case may want four eyes."""
_REASON = "SIMULATED: a drill decides that it is looked at"
_IDLE = 0.02


def joined(control: Control) -> None:
    """Be people of this store, with passwords that nobody knows."""
    for name in NAMES:
        if control.people.get(name) is None:
            control.people.add(name, Role.APPROVER, secrets.token_urlsafe(24), "drill", time.time())


def decided(control: Control) -> int:
    """How many answers were given, one each at most; a case that was lost meanwhile counts for nothing."""
    many = 0
    for name in NAMES:
        now = time.time()
        case = control.reviews.claim(name, now)
        if case is None:
            continue
        try:
            control.reviews.decide(
                case.id, name, Ruling.ALLOW, _REASON, secrets.token_urlsafe(12), case.version, time.time()
            )
        except Conflict:
            continue
        many += 1
    return many


def work(control: Control, orders: Orders, pace: float) -> None:
    """Decide at this pace until somebody ends it; a store that fails is tried again."""
    ahead = time.monotonic()
    while True:
        many = 0
        if not orders.absent:
            try:
                many = decided(control)
            except StoreError:
                many = 0
        ahead = max(ahead + many / pace, time.monotonic())
        time.sleep(max(ahead - time.monotonic(), 0.0 if many else _IDLE))


if __name__ == "__main__":
    store = Control.open(sys.argv[1])
    joined(store)
    work(store, Orders(path=Path(sys.argv[2])), float(sys.argv[3]))
