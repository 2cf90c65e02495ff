"""The table of the demo fits a terminal, and shows what is known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from random import Random

import pytest
from rich.console import Console

from protocol.keys import KeySet, secret_key
from protocol.tokens import TokenPolicy, TokenRole, verify
from simulation.core.coordinator_page import CoordinatorSample
from simulation.core.latency import Histogram
from simulation.core.messages import Progress
from simulation.core.pace import Pace
from simulation.core.server_page import ServerRates, ServerSample
from simulation.demo import (
    CHATTERS,
    HEARD_PER_S,
    LOOK_S,
    MIN_LISTENERS,
    demo_table,
    heard_per_s,
    invitation,
    is_over,
    listeners,
    pause,
    plans,
)
from simulation.io.spawn import Cluster


def shown(
    servers: list[tuple[ServerSample, ServerRates] | None], pace: Pace, coordinators: Sequence[CoordinatorSample | None] = ()
) -> dict[str, list[str]]:
    text = StringIO()
    Console(file=text, width=80).print(demo_table(servers, pace, coordinators))
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in text.getvalue()
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    return {row[0]: row[1:] for row in cells}


def server(alias: int | None) -> tuple[ServerSample, ServerRates]:
    return ServerSample(0.0, alias, 1234, 1000, 0, 0, 0), ServerRates(12_345, 123_456, 1.05)


def pace() -> Pace:
    made, latency = Pace(), Histogram()
    latency.add(0.1234)
    made.add(0.0, Progress())
    made.add(1.0, Progress(connected=500, sent=5000, received=250_000, latency={7: latency}))
    return made


def test_a_row_for_each_server_and_one_for_the_bots() -> None:
    rows = shown([server(7), server(8), server(None), None], pace())
    assert rows["server 1"] == ["1234", "1000", "12,345", "123,456", "123.4 ms", "123.4 ms", "105%"]
    assert rows["server 2"][4:6] == rows["server 3"][4:6] == ["-", "-"]
    assert rows["server 4"][0] == "away"
    assert rows["all bots"] == ["500", "", "250,000", "5,000", "123.4 ms", "123.4 ms", ""]


def test_the_last_look_is_not_taken_right_after_the_one_before() -> None:
    remaining, pauses = 10.37 * LOOK_S, []
    while remaining > 0:
        pauses.append(pause(remaining))
        remaining -= pauses[-1]
    assert abs(sum(pauses) - 10.37 * LOOK_S) < 1e-9
    assert min(pauses) >= LOOK_S / 2
    assert max(pauses) <= 1.5 * LOOK_S
    assert pause(-1.0) == 0.0


def test_links_to_both_pages_each_with_a_token_of_its_own_for_a_day() -> None:
    cluster = Cluster(2, Path())
    cluster.urls = ["ws://127.0.0.1:1234"]
    lines = invitation(cluster, 1000.0)
    links = dict(re.findall(r"^  (http\S+)#token=(\S+)$", "\n".join(lines), re.MULTILINE))
    assert links.keys() == {"http://127.0.0.1:1234/", "http://127.0.0.1:1234/demo"}
    policy = TokenPolicy(KeySet([secret_key(cluster.secret)]))
    admin, guest = (verify(token, policy, 1000.0) for token in links.values())
    assert (admin.role, guest.role) == (TokenRole.ADMIN, TokenRole.CLIENT)
    assert admin.expires_at == guest.expires_at == 1000.0 + 24 * 3600 + policy.leeway_s
    for topic in ("demo/cell/-1/3", "demo/chat"):
        assert topic in guest.publish
        assert topic in guest.subscribe
        assert topic not in admin.publish
    assert "other" not in guest.subscribe


def test_several_coordinators_each_have_their_pages_and_a_client_dials_any() -> None:
    cluster = Cluster(2, Path(), coordinators=2)
    cluster.urls = ["ws://127.0.0.1:1234", "ws://127.0.0.1:1235"]
    text = "\n".join(invitation(cluster, 1000.0))
    assert re.findall(r"^  (http\S+)#token=", text, re.MULTILINE) == [
        f"http://127.0.0.1:{port}/{page}" for page in ("", "demo") for port in (1234, 1235)
    ]
    assert 'Client("ws://127.0.0.1:1234,ws://127.0.0.1:1235", token=TOKEN)' in text


def test_a_row_for_each_coordinator_where_there_are_several() -> None:
    rows = shown([None], pace(), [CoordinatorSample(250, 2, True), CoordinatorSample(7, 2, False), None])
    assert rows["coord 1"][:2] == ["250", ""]
    assert rows["coord 2"][:2] == ["7", "alone"]
    assert rows["coord 3"][0] == "away"


@pytest.mark.parametrize("bots", [2, 6, 30, 50, 150, 500])
def test_however_many_wander_what_they_hear_has_bounds(bots: int) -> None:
    made = plans(bots, Random(1))
    assert [plan.bot for plan in made] == list(range(bots))
    hearing = sum(len(plan.route.at(0.0).listens) == 9 for plan in made)
    assert hearing == listeners(bots) == (bots if bots <= 30 else hearing)
    assert hearing * heard_per_s(bots) <= HEARD_PER_S or hearing == min(bots, MIN_LISTENERS)
    chatters = [plan.chatter for plan in made if plan.chatter]
    assert len({chatter.name for chatter in chatters}) == len(chatters) == min(bots, CHATTERS)
    assert {chatter.topic for chatter in chatters} == {"demo/chat"}


def test_a_timer_that_fires_early_is_no_reason_for_another_look() -> None:
    assert is_over(9.96, 10.0)
    assert is_over(10.5, 10.0)
    assert not is_over(9.9, 10.0)
