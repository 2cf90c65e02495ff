"""The document says what is true: it is valid OpenAPI 3.1, and has every route, every status and every field."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from coordinator.core.api_routes import PREFIX, ROUTES, Route
from coordinator.core.openapi import document

DOCUMENT = document("1.2.3")


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of the document, so that it stands alone."""
    return {**schema, "components": DOCUMENT["components"]}


def operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][PREFIX + route.path][route.method.lower()]
    return found


def test_it_is_valid() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()
    assert DOCUMENT["info"]["version"] == "1.2.3"


def test_a_document_that_is_wrong_would_be_found() -> None:
    broken = document("1")
    del broken["paths"][f"{PREFIX}/cluster"]["get"]["responses"]["200"]["description"]
    assert list(OpenAPIV31SpecValidator(broken).iter_errors())


def test_it_has_every_route_and_nothing_else() -> None:
    described = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert described == {(route.method, PREFIX + route.path) for route in ROUTES}
    names = [route.name for route in ROUTES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_route_is_described(route: Route) -> None:
    found = operation(route)
    assert set(found["responses"]) == {str(status) for status in {route.status, *route.problems}}
    assert ("requestBody" in found) == (route.body is not None)
    assert found.get("security", DOCUMENT["security"]) == ([{"administrator": []}] if route.token_needed else [])
    parameters = {each["name"] for each in found.get("parameters", [])}
    assert parameters == {query.name for query in route.queries} | ({"alias"} if "{alias}" in route.path else set())
    for status in route.problems:
        assert list(found["responses"][str(status)]["content"]) == ["application/problem+json"]


@pytest.mark.parametrize("route", [route for route in ROUTES if route.body is not None], ids=lambda route: route.name)
def test_a_body_is_described_as_it_is_read(route: Route) -> None:
    schema = operation(route)["requestBody"]["content"]["application/json"]["schema"]
    Draft202012Validator.check_schema(resolved(schema))
    validator = Draft202012Validator(resolved(schema))
    assert not validator.is_valid({"unknown": 1})


def test_what_is_wrong_by_the_document_is_wrong_by_the_model() -> None:
    (publish,) = [route for route in ROUTES if route.name == "publish"]
    validator = Draft202012Validator(resolved(operation(publish)["requestBody"]["content"]["application/json"]["schema"]))
    assert validator.is_valid({"topic": "t", "json": {"a": [1, None]}, "reliable": False})
    assert not validator.is_valid({"text": "hi"})
    assert not validator.is_valid({"topic": "t", "reliable": "yes"})
