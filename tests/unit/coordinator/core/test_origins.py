"""Which pages may connect: their own coordinator's, and those the operator names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.origins import Origin, OriginPolicy, origin_at, parse_origin

OWN = OriginPolicy()

SAME = [
    ("http://127.0.0.1:9090", "127.0.0.1:9090"),
    ("http://localhost:9090", "localhost:9090"),
    ("http://LocalHost:9090", "localhost:9090"),
    ("http://broker.example", "Broker.Example"),
    ("http://broker.example", "broker.example:80"),
    ("http://broker.example:80", "broker.example"),
    # a proxy ends TLS and passes the host on
    ("https://broker.example", "broker.example"),
    ("https://broker.example", "broker.example:443"),
    ("https://broker.example:8443", "broker.example:8443"),
    ("http://[::1]:9090", "[::1]:9090"),
    ("http://[0:0:0:0:0:0:0:1]:9090", "[::1]:9090"),
    ("http://[2001:DB8::1]", "[2001:db8:0::1]"),
]

FOREIGN = [
    ("http://evil.example", "broker.example"),
    ("http://127.0.0.1:9091", "127.0.0.1:9090"),
    ("http://127.0.0.1", "127.0.0.1:9090"),
    ("http://localhost:9090", "127.0.0.1:9090"),
    ("http://broker.example:443", "broker.example:80"),
    ("https://broker.example", "broker.example:80"),
    ("http://broker.example.evil.example", "broker.example"),
    ("http://evil.example#broker.example", "broker.example"),
    ("http://broker.example@evil.example", "broker.example"),
    ("http://broker.example/", "broker.example"),
    ("ftp://broker.example", "broker.example"),
    ("file://", "broker.example"),
    ("null", "broker.example"),
    ("null", "null"),
    ("", "broker.example"),
    ("", ""),
    ("http://", ""),
    ("broker.example", "broker.example"),
    ("http://[::2]", "[::1]"),
    ("http://[::1", "[::1]"),
    ("http://[1.2.3.4]", "[1.2.3.4]"),
    ("http://broker.example:0", "broker.example:0"),
    ("http://broker.example:65536", "broker.example:65536"),
    ("http://broker.example:+80", "broker.example"),
    ("http://bröker.example", "bröker.example"),
    ("http://broker.example http://broker.example", "broker.example"),
    ("http://broker.example\n", "broker.example"),
]


@pytest.mark.parametrize(("origin", "host"), SAME)
def test_the_coordinators_own_pages_come_in(origin: str, host: str) -> None:
    assert OWN.allows([origin], host)


@pytest.mark.parametrize(("origin", "host"), FOREIGN)
def test_no_other_page_does(origin: str, host: str) -> None:
    assert not OWN.allows([origin], host)
    assert OriginPolicy(["*"]).allows([origin], host)


def test_who_is_no_browser_comes_in() -> None:
    assert OWN.allows([], "broker.example")
    assert OWN.allows([], "")


def test_two_origins_are_none() -> None:
    assert not OWN.allows(["http://broker.example"] * 2, "broker.example")


@pytest.mark.parametrize(
    ("entry", "origin", "allowed"),
    [
        ("https://app.example.com", "https://app.example.com", True),
        ("https://app.example.com", "https://APP.example.com:443", True),
        ("https://app.example.com:443", "https://app.example.com", True),
        ("https://app.example.com", "http://app.example.com", False),
        ("https://app.example.com", "https://app.example.com:8443", False),
        ("https://app.example.com", "https://example.com", False),
        ("http://[::1]:3000", "http://[0::1]:3000", True),
        ("capacitor://localhost", "capacitor://localhost", True),
        ("capacitor://localhost", "http://localhost", False),
        ("*", "null", True),
    ],
)
def test_named_pages_come_in_too(entry: str, origin: str, allowed: bool) -> None:
    policy = OriginPolicy(["http://other.example", entry])
    assert policy.allows([origin], "broker.example") is allowed
    assert policy.allows(["http://broker.example"], "broker.example"), "the own pages still do"


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "app.example.com",
        "https://",
        "https://app.example.com/",
        "https://*.example.com:x",
        "null",
        "http://[::x]",
        "http://a b",
    ],
)
def test_an_entry_that_is_no_origin_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="no origin"):
        OriginPolicy([entry])


def test_the_parts() -> None:
    assert parse_origin("HTTPS://App.Example:8443") == Origin("https", "app.example", 8443)
    assert parse_origin("app://x") == Origin("app", "x", None)
    assert origin_at("http", "x") == Origin("http", "x", 80)
    assert origin_at("http", "") is None


@given(st.text(max_size=40), st.text(max_size=40))
def test_whatever_is_sent_is_judged(origin: str, host: str) -> None:
    if OWN.allows([origin], host):
        assert host.lower().split(":")[0].strip("[]") in origin.lower() or "[" in host
