"""Signalling frames: encode, decode, and the JSON inside offers, answers and candidates. Pure and symmetrical."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from google.protobuf.message import DecodeError as ProtobufDecodeError
from google.protobuf.message import Message

from protocol.codes import Code, Retry
from protocol.errors import CandidateError, DecodeError, MessageTooLarge, SdpError
from protocol.ice import NO_ICE, IceGrant, IceServer, parse_ice_url
from protocol.limits import (
    MAX_ICE_TEXT_BYTES,
    MAX_ICE_URLS,
    MAX_REPORT_DROPS,
    MAX_REPORT_EVENTS,
    MAX_REPORT_LINKS,
    MAX_REPORT_TEXT_BYTES,
    MAX_REPORT_TOPICS,
    MAX_SIGNAL_BYTES,
    MAX_TOPIC_BYTES,
)
from protocol.pb import broker_pb2 as pb
from protocol.text import is_request_id, is_unicode

MAX_CANDIDATE_CHARS = 2_048
"""Each text of a candidate. Real ones have about 150 characters; RFC 8839 section 5.4 allows a user name fragment 256."""

_MAX_M_LINE_INDEX = 0xFFFF  # an unsigned short in RTCIceCandidateInit

Signal = (
    pb.WelcomeMessage
    | pb.ConnectMessage
    | pb.WebRtcMessage
    | pb.ConnectionRefusedMessage
    | pb.ServerStatusMessage
    | pb.PeerGoneMessage
    | pb.ServerReportMessage
    | pb.IceServersMessage
    | pb.PublishMessage
    | pb.RevokeMessage
    | pb.DrainMessage
)

_CLASSES: dict[int, type[Message]] = {
    pb.WELCOME: pb.WelcomeMessage,
    pb.CONNECT: pb.ConnectMessage,
    pb.WEBRTC_OFFER: pb.WebRtcMessage,
    pb.WEBRTC_ANSWER: pb.WebRtcMessage,
    pb.WEBRTC_ICE_CANDIDATE: pb.WebRtcMessage,
    pb.CONNECTION_REFUSED: pb.ConnectionRefusedMessage,
    pb.SERVER_STATUS: pb.ServerStatusMessage,
    pb.PEER_GONE: pb.PeerGoneMessage,
    pb.SERVER_REPORT: pb.ServerReportMessage,
    pb.ICE_SERVERS: pb.IceServersMessage,
    pb.PUBLISH: pb.PublishMessage,
    pb.REVOKE: pb.RevokeMessage,
    pb.DRAIN: pb.DrainMessage,
}

M = TypeVar("M", bound=Message)


def parse(message_class: type[M], data: bytes) -> M:
    """Parse protobuf bytes, with our own error. Raises :class:`DecodeError`."""
    try:
        return message_class.FromString(data)
    except (ProtobufDecodeError, RecursionError) as error:
        raise DecodeError(f"not a {message_class.DESCRIPTOR.name}") from error


def decode_signal(frame: bytes) -> Signal | None:
    """Decode one frame of the signalling layer; None for a type this version does not know (a newer peer's, to be skipped).

    Raises :class:`DecodeError` for what is no message, :class:`MessageTooLarge` over ``MAX_SIGNAL_BYTES``.
    """
    if len(frame) > MAX_SIGNAL_BYTES:
        raise MessageTooLarge(len(frame), MAX_SIGNAL_BYTES, "signalling frame")
    header = parse(pb.CoordinatorMessage, frame)
    message_class = _CLASSES.get(header.type)
    if message_class is not None:
        return parse(message_class, frame)  # type: ignore[return-value]  # every class of the table is in the union
    if header.type in _NOT_SIGNALS:
        raise DecodeError(f"message type {header.type} does not belong to signalling")
    return None


# The types of packets, and the one of a message that has none.
_NOT_SIGNALS = frozenset(pb.MessageType.values()) - frozenset(_CLASSES)


def welcome(
    alias: int,
    servers: Iterable[int],
    *,
    resume: str = "",
    auth_required: bool = False,
    ice: IceGrant = NO_ICE,
    request_id: str = "",
    hubs: bool = False,
    ending: Iterable[int] = (),
) -> bytes:
    """WELCOME: the peer's own alias, the servers it may connect to, the chosen one first, whether those are hubs (to a plain comm server),
    which hubs are about to end without another one being there, its ICE servers, and its name in logs.
    """
    message = pb.WelcomeMessage(
        type=pb.WELCOME,
        alias=alias,
        available_servers=servers,
        resume=resume,
        auth_required=auth_required,
        ice_servers=map(_ice_server, ice.servers),
        ice_lifetime=int(ice.lifetime_s or 0),
        request_id=request_id,
        hubs=hubs,
        ending=ending,
    )
    return message.SerializeToString()


def ice_servers(grant: IceGrant) -> bytes:
    """ICE_SERVERS, Part 2: new credentials in place of those that end."""
    return pb.IceServersMessage(
        type=pb.ICE_SERVERS, ice_servers=map(_ice_server, grant.servers), ice_lifetime=int(grant.lifetime_s or 0)
    ).SerializeToString()


def _ice_server(server: IceServer) -> pb.IceServer:
    return pb.IceServer(urls=server.urls, username=server.username, credential=server.credential)


def ice_grant(message: pb.WelcomeMessage | pb.IceServersMessage) -> IceGrant:
    """The ICE servers in WELCOME or ICE_SERVERS. What cannot be used is passed over: a newer coordinator may know of more kinds."""
    servers: list[IceServer] = []
    room = MAX_ICE_URLS
    for entry in message.ice_servers:
        if max(len(entry.username.encode()), len(entry.credential.encode())) > MAX_ICE_TEXT_BYTES:
            continue
        urls = [url for url in entry.urls[:room] if _is_ice_url(url)]
        room -= len(urls)
        if urls:
            servers.append(IceServer(urls, entry.username, entry.credential))
    return IceGrant(tuple(servers), float(message.ice_lifetime) or None)


def _is_ice_url(text: str) -> bool:
    try:
        parse_ice_url(text)
    except ValueError:
        return False
    return True


def connect(to_alias: int, from_alias: int = 0, from_role: pb.Role = pb.UNKNOWN_ROLE, request_id: str = "") -> bytes:
    """CONNECT; the coordinator fills in all but `to_alias`."""
    return pb.ConnectMessage(
        type=pb.CONNECT, from_alias=from_alias, to_alias=to_alias, from_role=from_role, request_id=request_id
    ).SerializeToString()


def request_id_of(message: pb.WelcomeMessage | pb.ConnectMessage) -> str:
    """The name of a join in WELCOME or CONNECT; empty where there is none, or none that may stand in a log."""
    return message.request_id if is_request_id(message.request_id) else ""


def offer(to_alias: int, sdp: str, from_alias: int = 0) -> bytes:
    """WEBRTC_OFFER with its JSON."""
    return _description(pb.WEBRTC_OFFER, "offer", to_alias, sdp, from_alias)


def answer(to_alias: int, sdp: str, from_alias: int = 0) -> bytes:
    """WEBRTC_ANSWER with its JSON."""
    return _description(pb.WEBRTC_ANSWER, "answer", to_alias, sdp, from_alias)


def _description(kind: pb.MessageType, name: str, to_alias: int, sdp: str, from_alias: int) -> bytes:
    data = json.dumps({"type": name, "sdp": sdp}).encode()
    return pb.WebRtcMessage(type=kind, from_alias=from_alias, to_alias=to_alias, data=data).SerializeToString()


def candidate(to_alias: int, init: CandidateInit, from_alias: int = 0) -> bytes:
    """WEBRTC_ICE_CANDIDATE with its JSON."""
    data = json.dumps(init.to_json()).encode()
    return pb.WebRtcMessage(type=pb.WEBRTC_ICE_CANDIDATE, from_alias=from_alias, to_alias=to_alias, data=data).SerializeToString()


def refused(to_alias: int, from_alias: int, code: Code) -> bytes:
    """CONNECTION_REFUSED: to the peer that sent CONNECT (`to_alias`), from the server it wanted (`from_alias`)."""
    # An old client knows two reasons, and goes on to its next server when told that this one is full.
    reason = pb.AUTH_FAILED if code.retry is Retry.NEVER else pb.SERVER_FULL
    return pb.ConnectionRefusedMessage(
        type=pb.CONNECTION_REFUSED, from_alias=from_alias, to_alias=to_alias, reason=reason, code=int(code)
    ).SerializeToString()


def refusal_code(message: pb.ConnectionRefusedMessage) -> int:
    """The code of a refusal, also of an old server's, which gives only a reason."""
    if message.code:
        return message.code
    return int(Code.AUTH_FAILED if message.reason == pb.AUTH_FAILED else Code.SERVER_FULL)


def server_status(*, clients: int, max_clients: int, draining: bool, cpu: float, linking: bool = False) -> bytes:
    """SERVER_STATUS, Part 2."""
    return pb.ServerStatusMessage(
        type=pb.SERVER_STATUS, clients=clients, max_clients=max_clients, draining=draining, cpu=cpu, linking=linking
    ).SerializeToString()


def peer_gone(alias: int) -> bytes:
    """PEER_GONE, Part 2."""
    return pb.PeerGoneMessage(type=pb.PEER_GONE, alias=alias).SerializeToString()


def server_report(report: pb.ServerReportMessage) -> bytes:
    """SERVER_REPORT, Part 2; `report` gets its type. Raises :class:`DecodeError` where a receiver would refuse it."""
    report.type = pb.SERVER_REPORT
    return check_report(report).SerializeToString()


def check_report(report: pb.ServerReportMessage) -> pb.ServerReportMessage:
    """Return `report` if its lists and texts are within their limits and its measures numbers from 0 on.

    Topics are texts like any other here: what they hold is not judged. Raises :class:`DecodeError` naming the field.
    """
    for name, size, most in (
        ("drops", len(report.drops), MAX_REPORT_DROPS),
        ("links", len(report.links), MAX_REPORT_LINKS),
        ("busiest", len(report.busiest), MAX_REPORT_TOPICS),
        ("events", len(report.events), MAX_REPORT_EVENTS),
    ):
        if size > most:
            raise DecodeError(f"the report's {name} are {size}, at most {most} are allowed")
    _check_text("version", report.version, MAX_REPORT_TEXT_BYTES)
    for name, value in (
        ("uptime", report.uptime),
        ("latency_p50", report.latency_p50),
        ("latency_p99", report.latency_p99),
        ("cpu", report.cpu),
    ):
        _check_measure(name, value)
    for drop in report.drops:
        _check_text("reason", drop.reason, MAX_REPORT_TEXT_BYTES)
    for entry in report.busiest:
        _check_text("topic", entry.topic, MAX_TOPIC_BYTES)
        _check_measure("records_per_second", entry.records_per_second)
        _check_measure("deliveries_per_second", entry.deliveries_per_second)
    return report


def _check_text(name: str, text: str, most: int) -> None:
    size = len(text.encode())
    if size > most:
        raise DecodeError(f"a {name} in the report has {size} bytes, at most {most} are allowed")


def _check_measure(name: str, value: float) -> None:
    if not 0.0 <= value < math.inf:  # neither is NaN
        raise DecodeError(f"the report's {name} is {value}")


def read_description(data: bytes, expected: str) -> str:
    """The SDP in the JSON of an offer or answer (`expected`). Raises :class:`SdpError`."""
    description = _json_object(data)
    if description is None:
        raise SdpError(f"the {expected} is not a JSON object")
    if description.get("type") != expected:
        raise SdpError(f"a description of type {str(description.get('type'))[:20]!r} came where an {expected} belongs")
    sdp = description.get("sdp")
    if not isinstance(sdp, str) or not sdp:
        raise SdpError(f"the {expected} has no 'sdp'")
    if not is_unicode(sdp):
        raise SdpError(f"the {expected}'s 'sdp' is not valid Unicode")
    return sdp


@dataclass(frozen=True, slots=True)
class CandidateInit:
    """RTCIceCandidateInit (W3C WebRTC section 4.8.1.1); an empty `candidate` ends the candidates."""

    candidate: str
    sdp_mid: str | None = None
    sdp_m_line_index: int | None = None
    username_fragment: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As browsers and pion read it."""
        return {
            "candidate": self.candidate,
            "sdpMid": self.sdp_mid,
            "sdpMLineIndex": self.sdp_m_line_index,
            "usernameFragment": self.username_fragment,
        }


END_OF_CANDIDATES = CandidateInit("", "0", 0)


def read_candidate(data: bytes) -> CandidateInit:
    """The candidate in its JSON; missing and null members are the same, and pion sends an empty `sdpMid`.

    Raises :class:`CandidateError`.
    """
    init = _json_object(data)
    if init is None:
        raise CandidateError("the candidate is not a JSON object")
    line, mid, index, fragment = (init.get(k) for k in ("candidate", "sdpMid", "sdpMLineIndex", "usernameFragment"))
    if not isinstance(line, str | None) or not isinstance(mid, str | None) or not isinstance(fragment, str | None):
        raise CandidateError("a member of the candidate is not a text")
    for text in (line, mid, fragment):
        if text and (len(text) > MAX_CANDIDATE_CHARS or not is_unicode(text)):
            raise CandidateError(f"a member of the candidate is over {MAX_CANDIDATE_CHARS} characters or not valid Unicode")
    if index is not None and (type(index) is not int or not 0 <= index <= _MAX_M_LINE_INDEX):
        raise CandidateError(f"the candidate's sdpMLineIndex is not a whole number up to {_MAX_M_LINE_INDEX}")
    return CandidateInit(line or "", mid, index, fragment or None)


def _json_object(data: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
