"""Options and where they end up."""

from __future__ import annotations

import pytest

from commserver.core.config import BrokerConfig
from commserver.core.flow import RELIABLE_FLOW, UNRELIABLE_FLOW, Policy
from commserver.settings import CommServerSettings
from protocol.errors import ConfigError
from protocol.tokens import TokenRole
from service.settings import load


def test_the_defaults_are_those_of_the_core() -> None:
    config = load(CommServerSettings, {}).broker_config()
    core = BrokerConfig()
    assert config.reliable == core.reliable == RELIABLE_FLOW
    assert config.unreliable == core.unreliable == UNRELIABLE_FLOW
    for name in ("role", "auth_required", "max_peers", "setup_timeout", "auth_timeout", "drain_seconds"):
        assert getattr(config, name) == getattr(core, name), name
    assert config.limits.max_topics == core.limits.max_topics
    assert config.limits.max_message_bytes == core.limits.max_message_bytes
    assert config.limits.packets_per_second == 0


def test_every_option_reaches_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "HUB": "true",
        "AUTH": "none",
        "MAX_PEERS": "7",
        "MAX_TOPICS": "8",
        "MAX_MESSAGE": "2000",
        "PACKETS_PER_SECOND": "9.5",
        "PACKETS_BURST": "10",
        "SETUP_TIMEOUT": "11",
        "AUTH_TIMEOUT": "12",
        "DRAIN_SECONDS": "13",
        "RELIABLE_POLICY": "drop-oldest",
        "RELIABLE_QUEUE": "14",
        "UNRELIABLE_POLICY": "latest",
        "UNRELIABLE_QUEUE": "15",
    }.items():
        monkeypatch.setenv(f"RTCBROKER_COMMSERVER_{name}", value)
    config = load(CommServerSettings, {}).broker_config()
    assert (config.role, config.is_hub, config.auth_required) == (TokenRole.COMMUNICATION_SERVER_HUB, True, False)
    assert (config.max_peers, config.setup_timeout, config.auth_timeout, config.drain_seconds) == (7, 11, 12, 13)
    limits = config.limits
    assert (limits.max_topics, limits.max_message_bytes, limits.packets_per_second, limits.packets_burst) == (8, 2000, 9.5, 10)
    assert (config.reliable.policy, config.reliable.queue_bytes) == (Policy.DROP_OLDEST, 14)
    assert (config.unreliable.policy, config.unreliable.queue_bytes) == (Policy.LATEST, 15)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("coordinator", "localhost:9090"),
        ("udp_port", "70000"),
        ("max_topics", "0"),
        ("max_message", "100"),
        ("peer_timeout", "0"),
        ("reliable_policy", "hope"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"RTCBROKER_{name.upper()}", value)
    with pytest.raises(ConfigError) as caught:
        load(CommServerSettings, {})
    assert f"RTCBROKER_{name.upper()}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["port", "udp_port"])
def test_ports_that_count_up_must_exist(name: str) -> None:
    assert load(CommServerSettings, {"processes": 2, name: 65_534}).processes == 2
    assert load(CommServerSettings, {"processes": 1, name: 65_535}).processes == 1
    flag = f"--{name.replace('_', '-')}"
    with pytest.raises(ConfigError, match=rf"--processes: .*3.*{flag} 65534 .*65536.*65535"):
        load(CommServerSettings, {"processes": 3, name: 65_534})
