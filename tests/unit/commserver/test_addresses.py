"""What --announce and --stun take, and what the processes of a supervisor make of it."""

from __future__ import annotations

import pytest

from commserver.settings import CommServerSettings
from commserver.supervisor import child_settings
from protocol.errors import ConfigError
from service.settings import load


def test_addresses_of_every_kind() -> None:
    given = ["203.0.113.7", "[2001:db8::7]:7000", "edge.example.org:7000", "auto", "local"]
    settings = load(CommServerSettings, {"announce": given, "stun": ["stun:stun.example.org"]})
    assert settings.announce == given
    assert settings.bind == ["0.0.0.0", "::"]


@pytest.mark.parametrize(
    ("name", "value"), [("announce", "no where"), ("announce", "203.0.113.7:0"), ("stun", "turn:turn.example.org"), ("stun", "x")]
)
def test_what_is_none_is_told_in_one_line(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(CommServerSettings, {name: [value]})
    message = str(caught.value)
    assert message.startswith(f"--{name}: ")
    assert value in message
    assert "\n" not in message


def test_announced_ports_count_up_with_the_bound_ones() -> None:
    settings = CommServerSettings(processes=3, udp_port=7000, announce=["203.0.113.7:4000", "[2001:db8::7]:4000", "auto"])
    assert child_settings(settings, 0).announce == settings.announce
    assert child_settings(settings, 2).announce == ["203.0.113.7:4002", "[2001:db8::7]:4002", "auto"]
    assert child_settings(settings, 2).udp_port == 7002


def test_announced_ports_end_where_ports_do() -> None:
    with pytest.raises(ConfigError, match=r"--processes: 3: from --announce 203\.0\.113\.7:65534 on, .*65535"):
        load(CommServerSettings, {"processes": 3, "announce": ["203.0.113.7:65534"]})
