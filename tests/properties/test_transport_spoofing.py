"""Whatever is forged, replayed and recorded: who has not proven an address gets little sent there, and no link is led astray."""

from __future__ import annotations

from collections import Counter

from aioice import stun
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from transport.ice_lite import IceLite, IcePeer, Path, Reply
from transport.paths import AMPLIFICATION

PWD, THEIR_PWD = "p" * 24, "t" * 24
UFRAGS = ("one", "two")
addresses = st.builds(lambda number: (0, ("192.0.2.1", number)), st.integers(1, 14))
ufrags = st.sampled_from(UFRAGS)


class Spoofing(RuleBasedStateMachine):
    """Two peers, each at home at some addresses, and somebody who can send from any address and records everything.

    A peer can be its own forger: it signs requests that come from anywhere. What nobody can do is to read what is sent to an address
    where he is not.
    """

    datagrams = Bundle("datagrams")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.ice = IceLite(30.0, b"s" * 16)
        self.peers: dict[str, IcePeer] = {}
        for ufrag in UFRAGS:
            self.peers[ufrag] = self.ice.add(ufrag, PWD, 0.0)
            self.ice.answered(self.peers[ufrag], "them", THEIR_PWD)
        self.bytes_in: Counter[Path] = Counter()
        self.bytes_out: Counter[Path] = Counter()
        self.datagrams_in: Counter[Path] = Counter()
        self.datagrams_out: Counter[Path] = Counter()
        self.challenges: dict[Path, list[bytes]] = {}
        self.proven: set[Path] = set()
        """Where somebody has answered a challenge that he got there, or has done a handshake."""
        self.honest: dict[str, set[Path]] = {ufrag: set() for ufrag in UFRAGS}
        """The same, by peer."""

    def come(self, data: bytes, path: Path) -> None:
        self.bytes_in[path] += len(data)
        self.datagrams_in[path] += 1
        found = self.ice.datagram(data, path, self.now)
        if isinstance(found, Reply) and found.data:
            self.go(found.data, path)
        challenges, self.ice.challenges = self.ice.challenges, []
        for challenge, to in challenges:
            self.go(challenge, to)
            self.challenges.setdefault(to, []).append(challenge)

    def go(self, data: bytes, path: Path) -> None:
        self.bytes_out[path] += len(data)
        self.datagrams_out[path] += 1

    @rule(target=datagrams, ufrag=ufrags, nominate=st.booleans(), path=addresses)
    def request(self, ufrag: str, nominate: bool, path: Path) -> bytes:
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, attributes={"USERNAME": f"{ufrag}:them"})
        if nominate:
            message.attributes["USE-CANDIDATE"] = None
        message.add_message_integrity(PWD.encode())
        self.come(bytes(message), path)
        return bytes(message)

    @rule(path=addresses, size=st.integers(13, 1_200))
    def dtls(self, path: Path, size: int) -> None:
        self.come(b"\x16" + bytes(size - 1), path)

    @rule(data=datagrams, path=addresses)
    def replay(self, data: bytes, path: Path) -> None:
        self.come(data, path)

    @rule(target=datagrams, path=addresses)
    def answer(self, path: Path) -> bytes:
        """By who is at home there and has got a challenge."""
        if not self.challenges.get(path):
            return b""
        asked = stun.parse_message(self.challenges[path].pop())
        message = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, asked.transaction_id)
        message.add_message_integrity(THEIR_PWD.encode())
        self.proven.add(path)
        self.honest[str(asked.attributes["USERNAME"]).partition(":")[2]].add(path)
        self.come(bytes(message), path)
        return bytes(message)

    @rule(ufrag=ufrags, size=st.integers(1, 1_200))
    def send(self, ufrag: str, size: int) -> None:
        route = self.peers[ufrag].route
        if route is not None and self.ice.takes(route, size):
            self.go(bytes(size), route.path)

    @rule(ufrag=ufrags)
    def shake_hands(self, ufrag: str) -> None:
        """Nobody finishes a handshake who did not get our flight; here by one path, or by two."""
        peer = self.peers[ufrag]
        if peer.established or peer.selected is None:
            return
        if peer.handshake is None:
            self.ice.begins(peer)
            return
        if peer.handshake is peer.route:
            self.proven.add(peer.selected)
            self.honest[ufrag].add(peer.selected)
        self.ice.established(peer, self.now)

    @rule(seconds=st.floats(0.01, 5.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def nobody_is_flooded(self) -> None:
        for path in self.bytes_out:
            if path not in self.proven:
                assert self.bytes_out[path] <= AMPLIFICATION * self.bytes_in[path], path
                assert self.datagrams_out[path] <= AMPLIFICATION * self.datagrams_in[path], path

    @invariant()
    def only_a_proven_path_is_without_bound(self) -> None:
        for ufrag, peer in self.peers.items():
            for path, route in peer.routes.items():
                assert not route.proven or (route is peer.route and path in self.honest[ufrag])
                assert self.ice._routes[path] is route
        assert self.ice.paths == sum(len(peer.routes) for peer in self.peers.values())


Spoofing.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestSpoofing = Spoofing.TestCase
