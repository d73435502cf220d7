"""The verdict of a run in an MLflow model registry: tags of a model version, and an alias that moves on PASS only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from temper.core.errors import TemperError
from temper.core.requirement import Verdict
from temper.core.run import Record


def publish(
    record: Record, name: str, version: str, alias: str = "", uri: str = "", client: Any = None
) -> Iterator[str]:
    """Tag a version of a registered model with the run; move the alias where the verdict is PASS. `client` is an
    `MlflowClient`, made for `uri` (default: MLflow's own setting) where none is given.
    """
    if record.state != "finished":
        raise TemperError(f"run {record.id} is {record.state}", fix="end it with --resume first")
    client = _client(uri) if client is None else client
    for key, value in _tags(record).items():
        client.set_model_version_tag(name, version, key, value)
    yield f"{name} version {version}: verdict {record.verdict.name} of run {record.id}"
    if alias and record.verdict is Verdict.PASS:
        client.set_registered_model_alias(name, alias, version)
        yield f"{alias} is version {version} now"
    elif alias:
        yield f"{alias} stays where it is: only PASS moves it"


def _tags(record: Record) -> dict[str, str]:
    tags = {"temper.run": record.id, "temper.verdict": record.verdict.value, "temper.suite": record.suite,
            "temper.model": dict(record.digests).get("model", ""), "temper.started": record.started}  # fmt: skip
    return tags | ({"temper.simulated": "true"} if record.simulated else {})


def _client(uri: str) -> Any:
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise TemperError("the registry needs MLflow", fix="pip install mlflow-skinny") from error
    return MlflowClient(registry_uri=uri or None)
