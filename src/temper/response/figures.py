"""What a gateway says of itself over HTTP: whether it is ready, and its figures in Prometheus' text format."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from temper.core.errors import ConfigError

MOST_BYTES = 1024 * 1024
SECONDS = 2.0
_LINE = re.compile(r"([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class _Stays(HTTPRedirectHandler):
    """The address is the operator's word; where it points elsewhere nobody follows."""

    def redirect_request(self, *_: object) -> None:
        return None


def checked(url: str) -> str:
    """The address of a gateway's figures, refused where it is no web address.

    >>> checked("http://127.0.0.1:8080/metrics")
    'http://127.0.0.1:8080/metrics'
    """
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ConfigError(f"{url!r} is no address of a gateway", fix="give http://HOST:PORT")
    return url


def text(url: str) -> str:
    """What this address says; raises `OSError` or `ValueError` where it says nothing."""
    with build_opener(_Stays).open(Request(url, headers={"accept": "text/plain"}), timeout=SECONDS) as answer:
        return str(answer.read(MOST_BYTES).decode("utf-8", "replace"))


def ready(gateway: str) -> bool:
    """Whether a gateway may be sent requests; raises `OSError` where it does not answer at all."""
    try:
        text(f"{gateway.rstrip('/')}/readyz")
    except HTTPError:
        return False
    return True


def series(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """(name, labels, value) of each line.

    >>> list(series('# TYPE temper_x counter\\ntemper_x{status="200"} 3\\n'))
    [('temper_x', {'status': '200'}, 3.0)]
    """
    for line in text.splitlines():
        found = None if line.startswith("#") else _LINE.match(line)
        if found is not None:
            yield found[1], dict(_LABEL.findall(found[2] or "")), number(found[3])


def number(text: str) -> float:
    """A value as it is written there; NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
