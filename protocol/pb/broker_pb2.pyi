from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MessageType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNKNOWN_MESSAGE_TYPE: _ClassVar[MessageType]
    WELCOME: _ClassVar[MessageType]
    CONNECT: _ClassVar[MessageType]
    WEBRTC_OFFER: _ClassVar[MessageType]
    WEBRTC_ANSWER: _ClassVar[MessageType]
    WEBRTC_ICE_CANDIDATE: _ClassVar[MessageType]
    PING: _ClassVar[MessageType]
    SUBSCRIPTION: _ClassVar[MessageType]
    AUTH: _ClassVar[MessageType]
    TOPIC: _ClassVar[MessageType]
    TOPIC_FW: _ClassVar[MessageType]
    TOPIC_IDENTITY: _ClassVar[MessageType]
    TOPIC_IDENTITY_FW: _ClassVar[MessageType]
    CONNECTION_REFUSED: _ClassVar[MessageType]
    ERROR: _ClassVar[MessageType]
    READY: _ClassVar[MessageType]
    TOPIC_BATCH: _ClassVar[MessageType]
    SUBSCRIBED: _ClassVar[MessageType]
    SUBSCRIPTION_UPDATE: _ClassVar[MessageType]
    CLOSE: _ClassVar[MessageType]
    MOVE: _ClassVar[MessageType]
    SYNC: _ClassVar[MessageType]
    SYNCED: _ClassVar[MessageType]
    UPLINK: _ClassVar[MessageType]
    SERVER_STATUS: _ClassVar[MessageType]
    PEER_GONE: _ClassVar[MessageType]
    SERVER_REPORT: _ClassVar[MessageType]
    ICE_SERVERS: _ClassVar[MessageType]
    PUBLISH: _ClassVar[MessageType]
    REVOKE: _ClassVar[MessageType]
    DRAIN: _ClassVar[MessageType]

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNKNOWN_ROLE: _ClassVar[Role]
    CLIENT: _ClassVar[Role]
    COMMUNICATION_SERVER: _ClassVar[Role]
    COMMUNICATION_SERVER_HUB: _ClassVar[Role]

class Format(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNKNOWN_FORMAT: _ClassVar[Format]
    PLAIN: _ClassVar[Format]
    GZIP: _ClassVar[Format]

class ConnectionRefusedReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNKNOWN_REASON: _ClassVar[ConnectionRefusedReason]
    SERVER_FULL: _ClassVar[ConnectionRefusedReason]
    AUTH_FAILED: _ClassVar[ConnectionRefusedReason]

class Capability(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNKNOWN_CAPABILITY: _ClassVar[Capability]
    BATCH: _ClassVar[Capability]
    SUBSCRIBE_ACK: _ClassVar[Capability]
    ERRORS: _ClassVar[Capability]
    SUBSCRIPTION_UPDATES: _ClassVar[Capability]
    MOVES: _ClassVar[Capability]
    UPLINKS: _ClassVar[Capability]
UNKNOWN_MESSAGE_TYPE: MessageType
WELCOME: MessageType
CONNECT: MessageType
WEBRTC_OFFER: MessageType
WEBRTC_ANSWER: MessageType
WEBRTC_ICE_CANDIDATE: MessageType
PING: MessageType
SUBSCRIPTION: MessageType
AUTH: MessageType
TOPIC: MessageType
TOPIC_FW: MessageType
TOPIC_IDENTITY: MessageType
TOPIC_IDENTITY_FW: MessageType
CONNECTION_REFUSED: MessageType
ERROR: MessageType
READY: MessageType
TOPIC_BATCH: MessageType
SUBSCRIBED: MessageType
SUBSCRIPTION_UPDATE: MessageType
CLOSE: MessageType
MOVE: MessageType
SYNC: MessageType
SYNCED: MessageType
UPLINK: MessageType
SERVER_STATUS: MessageType
PEER_GONE: MessageType
SERVER_REPORT: MessageType
ICE_SERVERS: MessageType
PUBLISH: MessageType
REVOKE: MessageType
DRAIN: MessageType
UNKNOWN_ROLE: Role
CLIENT: Role
COMMUNICATION_SERVER: Role
COMMUNICATION_SERVER_HUB: Role
UNKNOWN_FORMAT: Format
PLAIN: Format
GZIP: Format
UNKNOWN_REASON: ConnectionRefusedReason
SERVER_FULL: ConnectionRefusedReason
AUTH_FAILED: ConnectionRefusedReason
UNKNOWN_CAPABILITY: Capability
BATCH: Capability
SUBSCRIBE_ACK: Capability
ERRORS: Capability
SUBSCRIPTION_UPDATES: Capability
MOVES: Capability
UPLINKS: Capability

class CoordinatorMessage(_message.Message):
    __slots__ = ("type",)
    TYPE_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ...) -> None: ...

class WelcomeMessage(_message.Message):
    __slots__ = ("type", "alias", "available_servers", "resume", "auth_required", "ice_servers", "ice_lifetime", "request_id", "hubs", "ending")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_SERVERS_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    AUTH_REQUIRED_FIELD_NUMBER: _ClassVar[int]
    ICE_SERVERS_FIELD_NUMBER: _ClassVar[int]
    ICE_LIFETIME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    HUBS_FIELD_NUMBER: _ClassVar[int]
    ENDING_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    alias: int
    available_servers: _containers.RepeatedScalarFieldContainer[int]
    resume: str
    auth_required: bool
    ice_servers: _containers.RepeatedCompositeFieldContainer[IceServer]
    ice_lifetime: int
    request_id: str
    hubs: bool
    ending: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., alias: _Optional[int] = ..., available_servers: _Optional[_Iterable[int]] = ..., resume: _Optional[str] = ..., auth_required: _Optional[bool] = ..., ice_servers: _Optional[_Iterable[_Union[IceServer, _Mapping]]] = ..., ice_lifetime: _Optional[int] = ..., request_id: _Optional[str] = ..., hubs: _Optional[bool] = ..., ending: _Optional[_Iterable[int]] = ...) -> None: ...

