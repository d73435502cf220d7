"""The verdict of a run in an MLflow model registry: tags of a model version, and an alias that moves on PASS only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from temper.core.errors import TemperError
from temper.core.requirement import Verdict
from temper.core.run import Record
from temper.report._inert import inert

_LONGEST = 300


def publish(
    record: Record, name: str, version: str, alias: str = "", uri: str = "", client: Any = None
) -> Iterator[str]:
    """Tag a version of a registered model with the run; move the alias where the verdict is PASS. `client` is an
    `MlflowClient`, made for `uri` (default: MLflow's own setting) where none is given.
    """
    if record.state != "finished":
        raise TemperError(f"run {record.id} is {record.state}", fix="end it with --resume first")
    client = _client(uri) if client is None else client
    with _refusals(name, version):
        for key, value in _tags(record).items():
            client.set_model_version_tag(name, version, key, value)
        yield f"{name} version {version}: verdict {record.kind.name} of run {record.id}"
        if alias and record.kind is Verdict.PASS:
            client.set_registered_model_alias(name, alias, version)
            yield f"{alias} is version {version} now"
        elif alias:
            here = alias in client.get_model_version(name, version).aliases
            yield f"{alias} stays where it is: only PASS moves it"
            if here:
                yield f"that is this version, whose verdict is {record.kind.name} now: move {alias} by hand"


@contextmanager
def _refusals(name: str, version: str) -> Iterator[None]:
    """What the registry refuses is the user's to mend: an unknown version, a reserved alias, a server that is away."""
    try:
        yield
    except TemperError:
        raise
    except Exception as error:
        if not type(error).__module__.startswith("mlflow."):
            raise
        said = inert(str(error).partition("\n")[0], _LONGEST)
        raise TemperError(
            f"the registry refused {name} version {version}: {said}", fix="check --model, --version, --alias and --uri"
        ) from error


def _tags(record: Record) -> dict[str, str]:
    """Every tag each time, so that none of an earlier run stays behind."""
    return {
        "temper.run": record.id,
        "temper.verdict": record.kind.value,
        "temper.suite": record.suite,
        "temper.model": dict(record.digests).get("model", ""),
        "temper.started": record.started,
        "temper.simulated": str(record.simulated).lower(),
    }


def _client(uri: str) -> Any:
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise TemperError("the registry needs MLflow", fix="pip install mlflow-skinny") from error
    # Both, or MLflow makes a tracking store of its own in this folder.
    return MlflowClient(tracking_uri=uri or None, registry_uri=uri or None)
