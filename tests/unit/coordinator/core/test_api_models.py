"""What the API takes: one body for a packet, one name for whom it is about, and nothing that is not known."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from coordinator.core.api_models import (
    MAX_REVOKED_S,
    DisconnectRequest,
    DrainRequest,
    PublishRequest,
    RevocationNow,
    RevokeRequest,
)
from coordinator.core.api_problems import ApiError, of_validation
from coordinator.core.cluster import Revocation
from protocol.limits import MAX_ALIAS, MAX_DRAIN_S, MAX_PUBLISH_BYTES


def read(model: type[BaseModel], body: Any) -> Any:
    return model.model_validate_json(body if isinstance(body, str | bytes) else json.dumps(body))


def problem(model: type[BaseModel], body: Any) -> ApiError:
    with pytest.raises(ValidationError) as caught:
        read(model, body)
    return of_validation(caught.value, in_body=True)


# ------------------------------------------------------------------------------------------------------------- publishing


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({}, b""),
        ({"text": ""}, b""),
        ({"text": "hü"}, "hü".encode()),
        ({"base64": "AP8="}, b"\x00\xff"),
        ({"base64": ""}, b""),
        ({"json": {"a": [1, 2.5, None, "ü"]}}, '{"a":[1,2.5,null,"ü"]}'.encode()),
        ({"json": None}, b"null"),
        ({"json": 0}, b"0"),
        ({"text": "x" * MAX_PUBLISH_BYTES}, b"x" * MAX_PUBLISH_BYTES),
    ],
)
def test_a_packet_has_one_body(fields: dict[str, Any], body: bytes) -> None:
    wanted = read(PublishRequest, {"topic": "t", **fields})
    assert wanted.body == body
    assert (wanted.reliable, wanted.identity) == (True, False)


@pytest.mark.parametrize(
    ("body", "field", "why"),
    [
        ({"topic": "a b"}, "/topic", "white space"),
        ({"topic": ""}, "/topic", "at least 1"),
        ({"topic": "a/*"}, "/topic", "pattern"),
        ({"topic": "ü" * 200}, "/topic", "400 bytes"),
        ({"topic": 5}, "/topic", "string"),
        ({}, "/topic", "required"),
        ({"topic": "t", "text": "a", "json": 1}, "", "text and json were given"),
        ({"topic": "t", "text": None, "base64": None}, "", "text and base64 were given"),
        ({"topic": "t", "text": "ü" * MAX_PUBLISH_BYTES}, "", "at most 64512"),
        ({"topic": "t", "base64": "A"}, "/base64", "is not base64"),
        ({"topic": "t", "base64": "ü==="}, "/base64", "is not base64"),
        ({"topic": "t", "reliable": "yes"}, "/reliable", "boolean"),
        ({"topic": "t", "body": "x"}, "/body", "not permitted"),
        ([], "", "object"),
    ],
)
def test_what_is_wrong_with_a_packet_is_told_by_field(body: Any, field: str, why: str) -> None:
    told = problem(PublishRequest, body)
    assert told.status == 422
    assert [(error.field, why in error.detail) for error in told.errors] == [(field, True)]


@pytest.mark.parametrize("body", ["", "{", "nul", '{"topic": "\\ud800"}', "[" * 100_000, b"\xff", '{"topic": "t", "json": 1e}'])
def test_what_is_no_json_is_told_as_that(body: str | bytes) -> None:
    told = problem(PublishRequest, body)
    assert (told.status, told.kind) == (400, "malformed-json")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_json_has_no_infinities(number: str) -> None:
    told = problem(PublishRequest, f'{{"topic": "t", "json": {number}}}')
    assert told.status in (400, 422)


# ------------------------------------------------------------------------------------------------------------ who is meant


@pytest.mark.parametrize(
    ("body", "field", "why"),
    [
        ({}, "", "one of subject and alias"),
        ({"subject": "a", "alias": "5"}, "", "one of subject and alias"),
        ({"subject": ""}, "/subject", "at least 1"),
        ({"subject": "ü" * 200}, "/subject", "400 bytes"),
        ({"alias": 5}, "/alias", "string"),
        ({"alias": "05"}, "/alias", "pattern"),
        ({"alias": str(MAX_ALIAS + 1)}, "/alias", f"above {MAX_ALIAS}"),
    ],
)
def test_one_is_disconnected(body: Any, field: str, why: str) -> None:
    told = problem(DisconnectRequest, body)
    assert [(error.field, why in error.detail) for error in told.errors] == [(field, True)]


def test_who_may_be_named() -> None:
    assert read(DisconnectRequest, {"alias": str(MAX_ALIAS)}).alias == str(MAX_ALIAS)
    assert read(RevokeRequest, {"jti": "j", "seconds": 5}).seconds == 5.0
    assert read(RevokeRequest, {"subject": "ü" * 128, "seconds": 0.5}).subject == "ü" * 128


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"subject": "a"}, "/seconds"),
        ({"subject": "a", "seconds": 0}, "/seconds"),
        ({"subject": "a", "seconds": -1}, "/seconds"),
        ({"subject": "a", "seconds": MAX_REVOKED_S + 1}, "/seconds"),
        ({"seconds": 5}, ""),
        ({"subject": "a", "jti": "j", "seconds": 5}, ""),
        ({"jti": "j" * 257, "seconds": 5}, "/jti"),
    ],
)
def test_a_revocation_has_one_name_and_an_end(body: Any, field: str) -> None:
    assert [error.field for error in problem(RevokeRequest, body).errors] == [field]


def test_infinite_seconds_are_none() -> None:
    assert problem(RevokeRequest, '{"subject": "a", "seconds": NaN}').status in (400, 422)
    assert problem(DrainRequest, '{"seconds": Infinity}').status in (400, 422)


def test_a_drain_has_a_longest_time() -> None:
    assert read(DrainRequest, {}).seconds == 0
    assert read(DrainRequest, {"seconds": MAX_DRAIN_S}).seconds == MAX_DRAIN_S
    assert problem(DrainRequest, {"seconds": MAX_DRAIN_S + 1}).errors[0].field == "/seconds"


def test_a_revocation_is_shown_by_what_it_names() -> None:
    assert RevocationNow.of(Revocation("jti", "j", 9.5, 1.23456)).model_dump() == {
        "subject": None,
        "jti": "j",
        "until": 9.5,
        "made_at": 1.235,
    }


# ---------------------------------------------------------------------------------------------------------------- problems


def test_a_problem_names_no_more_than_there_is_room_for() -> None:
    told = problem(PublishRequest, {"topic": "t", **{f"unknown {number}": 1 for number in range(100)}})
    assert len(told.errors) == 20
    body = told.problem("r-1")
    assert (body.type, body.title, body.request_id) == ("urn:rtcbroker:problem:invalid-request", "invalid request", "r-1")
    assert len(body.detail) < 1_000


def test_a_field_is_a_json_pointer_that_stays_short() -> None:
    told = problem(DrainRequest, {"a/b~c" + "x" * 1_000: 1})
    assert told.errors[0].field.startswith("/a~1b~0cxxx")
    assert len(told.errors[0].field) <= 200
