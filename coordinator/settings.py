"""The coordinator's options: meaning, unit, default and why."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from coordinator.core import guests
from coordinator.core.backplane_url import MEMORY, check_backplane_url
from coordinator.core.config import CoordinatorConfig
from coordinator.core.ice import DEFAULT_LIFETIME_S, IceServers
from coordinator.core.origins import OriginPolicy
from coordinator.keys import MIN_TURN_SECRET_BYTES, resume_key, turn_secret
from protocol.ice import parse_ice_url
from protocol.limits import KIB
from service.keys import shared_secret
from service.settings import ServiceSettings, group

_LISTEN = group("Listening")
_SELECT = group("Selection")
_LIVENESS = group("Liveness")
_LIMITS = group("Limits")
_API = group("HTTP API")
_ICE = group("ICE servers")
_P2P = group("Peer-to-peer signalling")
_BACKPLANE = group("Several coordinators")


class CoordinatorSettings(ServiceSettings):
    """Options of ``rtcbroker coordinator``."""

    command: ClassVar[str] = "coordinator"

    host: str = Field(default="0.0.0.0", description="Address to listen on; '::' for IPv6 too.", json_schema_extra=_LISTEN)
    port: int = Field(
        default=9090, ge=0, le=65535, description="TCP port to listen on; 0 takes a free one.", json_schema_extra=_LISTEN
    )
    allowed_origins: list[str] = Field(
        default=[],
        description="Web pages that may connect from a browser, by their origin ('https://app.example.com'), beside the coordinator's "
        "own: those whose host and port are the ones in the request's Host header, which a proxy has to pass on. '*' lets in every page "
        "of every site. Who is not a browser sends no origin and is not affected.",
        json_schema_extra=_LISTEN,
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/?#]+$",
        description="How the coordinator is reached from outside (https://rtc.example.com), where a proxy stands before it. Without it "
        "addresses told to clients are made of the Host header and the scheme of their own request.",
        json_schema_extra=_LISTEN,
    )
    tls_cert: Path | None = Field(
        default=None,
        description="PEM file with the certificate and its chain, for https and wss; read again when it changes. "
        "'rtcbroker dev-cert' makes one to try things out.",
        json_schema_extra=_LISTEN,
    )
    tls_key: Path | None = Field(
        default=None, description="PEM file with the private key of --tls-cert.", json_schema_extra=_LISTEN
    )
    tls_listeners: list[Literal["main", "apprtc", "collider", "gstreamer"]] = Field(
        default=["main", "apprtc", "collider", "gstreamer"],
        description="Which ports speak TLS once there is a certificate; the others stay plain.",
        json_schema_extra=_LISTEN,
    )
    trusted_proxies: list[str] = Field(
        default=[],
        description="Addresses or networks (10.0.0.0/8) of proxies before the coordinator, whose X-Forwarded-For is believed when limits on "
        "an address are kept. Without it everyone behind a proxy counts as one.",
        json_schema_extra=_LISTEN,
    )
    selector: Literal["random", "two-choices"] = Field(
        default="random",
        description="How the server for a client is chosen: any one, or the less busy of two random ones.",
        json_schema_extra=_SELECT,
    )
    status_timeout: float = Field(
        default=20.0,
        gt=0,
        description="Seconds after its last status report at which a server gets no new clients; reports come every 5 seconds.",
        json_schema_extra=_SELECT,
    )
    resume_secret: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Secret of the proofs with which peers get their alias back. By default derived from the shared secret of the tokens, "
        "or else random, so that clients get a new alias after a restart (servers keep theirs). "
        "Several coordinators of one cluster need the same.",
        json_schema_extra=group("Authentication"),
    )
    backplane: SecretStr = Field(
        default=SecretStr(MEMORY),
        description="Where several coordinators of one cluster meet: redis://HOST:PORT, rediss://HOST:PORT (TLS) or unix:///PATH of a Redis "
        "or Valkey, with USER:PASSWORD@ before the host where it wants one. 'memory', the default, is for a coordinator alone.",
        json_schema_extra=_BACKPLANE,
    )
    backplane_password_file: Path | None = Field(
        default=None,
        description="File that holds the password of Redis, in place of one in the URL; white space around it is cut off.",
        json_schema_extra=_BACKPLANE,
    )
    backplane_ca_file: Path | None = Field(
        default=None,
        description="PEM file with the authorities that a Redis at rediss:// is trusted by, in place of the system's.",
        json_schema_extra=_BACKPLANE,
    )
    backplane_prefix: str = Field(
        default="rtcbroker",
        pattern=r"^[A-Za-z0-9_.:-]{1,64}$",
        description="What all keys on Redis begin with, by which several clusters on one Redis are told apart.",
        json_schema_extra=_BACKPLANE,
    )
    backplane_lease: float = Field(
        default=6.0,
        ge=1,
        le=60,
        description="Seconds without a sign of life after which the others take a coordinator for dead, and its aliases and servers for "
        "gone. The same for all coordinators.",
        json_schema_extra=_BACKPLANE,
    )
    ping_interval: float = Field(
        default=10.0, gt=0, description="Seconds of silence after which a socket is pinged.", json_schema_extra=_LIVENESS
    )
    ping_timeout: float = Field(
        default=5.0,
        gt=0,
        description="Seconds within which a pinged socket must give a sign of life.",
        json_schema_extra=_LIVENESS,
    )
    stop_timeout: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="Seconds that stopping may take, for peers to hear of it.",
        json_schema_extra=_LIVENESS,
    )
    max_clients: int = Field(
        default=20_000,
        ge=1,
        description="Clients connected at once; more are refused with HTTP 503. One costs about 20 KiB of memory and one file handle.",
        json_schema_extra=_LIMITS,
    )
    max_servers: int = Field(
        default=1_000, ge=1, description="Communication servers connected at once.", json_schema_extra=_LIMITS
    )
    outbox_frames: int = Field(
        default=4_096,
        ge=16,
        description="Frames that may wait for one peer before it is closed as too slow.",
        json_schema_extra=_LIMITS,
    )
    outbox_bytes: int = Field(
        default=1_024 * KIB,
        ge=128 * KIB,
        description="Bytes that may wait for one peer before it is closed as too slow.",
        json_schema_extra=_LIMITS,
    )
    client_frames_per_s: float = Field(
        default=20.0,
        gt=0,
        description="Signalling frames a client may send per second on average; a join takes 5 to 25.",
        json_schema_extra=_LIMITS,
    )
    client_frames_burst: int = Field(
        default=200, ge=30, description="How many of these may come at once.", json_schema_extra=_LIMITS
    )

    api_open: bool = Field(
        default=False,
        description="Answer the HTTP API without a token where the cluster runs with --auth none; whoever reaches the port may then publish, "
        "disconnect and drain. Without it the API is closed there.",
        json_schema_extra=_API,
    )
    api_requests_per_s: float = Field(
        default=100.0,
        gt=0,
        description="Requests to the HTTP API a second that one address may make on average.",
        json_schema_extra=_API,
    )
    api_requests_burst: int = Field(default=500, ge=10, description="How many of these may come at once.", json_schema_extra=_API)

    ice_servers: list[str] = Field(
        default=[],
        description="STUN and TURN servers that clients and comm servers are told to use: stun:stun.example.com, "
        "turn:turn.example.com?transport=udp, turns:turn.example.com (TLS), each with :PORT if it is not the usual one. Usually none is "
        "needed: comm servers have known addresses.",
        json_schema_extra=_ICE,
    )
    ice_username: str | None = Field(
        default=None,
        min_length=1,
        description="User name for the TURN servers, the same for everyone, with --ice-credential.",
        json_schema_extra=_ICE,
    )
    ice_credential: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="Password of --ice-username. Every client gets to know it.",
        json_schema_extra=_ICE,
    )
    ice_turn_secret: SecretStr | None = Field(
        default=None,
        min_length=MIN_TURN_SECRET_BYTES,
        description="Instead of these two: the secret shared with the TURN servers (coturn: use-auth-secret and static-auth-secret), of "
        "which each client gets credentials of its own that end by themselves. Prefer --ice-turn-secret-file or the environment.",
        json_schema_extra=_ICE,
    )
    ice_turn_secret_file: Path | None = Field(
        default=None, description="File that holds this secret; white space around it is cut off.", json_schema_extra=_ICE
    )
    ice_turn_lifetime: int = Field(
        default=DEFAULT_LIFETIME_S,
        ge=10,
        le=7 * 86_400,
        description="Seconds after which credentials made of the secret end. Peers of ours get new ones before that; a clock of the TURN "
        "server that is ahead of the coordinator's takes away from it.",
        json_schema_extra=_ICE,
    )

    p2p: list[Literal["apprtc", "nextrtc", "gstreamer"]] = Field(
        default=[],
        description="Peer-to-peer signalling protocols spoken beside our own, under /apprtc, /collider, /signaling and /gstreamer.",
        json_schema_extra=_P2P,
    )
    p2p_open: bool = Field(
        default=False,
        description="Let their clients in without a token, although the cluster wants one: these protocols have no place for it but the "
        "URL (access_token).",
        json_schema_extra=_P2P,
    )
    p2p_ports: bool = Field(
        default=False,
        description="Listen also where clients of these systems expect their server: see the three ports. Needs --p2p.",
        json_schema_extra=_P2P,
    )
    apprtc_port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        description="Port of AppRTC's room server and of NextRTC (/signaling), with --p2p-ports; 0 takes a free one.",
        json_schema_extra=_P2P,
    )
    collider_port: int = Field(
        default=8089, ge=0, le=65535, description="Port of AppRTC's Collider, with --p2p-ports.", json_schema_extra=_P2P
    )
    gstreamer_port: int = Field(
        default=8443,
        ge=0,
        le=65535,
        description="Port of GStreamer's signalling, with --p2p-ports; its clients expect TLS there (--tls-cert, --tls-key).",
        json_schema_extra=_P2P,
    )
    p2p_max_rooms: int = Field(
        default=10_000, ge=1, description="Rooms, conversations and sessions at once, of each protocol.", json_schema_extra=_P2P
    )
    p2p_max_members: int = Field(
        default=20_000, ge=2, description="Members of all of these together, of each protocol.", json_schema_extra=_P2P
    )
    p2p_max_room_members: int = Field(
        default=256, ge=2, description="Members of one NextRTC conversation or GStreamer room.", json_schema_extra=_P2P
    )
    p2p_max_message: int = Field(
        default=1_024 * KIB,
        ge=16 * KIB,
        description="Bytes of one message; a longer one ends its socket, or is answered with 413. On sockets of NextRTC and Collider, which "
        "is JSON, at most 128 KiB whatever is said here.",
        json_schema_extra=_P2P,
    )
    p2p_messages_per_s: float = Field(
        default=50.0,
        gt=0,
        description="Messages a second that one socket may send on average. Over it, it is read more slowly, and loses nothing.",
        json_schema_extra=_P2P,
    )
    p2p_messages_burst: int = Field(
        default=1_000,
        ge=30,
        description="How many of these may come at once: who joins a large conversation answers everyone in it.",
        json_schema_extra=_P2P,
    )
    p2p_requests_per_s: float = Field(
        default=guests.REQUESTS_PER_S,
        gt=0,
        description="Requests a second that one address may make on average, upgrades of sockets too; more are answered with 429.",
        json_schema_extra=_P2P,
    )
    p2p_requests_burst: int = Field(
        default=guests.REQUESTS_BURST,
        ge=guests.CALL_REQUESTS,
        description=f"How many of these may come at once. An AppRTC call takes up to {guests.CALL_REQUESTS}, of both sides together: the default is "
        "for as many calls as sockets are let in from one address, all at one time.",
        json_schema_extra=_P2P,
    )
    p2p_deliveries_per_s: float = Field(
        default=guests.DELIVERIES_PER_S,
        gt=0,
        description="Messages a second that may go out on average because of what one address says, by all its sockets and requests: one to "
        "200 members counts 200, 8 KiB of a message one, 40 µs of a processor one. Over it, what the address says is heard more slowly.",
        json_schema_extra=_P2P,
    )
    p2p_deliveries_burst: int = Field(
        default=int(guests.DELIVERIES_BURST),
        ge=1_000,
        description="How many of these may go out at once: the members of a NextRTC conversation that negotiate all with all at one time "
        "cause 5 for each pair and 4 for each candidate: 171,000 for 64 members that share an address, with 20 candidates on each side.",
        json_schema_extra=_P2P,
    )
    p2p_sockets_per_address: int = Field(
        default=256,
        ge=1,
        description="Sockets open at once from one address; as many requests of it that are not whole yet, and places in AppRTC's rooms. "
        "A company or a school may share one.",
        json_schema_extra=_P2P,
    )
    p2p_max_waiting: int = Field(
        default=256 * 1_024 * KIB,
        ge=8_192 * KIB,
        description="Bytes that may wait to be sent to peers that read slowly, and as many again of what was said and is kept: for who is to "
        "come, or because it is not whole yet.",
        json_schema_extra=_P2P,
    )
    p2p_max_waiting_per_address: int = Field(
        default=64 * 1_024 * KIB,
        ge=4_096 * KIB,
        description="The same for one address: of what is sent to it, and of what it has said; four of the longest messages at least. None takes "
        "more than it leaves for the others.",
        json_schema_extra=_P2P,
    )

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, origins: list[str]) -> list[str]:
        OriginPolicy(origins)
        return origins

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, networks: list[str]) -> list[str]:
        guests.parse_networks(networks)
        return networks

    @field_validator("backplane")
    @classmethod
    def _is_backplane(cls, url: SecretStr) -> SecretStr:
        check_backplane_url(url.get_secret_value())
        return url

    @field_validator("ice_servers")
    @classmethod
    def _are_ice_urls(cls, urls: list[str]) -> list[str]:
        return [parse_ice_url(url).text for url in urls]

    @field_validator("p2p_ports")
    @classmethod
    def _are_of_something(cls, is_on: bool, info: ValidationInfo) -> bool:
        if is_on and not info.data.get("p2p", ["of a wrong name, which is told anyway"]):
            raise ValueError("says where to listen for protocols, of which none is switched on (--p2p)")
        return is_on

    @field_validator("p2p_max_waiting_per_address")
    @classmethod
    def _holds_messages(cls, share: int, info: ValidationInfo) -> int:
        # Also one message takes more than its length: JSON escapes, quoted answers. The fields before are there unless they are wrong themselves.
        longest, whole = info.data.get("p2p_max_message", 0), info.data.get("p2p_max_waiting", 2 * share)
        if share < 4 * longest:
            raise ValueError(f"is less than four messages of {longest} bytes (--p2p-max-message)")
        if whole < 2 * share:
            raise ValueError(f"is more than half of {whole} bytes for all addresses (--p2p-max-waiting)")
        return share

    def core_config(self) -> CoordinatorConfig:
        """What the core needs of this. Raises :class:`protocol.errors.ConfigError` when a secret cannot be read."""
        shared = shared_secret(self) if self.resume_secret is None else None
        return CoordinatorConfig(
            resume_key=resume_key(self.resume_secret, shared),
            auth_required=self.auth == "token",
            ping_interval_s=self.ping_interval,
            ping_timeout_s=self.ping_timeout,
            status_timeout_s=self.status_timeout,
            outbox_frames=self.outbox_frames,
            outbox_bytes=self.outbox_bytes,
            max_clients=self.max_clients,
            max_servers=self.max_servers,
            client_frames_per_s=self.client_frames_per_s,
            client_frames_burst=self.client_frames_burst,
        )

    def ice(self) -> IceServers:
        """The STUN and TURN servers. Raises :class:`protocol.errors.ConfigError` for options that do not go together."""
        return IceServers(
            self.ice_servers,
            username=self.ice_username or "",
            credential="" if self.ice_credential is None else self.ice_credential.get_secret_value(),
            turn_secret=turn_secret(self.ice_turn_secret, self.ice_turn_secret_file),
            lifetime_s=self.ice_turn_lifetime,
        )
