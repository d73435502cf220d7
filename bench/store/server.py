"""A PostgreSQL server of Debian's binaries for a bench: in a folder that stays, heard on a Unix socket only."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

BINARIES = Path(os.environ.get("TEMPER_POSTGRESQL") or max(Path("/usr/lib/postgresql").glob("*/bin"), default="absent"))
SETTINGS = ("listen_addresses=", "shared_buffers=256MB", "max_wal_size=4GB", "default_toast_compression=lz4")
"""Beyond what Debian ships: a cache that a small server has, and a large filling that takes minutes and not an hour."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The URL of a server whose files are in this folder, made when they are not there; it ends with the block."""
    if not (BINARIES / "postgres").is_file():
        raise SystemExit(f"no PostgreSQL in {BINARIES}: apt install postgresql, or set TEMPER_POSTGRESQL")
    folder.mkdir(parents=True, exist_ok=True)
    root = os.geteuid() == 0
    prefix = ["runuser", "-u", "postgres", "--"] if root else []  # PostgreSQL refuses root
    if root:
        shutil.chown(folder, "postgres")
    data = folder / "data"
    if not data.exists():
        made = [BINARIES / "initdb", "-D", data, "-U", "temper", "-A", "trust", "-E", "UTF8", "--no-locale"]
        subprocess.run([*prefix, *made], check=True, capture_output=True, cwd=folder)
    settings = [word for one in (*SETTINGS, f"unix_socket_directories={folder}") for word in ("-c", one)]
    with (folder / "log").open("ab") as log:
        server = subprocess.Popen([*prefix, BINARIES / "postgres", "-D", data, *settings], stdout=log, stderr=log)
    try:
        asked = [BINARIES / "pg_isready", "-q", "-h", folder, "-U", "temper", "-d", "postgres"]
        while subprocess.run(asked, check=False).returncode:
            if server.poll() is not None:
                raise SystemExit((folder / "log").read_text(encoding="utf-8")[-2_000:])
            time.sleep(0.1)
        yield f"postgresql://temper@/postgres?host={quote(str(folder), safe='')}"
    finally:
        pid = int((data / "postmaster.pid").read_text(encoding="utf-8").split()[0])
        os.kill(pid, signal.SIGINT)
        server.wait(60)
