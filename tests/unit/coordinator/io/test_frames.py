"""Pictures of the cluster: made once for all, with for each viewer the lines it has not seen."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coordinator.io.frames import VERSION, Frames, encode
from tests.support.coordination import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def frames(world: World) -> Frames:
    return Frames(world.core, lambda: world.now)


def ids(text: str) -> list[int]:
    return [line["id"] for line in json.loads(text)["log"]]


def test_a_picture_stays_until_the_next(world: World, frames: Frames) -> None:
    assert not frames.is_there()
    frames.renew()
    assert frames.is_there()
    world.server()
    before, told = frames.state(0)
    assert (json.loads(before)["servers"], ids(before), told) == ([], [], 0)
    frames.renew()
    after, told = frames.state(0)
    assert (len(json.loads(after)["servers"]), ids(after), told) == (1, [1], 1)


def test_everyone_gets_the_lines_that_are_new_to_them(world: World, frames: Frames) -> None:
    world.server()
    _, told = frames.hello()
    assert told == 1
    world.server()
    frames.renew()
    assert ids(frames.state(0)[0]) == [1, 2]
    assert ids(frames.state(told)[0]) == [2]
    assert frames.state(told) == frames.state(told)
    assert frames.state(2) == (frames.state(2)[0], 2)
    world.server()
    text, told = frames.hello()
    assert (ids(text), told) == ([1, 2, 3], 3)
    text, told = frames.state(told)
    assert (ids(text), told) == ([], 3), "who knows more than the picture is not sent back"


def test_who_fell_silent_is_told_with_the_picture_that_shows_it(world: World, frames: Frames) -> None:
    world.server()
    frames.renew()
    told = frames.state(0)[1]
    world.now += 6
    frames.renew()
    document = json.loads(frames.state(told)[0])
    assert document["servers"][0]["state"] == "silent"
    assert [line["kind"] for line in document["log"]] == ["state"]


def test_the_processors_share_is_of_the_time_somebody_looked(world: World, frames: Frames) -> None:
    def cpu() -> Any:
        frames.renew()
        return json.loads(frames.state(0)[0])["coordinator"]["cpu"]

    assert cpu() is None
    world.now += 1
    assert cpu() >= 0
    frames.forget()
    assert not frames.is_there()
    world.now += 1
    assert cpu() is None


def test_the_coordinator_says_who_it_is(world: World, frames: Frames) -> None:
    started = world.now
    world.now += 5
    hello = json.loads(frames.hello()[0])
    frames.renew()
    now = json.loads(frames.state(0)[0])["coordinator"]
    assert (hello["version"], now["version"]) == (VERSION, VERSION)
    assert (hello["cluster_started"], now["uptime_s"]) == (started, 5)
    assert now["memory_bytes"] > 1_000_000


def test_infinity_is_no_json() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        encode({"x": float("inf")})
