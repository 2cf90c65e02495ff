"""What is read of a coordinator's metrics page."""

from __future__ import annotations

from simulation.core.coordinator_page import CoordinatorSample, parse_coordinator_page

PAGE = """\
# TYPE rtcbroker_coordinator_peers gauge
rtcbroker_coordinator_peers{role="client"} 12.0
rtcbroker_coordinator_peers{role="server"} 3.0
# TYPE rtcbroker_coordinator_servers gauge
rtcbroker_coordinator_servers{state="ready"} 2.0
rtcbroker_coordinator_servers{state="full"} 1.0
# TYPE rtcbroker_coordinator_backplane_up gauge
rtcbroker_coordinator_backplane_up 0.0
"""


def test_clients_servers_and_whether_it_reaches_the_others() -> None:
    assert parse_coordinator_page(PAGE) == CoordinatorSample(12, 3, False)
    assert parse_coordinator_page("") == CoordinatorSample(0, 0, True)
