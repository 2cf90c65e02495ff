"""The numbers everything is bounded by, each with its unit and its reason."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024

MAX_ALIAS = 2**42 - 1
"""Aliases are random in 1..MAX_ALIAS: six bytes as a varint, and exact in JavaScript (below 2^53)."""

MAX_SIGNAL_BYTES = 64 * KIB
"""One signalling frame. A Chromium answer with many interfaces is about 4 KiB; the rest is room."""

OLD_PEER_SIGNAL_BYTES = 5_000
"""webrtc-broker programs drop their socket on a longer signalling frame: what we send them stays under it."""

OLD_CLIENT_MESSAGE_BYTES = 1_024
"""webrtc-broker's client reads data channels into a buffer of this size and stops reading at a longer message."""

OLD_SERVER_MESSAGE_BYTES = 5_120
"""The same of webrtc-broker's server."""

MAX_BATCH_RECORDS = 256
"""Packets in one TOPIC_BATCH of a client: what one message may make a server do is bounded, whoever its receivers are."""

MAX_MESSAGE_BYTES = 64 * KIB
"""One data channel message we accept, and announce as a=max-message-size (RFC 8841 section 6)."""

RELAY_ROOM_BYTES = KIB // 2
"""What a server may add to a packet when it passes it on: alias, verified identity and role of the sender, tags and lengths."""

MAX_CLIENT_MESSAGE_BYTES = MAX_MESSAGE_BYTES - RELAY_ROOM_BYTES
"""One message of a client: whatever is in it can still be passed on to everyone."""

MAX_TOPIC_BYTES = 256
"""One topic, as UTF-8. Long enough for a path of names, short enough to stand in every packet."""

MAX_TOPICS = 10_000
"""Topics in one peer's subscription set."""

MAX_SUBSCRIPTION_BYTES = 1024 * KIB
"""A subscription set once unzipped. gunzip stops here, so that a small bomb stays small."""

MAX_GZIP_MEMBERS = 64
"""gzip members (RFC 1952 section 2.2) of one set. A set is written as one; thousands of empty ones would only cost time."""

MAX_SERVER_TOPICS = 1_000_000
"""Topics a linked server may be interested in: the union of all its clients'."""

MAX_CANDIDATES = 64
"""ICE candidates of one peer in one negotiation; a laptop with VPNs sends about 20."""

MAX_ICE_URLS = 16
"""URLs of STUN and TURN servers that one peer is given: WELCOME stays small with them, and agents slow down beyond four or five."""

MAX_ICE_TEXT_BYTES = 512
"""A URL, user name or credential of an ICE server; STUN takes no longer user name (RFC 8489 section 14.3: 508)."""

MAX_TOKEN_BYTES = 7 * KIB
"""A JWT. Fits a request line of aiohttp (8,190 bytes) together with its path and the other parameters."""

MAX_REASON_BYTES = 512
"""The sentence in ERROR and CLOSE. It may quote what the peer sent, so it is cut."""

MAX_REFUSED_BYTES = 16 * KIB
"""The refused topics listed in one SUBSCRIBED: room for a page of them, and the answer still fits a message whatever was asked."""

MAX_ERRORS = 100
"""Refused messages before a peer is closed with TOO_MANY_ERRORS; forgiven at `ERRORS_FORGIVEN_PER_S`."""

ERRORS_FORGIVEN_PER_S = 5.0

MAX_REPORT_LINKS = 512
"""Links in one SERVER_REPORT, the busiest where there are more: 64 bytes each at most, half of a signalling frame together."""

MAX_REPORT_TOPICS = 10
"""Busiest topics in one SERVER_REPORT: a page of them."""

MAX_REPORT_EVENTS = 50
"""Joins, leaves and refusals in one SERVER_REPORT; more in a second nobody reads, and they are counted."""

MAX_REPORT_DROPS = 32
"""Reasons of drops in one SERVER_REPORT; there are about a dozen."""

MAX_REPORT_TEXT_BYTES = 64
"""A reason or a version in SERVER_REPORT."""

MAX_PUBLISH_BYTES = 63 * KIB
"""The body of one PUBLISH: with topic and identity it fits a signalling frame, and afterwards a client's message."""

MAX_JTI_BYTES = 256
"""The id of a token that is revoked; tokens with a longer one can be revoked by their subject."""

MAX_DRAIN_S = 86_400
"""The seconds of DRAIN and MOVE: a day."""

MAX_REQUEST_ID_BYTES = 64
"""The name of one join in logs: a UUID has 36 characters, a trace id 32."""

UNRELIABLE_BATCH_BYTES = 1_150
"""A batch on the unreliable channel stays one SCTP chunk (aiortc: 1,160 bytes of user data), so that one lost datagram costs one batch."""

RELIABLE_BATCH_BYTES = 16 * KIB
"""A batch on the reliable channel may be larger: nothing of it is lost, and fewer messages cost less. Every client takes it."""


@dataclass(frozen=True, slots=True)
class PeerLimits:
    """What one peer may do on one link; 0 means no limit. Told to the peer in READY."""

    max_message_bytes: int = MAX_CLIENT_MESSAGE_BYTES
    max_topic_bytes: int = MAX_TOPIC_BYTES
    max_topics: int = MAX_TOPICS
    packets_per_second: float = 0.0
    """Topic packets a client may publish, per second and over both channels."""
    packets_burst: int = 0
    """How many packets above that rate may come at once."""
