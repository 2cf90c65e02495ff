"""URLs of STUN and TURN servers: what is one, what it leaves out, and what is said of one that is none."""

from __future__ import annotations

import pytest

from protocol.ice import IceServer, check_ice_servers, parse_ice_url
from protocol.limits import MAX_ICE_TEXT_BYTES


@pytest.mark.parametrize(
    ("text", "scheme", "host", "port", "transport"),
    [
        ("stun:stun.example.com", "stun", "stun.example.com", 3478, "udp"),
        ("stun:192.0.2.1:19302", "stun", "192.0.2.1", 19302, "udp"),
        ("stuns:stun.example.com", "stuns", "stun.example.com", 5349, "tcp"),
        ("turn:turn.example.com", "turn", "turn.example.com", 3478, "udp"),
        ("turn:turn.example.com?transport=udp", "turn", "turn.example.com", 3478, "udp"),
        ("turn:turn.example.com:80?transport=tcp", "turn", "turn.example.com", 80, "tcp"),
        ("turns:turn.example.com", "turns", "turn.example.com", 5349, "tcp"),
        ("turns:turn.example.com:443?transport=udp", "turns", "turn.example.com", 443, "udp"),
        ("turn:[2001:DB8::1]", "turn", "2001:db8::1", 3478, "udp"),
        ("turn:[2001:db8::1]:3479?transport=tcp", "turn", "2001:db8::1", 3479, "tcp"),
        ("TURN:Turn.Example.COM?transport=TCP", "turn", "turn.example.com", 3478, "tcp"),
        ("turn:localhost:65535", "turn", "localhost", 65535, "udp"),
        ("turn:turn_1.example.com.:1", "turn", "turn_1.example.com.", 1, "udp"),
    ],
)
def test_a_url_and_its_defaults(text: str, scheme: str, host: str, port: int, transport: str) -> None:
    url = parse_ice_url(text)
    assert (url.scheme, url.host, url.port, url.transport) == (scheme, host, port, transport)
    assert str(url) == text.lower()
    assert url.is_turn == scheme.startswith("turn")
    assert url.is_secure == scheme.endswith("s")
    assert parse_ice_url(str(url)) == url


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "has not the form"),
        ("stun", "has not the form"),
        ("http:example.com", "has not the form"),
        ("turnss:example.com", "has not the form"),
        ("turn:example.com?transport=udp&x=1", "transport, udp or tcp"),
        ("turn:example.com?protocol=udp", "has not the form"),
        ("turn:example.com?transport=sctp", "transport, udp or tcp"),
        ("turn:example.com?transport=", "transport, udp or tcp"),
        ("stun:example.com?transport=udp", "only turn: and turns: may name a transport"),
        ("stun:", "'' is no host name"),
        ("turn://example.com", "no host name"),
        ("turn:-example.com", "no host name"),
        ("turn:exa mple.com", "no host name"),
        ("turn:a..b", "no host name"),
        ("turn:example.com/path", "no host name"),
        ("turn:300.1.1.1", "no host name"),
        ("turn:1.2.3", "no host name"),
        ("turn:[192.0.2.1]", "no host name"),
        ("turn:[2001:db8::1", "has not the form"),
        ("turn:2001:db8::1", "no host name"),
        ("turn:example.com:", "no port"),
        ("turn:example.com:0", "no port"),
        ("turn:example.com:65536", "no port"),
        ("turn:example.com:http", "no port"),
        ("turn:bücher.example", "has not the form"),
        ("turn:" + "a" * MAX_ICE_TEXT_BYTES, "has not the form"),
    ],
)
def test_what_is_no_url_is_named(text: str, what: str) -> None:
    with pytest.raises(ValueError, match="is no URL of a STUN or TURN server") as error:
        parse_ice_url(text)
    assert what in str(error.value)
    assert text[:90] in str(error.value)
    assert "turn:HOST" in str(error.value), "it says what one looks like"


def test_credentials_in_a_url_are_not_shown() -> None:
    with pytest.raises(ValueError, match=r"'\.\.@example\.com' .* credentials have their own options") as error:
        parse_ice_url("turn:me:hush@example.com")
    assert "hush" not in str(error.value)


def test_a_server_may_be_written_as_w3c_has_it() -> None:
    assert IceServer("stun:a").urls == IceServer(["stun:a"]).urls == ("stun:a",)
    server = IceServer(["turn:a", "turn:b"], "me", "hush")
    assert (server.urls, server.username, server.credential) == (("turn:a", "turn:b"), "me", "hush")
    assert (IceServer("stun:a").username, IceServer("stun:a", None, None).credential) == ("", "")
    assert hash(server) == hash(IceServer(("turn:a", "turn:b"), "me", "hush"))
    assert server != IceServer(("turn:a", "turn:b"), "me", "other")


def test_its_credential_is_not_shown() -> None:
    assert "hush" not in repr(IceServer("turn:example.org", "me", "hush"))


def test_a_wrong_url_among_servers_is_found() -> None:
    check_ice_servers([IceServer("stun:a"), IceServer(["turn:b", "turns:c"], "me", "hush")])
    with pytest.raises(ValueError, match="'nonsense'"):
        check_ice_servers([IceServer("stun:a"), IceServer(["turn:b", "nonsense"])])
