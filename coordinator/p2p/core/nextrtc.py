"""NextRTC signalling: conversations of members that call each other, the coordinator only introducing them.

Whatever cannot be done is answered with the signal `error`, and the socket stays open. That holds for a frame that cannot be read, too:
the server that clients know dies of it and takes the socket along, or goes on without telling, depending on what it runs in. A client
that gets UNKNOWN_ERROR instead loses nothing by one bad message, and has a handler for errors anyway. The same code says that a limit is
reached, for NextRTC has none and so no word for it; `reason` in `custom` then says which. What the protocol says to ignore is ignored,
and counted in `counts.errors` like all that is refused or dropped.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.core.store import Store
from coordinator.p2p.core.counts import Counts
from coordinator.p2p.core.limits import MAX_ID_CHARS, Limits
from coordinator.p2p.core.nextrtc_contexts import Negotiations
from coordinator.p2p.core.nextrtc_conversations import CONVERSATIONS, Conversation, ConversationType
from coordinator.p2p.core.nextrtc_errors import ErrorCode, RefusedError
from coordinator.p2p.core.nextrtc_members import Member, Post
from coordinator.p2p.core.nextrtc_messages import BadMessageError, Message, encode_escaped, frame, parse
from coordinator.p2p.core.nextrtc_pings import Pings
from coordinator.p2p.core.nextrtc_signals import SAMPLES, Audience, Call, CustomSignal, checked
from coordinator.p2p.core.outputs import Output

if TYPE_CHECKING:
    import random

log = logging.getLogger(__name__)

GOING_AWAY = 1001
TRY_AGAIN_LATER = 1013
"""Close codes of WebSockets (RFC 6455 section 7.4.1 and its registry)."""


@dataclass(frozen=True, slots=True)
class NextRtcConfig:
    """What an operator of NextRTC can set, with its defaults."""

    ping_period_s: float = 3.0
    """Between two pings to a member. They keep proxies from closing a quiet socket; no answer is expected."""
    first_ping_s: float = 1.0
    """After the socket opened. A client learns its id from the first message, so this is how long it may take."""
    max_connection_setup_time_s: float = 30.0
    """A pair that takes longer for one step of its negotiation is given up."""
    join_only_to_existing: bool = False
    """Whether joining a conversation that is not there is an error; otherwise it is created."""
    default_type: ConversationType = ConversationType.MESH
    """Of a conversation whose creator names no type, or one that does not exist."""
    max_shout_bytes: int = 64 * 1024
    """Of a text to everybody, in JSON, which is all ASCII: each of hundreds gets a copy of its own. The usual server takes no message above 8 KiB."""


DEFAULTS = NextRtcConfig()


class NextRtc:
    """All sockets that speak NextRTC, and their conversations.

    A socket has a member id from its opening on, so `Limits.max_members` bounds sockets. `counts.joined` counts entries into
    conversations.
    """

    def __init__(
        self,
        limits: Limits,
        rng: random.Random,
        config: NextRtcConfig = DEFAULTS,
        signals: Mapping[str, CustomSignal] = SAMPLES,
    ) -> None:
        """`signals`: custom ones by name. Raises ValueError for a name they cannot have."""
        self.counts = Counts()
        self._limits = limits
        self._rng = rng
        self._config = config
        self._signals = checked(signals)
        self._members: dict[int, Member] = {}
        self._by_id: dict[str, Member] = {}
        self._conversations: dict[str, Conversation] = {}
        self._post = Post()
        self._pings = Pings(config.first_ping_s, config.ping_period_s)
        self.is_unheard: Callable[[int], bool] = lambda key: False
        """Of a socket, whether more of it is here than was heard; to be set by whoever may hold back what sockets say."""
        setup_time_s = config.max_connection_setup_time_s
        self._negotiations = Negotiations(self._post, self.counts, setup_time_s, lambda key: self.is_unheard(key))
        self._handlers: dict[str, Callable[[Member, Message, float], None]] = {
            "create": self._create,
            "join": self._join,
            "left": self._left,
            "offerresponse": self._offer_response,
            "answerresponse": self._answer_response,
            "candidate": self._candidate,
            "text": self._text,
        }

    def connected(self, key: int, account: Store, now: float) -> None:
        """A socket was let in. It is told nothing yet."""
        member_id = self._new_id()
        if len(self._members) >= self._limits.max_members:
            refusal = RefusedError(ErrorCode.UNKNOWN_ERROR, "too_many_members", "there are too many members")
            self._refuse(key, member_id, refusal)
            self._post.close(key, TRY_AGAIN_LATER, refusal.reason)
            return
        self._members[key] = self._by_id[member_id] = Member(key, member_id, frame("ping", member_id), account)
        self._pings.add(key, now)

    def received(self, key: int, data: str | bytes, now: float) -> None:
        """A frame came."""
        member = self._members.get(key)
        if member is None:
            self._refuse(key, "", RefusedError(ErrorCode.MEMBER_NOT_FOUND))
            return
        self._negotiations.expire(now)  # so that what is late is late, however long ago the last tick was
        try:
            self._handle(member, parse(data), now)
        except BadMessageError as error:
            self._refuse(key, member.id, RefusedError(ErrorCode.UNKNOWN_ERROR, "bad_message", str(error)))
        except RefusedError as refusal:
            self._refuse(key, member.id, refusal)

    def left(self, key: int, now: float) -> None:
        """The socket is gone, and with it its member."""
        member = self._members.pop(key, None)
        if member is None:
            return
        del self._by_id[member.id]
        self._pings.remove(key)
        if member.conversation is not None:
            self._leave(member, member.conversation)

    def tick(self, now: float) -> None:
        """Ping who is due, and give up negotiations that got stuck."""
        self._negotiations.expire(now)
        for key in self._pings.due(now):
            self._post.put(key, self._members[key].ping)

    def next_deadline(self) -> float | None:
        """When `tick` is due."""
        deadlines = [at for at in (self._pings.next_deadline(), self._negotiations.next_deadline()) if at is not None]
        return min(deadlines, default=None)

    def outputs(self) -> list[Output]:
        """What is to be sent and closed, in order."""
        return self._post.drain()

    def stop(self, now: float) -> None:
        """Close every socket; that says it all, so nobody is told of anybody's leaving."""
        for key in list(self._members):
            self._pings.remove(key)
            self._post.close(key, GOING_AWAY, "going away")
        for member in self._members.values():
            self._negotiations.forget(member)
        self._members.clear()
        self._by_id.clear()
        self._conversations.clear()

    @property
    def rooms(self) -> int:
        """Conversations."""
        return len(self._conversations)

    @property
    def members(self) -> int:
        """Those who are in one. For a look now and then: it goes through all conversations."""
        return sum(len(conversation.members) for conversation in self._conversations.values())

    def _handle(self, member: Member, message: Message, now: float) -> None:
        handler = self._handlers.get(message.signal.lower())
        if handler is not None:
            handler(member, message, now)
        elif (custom := self._signals.get(message.signal)) is not None:
            self._call(custom, member, message)
        else:
            self.counts.errors["unknown_signal"] += 1

    # Conversations

    def _create(self, member: Member, message: Message, now: float) -> None:
        self._check_free(member, message)
        if message.content in self._conversations:
            raise RefusedError(ErrorCode.CONVERSATION_NAME_OCCUPIED)
        self._open(member, message)

    def _join(self, member: Member, message: Message, now: float) -> None:
        self._check_free(member, message)
        conversation = self._conversations.get(message.content)
        if conversation is not None:
            if len(conversation.members) >= self._limits.max_room_members:
                raise RefusedError(ErrorCode.UNKNOWN_ERROR, "conversation_full", "the conversation is full")
            conversation.join(member, now)
            self.counts.joined += 1
        elif self._config.join_only_to_existing:
            raise RefusedError(ErrorCode.CONVERSATION_NOT_FOUND)
        else:
            self._open(member, message)

    def _left(self, member: Member, message: Message, now: float) -> None:
        if member.conversation is None:
            raise RefusedError(ErrorCode.CONVERSATION_NOT_FOUND)
        self._leave(member, member.conversation)

    @staticmethod
    def _check_free(member: Member, message: Message) -> None:
        if member.conversation is not None:
            raise RefusedError(ErrorCode.MEMBER_IN_OTHER_CONVERSATION)
        if len(message.content) > MAX_ID_CHARS:
            raise RefusedError(ErrorCode.INVALID_CONVERSATION_NAME, reason=f"it has more than {MAX_ID_CHARS} characters")

    def _open(self, creator: Member, message: Message) -> None:
        if len(self._conversations) >= self._limits.max_rooms:
            raise RefusedError(ErrorCode.UNKNOWN_ERROR, "too_many_conversations", "there are too many conversations")
        conversation_id = message.content if message.content.strip() else self._new_id()
        store = Store(self._limits.max_room_bytes)
        made = CONVERSATIONS[self._type(message)](conversation_id, creator, store, self._post, self._negotiations)
        self._conversations[conversation_id] = made
        made.create()
        self.counts.joined += 1

    def _type(self, message: Message) -> ConversationType:
        try:
            return ConversationType(message.custom.get("type", ""))
        except ValueError:
            return self._config.default_type

    def _leave(self, member: Member, conversation: Conversation) -> None:
        conversation.leave(member)
        if not conversation.members:
            del self._conversations[conversation.id]

    # Negotiations: there is nobody to negotiate with outside a conversation; inside, whoever cannot be is ignored

    def _offer_response(self, member: Member, message: Message, now: float) -> None:
        self._check_inside(member)
        self._negotiations.offered(member, message, now)

    def _answer_response(self, member: Member, message: Message, now: float) -> None:
        self._check_inside(member)
        self._negotiations.answered(member, message)

    def _candidate(self, member: Member, message: Message, now: float) -> None:
        self._check_inside(member)
        self._negotiations.candidate(member, message)

    @staticmethod
    def _check_inside(member: Member) -> None:
        if member.conversation is None:
            raise RefusedError(ErrorCode.INVALID_RECIPIENT)

    # Texts and custom signals

    def _text(self, member: Member, message: Message, now: float) -> None:
        recipient = self._by_id.get(message.to)
        conversation = member.conversation
        if conversation is None or (recipient is not None and recipient.conversation is not conversation):
            self.counts.errors["text_dropped"] += 1
            return
        content, custom = encode_escaped(message.content), encode_escaped(message.custom)
        if recipient is None and len(content) + len(custom) > self._config.max_shout_bytes:
            raise RefusedError(ErrorCode.UNKNOWN_ERROR, "text_too_long", "the text is too long to be sent to everybody")
        self.counts.messages += 1
        # Somebody who is not there is nobody, and who writes to nobody writes to all.
        for to in conversation.others(member) if recipient is None else (recipient,):
            self._post.tell(to, "text", sender=member, content=content, custom=custom)

    def _call(self, custom: CustomSignal, member: Member, message: Message) -> None:
        conversation = "" if member.conversation is None else member.conversation.id
        call = Call(member.id, message.to, conversation, message.content, message.custom)
        try:
            replies = [(each.audience, encode_escaped(each.content), encode_escaped(each.custom)) for each in custom(call)]
        except Exception:
            # Somebody else's code: whatever goes wrong in it must not be felt by others.
            log.exception("the custom signal %s failed", message.signal)
            raise RefusedError(ErrorCode.UNKNOWN_ERROR, "signal_failed", "the signal failed") from None
        self.counts.messages += 1
        for audience, content, custom_values in replies:
            for to, sender in self._audience(audience, member, message.to):
                self._post.tell(to, message.signal, sender=sender, content=content, custom=custom_values)

    @staticmethod
    def _audience(audience: Audience, caller: Member, to: str) -> list[tuple[Member, Member | None]]:
        """Who gets a reply, and from whom: what comes back to the caller is from the server."""
        if audience is Audience.CALLER:
            return [(caller, None)]
        if caller.conversation is None:
            return []
        if audience is Audience.OTHERS:
            return [(other, caller) for other in caller.conversation.others(caller)]
        recipient = caller.conversation.members.get(to)
        return [] if recipient is None else [(recipient, caller)]

    def _refuse(self, key: int, member_id: str, refusal: RefusedError) -> None:
        self.counts.errors[refusal.counted_as] += 1
        self._post.put(key, refusal.frame(member_id))

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
