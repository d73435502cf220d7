"""What the tests of the control store share: a store with people in it whose passwords are cheap to check."""

from argon2 import PasswordHasher

from temper.core.review import Role
from temper.store.control import Control

PASSWORD = "a sentence to remember"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PEOPLE = {
    "vera": Role.VIEWER,
    "ann": Role.ANALYST,
    "bob": Role.ANALYST,
    "cyd": Role.ANALYST,
    "pat": Role.APPROVER,
    "root": Role.ADMIN,
}


def opened(place):
    """The store at this place; argon2 costs next to nothing in it."""
    control = Control.open(str(place))
    control.people.__dict__["_hasher"] = CHEAP
    return control


def peopled(place):
    """The store with somebody of every role."""
    control = opened(place)
    for name, role in PEOPLE.items():
        control.people.add(name, role, PASSWORD, "root", 0.0)
    return control


def labels(control):
    """What has left as a label."""
    return [one.label for one in control.outbox.after(0)]
