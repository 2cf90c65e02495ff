"""The API described for other programs: an OpenAPI 3.1 document, made of the routes and the models."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pydantic.json_schema import models_json_schema

from coordinator.core.api_problems import Problem
from coordinator.core.api_routes import PREFIX, ROUTES, Route

_REF = "#/components/schemas/{model}"
_ABOUT = (
    "What a backend or an operator asks of a running cluster, at any of its coordinators. Everything needs a token with role ADMIN "
    "(`rtcbroker token --role ADMIN --subject NAME`) in the header `Authorization: Bearer`. What goes wrong is told as "
    "`application/problem+json` (RFC 9457)."
)
_REQUEST_ID = {
    "description": "By which the request is found in logs: the one that was sent, or else a new one.",
    "schema": {"type": "string"},
}
_PROBLEM_HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: {"Retry-After": {"schema": {"type": "string"}}},
    503: {"Retry-After": {"schema": {"type": "string"}}},
}


def document(version: str) -> dict[str, Any]:
    """The document; `version` is the program's."""
    asked = [(route.body, "validation") for route in ROUTES if route.body is not None]
    told = [(route.answer, "serialization") for route in ROUTES if route.answer is not None]
    inputs: Any = [*asked, *told, (Problem, "serialization")]
    names, schemas = models_json_schema(inputs, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = _operation(route, names)
    return {
        "openapi": "3.1.0",
        "info": {"title": "rtcbroker", "version": version, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"administrator": []}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"administrator": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(route: Route, names: Any) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": route.name, "summary": route.summary, "responses": {}}
    if route.description:
        operation["description"] = route.description
    if not route.token_needed:
        operation["security"] = []
    if parameters := _parameters(route):
        operation["parameters"] = parameters
    if route.body is not None:
        content = _content("application/json", names[route.body, "validation"])
        operation["requestBody"] = {"required": route.body_needed, "content": content}
    operation["responses"][str(route.status)] = _success(route, names)
    for status in sorted(route.problems):
        operation["responses"][str(status)] = {
            "description": HTTPStatus(status).phrase,
            "headers": {"X-Request-Id": _REQUEST_ID, **_PROBLEM_HEADERS.get(status, {})},
            "content": _content("application/problem+json", names[Problem, "serialization"]),
        }
    return operation


def _success(route: Route, names: Any) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(route.status).phrase, "headers": {"X-Request-Id": _REQUEST_ID}}
    if route.answer is not None:
        answer["content"] = _content("application/json", names[route.answer, "serialization"])
    elif route.status == 200:
        answer["content"] = _content("application/json", {"type": "object"})
    return answer


def _parameters(route: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if "{alias}" in route.path:
        schema = {"type": "string", "pattern": "^[1-9][0-9]{0,12}$"}
        found.append({"name": "alias", "in": "path", "required": True, "description": "The server's alias.", "schema": schema})
    found += [{"name": q.name, "in": "query", "description": q.description, "schema": q.schema} for q in route.queries]
    return found


def _content(kind: str, schema: Any) -> dict[str, Any]:
    return {kind: {"schema": schema}}
