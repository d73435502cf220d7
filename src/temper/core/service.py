"""A service as its callers see it."""

from __future__ import annotations

from dataclasses import dataclass, field

from temper.core.load import Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Where a service is asked and how. `key_env` names the environment variable that holds its key, sent as a bearer
    token; `headers` are sent as they are. `body` is a request with $row (an object) or $values (a list) in the place of
    a row. `confirmed` is the host, where it is not this machine, that may be put under load.
    """

    url: str
    method: str = "POST"
    key_env: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: str = '{"row":$row}'
    limit: Limit = field(default_factory=Limit)
    most: float = 5_000.0
    ca: str = ""
    confirmed: str = ""
