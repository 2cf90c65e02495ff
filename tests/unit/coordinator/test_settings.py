"""The coordinator's options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from coordinator.core.config import CoordinatorConfig
from coordinator.core.ice import IceGrant, IceServers
from coordinator.settings import CoordinatorSettings
from protocol.errors import ConfigError
from service.options import options_of
from service.settings import load
from tests.support.forge import SECRET


def settings(**options: object) -> CoordinatorSettings:
    return CoordinatorSettings(**options)  # type: ignore[arg-type]


def key(**options: object) -> bytes:
    return settings(**options).core_config().resume_key


def test_the_defaults_are_those_of_the_core() -> None:
    config = settings().core_config()
    expected = CoordinatorConfig(resume_key=config.resume_key)
    assert config == expected
    assert settings(auth="none").core_config().auth_required is False


def test_each_number_arrives() -> None:
    config = settings(
        ping_interval=1,
        ping_timeout=2,
        status_timeout=3,
        max_clients=4,
        max_servers=5,
        outbox_frames=60,
        outbox_bytes=700_000,
        client_frames_per_s=8,
        client_frames_burst=90,
    ).core_config()
    assert (config.ping_interval_s, config.ping_timeout_s, config.status_timeout_s) == (1, 2, 3)
    assert (config.max_clients, config.max_servers, config.outbox_frames, config.outbox_bytes) == (4, 5, 60, 700_000)
    assert (config.client_frames_per_s, config.client_frames_burst) == (8, 90)


def test_proofs_outlive_a_restart_where_there_is_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(SECRET)
    assert key(auth_secret=SECRET.decode()) == key(auth_secret_file=file)
    assert key(resume_secret="r" * 16) == key(resume_secret="r" * 16, auth_secret=SECRET.decode())
    assert len({key(auth_secret=SECRET.decode()), key(resume_secret="r" * 16), key(resume_secret="s" * 16)}) == 3
    assert SECRET not in key(auth_secret=SECRET.decode())


def test_without_a_secret_they_do_not() -> None:
    assert key() != key()
    assert len(key()) == 32


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": -1},
        {"selector": "first"},
        {"resume_secret": "short"},
        {"max_clients": 0},
        {"stop_timeout": 0},
        {"allowed_origins": ["https://app.example.com", "app.example.com"]},
        {"allowed_origins": "null"},
        {"ice_servers": ["stun:a", "example.com"]},
        {"ice_turn_secret": "short"},
        {"ice_turn_lifetime": 9},
        {"ice_turn_lifetime": 8 * 86_400},
        {"ice_username": ""},
    ],
)
def test_wrong_values_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        settings(**wrong)


TURN = "turn:turn.example.com"
TURN_SECRET = "a secret shared with coturn"


def test_ice_servers_arrive(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"  {TURN_SECRET}\n")
    made = settings(ice_servers="STUN:a, turn:b", ice_turn_secret=TURN_SECRET, ice_turn_lifetime=60).ice()
    expected = IceServers(["stun:a", "turn:b"], turn_secret=TURN_SECRET.encode(), lifetime_s=60)
    assert made.issue("me", 0.0) == expected.issue("me", 0.0)
    read = settings(ice_servers=["stun:a", "turn:b"], ice_turn_secret_file=file, ice_turn_lifetime=60).ice()
    assert read.issue("me", 0.0) == expected.issue("me", 0.0)
    fixed = settings(ice_servers=[TURN], ice_username="me", ice_credential="hush").ice()
    assert fixed.issue("", 0.0) == IceServers([TURN], username="me", credential="hush").issue("", 0.0)
    assert settings().ice().issue("me", 0.0) == IceGrant()
    assert settings(ice_servers=[TURN], ice_turn_secret=TURN_SECRET).ice().issue("me", 0.0).lifetime_s == 3_600


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ice_servers": [TURN]}, "wants credentials"),
        ({"ice_servers": [TURN], "ice_username": "me"}, "--ice-username: needs --ice-credential"),
        ({"ice_turn_secret": TURN_SECRET}, "no TURN server"),
        (
            {"ice_servers": [TURN], "ice_username": "me", "ice_credential": "hush", "ice_turn_secret": TURN_SECRET},
            "not both",
        ),
        ({"ice_servers": [TURN], "ice_turn_secret": TURN_SECRET, "ice_turn_secret_file": "file"}, "not both"),
        ({"ice_servers": [TURN], "ice_turn_secret_file": "nowhere"}, "--ice-turn-secret-file nowhere: cannot be read"),
    ],
)
def test_ice_options_that_do_not_go_together(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settings(**options).ice()


def test_a_turn_secret_in_a_file_is_no_shorter_than_one_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("   short   \n")
    with pytest.raises(ConfigError, match="a secret of 5 bytes"):
        settings(ice_servers=[TURN], ice_turn_secret_file=file).ice()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p2p_max_message": 17 * 1024 * 1024}, "less than four messages of 17825792 bytes"),
        ({"p2p_max_waiting": 100 * 1024 * 1024}, "more than half of 104857600 bytes"),
        ({"p2p_max_waiting": 8 * 1024 * 1024, "p2p_max_waiting_per_address": 5 * 1024 * 1024}, "more than half of 8388608 bytes"),
    ],
)
def test_an_address_has_room_for_messages_and_leaves_some(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"p2p-max-waiting-per-address.*{message}"):
        load(CoordinatorSettings, options)
    load(CoordinatorSettings, {"p2p_max_message": 16 * 1024 * 1024, "p2p_max_waiting": 128 * 1024 * 1024})


def test_ports_of_protocols_that_are_not_on() -> None:
    with pytest.raises(ConfigError, match=r"p2p-ports: .*none is switched on \(--p2p\)"):
        load(CoordinatorSettings, {"p2p_ports": True})
    assert load(CoordinatorSettings, {"p2p_ports": True, "p2p": ("nextrtc",)}).p2p_ports


def test_every_option_says_what_it_is_for() -> None:
    assert all(option.description and option.group for option in options_of(CoordinatorSettings))


def test_protocols_may_be_named_one_by_one_or_together() -> None:
    together, apart = (
        load(CoordinatorSettings, {"p2p": ("apprtc,nextrtc",)}),
        load(CoordinatorSettings, {"p2p": ("apprtc", "nextrtc")}),
    )
    assert together.p2p == apart.p2p == ["apprtc", "nextrtc"]
    with pytest.raises(ConfigError, match="--p2p"):
        load(CoordinatorSettings, {"p2p": ("apprtc,nonsense",)})
