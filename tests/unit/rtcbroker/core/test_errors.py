"""The errors: one tree, fields, and a text that says what to do."""

from __future__ import annotations

import pytest

from protocol.codes import Code, Retry
from protocol.errors import RtcBrokerError
from rtcbroker.core import errors
from rtcbroker.core.errors import (
    AuthError,
    ClientClosed,
    ConnectError,
    NotConnected,
    RequestRefused,
    RequestTimeout,
    SubscriptionRefused,
)


def test_all_are_in_the_one_tree() -> None:
    own = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert all(issubclass(error, RtcBrokerError) for error in own)
    assert issubclass(AuthError, ConnectError)
    assert issubclass(RequestTimeout, TimeoutError)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectError(Code.SERVER_FULL), "4100 the server is full (retry elsewhere)"),
        (AuthError(Code.TOKEN_EXPIRED, "HTTP 401"), "4212 the token has expired (do not retry): HTTP 401"),
        (ClientClosed(1000, "closed by the application"), "1000 closed by the application (do not retry)"),
        (NotConnected("ping"), "ping: not connected"),
        (NotConnected("publish to 'a'", 2.0), "publish to 'a': not connected within 2 s"),
        (RequestTimeout("ping", 0.5), "ping: not done within 0.5 s"),
        (
            SubscriptionRefused({"a": 4300}),
            "subscription refused: 'a': 4300 the token does not grant this topic (still connected)",
        ),
        (
            RequestRefused(4303, "slower", "a"),
            "topic 'a': 4303 more packets than allowed; some were dropped (still connected): slower",
        ),
        (RequestRefused(4200, ""), "4200 a message could not be decoded (do not retry)"),
    ],
)
def test_the_text(error: RtcBrokerError, text: str) -> None:
    assert str(error) == text


def test_without_a_reason_there_is_that_of_the_code() -> None:
    assert ConnectError(Code.NO_SERVERS).reason == "no server is available"
    assert RequestRefused(Code.NOT_ALLOWED, "").reason == "the token does not grant this topic"
    assert ClientClosed(1006, "").reason == ""


def test_what_the_client_concludes_itself_is_told_as_the_client_sees_it() -> None:
    assert str(ConnectError(Code.TIMEOUT, "no offer of server 5 in time")) == (
        "4001 nothing was heard in time (retry): no offer of server 5 in time"
    )
    assert " you " not in str(ConnectError(Code.SLOW_CONSUMER, "the coordinator does not read"))


def test_a_client_that_its_application_closed_does_not_come_back() -> None:
    assert ClientClosed(1000, "closed by the application").retry is Retry.NEVER
    assert ClientClosed(Code.TIMEOUT).retry is Retry.SAME


def test_fields() -> None:
    assert ConnectError(Code.NO_SERVERS).retry is Retry.ELSEWHERE
    assert SubscriptionRefused({"a": 4300}).topics == {"a": 4300}
    refused = RequestRefused(4301, "no", "b c")
    assert (refused.code, refused.reason, refused.topic) == (4301, "no", "b c")
