"""What a conversation makes of who comes and goes: who negotiates with whom, and who is told.

In a mesh everybody negotiates with everybody; in a broadcast the listeners do with the broadcaster alone. A newcomer costs three messages
for each member it meets.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Iterator

from coordinator.core.store import Store
from coordinator.p2p.core.nextrtc_contexts import Negotiations
from coordinator.p2p.core.nextrtc_members import Member, Post
from coordinator.p2p.core.nextrtc_messages import Json, encode


class ConversationType(enum.StrEnum):
    """As clients name it in `custom`."""

    MESH = "MESH"
    BROADCAST = "BROADCAST"
    MESH_WITH_MASTER = "MESH_WITH_MASTER"


class Conversation(ABC):
    """Members that may talk to one another, from the creator's coming to the last one's going."""

    def __init__(self, conversation_id: str, creator: Member, store: Store, post: Post, negotiations: Negotiations) -> None:
        """Nobody is in it before :meth:`create`. `store` bounds what waits in this conversation."""
        self.id = conversation_id
        self.creator = creator
        self.members: dict[str, Member] = {}
        """By their id, in the order they came."""
        self._content = encode(conversation_id)
        self._store = store
        self._post = post
        self._negotiations = negotiations

    def create(self) -> None:
        """The creator comes, as the first member."""
        self._enter(self.creator)
        self._post.tell(self.creator, "created", content=self._content, custom=encode({"type": self._announced()}))

    def join(self, newcomer: Member, now: float) -> None:
        """Another member comes."""
        met = self._meets()
        self._enter(newcomer)
        self._post.tell(newcomer, "joined", content=self._content)
        for member in met:
            self._introduce(member, newcomer, now)

    @abstractmethod
    def leave(self, member: Member) -> None:
        """A member goes; the others may have to go with it."""

    def others(self, member: Member) -> Iterator[Member]:
        """Everybody else."""
        return (other for other in self.members.values() if other is not member)

    def _announced(self) -> ConversationType:
        """The type a creator is told."""
        return ConversationType.MESH

    def _meets(self) -> list[Member]:
        """With whom somebody who joins now has to negotiate."""
        return list(self.members.values())

    def _introduce(self, member: Member, newcomer: Member, now: float) -> None:
        self._post.tell(member, "newJoined", sender=newcomer, content=_name(newcomer))
        self._post.tell(newcomer, "newJoined", sender=member, content=_name(member))
        self._negotiations.begin(member, newcomer, self._store, now)

    def _enter(self, member: Member) -> None:
        self.members[member.id] = member
        member.conversation = self

    def _remove(self, member: Member) -> None:
        del self.members[member.id]
        member.conversation = None
        self._negotiations.forget(member)


class MeshConversation(Conversation):
    """Everybody with everybody, until the last one goes."""

    def leave(self, member: Member) -> None:
        self._remove(member)
        for other in self.members.values():
            self._post.tell(other, "left", sender=member)


class MeshWithMasterConversation(MeshConversation):
    """A mesh that ends when its creator goes.

    Then the others go one after the other, in the order they came, and each tells those that are still there: of every pair at least
    one hears that it is over. So this one step takes as many messages as there are pairs.
    """

    def leave(self, member: Member) -> None:
        super().leave(member)
        if member is self.creator:
            for other in list(self.members.values()):
                super().leave(other)


class BroadcastConversation(Conversation):
    """The creator with each listener. Listeners know nothing of one another, but for what is said to all."""

    def leave(self, member: Member) -> None:
        self._remove(member)
        if member is not self.creator:
            self._post.tell(self.creator, "left", sender=member)
            return
        for listener in list(self.members.values()):
            self._remove(listener)
            self._post.tell(listener, "left", sender=member)
            self._post.tell(listener, "end", sender=member, content=self._content)

    def _announced(self) -> ConversationType:
        return ConversationType.BROADCAST

    def _meets(self) -> list[Member]:
        return [self.creator]

    def _introduce(self, member: Member, newcomer: Member, now: float) -> None:
        self._post.tell(newcomer, "newJoined", sender=member, content=_name(member))
        self._post.tell(member, "newJoined", sender=newcomer, content=_name(newcomer))
        self._negotiations.begin(member, newcomer, self._store, now)


CONVERSATIONS: dict[ConversationType, type[Conversation]] = {
    ConversationType.MESH: MeshConversation,
    ConversationType.BROADCAST: BroadcastConversation,
    ConversationType.MESH_WITH_MASTER: MeshWithMasterConversation,
}


def _name(member: Member) -> Json:
    return Json(f'"{member.id}"')
