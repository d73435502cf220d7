"""`temper publish` against a real MLflow server with a SQLite registry: what it holds afterwards, and what it refuses.

    python -m bench.governance.registry

`make registry` makes MLflow's environment; BENCH_MLFLOW names its Python. The server listens on this machine alone and
ends with the bench.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.table import goal, machine, table
from temper.core.errors import TemperError
from temper.engine.registry import publish
from temper.testing.records import record

ROOT = Path(__file__).parents[2]
PATIENCE = 300.0
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}


def main(words: list[str]) -> int:
    """Print the table and the goal; with --inside URI, the client's part of it as JSON."""
    if "--inside" in words:
        print(json.dumps([*_published(words[words.index("--inside") + 1])]))
        return 0
    if not (python := os.environ.get("BENCH_MLFLOW", "")):
        print("MLflow is not here: `make registry`, and BENCH_MLFLOW names its Python")
        return 0
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as here, _server(python, Path(here)) as uri:
        inside = [python, "-m", "bench.governance.registry", "--inside", uri]
        (desk := Path(here) / "desk").mkdir()
        done = subprocess.run(inside, cwd=desk, env=_settings(), check=True, capture_output=True, text=True)
        left = [one.name for one in desk.iterdir()]
    rows = json.loads(done.stdout.splitlines()[-1])
    rows.append(["files it leaves in the folder it is run in", ", ".join(left) or "none", "no" if left else "yes"])
    table("temper publish and an MLflow server", ["asked", "said", "as expected"], rows)
    goal("as expected", 100 * sum(row[2] == "yes" for row in rows) / len(rows), 100, "%", at_least=True, digits=0)
    return 0


def _settings() -> dict[str, str]:
    return {**os.environ, **QUIET, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}


@contextmanager
def _server(python: str, folder: Path) -> Iterator[str]:
    """A server on a free port of this machine, once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{free.getsockname()[1]}"
    words = ["server", "--host", "127.0.0.1", "--port", uri.rpartition(":")[2], "--workers", "1"]
    words += ["--backend-store-uri", f"sqlite:///{folder / 'm.db'}", "--artifacts-destination", str(folder / "a")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([python, "-m", "mlflow", *words], stdout=log, stderr=log, env=_settings())
        try:
            _until_it_answers(f"{uri}/version", process, folder / "log")
            yield uri
        finally:
            process.terminate()
            process.wait()


def _until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url) as answer:
                print(f"MLflow {answer.read().decode()}")
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(1)
    raise SystemExit(f"the server did not answer:\n{log.read_text(errors='replace')[-2000:]}")


def _published(uri: str) -> Iterator[tuple[str, str, str]]:
    """(what was asked, what was said, whether the registry holds what it should)."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.create_registered_model("fraud")
    run = client.create_run(client.create_experiment("training"))
    for _ in range(2):
        client.create_model_version("fraud", source=f"runs:/{run.info.run_id}/model", run_id=run.info.run_id)

    def asked(verdict: str, version: str, name: str = "fraud", alias: str = "champion") -> tuple[str, str]:
        about = f"{verdict.upper()} of {name} {version}, alias {alias}"
        try:
            return about, "; ".join(publish(record(verdict=verdict), name, version, alias, uri))
        except TemperError as error:
            return about, f"refused: {error.message.partition(': ')[2]}"

    def holds(version: str, verdict: str, champion: str) -> str:
        tags = client.get_model_version("fraud", version).tags
        found = client.get_registered_model("fraud").aliases.get("champion", "")
        wanted = {"temper.verdict": verdict, "temper.run": "0007", "temper.simulated": "false"}
        return "yes" if wanted.items() <= tags.items() and found == champion else f"no: {tags} {found}"

    for verdict, version, champion in (("fail", "1", ""), ("pass", "1", "1"), ("fail", "2", "1"), ("fail", "1", "1")):
        yield *asked(verdict, version), holds(version, verdict, champion)
    for version, more in (("9", {}), ("x", {}), ("1", {"name": "nobody"}), ("2", {"alias": "v1"})):
        about, said = asked("pass", version, **more)
        yield about, said, "yes" if said.startswith("refused: ") else "no"
    away = [*_away()]
    yield "PASS of a server that is away", away[0], "yes" if away[0].startswith("refused: ") else "no"


def _away() -> Iterator[str]:
    try:
        yield from publish(record(verdict="pass"), "fraud", "1", "", "http://127.0.0.1:9")
    except TemperError as error:
        yield f"refused: {error.message.partition(': ')[2][:90]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
