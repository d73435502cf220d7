"""The OpenAPI document of the control plane, made from the table of its addresses and the types they give."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from temper.web.rest import views
from temper.web.rest.resource import BASE, Resource

_REFUSED = {
    "401": "No such token.",
    "403": "This token, or whose it is, may not.",
    "404": "There is none.",
    "409": "Something has changed meanwhile.",
    "422": "Not what is taken here.",
    "423": "The evidence was found changed: nothing is added to it.",
    "503": "The store does not answer, see Retry-After.",
}
_PLACE = re.compile(r"{(\w+)(?::(\w+))?}")


def document(resources: Sequence[Resource]) -> dict[str, Any]:
    """The document, version 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for one in resources:
        paths.setdefault(_PLACE.sub(r"{\1}", BASE + one.path), {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Temper's control plane",
            "version": "1",
            "description": "What people's programs may read and order at a console. `temper keys lend` makes a token.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(resources),
        },
    }


def _operation(one: Resource) -> dict[str, Any]:
    good = "201" if one.takes is not None else "200"
    found: dict[str, Any] = {
        "operationId": _name(one),
        "summary": one.does,
        "description": f"Takes the right `{one.right.value}`.",
        "security": [{"token": [one.right.value]}],
        "parameters": [*_places(one.path), *map(_query, one.asks)],
        "responses": {good: _answer("Done.", _schema(one.gives))}
        | {status: _answer(text, _ref("Refusal")) for status, text in _REFUSED.items()},
    }
    return (
        found
        if one.takes is None
        else found | {"requestBody": {"required": True, "content": _content(_schema(one.takes))}}
    )


def _name(one: Resource) -> str:
    """A name for the operation: `get_jobs_id`, `post_jobs`."""
    return "_".join([one.method.lower(), *re.findall(r"[a-z]+", _PLACE.sub(r"\1", one.path))])


def _places(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer" if kind else "string"}}
        for name, kind in _PLACE.findall(path)
    ]


def _query(asked: tuple[str, str]) -> dict[str, Any]:
    name, means = asked
    kind = "integer" if name in ("limit", "offset", "before") else "string"
    return {"name": name, "in": "query", "required": False, "description": means, "schema": {"type": kind}}


def _schemas(resources: Sequence[Resource]) -> dict[str, Any]:
    import msgspec

    kinds = {kind for one in resources for given in (one.gives, one.takes) if (kind := _item(given)) is not None}
    wanted = sorted({*kinds, views.Refusal}, key=lambda kind: kind.__name__)
    _, found = msgspec.json.schema_components(wanted, ref_template="#/components/schemas/{name}")
    for kind in wanted:
        found[kind.__name__]["description"] = " ".join((inspect.getdoc(kind) or "").split())
    return dict(sorted(found.items()))


def _schema(given: Any) -> dict[str, Any]:
    if given is None:
        return {"type": "object"}
    one = _ref(_item(given).__name__)
    return one if isinstance(given, type) and not get_args(given) else {"type": "array", "items": one}


def _item(given: Any) -> Any:
    """The type itself, or that of the items of a list."""
    return get_args(given)[0] if get_args(given) else given


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": _content(schema)}


def _content(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
