"""What properties of a pretend cluster (:mod:`tests.support.world`) have in common: servers, clients, and what must hold once all is settled."""

from __future__ import annotations

from commserver.core.session import Kind
from protocol.tokens import TokenRole
from tests.support.world import Server, World
from tests.support.world_client import NEW, OLD, Client

TOPICS = ("a", "b", "c")


def cluster(world: World, hubs: list[bool]) -> list[Server]:
    servers = []
    for hub in hubs:
        servers.append(world.server(hub=hub))
        world.run(world.rng.random() * 0.05)
    return servers


def new_client(world: World, server: Server, topics: list[str]) -> Client:
    client = Client(world, capabilities=world.rng.choice([NEW, NEW, OLD])).connect(server)
    for _ in range(100):
        world.run(0.05)
        if client.is_open:
            break
    client.subscribe(*topics)
    return client


def wanted_by(client: Client, server: Server) -> set[str]:
    session = server.broker.peers.active(client.alias)
    assert session is not None
    return set(server.state.index.topics(session))


def publish_everywhere(world: World, clients: dict[Client, Server]) -> None:
    """Everyone publishes to every topic, reliably; everyone gets what it is subscribed to, once, in order, and not its own."""
    for client in clients:
        client.got.clear()
    sent: dict[tuple[int, str], list[bytes]] = {}
    said: list[tuple[int, bytes]] = []
    for n in range(3):
        for client in clients:
            for topic in TOPICS:
                body = f"{client.alias} {topic} {n}".encode()
                if world.rng.random() < 0.5:
                    client.publish(topic, body)
                else:
                    client.publish_batch(topic, [body, body + b"+"])
                    sent.setdefault((client.alias, topic), []).append(body)
                    said.append((client.alias, body))
                    body += b"+"
                sent.setdefault((client.alias, topic), []).append(body)
                said.append((client.alias, body))
        world.run(0.01)
    world.run(2)
    for client, server in clients.items():
        topics = wanted_by(client, server)
        for (sender, topic), bodies in sent.items():
            got = [one.body for one in client.got if one.body.startswith(f"{sender} {topic} ".encode())]
            assert got == (bodies if topic in topics and sender != client.alias else []), (client.alias, sender, topic)
        for sender in {sender for sender, _ in sent} - {client.alias}:
            heard = [one.body for one in client.got if one.body.startswith(f"{sender} ".encode())]
            assert heard == [body for who, body in said if who == sender and body.split()[1].decode() in topics], (
                "order across topics"
            )


def check_interest(servers: list[Server]) -> None:
    """What a server believes each of its neighbours wants is what lies behind that neighbour."""

    def of_clients(server: Server) -> set[str]:
        index, peers = server.state.index, server.broker.peers
        return set().union(*(index.topics(session) for session in peers if session.kind is Kind.CLIENT))

    def uplink(server: Server) -> int | None:
        session = server.state.router.uplink
        return None if session is None else session.alias

    for one in servers:
        for other in servers:
            if one is other or not one.links_to(other):
                continue
            expected = of_clients(other)
            if uplink(other) not in (None, one.alias):
                expected = set()
            elif other.role is TokenRole.COMMUNICATION_SERVER_HUB:
                for third in servers:
                    behind = third.role is TokenRole.COMMUNICATION_SERVER and uplink(third) == other.alias
                    hub = third.role is TokenRole.COMMUNICATION_SERVER_HUB and one.role is TokenRole.COMMUNICATION_SERVER
                    if third is one:
                        continue
                    if behind:
                        expected |= of_clients(third)
                    elif hub and third is not other:
                        expected |= other.interest_of(third)
            assert one.interest_of(other) == expected, (one.alias, other.alias)
