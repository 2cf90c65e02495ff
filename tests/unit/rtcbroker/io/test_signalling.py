"""URLs and refusals, without a socket; what happens on one is in tests/integration/client/test_the_door.py."""

from __future__ import annotations

import pytest

from protocol.codes import Code
from protocol.errors import ConfigError
from rtcbroker.io.signalling import connect_url, connect_urls, refusal, with_query


@pytest.mark.parametrize(
    ("given", "dialed"),
    [
        ("ws://host:9090", "ws://host:9090/connect"),
        ("wss://host/", "wss://host/connect"),
        ("http://host:1", "ws://host:1/connect"),
        ("https://host/rtc/", "wss://host/rtc/connect"),
        ("ws://host/connect", "ws://host/connect"),
        ("ws://[::1]:9090/connect/", "ws://[::1]:9090/connect"),
        ("ws://host?tenant=7#part", "ws://host/connect?tenant=7"),
    ],
)
def test_a_url_is_completed(given: str, dialed: str) -> None:
    assert connect_url(given) == dialed


@pytest.mark.parametrize(
    "given", ["host:9090", "ftp://host", "ws://", "ws://host:0", "ws://host:99999", "ws://[::1", "", "ws://a,b:9090", "ws://a,"]
)
def test_a_url_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="ws://localhost:9090"):
        connect_url(given)


def test_the_coordinator_is_told_what_we_speak_and_who_we_were() -> None:
    assert with_query("ws://host/connect", 0, "") == "ws://host/connect?v=2"
    assert with_query("ws://host/connect?tenant=7&x=", 5, "a+b/c=") == (
        "ws://host/connect?tenant=7&x=&v=2&alias=5&resume=a%2Bb%2Fc%3D"
    )


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        (401, b"", (Code.AUTH_FAILED, "HTTP 401")),
        (403, b"nonsense", (Code.WRONG_ROLE, "HTTP 403")),
        (502, b"<html>", (Code.LINK_LOST, "HTTP 502")),
        (401, b'{"code": 4212, "reason": "expired"}', (Code.TOKEN_EXPIRED, "HTTP 401: expired")),
        (503, b'{"code": 4006}', (Code.COORDINATOR_STOPPING, "HTTP 503")),
        (401, b'{"code": 200, "reason": {}}', (Code.AUTH_FAILED, "HTTP 401")),
        (401, b"[" * 2_000, (Code.AUTH_FAILED, "HTTP 401")),
        (401, b"\xff\xfe", (Code.AUTH_FAILED, "HTTP 401")),
        (401, b'{"reason": "%b"}' % (b"x" * 500), (Code.AUTH_FAILED, "HTTP 401: " + "x" * 200)),
    ],
)
def test_a_refusal_says_what_it_can(status: int, body: bytes, wanted: tuple[int, str]) -> None:
    assert refusal(status, body) == wanted


def test_several_coordinators_are_separated_by_commas() -> None:
    assert connect_urls("ws://a:9090, https://b/x") == ["ws://a:9090/connect", "wss://b/x/connect"]
    assert connect_urls("ws://a:9090,") == ["ws://a:9090/connect"]
    with pytest.raises(ConfigError, match="ftp"):
        connect_urls("ws://a:9090,ftp://b")
