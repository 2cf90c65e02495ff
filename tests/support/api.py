"""A caller of the API that compares every answer with the OpenAPI document, and the names of what was answered."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
from jsonschema import Draft202012Validator
from multidict import CIMultiDictProxy

from coordinator.core.openapi import document
from protocol.tokens import TokenRole
from tests.support.cluster import Cluster

DOCUMENT = document("test")
PREFIX = "/api/v1"


@contextlib.asynccontextmanager
async def backend(made: Cluster) -> AsyncIterator[ApiCaller]:
    """Somebody with an administrator's token."""
    async with aiohttp.ClientSession(made.url.replace("ws", "http", 1)) as http:
        yield ApiCaller(http, made.token("shop", role=TokenRole.ADMIN))


@dataclass(frozen=True)
class Answered:
    """An answer that is what the document says."""

    status: int
    body: Any
    headers: CIMultiDictProxy[str]

    @property
    def fields(self) -> list[str]:
        """Of a problem: where something is wrong."""
        return [error["field"] for error in self.body.get("errors", [])]

    @property
    def kind(self) -> str:
        """Of a problem."""
        return str(self.body["type"]).removeprefix("urn:rtcbroker:problem:")


class ApiCaller:
    """Asks with a token, unless told otherwise."""

    def __init__(self, http: aiohttp.ClientSession, token: str = "") -> None:
        self._http = http
        self._token = token

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        **how: Any,
    ) -> Answered:
        """`path` below the prefix; `body` as JSON."""
        token = self._token if token is None else token
        sent = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        if body is not None:
            how["json"] = body
        async with self._http.request(method, PREFIX + path, headers=sent, **how) as response:
            text = await response.text()
            answered = Answered(response.status, json.loads(text) if text else None, response.headers)
            _compare(method, PREFIX + path.partition("?")[0], response.content_type, answered)
            return answered


def _compare(method: str, path: str, content_type: str, answered: Answered) -> None:
    assert answered.headers["X-Request-Id"]
    assert answered.headers["Cache-Control"] == "no-store"
    described = _described(method, path, answered.status)
    if described is None:  # no such path, or no such method of it
        assert answered.status in (404, 405, 429, 403), answered
        described = DOCUMENT["paths"][f"{PREFIX}/servers/{{alias}}/drain"]["post"]["responses"]["404"]
    if "content" not in described:
        assert answered.body is None
        return
    ((kind, content),) = described["content"].items()
    assert content_type == kind
    schema = {**content["schema"], "components": DOCUMENT["components"]}
    Draft202012Validator(schema).validate(answered.body)
    if kind == "application/problem+json":
        assert answered.body["status"] == answered.status
        assert answered.body["request_id"] == answered.headers["X-Request-Id"]


def _described(method: str, path: str, status: int) -> dict[str, Any] | None:
    for template, methods in DOCUMENT["paths"].items():
        pattern = re.escape(template).replace(r"\{alias\}", "[^/]+")
        if re.fullmatch(pattern, path) and method.lower() in methods:
            responses: dict[str, dict[str, Any]] = methods[method.lower()]["responses"]
            assert str(status) in responses, f"{method} {template} answers {status}, which the document does not say"
            return responses[str(status)]
    return None
