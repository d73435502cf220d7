"""Where a model behind HTTP is, fixed in the configuration and checked at every connection."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from temper.core.errors import ConfigError

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One upstream. An address in digits, or localhost, stands for itself; a name may lead only to public addresses
    and to `networks` ("10.0.0.0/8"), looked at after every lookup, so a name that is pointed elsewhere leads nowhere.
    Addresses of links and of cloud metadata (169.254.0.0/16) are never connected to.

    >>> Address.of("http://127.0.0.1:9000/v2/models/fraud/infer").path
    '/v2/models/fraud/infer'
    """

    host: str
    port: int
    path: str
    secure: bool = False
    networks: tuple[str, ...] = ()

    @classmethod
    def of(cls, url: str, networks: tuple[str, ...] = ()) -> Address:
        """The address in a URL; `ConfigError` for one that holds a password or is none."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = 0
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or not _plain(url)
        if wrong or parts.fragment:
            raise ConfigError("the upstream's URL is no http(s) address", fix="write http://host:port/path")
        if parts.username is not None or parts.password is not None:
            raise ConfigError("the upstream's URL holds a password", fix="put it into headers")
        for one in networks:
            _network(one)
        secure = parts.scheme == "https"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        found = cls(
            host=str(parts.hostname), port=port or (443 if secure else 80), path=path, secure=secure, networks=networks
        )
        if (literal := _ip(found.host)) and not found.may(literal):
            raise ConfigError(f"{literal} is no place for a model", fix="use the model's own address")
        return found

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    def may(self, ip: Ip) -> bool:
        """Whether to connect to this address."""
        inner = _inner(ip)
        if inner.is_link_local or inner.is_multicast or inner.is_unspecified:
            return False
        if _ip(self.host) == ip or (self.host == "localhost" and inner.is_loopback):
            return True
        return inner.is_global or any(inner in _network(one) for one in self.networks)

    async def place(self, loop: asyncio.AbstractEventLoop) -> tuple[str, int]:
        """An address to connect to, by digits; `OSError` where the name leads to none that is allowed."""
        if _ip(self.host):
            return self.host, self.port
        found = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        for *_, sockaddr in found:
            ip = _ip(str(sockaddr[0]))
            if ip and self.may(ip):
                return str(sockaddr[0]), self.port
        raise OSError(f"{self.host} leads to no address that is allowed")


def _plain(url: str) -> bool:
    return url.isascii() and all(sign.isprintable() and sign != " " for sign in url)


def _ip(host: str) -> Ip | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _inner(ip: Ip) -> Ip:
    """The IPv4 address inside an IPv6 one, where there is one."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else ip)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ConfigError(f"{text[:60]!r} is no network", fix='write one as "10.0.0.0/8"') from None
