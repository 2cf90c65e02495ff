"""Options that cannot work are refused by name."""

from __future__ import annotations

import dataclasses
import inspect

import pytest

from protocol.errors import ConfigError
from protocol.ice import IceServer
from rtcbroker.core import options
from rtcbroker.core.options import ClientOptions


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["connect_timeout", "max_attempts", "reliable_buffer", "backoff_base"])
def test_a_number_that_is_not_positive_and_finite_is_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        ClientOptions(**{name: value})  # type: ignore[arg-type]  # the value is wrong on purpose


def test_a_link_must_be_pinged_before_it_is_lost() -> None:
    with pytest.raises(ConfigError, match="ping_interval"):
        ClientOptions(ping_interval=15.0)


def test_ice_servers_are_urls_of_such() -> None:
    servers = (IceServer("stun:a"), IceServer(["turn:b", "turns:b"], "me", "hush"))
    assert ClientOptions(ice_servers=servers).ice_servers == servers
    assert ClientOptions().ice_servers is None
    with pytest.raises(ConfigError, match="ice_servers: 'http:a' is no URL"):
        ClientOptions(ice_servers=(IceServer("http:a"),))


def test_a_policy_is_one_of_two() -> None:
    assert ClientOptions(ice_transport_policy="relay").ice_transport_policy == "relay"
    with pytest.raises(ConfigError, match="ice_transport_policy: 'turn'"):
        ClientOptions(ice_transport_policy="turn")  # type: ignore[arg-type]  # the value is wrong on purpose


def test_every_option_is_explained() -> None:
    source = inspect.getsource(options)
    for field in dataclasses.fields(ClientOptions):
        after = source.split(f"    {field.name}: ", 1)[1].split("\n", 1)[1]
        assert after.startswith('    """'), f"{field.name} says nothing of itself"