class IceServer(_message.Message):
    __slots__ = ("urls", "username", "credential")
    URLS_FIELD_NUMBER: _ClassVar[int]
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_FIELD_NUMBER: _ClassVar[int]
    urls: _containers.RepeatedScalarFieldContainer[str]
    username: str
    credential: str
    def __init__(self, urls: _Optional[_Iterable[str]] = ..., username: _Optional[str] = ..., credential: _Optional[str] = ...) -> None: ...

class IceServersMessage(_message.Message):
    __slots__ = ("type", "ice_servers", "ice_lifetime")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ICE_SERVERS_FIELD_NUMBER: _ClassVar[int]
    ICE_LIFETIME_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    ice_servers: _containers.RepeatedCompositeFieldContainer[IceServer]
    ice_lifetime: int
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., ice_servers: _Optional[_Iterable[_Union[IceServer, _Mapping]]] = ..., ice_lifetime: _Optional[int] = ...) -> None: ...

class ConnectMessage(_message.Message):
    __slots__ = ("type", "from_alias", "to_alias", "from_role", "request_id")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    FROM_ALIAS_FIELD_NUMBER: _ClassVar[int]
    TO_ALIAS_FIELD_NUMBER: _ClassVar[int]
    FROM_ROLE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    from_alias: int
    to_alias: int
    from_role: Role
    request_id: str
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., from_alias: _Optional[int] = ..., to_alias: _Optional[int] = ..., from_role: _Optional[_Union[Role, str]] = ..., request_id: _Optional[str] = ...) -> None: ...

class WebRtcMessage(_message.Message):
    __slots__ = ("type", "from_alias", "to_alias", "data")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    FROM_ALIAS_FIELD_NUMBER: _ClassVar[int]
    TO_ALIAS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    from_alias: int
    to_alias: int
    data: bytes
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., from_alias: _Optional[int] = ..., to_alias: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class ConnectionRefusedMessage(_message.Message):
    __slots__ = ("type", "from_alias", "to_alias", "reason", "data", "code")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    FROM_ALIAS_FIELD_NUMBER: _ClassVar[int]
    TO_ALIAS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    from_alias: int
    to_alias: int
    reason: ConnectionRefusedReason
    data: bytes
    code: int
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., from_alias: _Optional[int] = ..., to_alias: _Optional[int] = ..., reason: _Optional[_Union[ConnectionRefusedReason, str]] = ..., data: _Optional[bytes] = ..., code: _Optional[int] = ...) -> None: ...

class ServerStatusMessage(_message.Message):
    __slots__ = ("type", "clients", "max_clients", "draining", "cpu", "linking")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    CLIENTS_FIELD_NUMBER: _ClassVar[int]
    MAX_CLIENTS_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    CPU_FIELD_NUMBER: _ClassVar[int]
    LINKING_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    clients: int
    max_clients: int
    draining: bool
    cpu: float
    linking: bool
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., clients: _Optional[int] = ..., max_clients: _Optional[int] = ..., draining: _Optional[bool] = ..., cpu: _Optional[float] = ..., linking: _Optional[bool] = ...) -> None: ...

