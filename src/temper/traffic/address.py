"""Where a service is, and whether it may be asked: this machine, or a host that somebody named and confirmed."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from temper.core.errors import TemperError

MOST_RATE, MOST_SECONDS, MOST_REQUESTS = 50_000.0, 4 * 3600.0, 20_000_000
"""What no run goes beyond, whoever asks for it: requests a second, seconds, requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A service by the parts of its URL; `ca` is a file of certificates that are trusted, and then no others are; `own`
    says that it is on this machine.
    """

    host: str
    port: int
    path: str = "/"
    tls: bool = False
    ca: str = ""
    own: bool = False

    @property
    def told(self) -> str:
        """As the Host header names it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole of it."""
        return f"{'https' if self.tls else 'http'}://{self.told}{self.path}"

    def context(self) -> ssl.SSLContext | None:
        """What checks the certificate; None without TLS."""
        if not self.tls:
            return None
        if self.ca and not Path(self.ca).is_file():
            raise TemperError(f"there is no file of certificates {self.ca}", fix="name a PEM file")
        try:
            return ssl.create_default_context(cafile=self.ca or None)
        except ssl.SSLError as trouble:
            raise TemperError(f"{self.ca} holds no certificate: {trouble.reason}", fix="name a PEM file") from None


def address(url: str, *, confirmed: str = "", ca: str = "") -> Address:
    """The parts of an http or https URL, once it is one that may be asked.

    Errors: a host that is not this machine is refused unless `confirmed` is that very host.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as trouble:
        raise TemperError(f"{url!r} is no URL: {trouble}", fix="write http://HOST:PORT/PATH") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise TemperError(f"{url!r} is no URL of a service", fix="write http://HOST:PORT/PATH; a key goes to --key-env")
    tls = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if any(ord(letter) <= 32 or ord(letter) > 126 for letter in path):
        raise TemperError(f"{url!r} holds a letter that no URL holds", fix="write it in percent encoding")
    found = Address(host=parts.hostname, port=port or (443 if tls else 80), path=path, tls=tls, ca=ca)
    own = _own(found)
    if not own and confirmed != found.host:
        raise TemperError(
            f"{found.host} is not this machine, and load that nobody agreed to is an attack",
            fix=f"with the word of those who run it, add --yes-this-host {found.host}",
        )
    return replace(found, own=own)


def _own(found: Address) -> bool:
    """Whether every address of the host is a loopback one."""
    try:
        told = socket.getaddrinfo(found.host, found.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise TemperError(f"nobody knows the host {found.host!r}", fix="look at the URL") from None
    return all(ipaddress.ip_address(str(one[4][0]).partition("%")[0]).is_loopback for one in told)


def not_taken(place: tuple[str, int], trouble: BaseException) -> TemperError:
    """Why no line at all could be opened, in one sentence."""
    where = f"{place[0]}:{place[1]}"
    if isinstance(trouble, ssl.SSLCertVerificationError):
        return TemperError(
            f"the certificate of {where} is not trusted: {trouble.verify_message}",
            fix="name the file of the certificates to trust with --ca FILE",
        )
    if isinstance(trouble, ssl.SSLError):
        return TemperError(f"{where} does not speak TLS as it should: {trouble.reason}", fix="is it http://?")
    if isinstance(trouble, TimeoutError):
        return TemperError(f"{where} takes no connection in time", fix="is the service up, and the port open?")
    if isinstance(trouble, OSError):
        return TemperError(f"{where} takes no connection: {trouble.strerror or trouble}", fix="is the service up?")
    raise trouble


def within_caps(rate: float, seconds: float, requests: float) -> None:
    """Refuse what goes beyond the caps."""
    if not (rate <= MOST_RATE and seconds <= MOST_SECONDS and requests <= MOST_REQUESTS):
        raise TemperError(
            f"{requests:,.0f} requests, up to {rate:,.0f} a second over {seconds:,.0f} s, are more than a run may send",
            fix=f"stay within {MOST_RATE:,.0f} a second, {MOST_SECONDS:,.0f} s and {MOST_REQUESTS:,} requests",
        )
