"""The Python client of an rtcbroker cluster.

::

    from rtcbroker import Client

    async with Client("ws://localhost:9090", token=token) as client:
        async with client.subscribe("room/1") as packets:
            await client.publish("room/1", b"...", reliable=False)
            async for packet in packets:
                print(packet.topic, packet.sender, packet.body)
"""

from __future__ import annotations

from protocol.codes import Code, Retry
from protocol.errors import ConfigError, ConnectionClosed, MessageTooLarge, RtcBrokerError, TopicError
from protocol.ice import IceServer
from protocol.tokens import TokenRole
from rtcbroker.client import Client, Token
from rtcbroker.core.errors import (
    AuthError,
    ClientClosed,
    ConnectError,
    NotConnected,
    RequestRefused,
    RequestTimeout,
    SubscriptionRefused,
    TokenUnavailable,
)
from rtcbroker.core.options import ClientOptions
from rtcbroker.core.packet import Packet
from rtcbroker.core.states import ClientState
from rtcbroker.core.stats import ClientStats, Drop
from rtcbroker.subscription import Subscription

__all__ = [
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
