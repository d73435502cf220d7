"""A PostgreSQL cluster of Debian's binaries in a temporary folder, heard on a Unix socket only, and databases in it."""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

NEWEST = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/lib/postgresql/bin"))
BINARIES = Path(os.environ.get("TEMPER_POSTGRESQL", NEWEST))
PEPPER = "only for the tests, 32 characters at least"


@dataclass
class Cluster:
    """A server that can be stopped, killed and started again."""

    folder: Path
    process: subprocess.Popen | None = None
    numbers: itertools.count = field(default_factory=itertools.count)

    @classmethod
    def make(cls):
        """A new cluster that runs."""
        folder = Path(tempfile.mkdtemp(prefix="temper-pg-"))
        cluster = cls(folder)
        if os.geteuid() == 0:
            shutil.chown(folder, cluster.user)
        make = [BINARIES / "initdb", "-D", folder / "data", "-U", "temper", "-A", "trust", "-E", "UTF8", "--no-locale"]
        done = subprocess.run([*cluster.prefix, *make], capture_output=True, text=True, cwd=folder)
        assert done.returncode == 0, done.stderr
        cluster.start()
        return cluster

    @property
    def user(self):
        """Who runs it: PostgreSQL refuses root."""
        return "postgres"

    @property
    def prefix(self):
        """What makes a command run as that user."""
        return ["runuser", "-u", self.user, "--"] if os.geteuid() == 0 else []

    def start(self):
        """Start it and wait until it answers."""
        settings = [f"unix_socket_directories={self.folder}", "listen_addresses=", "max_connections=60"]
        command = [BINARIES / "postgres", "-D", self.folder / "data", *(w for s in settings for w in ("-c", s))]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*self.prefix, *command], stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + 60
        while not self.answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def answers(self):
        """Whether it takes connections."""
        asked = [BINARIES / "pg_isready", "-q", "-h", self.folder, "-U", "temper", "-d", "postgres"]
        return subprocess.run(asked).returncode == 0

    def stop(self, how=signal.SIGINT):
        """Stop it (SIGINT: fast) or kill it (SIGQUIT: at once, to be recovered at the next start)."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, how)
        self.process.wait(30)

    def remove(self):
        """Stop it without the care that files need which stay, and delete everything."""
        with contextlib.suppress(FileNotFoundError):
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    def url(self, schema):
        """Where a schema is."""
        host, options = quote(str(self.folder), safe=""), quote(f"-c search_path={schema}", safe="")
        return f"postgresql://temper@/postgres?host={host}&options={options}"

    def database(self):
        """The URL of a new, empty place. It is a schema: a database is 300 files that have to reach the disk."""
        import psycopg

        name = f"t{next(self.numbers)}"
        with psycopg.connect(self.url("public"), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return self.url(name)


@pytest.fixture(scope="session")
def cluster():
    """A PostgreSQL server; the test skips where Debian's binaries are not installed."""
    if not (BINARIES / "postgres").is_file():
        pytest.skip(f"no PostgreSQL in {BINARIES}: apt install postgresql, or set TEMPER_POSTGRESQL")
    if os.geteuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("root cannot run PostgreSQL, and there is no user postgres")
    cluster = Cluster.make()
    yield cluster
    cluster.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path, monkeypatch):
    """Where a new control store may be: a file, and an empty database of PostgreSQL."""
    monkeypatch.setenv("TEMPER_PEPPER", PEPPER)
    if request.param == "sqlite":
        return str(tmp_path / "control.db")
    return request.getfixturevalue("cluster").database()
