"""Labels leave for a file or a webhook: after a kill at any moment a file has each once, a receiver each at least once
under one key, in their order.
"""

from __future__ import annotations

import fcntl
import hashlib
import ipaddress
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from temper.core.errors import ConfigError, StoreError
from temper.store.codec import from_json
from temper.store.control.outbox import Leaving, Outbox
from temper.store.failure import told
from temper.targets.chat.line import filled

SECONDS = 10.0
_LONGEST = 2**20


def relay(outbox: Outbox, to: str, headers: Mapping[str, str]) -> Iterator[Leaving]:
    """Each label once it has arrived at `to`, a file or a URL. Stops at the first that does not, with `StoreError`:
    it and what follows go out the next time.
    """
    return _posted(outbox, to, headers) if "://" in to else _filed(outbox, Path(to))


def _filed(outbox: Outbox, path: Path) -> Iterator[Leaving]:
    """Appended whole and synced, one by one. What the file ends with says where to go on, so nothing is twice in it."""
    with told(path), _held(path) as file:
        for one in outbox.after(_reached(outbox, path, file)):
            _appended(file, _bytes(one))
            yield one


@contextmanager
def _held(path: Path) -> Iterator[BinaryIO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b", buffering=0, opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(f"{path} is being written by another relay", fix="let one do it") from None
        yield file


def _reached(outbox: Outbox, path: Path, file: BinaryIO) -> int:
    """The number of the last label in a file, after what a kill has left half written of the next was cut off. What is
    neither is somebody else's, and stays.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 2 * _LONGEST))
    head, _, rest = file.read().rpartition(b"\n")
    last = head.rpartition(b"\n")[2]
    whole = size - len(rest)
    cursor = _cursor(last) if whole else 0
    known, following = outbox.at(cursor), next(outbox.after(cursor), None)
    if whole and (known is None or _bytes(known) != last + b"\n"):
        raise StoreError(
            f"{path} does not end with a label of this store",
            fix="begin a new file: it is another store's, or this store was restored from a backup",
        )
    if rest and (following is None or not _bytes(following).startswith(rest)):
        raise StoreError(f"{path} ends with what is no label", fix="give another file")
    file.truncate(whole)
    return cursor


def _cursor(line: bytes) -> int:
    """The number in a line; -1 where it is no label."""
    try:
        found = int(from_json(line.decode("utf-8", "replace"))["cursor"])
    except (StoreError, KeyError, TypeError, ValueError):
        return -1
    return found if 0 < found < 2**63 else -1


def _bytes(one: Leaving) -> bytes:
    return f"{one.line()}\n".encode()


def _appended(file: BinaryIO, data: bytes) -> None:
    """All of it, synced, or none of it."""
    size = file.seek(0, os.SEEK_END)
    try:
        if file.write(data) != len(data):
            raise OSError(28, "no room for the whole of it")
        os.fsync(file.fileno())
    except OSError:
        file.truncate(size)
        raise


def _posted(outbox: Outbox, url: str, headers: Mapping[str, str]) -> Iterator[Leaving]:
    """Posted one by one, each under a key of its own text, so that a receiver that knows the key has it already."""
    receiver = f"{_checked(url)} {hashlib.sha256(url.encode()).hexdigest()[:16]}"
    given = {name: filled(value) for name, value in headers.items()}
    for one in outbox.after(outbox.reached(receiver)):
        body = one.line().encode()
        key = {"Idempotency-Key": hashlib.sha256(body).hexdigest(), "Content-Type": "application/json"}
        _sent(Request(url, body, {**given, **key}, method="POST"), one.cursor)
        outbox.taken(receiver, one.cursor, time.time())
        yield one


class _Stays(HTTPRedirectHandler):
    """Rows of clients go where the operator said and nowhere else."""

    def redirect_request(self, *_: object) -> None:
        return None


def _sent(request: Request, cursor: int) -> None:
    again = "see that it answers 2xx; this label and what follows are sent again the next time"
    try:
        with build_opener(_Stays).open(request, timeout=SECONDS) as answer:
            answer.read(_LONGEST)
    except HTTPError as error:
        error.close()
        raise StoreError(f"{request.host} answered {error.code} to label {cursor}", fix=again) from None
    except (OSError, HTTPException) as error:  # its text may quote the address, and that may hold a secret
        raise StoreError(f"{request.host} did not take label {cursor}: {type(error).__name__}", fix=again) from None
    except ValueError:  # its text quotes the header
        raise ConfigError("a header has characters that none may have", fix="look at the variable it is from") from None


def _checked(url: str) -> str:
    """The host of an address that labels may be sent to: rows of clients go over TLS, or stay on this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not host or parts.scheme not in ("http", "https"):
        raise ConfigError("that is no address of a webhook", fix="give https://HOST/PATH, or a file")
    if parts.scheme == "http" and not _here(host):
        raise ConfigError(f"labels hold rows of clients, and http to {host} is open to read", fix="use https")
    return host


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
