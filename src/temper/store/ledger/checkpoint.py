"""Signed checkpoints: the size and the root of a log, written to a second place so that it cannot be rewritten unseen.

Source: C2SP tlog-checkpoint and signed-note, with Ed25519 signatures.
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread
from typing import Any

from temper.core.errors import StoreError, TemperError
from temper.store.failure import told
from temper.store.ledger.tree import Tree

EVERY = 1_000
"""Records after which a checkpoint is due at once; otherwise one a second where there is something new."""
SECONDS = 1.0
PATIENCE = 5.0
"""Seconds that the end of a process waits for a second place that hangs."""
_TAIL = 64 * 1024
_ED25519 = b"\1"
_NOTE = re.compile(r"(?P<text>[^\n]+\n(?:0|[1-9][0-9]*)\n[A-Za-z0-9+/]{43}=\n)\n(?P<signatures>(?:— [^\n]+\n)+)\n")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log, how many records it has, and the root of its tree at that size.

    >>> one = Checkpoint("example.com/log", 5, bytes(32))
    >>> note = one.signed(bytes(32))
    >>> print(note[: note.index("—")])
    example.com/log
    5
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
    <BLANKLINE>
    <BLANKLINE>
    >>> opened(note, public(bytes(32))) == one
    True
    """

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    def signed(self, key: bytes) -> str:
        """The note, signed with this Ed25519 key of 32 bytes."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        signature = Ed25519PrivateKey.from_private_bytes(key).sign(self.text().encode())
        line = base64.b64encode(key_id(self.origin, public(key)) + signature).decode()
        return f"{self.text()}\n— {self.origin} {line}\n"


def origin(log: Path) -> str:
    """What the checkpoints of a log call it."""
    return f"temper/{log.stem}"


def public(key: bytes) -> bytes:
    """The 32 bytes of the public key that belong to an Ed25519 key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()


def private_key(path: Path) -> bytes:
    """The 32 bytes that `Journal.open` takes, from the private key that `temper sign --new-key` has written."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    found = _pem(path, lambda pem: load_pem_private_key(pem, password=None))
    if not isinstance(found, Ed25519PrivateKey):
        raise TemperError(f"{path} is no private Ed25519 key", fix="make a pair with `temper sign --new-key NAME`")
    return found.private_bytes_raw()


def public_key(path: Path) -> bytes:
    """The 32 bytes of a public key, from the file that `temper sign --new-key` has written."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    found = _pem(path, load_pem_public_key)
    if not isinstance(found, Ed25519PublicKey):
        raise TemperError(f"{path} is no public Ed25519 key", fix="give the .pub file of the pair")
    return found.public_bytes_raw()


def key_id(name: str, key: bytes) -> bytes:
    """The four bytes by which a note names the key of a signature."""
    return sha256(name.encode() + b"\n" + _ED25519 + key).digest()[:4]


def verified(text: str, signatures: str, name: str, key: bytes) -> bool:
    """Whether one of the signature lines is by this name and public key, and right. Others are passed over."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    for line in signatures.splitlines():
        try:
            _, signer, coded = line.split(" ")
            raw = base64.b64decode(coded, validate=True)
            if signer == name and raw[:4] == key_id(name, key):
                Ed25519PublicKey.from_public_bytes(key).verify(raw[4:], text.encode())
                return True
        except (ValueError, InvalidSignature):
            return False
    return False


def opened(note: str, key: bytes) -> Checkpoint | None:
    """The checkpoint in a note, None where this public key has not signed it."""
    match = _NOTE.fullmatch(f"{note}\n")
    if match is None:
        return None
    found = _checkpoint(match["text"])
    return found if verified(match["text"], match["signatures"], found.origin, key) else None


def read(path: Path, key: bytes, name: str) -> tuple[list[Checkpoint], int]:
    """The checkpoints of a log in its file, and how many more of them this public key has not signed for it. What is no
    whole note is one of these, but for the end of one that was being written.
    """
    found: list[Checkpoint] = []
    bad = end = 0
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    for match in _NOTE.finditer(text):
        one = _checkpoint(match["text"])
        bad += match.start() != end
        end = match.end()
        if one.origin == name and verified(match["text"], match["signatures"], name, key):
            found.append(one)
        else:
            bad += 1
    return found, bad + text[end:].endswith("\n\n")


def last_note(path: Path, key: bytes) -> str:
    """The last note in a file that this public key has signed; "" where there is none."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    whole = [match[0][:-1] for match in _NOTE.finditer(text)]
    return next((note for note in reversed(whole) if opened(note, key) is not None), "")


