"""STUN and TURN servers: what goes together, and what each user gets."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.ice import MAX_USER_CHARS, IceGrant, IceServer, IceServers
from protocol.errors import ConfigError
from protocol.limits import MAX_ICE_TEXT_BYTES, MAX_ICE_URLS

STUN, TURN = "stun:stun.example.com", "turn:turn.example.com:3478?transport=udp"
SECRET = b"a secret shared with coturn"
NOW = 1_800_000_000.9


def test_nothing_configured_is_nothing_given() -> None:
    assert IceServers().issue("77", NOW) == IceGrant((), None)


def test_stun_needs_no_credentials() -> None:
    assert IceServers([STUN, STUN, "stuns:b"]).issue("77", NOW) == IceGrant((IceServer((STUN, "stuns:b")),))


def test_fixed_credentials_are_the_same_for_everyone_and_for_ever() -> None:
    servers = IceServers([TURN, STUN], username="me", credential="hush")
    expected = IceGrant((IceServer((STUN,)), IceServer((TURN,), "me", "hush")))
    assert servers.issue("77", NOW) == servers.issue("78", NOW + 1e9) == expected
    assert expected.servers[0].credential == "", "STUN servers are nobody's business"


def test_credentials_made_of_the_secret_are_what_coturn_checks() -> None:
    grant = IceServers([TURN, "turns:b"], turn_secret=SECRET, lifetime_s=600).issue("77", NOW)
    (server,) = grant.servers
    assert server.urls == (TURN, "turns:b")
    assert server.username == "1800000600:77"
    expected = base64.b64encode(hmac.new(SECRET, b"1800000600:77", hashlib.sha1).digest()).decode()
    assert server.credential == expected
    assert grant.lifetime_s == 600.0


def test_a_known_pair() -> None:
    """Computed by another program: `printf %s 1700003600:77 | openssl dgst -sha1 -hmac north-of-the-wall -binary | base64`."""
    (server,) = IceServers([TURN], turn_secret=b"north-of-the-wall").issue("77", 1_700_000_000.0).servers
    assert (server.username, server.credential) == ("1700003600:77", "FmyKyQhERTjfKpPDmKqQNvoRego=")


def test_each_user_and_each_moment_has_its_own() -> None:
    servers = IceServers([TURN], turn_secret=SECRET)
    credentials = {servers.issue(user, now).servers[0].credential for user in ("a", "b") for now in (NOW, NOW + 1)}
    assert len(credentials) == 4


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        ("room/1?key=:x", "room_1_key__x"),
        ("Ännchen\n\0", "_nnchen__"),
        ("", ""),
        ("a.b-c_d@e+1", "a.b-c_d@e+1"),
        ("x" * 1_000, "x" * MAX_USER_CHARS),
    ],
)
def test_a_user_that_does_not_suit_a_user_name_is_made_to(user: str, shown: str) -> None:
    (server,) = IceServers([TURN], turn_secret=SECRET, lifetime_s=100).issue(user, 0.0).servers
    assert server.username == f"100:{shown}"


@given(st.text(), st.floats(0, 1e11), st.integers(1, 10**6))
def test_whatever_the_user_is_the_user_name_is_one(user: str, now: float, lifetime: int) -> None:
    grant = IceServers([TURN], turn_secret=SECRET, lifetime_s=lifetime).issue(user, now)
    (server,) = grant.servers
    expiry, _, rest = server.username.partition(":")
    assert now - 1 < int(expiry) - lifetime <= now
    assert server.username.isascii()
    assert server.username.isprintable()
    assert len(server.username) <= MAX_ICE_TEXT_BYTES
    assert ":" not in rest


@pytest.mark.parametrize(
    ("urls", "more", "message"),
    [
        (["nonsense"], {}, "--ice-servers: 'nonsense' is no URL"),
        ([TURN], {}, f"--ice-servers {TURN.replace('?', '[?]')}: a TURN server wants credentials"),
        ([TURN], {"username": "me"}, "--ice-username: needs --ice-credential"),
        ([TURN], {"credential": "hush"}, "--ice-credential: needs --ice-username"),
        ([TURN], {"username": "me", "credential": "hush", "turn_secret": SECRET}, "not both"),
        ([STUN], {"username": "me", "credential": "hush"}, "--ice-username: there is no TURN server"),
        ([], {"turn_secret": SECRET}, "--ice-turn-secret: there is no TURN server"),
        ([TURN], {"username": "x" * 513, "credential": "hush"}, "--ice-username: longer than 512 bytes"),
        ([TURN], {"username": "me", "credential": "ü" * 257}, "--ice-credential: longer than 512 bytes"),
        ([f"stun:a{n}" for n in range(MAX_ICE_URLS + 1)], {}, f"--ice-servers: {MAX_ICE_URLS + 1} URLs"),
    ],
)
def test_what_does_not_go_together(urls: list[str], more: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        IceServers(urls, **more)  # type: ignore[arg-type]  # as the table has them
    assert "hush" not in str(error.value)
    assert SECRET.decode() not in str(error.value)
