"""The public names: adding one is a decision, losing one breaks applications."""

from __future__ import annotations

import inspect

import rtcbroker
from rtcbroker import Client, Subscription

NAMES = [
    "AuthError",
    "Client",
    "ClientClosed",
    "ClientOptions",
    "ClientState",
    "ClientStats",
    "Code",
    "ConfigError",
    "ConnectError",
    "ConnectionClosed",
    "Drop",
    "IceServer",
    "MessageTooLarge",
    "NotConnected",
    "Packet",
    "RequestRefused",
    "RequestTimeout",
    "Retry",
    "RtcBrokerError",
    "Subscription",
    "SubscriptionRefused",
    "Token",
    "TokenRole",
    "TokenUnavailable",
    "TopicError",
]


def public(of: type) -> set[str]:
    return {name for name in vars(of) if not name.startswith("_")}


def test_the_names_of_the_package() -> None:
    assert rtcbroker.__all__ == NAMES
    assert all(hasattr(rtcbroker, name) for name in NAMES)


def test_the_names_of_a_client_and_a_subscription() -> None:
    assert public(Client) == {
        "alias",
        "close",
        "connect",
        "on_coordinator",
        "on_error",
        "on_state",
        "ping",
        "publish",
        "publish_nowait",
        "server",
        "state",
        "stats",
        "subscribe",
    }
    assert public(Subscription) == {"acknowledged", "dropped", "refused", "topics", "update"}


def test_the_fields_of_a_packet() -> None:
    assert rtcbroker.Packet._fields == ("topic", "sender", "body", "identity", "role", "reliable")


def test_all_of_it_is_explained() -> None:
    for of in (Client, Subscription):
        for name in public(of):
            assert inspect.getdoc(getattr(of, name)), f"{of.__name__}.{name} says nothing of itself"