class ServerReportMessage(_message.Message):
    __slots__ = ("type", "version", "uptime", "clients", "topics", "subscriptions", "packets_in", "packets_out", "bytes_in", "bytes_out", "records_relayed", "deliveries", "drops", "latency_p50", "latency_p99", "cpu", "memory", "links", "busiest", "events", "events_lost")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    UPTIME_FIELD_NUMBER: _ClassVar[int]
    CLIENTS_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    PACKETS_IN_FIELD_NUMBER: _ClassVar[int]
    PACKETS_OUT_FIELD_NUMBER: _ClassVar[int]
    BYTES_IN_FIELD_NUMBER: _ClassVar[int]
    BYTES_OUT_FIELD_NUMBER: _ClassVar[int]
    RECORDS_RELAYED_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    DROPS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_P50_FIELD_NUMBER: _ClassVar[int]
    LATENCY_P99_FIELD_NUMBER: _ClassVar[int]
    CPU_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    BUSIEST_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_LOST_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    version: str
    uptime: float
    clients: int
    topics: int
    subscriptions: int
    packets_in: int
    packets_out: int
    bytes_in: int
    bytes_out: int
    records_relayed: int
    deliveries: int
    drops: _containers.RepeatedCompositeFieldContainer[ReasonCount]
    latency_p50: float
    latency_p99: float
    cpu: float
    memory: int
    links: _containers.RepeatedCompositeFieldContainer[LinkTraffic]
    busiest: _containers.RepeatedCompositeFieldContainer[TopicTraffic]
    events: _containers.RepeatedCompositeFieldContainer[PeerEvent]
    events_lost: int
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., version: _Optional[str] = ..., uptime: _Optional[float] = ..., clients: _Optional[int] = ..., topics: _Optional[int] = ..., subscriptions: _Optional[int] = ..., packets_in: _Optional[int] = ..., packets_out: _Optional[int] = ..., bytes_in: _Optional[int] = ..., bytes_out: _Optional[int] = ..., records_relayed: _Optional[int] = ..., deliveries: _Optional[int] = ..., drops: _Optional[_Iterable[_Union[ReasonCount, _Mapping]]] = ..., latency_p50: _Optional[float] = ..., latency_p99: _Optional[float] = ..., cpu: _Optional[float] = ..., memory: _Optional[int] = ..., links: _Optional[_Iterable[_Union[LinkTraffic, _Mapping]]] = ..., busiest: _Optional[_Iterable[_Union[TopicTraffic, _Mapping]]] = ..., events: _Optional[_Iterable[_Union[PeerEvent, _Mapping]]] = ..., events_lost: _Optional[int] = ...) -> None: ...

class ReasonCount(_message.Message):
    __slots__ = ("reason", "count")
    REASON_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    reason: str
    count: int
    def __init__(self, reason: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class LinkTraffic(_message.Message):
    __slots__ = ("alias", "bytes_in", "bytes_out", "packets_in", "packets_out")
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    BYTES_IN_FIELD_NUMBER: _ClassVar[int]
    BYTES_OUT_FIELD_NUMBER: _ClassVar[int]
    PACKETS_IN_FIELD_NUMBER: _ClassVar[int]
    PACKETS_OUT_FIELD_NUMBER: _ClassVar[int]
    alias: int
    bytes_in: int
    bytes_out: int
    packets_in: int
    packets_out: int
    def __init__(self, alias: _Optional[int] = ..., bytes_in: _Optional[int] = ..., bytes_out: _Optional[int] = ..., packets_in: _Optional[int] = ..., packets_out: _Optional[int] = ...) -> None: ...

class TopicTraffic(_message.Message):
    __slots__ = ("topic", "subscribers", "records_per_second", "deliveries_per_second")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBERS_FIELD_NUMBER: _ClassVar[int]
    RECORDS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    topic: str
    subscribers: int
    records_per_second: float
    deliveries_per_second: float
    def __init__(self, topic: _Optional[str] = ..., subscribers: _Optional[int] = ..., records_per_second: _Optional[float] = ..., deliveries_per_second: _Optional[float] = ...) -> None: ...

class PeerEvent(_message.Message):
    __slots__ = ("kind", "alias", "code", "role")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNKNOWN_KIND: _ClassVar[PeerEvent.Kind]
        JOINED: _ClassVar[PeerEvent.Kind]
        LEFT: _ClassVar[PeerEvent.Kind]
        REFUSED: _ClassVar[PeerEvent.Kind]
    UNKNOWN_KIND: PeerEvent.Kind
    JOINED: PeerEvent.Kind
    LEFT: PeerEvent.Kind
    REFUSED: PeerEvent.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    kind: PeerEvent.Kind
    alias: int
    code: int
    role: Role
    def __init__(self, kind: _Optional[_Union[PeerEvent.Kind, str]] = ..., alias: _Optional[int] = ..., code: _Optional[int] = ..., role: _Optional[_Union[Role, str]] = ...) -> None: ...

class PeerGoneMessage(_message.Message):
    __slots__ = ("type", "alias")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    alias: int
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., alias: _Optional[int] = ...) -> None: ...

