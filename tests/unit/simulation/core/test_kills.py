"""What is to be killed is read, or refused with the reason."""

from __future__ import annotations

import pytest

from protocol.errors import ConfigError
from simulation.core.kills import Kill, check_times, is_server, parse_kills, processes_of

ALL = ["coordinator/1", "coordinator/2", "redis", "server/1", "server/2", "server/3"]


def test_the_processes_of_a_cluster() -> None:
    assert processes_of(2, 3) == ALL
    assert processes_of(1, 1) == ["coordinator/1", "server/1"]
    assert [is_server(name) for name in processes_of(2, 1)] == [False, False, False, True]


def test_kills_in_the_order_of_their_times() -> None:
    found = parse_kills(["server/2@4", " redis@3.25s ", "coordinator/2@0", "server/1@500ms", "server/3@1m"], ALL)
    assert found == [
        Kill("coordinator/2", 0.0),
        Kill("server/1", 0.5),
        Kill("redis", 3.25),
        Kill("server/2", 4.0),
        Kill("server/3", 60.0),
    ]


@pytest.mark.parametrize(
    "text",
    ["", "server/2", "@3", "server/2@", "server/2@x", "server/2@-1", "server/0@1", "any@1", "redis/1@1", "redis@1w", "redis@1@2"],
)
def test_what_is_no_kill_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--kill '.*': is not PROCESS@DURATION, such as server/2@4"):
        parse_kills([text], ALL)


def test_a_process_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match=r"^--kill 'server/4@1': the cluster has no server/4, but coordinator/1, .*, server/3$"):
        parse_kills(["server/4@1"], ALL)
    with pytest.raises(ConfigError, match=r"the cluster has no redis \(there is one with --coordinators 2 and more\), but"):
        parse_kills(["redis@1"], processes_of(1, 1))


def test_a_process_dies_once() -> None:
    with pytest.raises(ConfigError, match="redis is killed already"):
        parse_kills(["redis@1", "redis@2"], ALL)


def test_a_kill_after_the_end_of_the_run() -> None:
    check_times([Kill("redis", 4.9)], 5.0)
    with pytest.raises(ConfigError, match=r"^--kill redis@5: the run is over after 5 s$"):
        check_times([Kill("redis", 5.0)], 5.0)
