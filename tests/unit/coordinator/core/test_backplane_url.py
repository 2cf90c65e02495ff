"""Where coordinators meet, and that its password is not told."""

from __future__ import annotations

import pytest

from coordinator.core.backplane_url import check_backplane_url, scheme_of, shown


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://localhost", "redis://localhost:6379"),
        ("redis://user:hush@redis.internal:7000/2", "redis://redis.internal:7000"),
        ("rediss://:hush@[::1]:7000?db=3", "rediss://[::1]:7000"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock"),
        ("unix://user:hush@/run/redis.sock", "unix:///run/redis.sock"),
    ],
)
def test_urls_of_redis(url: str, told: str) -> None:
    assert check_backplane_url(url) == url
    assert shown(url) == told
    assert scheme_of(url) == url.split(":")[0]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "memory"),
        ("http://hush", "redis://"),
        ("redis://", "a host"),
        ("redis://:hush@host:0", "a host"),
        ("redis://:hush@host:port", "its port"),
        ("redis://:hush@[::1", "no URL"),
        ("redis://:hush@host/zero", "the number of a database"),
        ("redis://:hush@host?timeout=3", "the only parameter"),
        ("redis://:hush@host?db=", "the only parameter"),
        ("unix://", "the path"),
        ("unix://host/hush", "the path"),
    ],
)
def test_what_is_none_is_refused_without_being_shown(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as raised:
        check_backplane_url(url)
    assert "hush" not in str(raised.value)


def test_memory_is_no_url() -> None:
    assert check_backplane_url("memory") == "memory"
    assert scheme_of("memory") == ""
