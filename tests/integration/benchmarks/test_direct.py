"""The way of a packet without a server, over a real link between two processes."""

from __future__ import annotations

from benchmarks import direct


def test_a_link_without_a_server_is_measured() -> None:
    found = direct.run(1.0)
    assert found is not None
    assert 0 < found < 1000