def beside(folder: Path, log: Path) -> Path:
    """The file of a log's checkpoints in their folder: each log has one, as each has one writer."""
    return folder / f"{log.stem}.checkpoints"


def add(path: Path, note: str) -> None:
    """Append a note to a file of checkpoints, synced."""
    with told(path):
        file = _ready(path)
        try:
            _append(file, f"{note}\n".encode())
        finally:
            os.close(file)


def last_mark(path: Path, name: str, key: bytes) -> tuple[int, bytes]:
    """Size and root of the last checkpoint of a log; zero where there is none."""
    if not path.is_file():
        return 0, b""
    signer = public(key)
    with told(path), path.open("rb") as file:
        for start in (max(path.stat().st_size - _TAIL, 0), 0):
            file.seek(start)
            for match in reversed([*_NOTE.finditer(file.read().decode("utf-8", "replace"))]):
                one = _checkpoint(match["text"])
                if one.origin == name and verified(match["text"], match["signatures"], name, signer):
                    return one.size, one.root
    return 0, b""


class Checkpointer:
    """A thread that signs what has been written and appends it to a file, synced. A second place that fails or hangs
    holds up no decision: it is told in `fault`, and tried again.
    """

    def __init__(self, path: Path, name: str, key: bytes, head: Callable[[], tuple[int, tuple[bytes, ...]]]) -> None:
        self.path, self.size = path, 0
        self.fault: StoreError | None = None
        self._name, self._key, self._head = name, key, head
        self._stop = Event()
        with told(path):
            self._file = _ready(path)
        self._thread = Thread(target=self._run, name=f"{path.stem}-checkpoints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Sign what is there and stop; a place that hangs is left behind."""
        self._stop.set()
        self._thread.join(PATIENCE)
        if not self._thread.is_alive():
            os.close(self._file)

    def _run(self) -> None:
        waited = 0.0
        while not self._stop.wait(SECONDS / 20):
            waited += SECONDS / 20
            if waited >= SECONDS or self._head()[0] - self.size >= EVERY:
                self._sign()
                waited = 0.0
        self._sign()

    def _sign(self) -> None:
        size, peaks = self._head()
        if size <= self.size:
            return
        note = Checkpoint(self._name, size, Tree(size, peaks).root()).signed(self._key)
        try:
            with told(self.path):
                _append(self._file, f"{note}\n".encode())
        except StoreError as error:
            self.fault = StoreError(error.message, fix="free space or mend the place: it is tried again every second")
        else:
            self.size, self.fault = size, None


def _ready(path: Path) -> int:
    """The file, open to append whole notes, for one writer."""
    if path.parent.exists() and not path.parent.is_dir():
        raise StoreError(f"{path.parent} is no folder", fix="give a folder for the checkpoints")
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o640)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _mended(file)
    except BlockingIOError:
        os.close(file)
        raise StoreError(f"{path} is being written by another log", fix="give every node a name of its own") from None
    except BaseException:
        os.close(file)
        raise
    return file


def _append(file: int, data: bytes) -> None:
    """All of it, synced, or none of it."""
    size = os.fstat(file).st_size
    try:
        if os.write(file, data) != len(data):
            raise OSError(28, "no room for the whole of it")
        os.fdatasync(file)
    except OSError:
        os.ftruncate(file, size)
        raise


def _mended(file: int) -> None:
    """Cut off what a kill has left half written: whatever follows the last blank line of a note."""
    size = os.fstat(file).st_size
    start = max(size - _TAIL, 0)
    tail = os.pread(file, _TAIL, start).decode("utf-8", "surrogateescape")
    whole = max((match.end() for match in _NOTE.finditer(tail)), default=0)
    if whole or start == 0:
        os.ftruncate(file, start + len(tail[:whole].encode("utf-8", "surrogateescape")))


def _pem(path: Path, load: Callable[[bytes], Any]) -> Any:
    """What a PEM file holds, text in front of it left out; None where it holds no key."""
    with told(path):
        raw = path.read_bytes()
    try:
        return load(raw[max(raw.find(b"-----BEGIN"), 0) :])
    except (ValueError, TypeError):
        return None


def _checkpoint(text: str) -> Checkpoint:
    origin, size, root, _ = text.split("\n")
    return Checkpoint(origin, int(size), base64.b64decode(root))
