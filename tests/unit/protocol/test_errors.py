"""The error tree: one base, codes and fields on each, sentences that say what and where."""

from __future__ import annotations

import pytest

from protocol import errors
from protocol.codes import Code, Retry
from protocol.errors import (
    CandidateError,
    ConfigError,
    ConnectionClosed,
    DecodeError,
    MessageTooLarge,
    ProtocolError,
    RtcBrokerError,
    SdpError,
    TokenError,
    TopicError,
)

PEER_FAULTS: list[tuple[ProtocolError, Code, str]] = [
    (ProtocolError(Code.UNEXPECTED_MESSAGE, "AUTH came twice"), Code.UNEXPECTED_MESSAGE, "AUTH came twice [4201]"),
    (DecodeError("not a TopicMessage"), Code.BAD_MESSAGE, "not a TopicMessage [4200]"),
    (MessageTooLarge(12, 10), Code.MESSAGE_TOO_LARGE, "message of 12 bytes, at most 10 are allowed [4202]"),
    (MessageTooLarge(12, 10, "frame"), Code.MESSAGE_TOO_LARGE, "frame of 12 bytes, at most 10 are allowed [4202]"),
    (TopicError("a b", "has a space"), Code.BAD_TOPIC, "topic 'a b': has a space [4301]"),
    (SdpError("no fingerprint"), Code.BAD_SDP, "no fingerprint [4203]"),
    (CandidateError("no port"), Code.BAD_CANDIDATE, "no port [4204]"),
]


@pytest.mark.parametrize(("error", "code", "text"), PEER_FAULTS)
def test_a_peers_fault_has_a_code_and_a_sentence(error: ProtocolError, code: Code, text: str) -> None:
    assert error.code is code
    assert str(error) == text
    assert error.detail == text.rsplit(" [", 1)[0]


@pytest.mark.parametrize(
    "error", [*(error for error, _, _ in PEER_FAULTS), TokenError(Code.AUTH_FAILED, "no"), ConfigError("no")]
)
def test_all_have_one_base(error: Exception) -> None:
    assert isinstance(error, RtcBrokerError)


def test_the_tree_is_drawn_whole() -> None:
    classes = {name for name, found in vars(errors).items() if isinstance(found, type) and issubclass(found, Exception)}
    assert errors.__doc__ is not None
    assert all(name in errors.__doc__ for name in classes)


def test_too_large_keeps_its_numbers() -> None:
    error = MessageTooLarge(12, 10)
    assert (error.size, error.limit) == (12, 10)


def test_a_topic_error_quotes_no_more_than_a_line() -> None:
    error = TopicError("\n" * 100_000, "is long")
    assert "\n" not in str(error)
    assert len(str(error)) < 300
    assert (len(error.topic), error.why) == (100_000, "is long")


def test_a_token_error_is_a_code_and_a_sentence() -> None:
    error = TokenError(Code.TOKEN_EXPIRED, "the token has expired")
    assert (error.code, error.detail, str(error)) == (Code.TOKEN_EXPIRED, "the token has expired", "the token has expired [4212]")
    assert not isinstance(error, ProtocolError)


def test_a_closed_connection_has_its_verdict() -> None:
    error = ConnectionClosed(Code.SERVER_FULL)
    assert (error.code, error.reason, error.retry) == (4100, "the server is full", Retry.ELSEWHERE)
    assert str(error) == "4100 the server is full (retry elsewhere)"
    assert str(ConnectionClosed(1006, "reset")) == "1006 unknown code (retry): reset"