class PublishMessage(_message.Message):
    __slots__ = ("type", "topic", "body", "reliable", "identity", "role")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    RELIABLE_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    topic: str
    body: bytes
    reliable: bool
    identity: bytes
    role: Role
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., topic: _Optional[str] = ..., body: _Optional[bytes] = ..., reliable: _Optional[bool] = ..., identity: _Optional[bytes] = ..., role: _Optional[_Union[Role, str]] = ...) -> None: ...

class RevokeMessage(_message.Message):
    __slots__ = ("type", "subject", "jti", "alias", "until", "lifted")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    JTI_FIELD_NUMBER: _ClassVar[int]
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    LIFTED_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    subject: str
    jti: str
    alias: int
    until: float
    lifted: bool
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., subject: _Optional[str] = ..., jti: _Optional[str] = ..., alias: _Optional[int] = ..., until: _Optional[float] = ..., lifted: _Optional[bool] = ...) -> None: ...

class DrainMessage(_message.Message):
    __slots__ = ("type", "seconds")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    seconds: float
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., seconds: _Optional[float] = ...) -> None: ...

class MessageHeader(_message.Message):
    __slots__ = ("type",)
    TYPE_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ...) -> None: ...

class PingMessage(_message.Message):
    __slots__ = ("type", "time")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    time: float
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., time: _Optional[float] = ...) -> None: ...

class SubscriptionMessage(_message.Message):
    __slots__ = ("type", "format", "topics", "version")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    format: Format
    topics: bytes
    version: int
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., format: _Optional[_Union[Format, str]] = ..., topics: _Optional[bytes] = ..., version: _Optional[int] = ...) -> None: ...

class AuthMessage(_message.Message):
    __slots__ = ("type", "role", "body", "capabilities")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    role: Role
    body: bytes
    capabilities: _containers.RepeatedScalarFieldContainer[Capability]
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., role: _Optional[_Union[Role, str]] = ..., body: _Optional[bytes] = ..., capabilities: _Optional[_Iterable[_Union[Capability, str]]] = ...) -> None: ...

class TopicMessage(_message.Message):
    __slots__ = ("type", "from_alias", "topic", "body")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    FROM_ALIAS_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    from_alias: int
    topic: str
    body: bytes
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., from_alias: _Optional[int] = ..., topic: _Optional[str] = ..., body: _Optional[bytes] = ...) -> None: ...

class TopicFWMessage(_message.Message):
    __slots__ = ("type", "from_alias", "body")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    FROM_ALIAS_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    from_alias: int
    body: bytes
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., from_alias: _Optional[int] = ..., body: _Optional[bytes] = ...) -> None: ...

class TopicIdentityMessage(_message.Message):
    __slots__ = ("type", "from_alias", "topic", "identity", "role", "body")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    FROM_ALIAS_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    from_alias: int
    topic: str
    identity: bytes
    role: Role
    body: bytes
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., from_alias: _Optional[int] = ..., topic: _Optional[str] = ..., identity: _Optional[bytes] = ..., role: _Optional[_Union[Role, str]] = ..., body: _Optional[bytes] = ...) -> None: ...

class TopicIdentityFWMessage(_message.Message):
    __slots__ = ("type", "from_alias", "identity", "role", "body")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    FROM_ALIAS_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    from_alias: int
    identity: bytes
    role: Role
    body: bytes
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., from_alias: _Optional[int] = ..., identity: _Optional[bytes] = ..., role: _Optional[_Union[Role, str]] = ..., body: _Optional[bytes] = ...) -> None: ...

class ErrorMessage(_message.Message):
    __slots__ = ("type", "code", "reason", "topic")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    code: int
    reason: str
    topic: str
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., code: _Optional[int] = ..., reason: _Optional[str] = ..., topic: _Optional[str] = ...) -> None: ...

