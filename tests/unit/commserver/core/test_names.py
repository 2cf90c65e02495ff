"""Log lines have the name of the join they are about, as the coordinator gave it in CONNECT."""

from __future__ import annotations

import pytest

from commserver.core import events as ev
from protocol import signalling
from tests.support.world import Server, World
from tests.support.world_client import Client


def lines(server: Server) -> list[tuple[str, str]]:
    """Of whom there is a name: the line without numbers, and the name."""
    return [
        (" ".join(word for word in (output.message % output.arguments).split() if not word.strip(":").isdigit()), str(name))
        for output in server.outputs
        if isinstance(output, ev.Log) and (name := output.names.get("request_id"))
    ]


def join(world: World, server: Server, name: str, **options: bytes) -> Client:
    client = Client(world, **options)  # type: ignore[arg-type]  # only `auth` is given
    client.signal(signalling.connect(server.alias, request_id=name))
    world.run(0.2)
    return client


def test_a_join_is_followed_from_connect_to_its_end() -> None:
    world = World()
    server = world.server()
    client = join(world, server, "r-1")
    client.leave()
    world.run(0.2)
    assert lines(server) == [
        ("link unknown asks for a link", "r-1"),
        (f"link client is active as 'client {client.alias}'", "r-1"),
        ("link client left: remote", "r-1"),
    ]
    (fields,) = {tuple(o.names) for o in server.outputs if isinstance(o, ev.Log) and "request_id" in o.names}
    assert fields == ("link", "peer", "request_id")


def test_a_refusal_has_the_name_too() -> None:
    world = World()
    server = world.server(max_peers=1)
    join(world, server, "r-1")
    join(world, server, "r-2")
    assert ("peer is refused: the server is full (retry elsewhere)", "r-2") in lines(server)
    bad = world.server()
    join(world, bad, "r-3", auth=b"no token")
    assert [name for line, name in lines(bad) if "refused at AUTH" in line] == ["r-3"]


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "\x1b[2J"])
def test_a_name_that_may_not_stand_in_a_log_is_none(name: str) -> None:
    world = World()
    server = world.server()
    join(world, server, name)
    assert lines(server) == []
    assert any("is active as" in line for line in server.logged())
