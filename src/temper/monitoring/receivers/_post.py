"""One post to one host that somebody named, over TLS or on this machine; nobody else is asked, no secret is told."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from temper.core.errors import ConfigError, StoreError
from temper.store.codec import to_json

SECONDS = 5.0
"""How long a receiver may keep us waiting for each of its words."""
_AGAIN = "it is sent again by the next look"


def post(url: str, host: str, body: bytes, headers: Mapping[str, str], ca: str = "") -> None:
    """Post JSON; raises `StoreError` where it was not taken."""
    sent = Request(checked(url, host), body, {"Content-Type": "application/json", **headers}, method="POST")
    try:
        opener = build_opener(_Stays, HTTPSHandler(context=context(ca)))
        with opener.open(sent, timeout=SECONDS):
            return
    except HTTPError as error:
        error.close()
        raise StoreError(f"{sent.host} answered {error.code}", fix=_AGAIN) from None
    except (OSError, HTTPException) as error:  # its text may quote the address, and that may hold a secret
        raise StoreError(f"{sent.host} did not take it: {reason(error)}", fix=_AGAIN) from None
    except ValueError:  # its text quotes the header
        raise ConfigError("a secret has characters that no header may have", fix="look at the variable") from None


def json(plain: Any) -> bytes:
    """Plain values as bytes, always the same."""
    return to_json(plain).encode()


def reason(error: BaseException) -> str:
    """What went wrong on the line, without a word of what was asked."""
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({cause.verify_message})"
    return type(cause if isinstance(cause, BaseException) else error).__name__


def checked(url: str, host: str) -> str:
    """The address, once it is one of the host that temper.yaml names. An address in the environment needs a `host`.

    >>> checked("https://hooks.bank.example/x", "hooks.bank.example")
    'https://hooks.bank.example/x'
    """
    try:
        parts = urlsplit(url)
        name = parts.hostname or ""
    except ValueError:
        name = ""
    if not name or parts.scheme not in ("http", "https") or parts.username is not None:
        raise ConfigError("that is no address of a receiver", fix="give https://HOST/PATH")
    if name != host:
        raise ConfigError(f"the receiver is on {name}, which temper.yaml does not name", fix=f"add `host: {name}`")
    if parts.scheme == "http" and not here(name):
        raise ConfigError(f"http to {name} is open to read", fix="use https")
    return url


def where(url: str, url_env: str, host: str) -> tuple[str, str]:
    """(address, host) as temper.yaml gives them: the address itself names its host, one in the environment does not."""
    if url and url_env:
        raise ConfigError("a receiver has one address", fix="give `url:` or `url_env:`")
    if url:
        return url, host or _host(url)
    return secret(url_env, "url_env"), host


def secret(name: str, option: str) -> str:
    """The value of an environment variable."""
    if not name:
        raise ConfigError(f"a receiver has no `{option}:`", fix="name the environment variable that holds it")
    value = os.environ.get(name, "")
    if not value:
        raise ConfigError(f"the environment variable {name} is not set", fix=f"export {name}=...")
    return value


def context(ca: str) -> ssl.SSLContext:
    """Certificates are checked, against this file of them where there is one."""
    try:
        return ssl.create_default_context(cafile=ca or None)
    except OSError:
        raise ConfigError(f"{ca} holds no certificates", fix="name a PEM file") from None


def here(host: str) -> bool:
    """Whether this is the machine we are on."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


class _Stays(HTTPRedirectHandler):
    """Alerts go where the operator said and nowhere else."""

    def redirect_request(self, *_: object) -> None:
        return None
