"""NextRTC the naive way: everything in lists that are searched from end to end. What the core does is compared with it."""

from __future__ import annotations

import html
from collections import Counter
from dataclasses import dataclass, field

from coordinator.core.store import MESSAGE_OVERHEAD_BYTES
from coordinator.p2p.core.limits import Limits
from coordinator.p2p.core.nextrtc import NextRtcConfig
from coordinator.p2p.core.nextrtc_contexts import MAX_WAITING
from tests.support.nextrtc import error, message


@dataclass
class Room:
    """A conversation: ids of members, in the order they came."""

    name: str
    kind: str
    members: list[str]


@dataclass
class Pair:
    """Two that negotiate."""

    master: str
    slave: str
    since: float
    step: int = 0
    """0 until the offer, 1 until the answer, then 2."""
    waiting: list[tuple[str, str, str]] = field(default_factory=list)
    """From whom, for whom, and what."""


class Model:
    """What members should have been told, by their ids."""

    def __init__(self, limits: Limits, config: NextRtcConfig, address_bytes: int, whole_bytes: int) -> None:
        self.limits = limits
        self.address_bytes = address_bytes
        self.whole_bytes = whole_bytes
        self.addresses: dict[str, str] = {}
        """Of all members there ever were."""
        self.config = config
        self.members: list[str] = []
        self.rooms: list[Room] = []
        self.pairs: list[Pair] = []
        self.told: dict[str, list[str]] = {}
        self.errors: Counter[str] = Counter()
        self.messages = 0
        self.joined = 0

    def room_of(self, member: str) -> Room | None:
        """The conversation somebody is in."""
        return next((room for room in self.rooms if member in room.members), None)

    def room_named(self, name: str) -> Room | None:
        """The conversation of that name."""
        return next((room for room in self.rooms if room.name == name), None)

    def connect(self, member: str, address: str) -> bool:
        """Whether it is let in."""
        self.addresses[member] = address
        self.told[member] = []
        if len(self.members) >= self.limits.max_members:
            self._refuse(member, "UNKNOWN_ERROR", "there are too many members", "too_many_members")
            return False
        self.members.append(member)
        return True

    def create(self, member: str, name: str, kind: str, new_name: str) -> None:
        if self.room_of(member):
            self._refuse(member, "MEMBER_IN_OTHER_CONVERSATION")
        elif self.room_named(name):
            self._refuse(member, "CONVERSATION_NAME_OCCUPIED")
        else:
            self._open(member, name or new_name, kind)

    def join(self, member: str, name: str, kind: str, new_name: str, now: float) -> None:
        room = self.room_named(name)
        if self.room_of(member):
            self._refuse(member, "MEMBER_IN_OTHER_CONVERSATION")
        elif room is None:
            self._open(member, name or new_name, kind)
        elif len(room.members) >= self.limits.max_room_members:
            self._refuse(member, "UNKNOWN_ERROR", "the conversation is full", "conversation_full")
        else:
            self._enter(member, room, now)

    def left(self, member: str) -> None:
        """By its own word."""
        if self.room_of(member):
            self.go(member)
        else:
            self._refuse(member, "CONVERSATION_NOT_FOUND")

    def disconnect(self, member: str) -> None:
        self.go(member)
        self.members.remove(member)

    def go(self, member: str) -> None:
        """Out of its conversation, if it is in one."""
        room = self.room_of(member)
        if room is None:
            return
        was_creator = member == room.members[0]
        self._part(member, room)
        if room.kind == "BROADCAST" and not was_creator:
            self._tell(room.members[0], "left", sender=member)
        elif room.kind == "BROADCAST":
            for listener in list(room.members):
                self._tell(listener, "left", sender=member)
                self._tell(listener, "end", room.name, sender=member)
                self._part(listener, room)
        else:
            for other in room.members:
                self._tell(other, "left", sender=member)
            if was_creator and room.kind == "MESH_WITH_MASTER":
                room.kind = "ENDING"
            if room.kind == "ENDING" and room.members:
                self.go(room.members[0])
        self.rooms = [each for each in self.rooms if each.members]

    def describe(self, signal: str, sender: str, to: str, content: str, now: float) -> None:
        """offerResponse or answerResponse."""
        pair = self._pair(sender, to, now)
        step = 0 if signal == "offerResponse" else 1
        if self.room_of(sender) is None:
            self._refuse(sender, "INVALID_RECIPIENT")
        elif pair is None or pair.step != step:
            self.errors["out_of_state"] += 1
        else:
            self.messages += 1
            pair.step, pair.since = step + 1, now
            if step == 0:
                self._tell(pair.slave, "answerRequest", content, sender=pair.master)
            else:
                self._tell(pair.master, "finalize", content, sender=pair.slave)
                for _, receiver, text in pair.waiting:
                    self.told[receiver].append(text)
                pair.waiting = []

    def candidate(self, sender: str, to: str, content: str, now: float) -> None:
        pair, room = self._pair(sender, to, now), self.room_of(sender)
        text = message("candidate", to, content, {}, sender)
        if room is None:
            self._refuse(sender, "INVALID_RECIPIENT")
        elif pair is None:
            self.errors["out_of_state"] += 1
        elif pair.step == 2:
            self.messages += 1
            self.told[to].append(text)
        elif len(pair.waiting) >= MAX_WAITING or not self._fits(size_of(text), sender, room):
            self.errors["candidate_dropped"] += 1
        else:
            self.messages += 1
            pair.waiting.append((sender, to, text))

    def text(self, sender: str, to: str, content: str) -> None:
        room = self.room_of(sender)
        if room is None or (to in self.members and to not in room.members):
            self.errors["text_dropped"] += 1
            return
        self.messages += 1
        for receiver in [to] if to in room.members else [each for each in room.members if each != sender]:
            self._tell(receiver, "text", html.escape(content, quote=False), sender=sender)

    def nonsense(self, sender: str) -> None:
        self._refuse(sender, "UNKNOWN_ERROR", "a message is JSON", "bad_message")

    def expire(self, now: float) -> None:
        """Nothing stuck is kept."""
        for pair in list(self.pairs):
            if pair.step < 2 and now >= pair.since + self.config.max_connection_setup_time_s:
                self.pairs.remove(pair)
                self.errors["negotiation_expired"] += 1
                self.errors["candidate_dropped"] += len(pair.waiting)

    def _open(self, member: str, name: str, kind: str) -> None:
        if len(self.rooms) >= self.limits.max_rooms:
            self._refuse(member, "UNKNOWN_ERROR", "there are too many conversations", "too_many_conversations")
            return
        self.joined += 1
        self.rooms.append(Room(name, kind, [member]))
        self._tell(member, "created", name, {"type": "BROADCAST" if kind == "BROADCAST" else "MESH"})

    def _enter(self, member: str, room: Room, now: float) -> None:
        self.joined += 1
        self._tell(member, "joined", room.name)
        for other in room.members[:1] if room.kind == "BROADCAST" else room.members:
            self._tell(other, "newJoined", member, sender=member)
            self._tell(member, "newJoined", other, sender=other)
            self._tell(other, "offerRequest", sender=member)
            self.pairs.append(Pair(other, member, now))
        room.members.append(member)

    def _part(self, member: str, room: Room) -> None:
        room.members.remove(member)
        self.pairs = [pair for pair in self.pairs if member not in (pair.master, pair.slave)]

    def _pair(self, one: str, other: str, now: float) -> Pair | None:
        self.expire(now)
        return next((pair for pair in self.pairs if {pair.master, pair.slave} == {one, other}), None)

    def kept(self) -> int:
        """Bytes that wait."""
        return sum(size_of(text) for pair in self.pairs for _, _, text in pair.waiting)

    def _fits(self, size: int, sender: str, room: Room) -> bool:
        """Whether so much more may wait, in this room, from this address, and at all."""
        here = sum(size_of(text) for pair in self.pairs if pair.master in room.members for _, _, text in pair.waiting)
        waiting = [(self.addresses[by], text) for pair in self.pairs for by, _, text in pair.waiting]
        from_there = sum(size_of(text) for address, text in waiting if address == self.addresses[sender])
        return (
            here + size <= self.limits.max_room_bytes
            and from_there + size <= self.address_bytes
            and self.kept() + size <= self.whole_bytes
        )

    def _tell(self, to: str, signal: str, content: str = "", custom: dict[str, str] | None = None, *, sender: str = "") -> None:
        self.told[to].append(message(signal, to, content, custom, sender))

    def _refuse(self, to: str, code: str, reason: str = "", counted_as: str = "") -> None:
        self.errors[counted_as or code.lower()] += 1
        self.told[to].append(error(to, code, reason))


def size_of(text: str) -> int:
    """What it costs to let that wait."""
    return len(text.encode()) + MESSAGE_OVERHEAD_BYTES