class CloseMessage(_message.Message):
    __slots__ = ("type", "code", "reason")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    code: int
    reason: str
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., code: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class MoveMessage(_message.Message):
    __slots__ = ("type", "code", "reason", "seconds", "servers")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    SERVERS_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    code: int
    reason: str
    seconds: float
    servers: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., code: _Optional[int] = ..., reason: _Optional[str] = ..., seconds: _Optional[float] = ..., servers: _Optional[_Iterable[int]] = ...) -> None: ...

class SyncMessage(_message.Message):
    __slots__ = ("type", "number")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    number: int
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., number: _Optional[int] = ...) -> None: ...

class UplinkMessage(_message.Message):
    __slots__ = ("type", "hub", "passes_on")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    HUB_FIELD_NUMBER: _ClassVar[int]
    PASSES_ON_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    hub: int
    passes_on: bool
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., hub: _Optional[int] = ..., passes_on: _Optional[bool] = ...) -> None: ...

class ReadyMessage(_message.Message):
    __slots__ = ("type", "alias", "capabilities", "limits")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    alias: int
    capabilities: _containers.RepeatedScalarFieldContainer[Capability]
    limits: Limits
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., alias: _Optional[int] = ..., capabilities: _Optional[_Iterable[_Union[Capability, str]]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("max_message_bytes", "max_topic_bytes", "max_topics", "packets_per_second", "packets_burst")
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_TOPIC_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_TOPICS_FIELD_NUMBER: _ClassVar[int]
    PACKETS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    PACKETS_BURST_FIELD_NUMBER: _ClassVar[int]
    max_message_bytes: int
    max_topic_bytes: int
    max_topics: int
    packets_per_second: float
    packets_burst: int
    def __init__(self, max_message_bytes: _Optional[int] = ..., max_topic_bytes: _Optional[int] = ..., max_topics: _Optional[int] = ..., packets_per_second: _Optional[float] = ..., packets_burst: _Optional[int] = ...) -> None: ...

class TopicBatchMessage(_message.Message):
    __slots__ = ("type", "groups")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    groups: _containers.RepeatedCompositeFieldContainer[TopicGroup]
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., groups: _Optional[_Iterable[_Union[TopicGroup, _Mapping]]] = ...) -> None: ...

class TopicBatchFrames(_message.Message):
    __slots__ = ("type", "groups")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    groups: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., groups: _Optional[_Iterable[bytes]] = ...) -> None: ...

class TopicGroup(_message.Message):
    __slots__ = ("topic", "from_alias", "body", "identity", "senders", "origin", "serial")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    FROM_ALIAS_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    SENDERS_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    topic: str
    from_alias: _containers.RepeatedScalarFieldContainer[int]
    body: _containers.RepeatedScalarFieldContainer[bytes]
    identity: bool
    senders: _containers.RepeatedCompositeFieldContainer[Sender]
    origin: int
    serial: int
    def __init__(self, topic: _Optional[str] = ..., from_alias: _Optional[_Iterable[int]] = ..., body: _Optional[_Iterable[bytes]] = ..., identity: _Optional[bool] = ..., senders: _Optional[_Iterable[_Union[Sender, _Mapping]]] = ..., origin: _Optional[int] = ..., serial: _Optional[int] = ...) -> None: ...

class Sender(_message.Message):
    __slots__ = ("alias", "identity", "role")
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    alias: int
    identity: bytes
    role: Role
    def __init__(self, alias: _Optional[int] = ..., identity: _Optional[bytes] = ..., role: _Optional[_Union[Role, str]] = ...) -> None: ...

class SubscribedMessage(_message.Message):
    __slots__ = ("type", "version", "refused", "refused_more")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_MORE_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    version: int
    refused: _containers.RepeatedCompositeFieldContainer[RefusedTopic]
    refused_more: int
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., version: _Optional[int] = ..., refused: _Optional[_Iterable[_Union[RefusedTopic, _Mapping]]] = ..., refused_more: _Optional[int] = ...) -> None: ...

class RefusedTopic(_message.Message):
    __slots__ = ("topic", "code")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    topic: str
    code: int
    def __init__(self, topic: _Optional[str] = ..., code: _Optional[int] = ...) -> None: ...

class SubscriptionUpdateMessage(_message.Message):
    __slots__ = ("type", "version", "added", "removed")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ADDED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    type: MessageType
    version: int
    added: _containers.RepeatedScalarFieldContainer[str]
    removed: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., version: _Optional[int] = ..., added: _Optional[_Iterable[str]] = ..., removed: _Optional[_Iterable[str]] = ...) -> None: ...
