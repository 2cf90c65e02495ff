"""What it costs a comm server when one client changes one topic while very many are subscribed to, and what a linked server hears of it.

The broker's core alone, in this process: a change of topics is all decision and no network. A client sends its whole set, as the wire
has it; that of the measured client holds ten topics, as of a player who hears the nine cells around it. The topic it changes is nobody
else's, so that the linked server has to be told every time: the dearest case there is.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from itertools import count

from benchmarks.figures import Outcome
from commserver.core import events as ev
from commserver.core.broker import Broker
from commserver.core.config import BrokerConfig
from protocol import packets, signalling
from protocol.pb import broker_pb2 as pb
from protocol.tokens import Claims, TokenRole, anonymous

TOPICS = 10_000
FEW_TOPICS = 100
SUBSCRIBERS = 20
TOPICS_A_CLIENT = 100
OWN_TOPICS = 10
CHANGES = 2_000

CAPABILITIES = (pb.BATCH, pb.SUBSCRIBE_ACK, pb.ERRORS)
SERVER_CAPABILITIES = (*CAPABILITIES, pb.SUBSCRIPTION_UPDATES)
ALIAS = 1
PAUSE_S = 1.0
"""Between two changes, in the broker's time: nobody is slowed down for changing too often."""
DEBOUNCE_S = 0.05


def run(changes: int = CHANGES) -> Outcome:
    """Measure with many topics, and with few."""
    many_us, told, problems = _measure(TOPICS, changes)
    few_us, _, more = _measure(FEW_TOPICS, changes)
    document = {
        "change_us": round(many_us, 3),
        "change_us_few_topics": round(few_us, 3),
        "to_few_topics": round(many_us / few_us, 3),
        "told_bytes": max(told, default=0),
        "topics": TOPICS,
        "subscribers": SUBSCRIBERS,
        "changes": changes,
    }
    return Outcome(document, list(dict.fromkeys(problems + more)))


def _measure(topics: int, changes: int) -> tuple[float, list[int], list[str]]:
    """Microseconds a change, the bytes the linked server was sent for each, and what was not as it should be."""
    crowd = Crowd()
    names = [f"world/cell/{number}" for number in range(topics)]
    server = crowd.join(pb.COMMUNICATION_SERVER, SERVER_CAPABILITIES)
    for first in range(0, topics * SUBSCRIBERS, TOPICS_A_CLIENT):
        block = [names[(first + number) % topics] for number in range(TOPICS_A_CLIENT)]
        crowd.subscribe(crowd.join(pb.CLIENT, CAPABILITIES), block)
    client = crowd.join(pb.CLIENT, CAPABILITIES)
    fixed = names[: OWN_TOPICS - 1]
    crowd.subscribe(client, [*fixed, "own/0"])
    spent_ns, told, problems = 0, [], []
    for number in range(1, changes + 1):
        message = ev.PacketReceived(client, packets.subscription([*fixed, f"own/{number}"], version=number), True)
        now = crowd.pass_time(PAUSE_S)
        began = time.process_time_ns()
        outputs = crowd.broker.handle(message, now)
        outputs += crowd.broker.handle(ev.DeadlineReached(), now + DEBOUNCE_S)
        spent_ns += time.process_time_ns() - began
        sent = _sent(outputs, server)
        told.append(sum(map(len, sent)))
        problems += _wrong(_sent(outputs, client), sent, number)
    return spent_ns / changes / 1000, told, problems


def _sent(outputs: Iterable[ev.Output], link: ev.LinkId) -> list[bytes]:
    return [output.data for output in outputs if isinstance(output, ev.Send) and link in output.links]


def _wrong(to_client: list[bytes], to_server: list[bytes], number: int) -> list[str]:
    """The client must have been told that it is in force, the server of the two topics that changed."""
    problems = []
    answers = [packets.decode_packet(data) for data in to_client]
    if not any(isinstance(one, pb.SubscribedMessage) and one.version == number and not one.refused for one in answers):
        problems.append("a change was not acknowledged")
    news = [packets.decode_packet(data) for data in to_server]
    expected = ([f"own/{number}"], [f"own/{number - 1}"])
    if not (len(news) == 1 and isinstance(news[0], pb.SubscriptionUpdateMessage)):
        problems.append("the linked server did not hear of a change by one SUBSCRIPTION_UPDATE")
    elif (list(news[0].added), list(news[0].removed)) != expected:
        problems.append("the linked server heard of other topics than those that changed")
    return problems


class Crowd:
    """A broker core with peers that are only played."""

    def __init__(self) -> None:
        config = BrokerConfig(auth_required=False, max_peers=0)
        self.broker = Broker(config, verify=_nobody, own_token=lambda: "", rng=random.Random(1))
        self._now = 1_000_000.0
        self._aliases = count(ALIAS + 1)
        self.broker.handle(ev.SignalReceived(signalling.welcome(ALIAS, [])), self._now)

    def pass_time(self, seconds: float) -> float:
        """Let time pass, with whatever is due in it. Returns what time it is."""
        self._now += seconds
        self.broker.handle(ev.DeadlineReached(), self._now)
        return self._now

    def join(self, role: pb.Role, capabilities: Iterable[pb.Capability]) -> ev.LinkId:
        """A peer connects and is accepted. Returns its link."""
        alias, now, handle = next(self._aliases), self._now, self.broker.handle
        made = handle(ev.SignalReceived(signalling.connect(ALIAS, alias, role)), now)
        (link,) = (output.link for output in made if isinstance(output, ev.MakeOffer))
        handle(ev.DescriptionMade(link, "v=0"), now)
        handle(ev.LinkOpened(link), now)
        handle(ev.PacketReceived(link, packets.auth(role, "", capabilities), True), now)
        return link

    def subscribe(self, link: ev.LinkId, topics: Iterable[str]) -> None:
        """A client asks for its first set, and servers are told."""
        self.broker.handle(ev.PacketReceived(link, packets.subscription(list(topics), version=0), True), self._now)
        self.pass_time(DEBOUNCE_S)


def _nobody(token: str) -> Claims:
    return anonymous(TokenRole.CLIENT)
