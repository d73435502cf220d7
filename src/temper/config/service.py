"""The service in temper.yaml that is put under load.

service:
  url: http://127.0.0.1:8080/v1/score
  key_env: TEMPER_KEY            # an environment variable; its value is sent as a bearer token
  limit_ms: 100                  # 99 % of the answers within
  answered: 0.99                 # share of requests that are answered well
  body: '{"row": $row}'          # $row is a row as an object, $values as a list
  most: 2000                     # never more requests a second
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from temper.config.document import Section
from temper.core.errors import TemperError
from temper.core.load import Limit
from temper.core.service import Service

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_KEYS = ("url", "method", "key_env", "headers", "body", "limit_ms", "answered", "most", "ca", "yes_this_host")
_NAME, _VALUE = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"), re.compile(r"[\t\x20-\x7e]*")


def service_of(document: Section, base: Path) -> Service | None:
    """What stands under `service:`; None where nothing does."""
    section = document.section("service").only(*_KEYS)
    if not section.entries:
        return None
    usual = Service(url=section.needed("url"))
    milliseconds = section.number("limit_ms", 1e3 * usual.limit.seconds)
    answered, most = section.number("answered", usual.limit.answered), section.number("most", usual.most)
    if milliseconds <= 0:
        raise section.error("service.limit_ms must be above 0", "limit_ms")
    if not 0 < answered <= 1:
        raise section.error("service.answered must be above 0 and at most 1", "answered")
    if most < 1:
        raise section.error("service.most must be at least 1 request a second", "most")
    headers = section.section("headers")
    pairs = tuple((name, headers.text(name)) for name in headers.entries)
    if wrong := [name for name, value in pairs if not sendable(name, value)]:
        raise headers.error(f"the header {wrong[0]!r} cannot be sent", wrong[0], fix="use plain text without line ends")
    ca = section.text("ca")
    return Service(
        url=usual.url,
        method=section.word("method", METHODS, usual.method),
        key_env=section.text("key_env"),
        headers=pairs,
        body=section.text("body", usual.body),
        limit=Limit(seconds=milliseconds / 1e3, answered=answered),
        most=most,
        ca=str(base / ca) if ca else "",
        confirmed=section.text("yes_this_host"),
    )


def sendable(name: str, value: str) -> bool:
    """Whether a header says what it says and begins no other one."""
    return bool(_NAME.fullmatch(name)) and bool(_VALUE.fullmatch(value))


def headers_of(service: Service) -> tuple[tuple[str, str], ...]:
    """The headers with the key in them. Errors: a variable that is not set is refused."""
    if not service.key_env:
        return service.headers
    key = os.environ.get(service.key_env, "")
    if not key or not sendable("Authorization", key):
        raise TemperError(f"the variable {service.key_env} holds no key", fix=f"export {service.key_env}=...")
    return (*service.headers, ("Authorization", f"Bearer {key}"))
