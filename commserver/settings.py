"""The options of a comm server: each with its meaning, unit and the reason of its default."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from commserver.core.config import BrokerConfig
from commserver.core.flow import RELIABLE_FLOW, UNRELIABLE_FLOW, FlowLimits, Policy
from protocol.errors import ConfigError, TopicError
from protocol.ice import IceTransportPolicy
from protocol.limits import MAX_CLIENT_MESSAGE_BYTES, MAX_DRAIN_S, MAX_TOPICS, PeerLimits
from protocol.tokens import TokenRole
from protocol.topics import PatternSet
from service.settings import ServiceSettings, group
from transport.announce import read_words
from transport.announcer import check_stun_urls

_CLUSTER = group("Cluster")
_NETWORK = group("Network")
_LIMITS = group("Limits")
_FLOW = group("Flow control")

MAX_PORT = 65_535

PolicyName = Literal["buffered", "discard", "drop-oldest", "latest", "unbounded"]


class CommServerSettings(ServiceSettings):
    """Moves packets between the clients and servers that are linked with it."""

    command: ClassVar[str] = "commserver"

    coordinator: str = Field(
        default="ws://127.0.0.1:9090",
        pattern=r"^(ws|wss|http|https)://",
        description="URL of the coordinator.",
        json_schema_extra=_CLUSTER,
    )
    ca_file: Path | None = Field(
        default=None,
        description="PEM file with the authorities, or the self-signed certificate, that a coordinator at wss:// is trusted by, in place of "
        "the system's; read again for each new connection.",
        json_schema_extra=_CLUSTER,
    )
    hub: bool = Field(
        default=False,
        description="Be the centre of a star: other servers link to hubs only, and a hub passes packets on between them.",
        json_schema_extra=_CLUSTER,
    )
    token: SecretStr | None = Field(
        default=None,
        description="Our own token, with role COMMUNICATION_SERVER (or .._HUB). Not needed with a shared secret: then we sign one.",
        json_schema_extra=_CLUSTER,
    )
    token_file: Path | None = Field(
        default=None, description="File with our own token; read again when it changes.", json_schema_extra=_CLUSTER
    )
    host: str = Field(
        default="127.0.0.1",
        description="Address of the health and metrics pages. Local by default: they are for the operator.",
        json_schema_extra=_NETWORK,
    )
    port: int = Field(
        default=9091, ge=0, le=MAX_PORT, description="TCP port of those pages; 0 takes a free one.", json_schema_extra=_NETWORK
    )
    bind: list[str] = Field(
        default_factory=lambda: ["0.0.0.0", "::"],
        min_length=1,
        description="Address the UDP port for all peers is bound on; may be given several times. By default any address, of IPv4 and, where "
        "the machine has it, of IPv6.",
        json_schema_extra=_NETWORK,
    )
    udp_port: int = Field(
        default=0,
        ge=0,
        le=MAX_PORT,
        description="UDP port for all peers; 0 takes a free one. Fix it where a firewall must let it through.",
        json_schema_extra=_NETWORK,
    )
    announce: list[str] = Field(
        default_factory=list,
        description="Where peers are told to reach us, the most wanted first; may be given several times. An IP address or a host name "
        "(behind NAT: the public one), with :PORT behind it where the NAT has another one; 'auto' for what STUN servers see; 'local' for the "
        "addresses bound, or this machine's own where that is any. Default: local.",
        json_schema_extra=_NETWORK,
    )
    stun: list[str] = Field(
        default_factory=list,
        description="URL of a STUN server (stun:HOST:PORT) that --announce auto asks; may be given several times, two are asked. "
        "Default: the coordinator's --ice-servers.",
        json_schema_extra=_NETWORK,
    )
    ice_transport_policy: IceTransportPolicy = Field(
        default="all",
        description="How this server reaches other servers that it dials: 'relay' by the coordinator's TURN servers and no other way.",
        json_schema_extra=_NETWORK,
    )
    fast_path: bool = Field(
        default=True,
        description="Drive DTLS and SCTP synchronously, packet by packet; false leaves them to aiortc's queues and tasks, "
        "for comparison, or should the fast path ever be in doubt.",
        json_schema_extra=_NETWORK,
    )
    peer_timeout: float = Field(
        default=30.0,
        gt=0,
        description="Seconds without any valid packet after which a peer is closed. ICE consent comes every 5 s; "
        "RFC 7675 gives it 30 s.",
        json_schema_extra=_LIMITS,
    )
    setup_timeout: float = Field(
        default=15.0, gt=0, description="Seconds from CONNECT to open channels.", json_schema_extra=_LIMITS
    )
    auth_timeout: float = Field(
        default=10.0, gt=0, description="Seconds from open channels to an accepted AUTH.", json_schema_extra=_LIMITS
    )
    max_peers: int = Field(
        default=2_000,
        ge=0,
        description="Clients at once; beyond it a client is refused and tries the next server. 0: no limit.",
        json_schema_extra=_LIMITS,
    )
    max_topics: int = Field(
        default=MAX_TOPICS, ge=1, description="Topics one client may subscribe to.", json_schema_extra=_LIMITS
    )
    max_message: int = Field(
        default=MAX_CLIENT_MESSAGE_BYTES,
        ge=1_200,
        le=MAX_CLIENT_MESSAGE_BYTES,
        description="Bytes of one message of a client. At most so many that the packets in it, with their sender's alias and identity, fit "
        "into the 64 KiB that every receiver takes.",
        json_schema_extra=_LIMITS,
    )
    packets_per_second: float = Field(
        default=0.0, ge=0, description="Topic packets one client may publish each second; 0: no limit.", json_schema_extra=_LIMITS
    )
    packets_burst: int = Field(
        default=100, ge=1, description="Packets above that rate that may come at once.", json_schema_extra=_LIMITS
    )
    reliable_policy: PolicyName = Field(
        default="buffered",
        description="What to do when a peer reads the reliable channel too slowly: buffered closes it past the mark; "
        "discard, drop-oldest and latest drop packets; unbounded is for tests.",
        json_schema_extra=_FLOW,
    )
    reliable_queue: int = Field(
        default=RELIABLE_FLOW.queue_bytes,
        ge=1,
        description="Bytes that may wait for one peer's reliable channel.",
        json_schema_extra=_FLOW,
    )
    unreliable_policy: PolicyName = Field(
        default="drop-oldest", description="The same for the unreliable channel.", json_schema_extra=_FLOW
    )
    unreliable_queue: int = Field(
        default=UNRELIABLE_FLOW.queue_bytes,
        ge=1,
        description="Bytes that may wait for one peer's unreliable channel.",
        json_schema_extra=_FLOW,
    )
    coalesce_window: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="Seconds in which packets of a busy topic are collected to leave together; a topic that was quiet for so long "
        "never waits. What makes a crowd cheap: 20 ms is a frame or two of a game. 0: every packet at once.",
        json_schema_extra=_FLOW,
    )
    latest: list[str] = Field(
        default_factory=list,
        description="Pattern of topics of which only each sender's newest packet of a window is sent on the unreliable channel, as "
        "for positions; may be given several times.",
        json_schema_extra=_FLOW,
    )
    max_staleness: float = Field(
        default=0.25,
        ge=0,
        description="Seconds after which what waits for a slow peer's unreliable channel is dropped, never sent late. 0: no limit.",
        json_schema_extra=_FLOW,
    )
    processes: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Comm servers in as many processes, under a supervisor that restarts what ends: as many as the machine has cores to "
        "spare. Ports that are given are those of the first; the others count up from there.",
        json_schema_extra=group("Process"),
    )
    drain_seconds: float = Field(
        default=20.0,
        ge=0,
        le=MAX_DRAIN_S,
        description="Seconds over which the clients of a stopping server are told to move to another one, one after the other; those still "
        "here five seconds later are sent away. It ends as soon as all have gone. With the default it fits into the 30 seconds that "
        "Kubernetes gives. 0: all at once.",
        json_schema_extra=group("Process"),
    )

    @field_validator("announce", "stun")
    @classmethod
    def _are_addresses(cls, texts: list[str], info: ValidationInfo) -> list[str]:
        try:
            read_words(texts) if info.field_name == "announce" else check_stun_urls(texts)
        except ConfigError as error:
            raise ValueError(str(error).partition(": ")[2]) from error
        return texts

    @field_validator("latest")
    @classmethod
    def _are_patterns(cls, patterns: list[str]) -> list[str]:
        try:
            PatternSet(patterns)
        except TopicError as error:
            raise ValueError(error.detail) from error
        return patterns

    @field_validator("processes")
    @classmethod
    def _have_ports(cls, processes: int, info: ValidationInfo) -> int:
        for name in ("port", "udp_port"):
            first = info.data.get(name, 0)  # not there if it is wrong itself, which is told then
            if first and first + processes - 1 > MAX_PORT:
                flag = f"--{name.replace('_', '-')}"
                raise ValueError(
                    f"from {flag} {first} on, the last one would get port {first + processes - 1}; ports end at {MAX_PORT}"
                )
        for word in read_words(info.data.get("announce", ())):
            if word.port is not None and word.port + processes - 1 > MAX_PORT:
                raise ValueError(f"from --announce {word.text} on, ports are counted up; they end at {MAX_PORT}")
        return processes

    @property
    def role(self) -> TokenRole:
        """What we are to the coordinator and to other servers."""
        return TokenRole.COMMUNICATION_SERVER_HUB if self.hub else TokenRole.COMMUNICATION_SERVER

    def broker_config(self) -> BrokerConfig:
        """What the core wants to know of all this."""
        return BrokerConfig(
            role=self.role,
            auth_required=self.auth != "none",
            max_peers=self.max_peers,
            setup_timeout=self.setup_timeout,
            auth_timeout=self.auth_timeout,
            reliable=FlowLimits(Policy(self.reliable_policy), self.reliable_queue, RELIABLE_FLOW.high_bytes),
            unreliable=FlowLimits(Policy(self.unreliable_policy), self.unreliable_queue, UNRELIABLE_FLOW.high_bytes),
            drain_seconds=self.drain_seconds,
            coalesce_window=self.coalesce_window,
            latest=PatternSet(self.latest),
            max_staleness=self.max_staleness,
            limits=PeerLimits(
                max_message_bytes=self.max_message,
                max_topics=self.max_topics,
                packets_per_second=self.packets_per_second,
                packets_burst=self.packets_burst,
            ),
        )
