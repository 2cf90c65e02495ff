"""The metrics page of a comm server, read."""

from __future__ import annotations

import pytest

from simulation.core.server_page import ServerRates, ServerSample, parse_page, rates

PAGE = """\
# HELP rtcbroker_peers Peers by role and state.
# TYPE rtcbroker_peers gauge
rtcbroker_peers{role="client",state="active"} 15.0
rtcbroker_peers{role="client",state="joining"} 2.0
rtcbroker_peers{role="server",state="active"} 1.0
# TYPE rtcbroker_topics gauge
rtcbroker_topics 36.0
# TYPE rtcbroker_packets counter
rtcbroker_packets_total{channel="reliable",direction="in"} 10.0
rtcbroker_packets_total{channel="unreliable",direction="in"} 90.0
rtcbroker_packets_total{channel="reliable",direction="out"} 1.0
rtcbroker_packets_total{channel="unreliable",direction="out"} 9.0
# TYPE rtcbroker_process_cpu_seconds counter
rtcbroker_process_cpu_seconds_total 1.5
"""


def test_a_page_is_read() -> None:
    assert parse_page(PAGE, 3.0) == ServerSample(3.0, None, 15, 36, 100.0, 10.0, 1.5)


def test_a_server_may_say_its_alias() -> None:
    assert parse_page(PAGE + '# TYPE a gauge\na{alias="123"} 1.0\n', 3.0).alias == 123


def test_a_page_without_them_has_zeros() -> None:
    assert parse_page("", 3.0) == ServerSample(3.0, None, 0, 0, 0, 0, 0)


def test_another_page_is_refused() -> None:
    with pytest.raises(ValueError, match="html"):
        parse_page("<html>no such page</html>", 3.0)


def test_rates_are_per_second() -> None:
    before, now = parse_page(PAGE, 3.0), ServerSample(5.0, None, 15, 36, 300.0, 50.0, 2.0)
    assert rates(before, now) == ServerRates(100.0, 20.0, 0.25)


def test_the_first_look_and_a_restarted_server_have_no_rates() -> None:
    now = parse_page(PAGE, 3.0)
    assert rates(None, now) == rates(ServerSample(1.0, None, 15, 36, 300.0, 50.0, 2.0), now) == ServerRates(0, 0, 0)
