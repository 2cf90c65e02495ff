"""Which settings each of several comm servers gets. That they live and die together is tested with real processes."""

from __future__ import annotations

from pathlib import Path

from commserver.settings import CommServerSettings
from commserver.supervisor import child_settings


def test_given_ports_count_up_and_free_ones_stay_free() -> None:
    settings = CommServerSettings(processes=3, port=9091, udp_port=0, ready_file=Path("/run/ready"))
    children = [child_settings(settings, index) for index in range(3)]
    assert [child.port for child in children] == [9091, 9092, 9093]
    assert [child.udp_port for child in children] == [0, 0, 0]
    assert [child.ready_file for child in children] == [Path(f"/run/ready.{index}") for index in range(3)]
    assert {child.processes for child in children} == {1}


def test_without_a_ready_file_the_children_have_none() -> None:
    assert child_settings(CommServerSettings(processes=2, port=0, udp_port=7000), 1).ready_file is None
    assert child_settings(CommServerSettings(processes=2, port=0, udp_port=7000), 1).udp_port == 7001
