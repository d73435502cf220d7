"""What can go wrong, each with one clear sentence and the fix."""

from __future__ import annotations


class TemperError(Exception):
    """A problem the user can act on: what was expected, what came, and the fix.

    >>> str(TemperError("predict returned (200,)", fix="return (200, 2) probabilities"))
    'predict returned (200,)\\n  fix: return (200, 2) probabilities'
    """

    exit_code = 2

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message, fix)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}\n  fix: {self.fix}" if self.fix else self.message

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.fix)


def _rebuild(kind: type[TemperError], message: str, fix: str) -> TemperError:
    return kind(message, fix=fix)


class ConfigError(TemperError):
    """A document (temper.yaml, a policy) says something Temper cannot follow; names file and line."""


class SchemaError(TemperError):
    """The schema contradicts itself or the data."""


class ContractError(TemperError):
    """A model breaks the contract of its target: wrong shape, NaN, labels for scores, hidden randomness."""


class NoGradient(ContractError):
    """A model that offers gradients cuts them on the way to its input."""


class Unsupported(TemperError):
    """The target cannot do this (no gradients, no refit, no monotone constraints): a reason to skip, not a crash."""


class StoreError(TemperError):
    """The store cannot be read or written (disk full, newer format, tampered)."""

    exit_code = 4


class Tampered(StoreError):
    """What is stored was changed behind Temper's back: it is read-only from then on."""


class RunStopped(TemperError):
    """A run ended before it was finished; what was done is kept."""

    exit_code = 4
