"""What the kernel makes of a shared port, on real sockets: as docs/networks.md tells it."""

from __future__ import annotations

import random

from benchmarks import reuse_port


def test_a_flow_keeps_its_socket_while_the_group_stays_as_it_is() -> None:
    group = reuse_port.Group(reuse_port.SOCKETS)
    ports = random.Random(1).sample(reuse_port.PORTS, 50)
    assert group.owners(ports) == group.owners(ports)
    group.end()


def test_flows_reach_the_process_they_should_by_chance_only() -> None:
    shares = reuse_port.measure(random.Random(1), 0, 200)
    assert 0.1 < shares.chosen < 0.45
    assert 0.1 < shares.moved < 0.45
    assert shares.away < 0.6
    assert shares.back < 0.9


def test_a_port_that_is_taken_is_no_flow() -> None:
    group = reuse_port.Group(1)
    assert group.owner(group.port) is None
    group.end()
