"""The inside of aiortc and aioice that transport/fastpath leans on, as it was when that was written.

When a test here fails after an upgrade: read what changed in the function it names, see whether the function of ours named in
`WHY` still does the right thing with it, run tests/unit/transport and tests/integration/transport, and only then write the new
digest (the failure message has it) into the table.
"""

from __future__ import annotations

import hashlib
import inspect
from collections import deque
from importlib.metadata import version
from typing import Any

import aioice.ice
import aioice.stun
import aioice.turn
import aiortc
import aiortc.rtcsctptransport as sctp
import pytest
from aioice.ice import Connection, StunProtocol
from aiortc import RTCCertificate, RTCDataChannel, RTCDtlsTransport, RTCSctpTransport
from aiortc.rtcdtlstransport import SRTP_PROFILES, State
from OpenSSL import SSL

from tests.support.rtc import Recorder, ended, memory_pair
from transport.fastpath.dtls import FastDtls, SharedCertificate, drive
from transport.fastpath.fast_sctp import FastSctp
from transport.fastpath.ice import IceAgent
from transport.fastpath.relay import Relay
from transport.fastpath.sctp import GuardedSctp
from transport.options import LinkOptions

DTLS = "transport/fastpath/dtls.py"
SCTP = "transport/fastpath/sctp.py"
FAST = "transport/fastpath/fast_sctp.py"
ICE = "transport/fastpath/ice.py"
RELAY = "transport/fastpath/relay.py"

# (owner, name): (digest of its source, who leans on it and how)
WHY: dict[tuple[Any, str], tuple[str, str]] = {
    (RTCCertificate, "_create_ssl_context"): ("aac625bdc264f0a6", f"{DTLS} SharedCertificate calls it once and adds options"),
    (RTCDtlsTransport, "start"): (
        "3b3522667fe0a3da",
        f"{DTLS} FastDtls counts on start() to run on without waiting once the handshake is done",
    ),
    (RTCDtlsTransport, "_do_handshake"): ("0af5299c33352e6e", f"{DTLS} DataDtls.start flushes what it leaves in the BIO"),
    (RTCDtlsTransport, "_RTCDtlsTransport__run"): (
        "24d63d929a104e16",
        f"{DTLS} FastDtls replaces it: the pump of the plain path",
    ),
    (RTCDtlsTransport, "_recv_next"): ("998076720c05aa13", f"{DTLS} FastDtls.feed does its part for DTLS records"),
    (RTCDtlsTransport, "_write_ssl"): ("6573c0237063bdf0", f"{DTLS} FastDtls.feed drives it"),
    (RTCDtlsTransport, "_send_data"): ("ee6cd411dd7f8eda", f"{DTLS} FastDtls replaces it"),
    (RTCDtlsTransport, "_setup_srtp"): ("75cc6ec308f16da1", f"{DTLS} DataDtls leaves it out"),
    (RTCDtlsTransport, "stop"): ("44a8b3fc40aa9d7b", f"{DTLS} is driven, and reads the state that DataDtls.stop may set before"),
    (RTCDtlsTransport, "_set_state"): ("385f5542ac247175", f"{DTLS} DataDtls.stop calls it; session listens to statechange"),
    (RTCSctpTransport, "start"): ("49e4b76964b2bdff", f"{SCTP} is awaited without waiting, before the first datagram is fed"),
    (RTCSctpTransport, "stop"): ("0be1a2711d5ddf44", f"{SCTP} is driven"),
    (RTCSctpTransport, "_handle_data"): (
        "8661b724e20776bb",
        f"{SCTP} GuardedSctp checks the packet before it; driven by FastDtls.feed",
    ),
    (RTCSctpTransport, "_receive_chunk"): ("830bae988365ba89", f"{SCTP} sctp_guard names the chunks that carry parameters"),
    (RTCSctpTransport, "_receive_data_chunk"): ("790c2bb8cd0f5dd7", f"{SCTP} GuardedSctp bounds what reaches it"),
    (RTCSctpTransport, "_mark_received"): ("2ac68b6a3934ca87", f"{SCTP} GuardedSctp replaces it"),
    (RTCSctpTransport, "_get_inbound_stream"): ("7bb5d6a0225afa1c", f"{SCTP} GuardedSctp bounds what reaches it"),
    (RTCSctpTransport, "_receive_forward_tsn_chunk"): ("a7b72a09e9c4bb20", f"{SCTP} has to find streams by _get_inbound_stream"),
    (RTCSctpTransport, "_receive_sack_chunk"): ("4b35ccf1372cdec8", f"{SCTP} GuardedSctp checks the gap blocks it walks"),
    (RTCSctpTransport, "_send_sack"): ("ac92513522fa60e7", f"{SCTP} GuardedSctp replaces it"),
    (RTCSctpTransport, "_receive"): ("802b1265df7b6174", f"{FAST} FastSctp replaces it for messages"),
    (RTCSctpTransport, "_data_channel_receive"): ("3df88b4b9c662b3b", f"{SCTP} GuardedSctp checks what would fail its asserts"),
    (RTCSctpTransport, "_data_channel_send"): (
        "bff23b8d60ecb624",
        f"{FAST} FastSctp.send_now does the same and drives the flush",
    ),
    (RTCSctpTransport, "_data_channel_flush"): (
        "d5f055f33db1abff",
        f"{FAST} FastSctp.send_now drives it; {SCTP} GuardedSctp counts on it to carry a _Perishable to _send as it is, to be the only "
        "one that calls _send, and only when nothing is left to leave",
    ),
    (RTCSctpTransport, "_send"): (
        "f0f8aff63a9a8743",
        f"{SCTP} is driven: it must not wait. GuardedSctp leaves it out for a message that has expired",
    ),
    (RTCSctpTransport, "_send_chunk"): ("eb2f909e3c2ff5cc", f"{SCTP} is driven: it must not wait"),
    (RTCSctpTransport, "_transmit"): (
        "aa8941d5f8f020e8",
        f"{SCTP} is driven: it must not wait, nor call a handler while it walks its queue. GuardedSctp drops what has expired before it",
    ),
    (RTCSctpTransport, "_update_rto"): ("a1e7afb18886a101", f"{FAST} FastSctp calls it for SACKs it counts itself"),
    (RTCSctpTransport, "_flight_size_decrease"): ("16a9a53b25b96c7c", f"{FAST} FastSctp does the same for chunks in flight"),
    (RTCSctpTransport, "_flight_size_increase"): (
        "ed02a0fe6eb506c9",
        f"{FAST} FastSctp does the same for chunks it sends itself",
    ),
    (RTCSctpTransport, "_maybe_abandon"): (
        "879fcf244b3dfd05",
        f"{FAST} _Sent has to have what it reads and sets; {SCTP} GuardedSctp._abandon_leaving does the same for what has not left",
    ),
    (RTCSctpTransport, "_update_advanced_peer_ack_point"): (
        "b10416e34e18a3db",
        f"{FAST} FastSctp.take leaves it out where nothing was abandoned; {SCTP} GuardedSctp._abandon_leaving calls it",
    ),
    (RTCSctpTransport, "_t3_expired"): ("0e759bf4b1b2d8c8", f"{FAST} FastSctp calls it when its own timer comes"),
    (RTCSctpTransport, "_t3_restart"): ("abf85ae57b8fa144", f"{FAST} FastSctp replaces it"),
    (RTCSctpTransport, "_t3_start"): ("fa045ec7c5fff3d7", f"{FAST} FastSctp replaces it"),
    (RTCSctpTransport, "_t3_cancel"): ("0e0e3e38da292064", f"{FAST} FastSctp replaces it"),
    (RTCSctpTransport, "_reset_deferred_streams"): (
        "e8a288bf519131b3",
        f"{FAST} FastSctp.take leaves it out where no reset is deferred",
    ),
    (RTCSctpTransport, "_transmit_reconfig"): ("1036a467fb3cebdd", f"{FAST} FastSctp leaves it out where no reset is queued"),
    (sctp, "serialize_packet"): ("5731d38491422e4c", "transport/fastpath/common.py writes the same"),
    (RTCSctpTransport, "_set_state"): ("72015aed4aa46827", f"{SCTP} GuardedSctp tells the session of an end after it"),
    (RTCDataChannel, "_addBufferedAmount"): ("9d3366126dabbbc5", f"{FAST} FastSctp.send_now calls it"),
    (RTCDataChannel, "send"): ("5deb1293f33708fb", f"{FAST} FastSctp.send_now stands for it"),
    (sctp, "parse_packet"): ("b88a5f1d01e14c5f", "transport/sctp_guard.py walks the chunks in the same way before it"),
    (sctp, "decode_params"): (
        "2ee53946e23f05a3",
        "transport/sctp_guard.py keeps parameters of length 0 from it, which it never gets past",
    ),
    (sctp.InboundStream, "add_chunk"): ("de934faf324b1b4b", f"{SCTP} bounds what it walks"),
    (sctp.InboundStream, "pop_messages"): ("bd29de9aa7c4f8fd", f"{SCTP} bounds what it walks"),
    (Connection, "__init__"): ("a99ae9c97fc66a2e", f"{ICE} IceAgent sets and reads its attributes"),
    (Connection, "connect"): ("da51be46190141ee", f"{ICE} IceAgent: starts query_consent, which is replaced"),
    (Connection, "close"): ("25dcfac536f5f37c", f"{ICE} IceAgent: cancels query_consent, closes the sockets"),
    (Connection, "query_consent"): ("fe49173a650a378a", f"{ICE} IceAgent replaces it"),
    (Connection, "build_request"): ("cd68d42d3765c2d1", f"{ICE} IceAgent.query_consent nominates with it"),
    (Connection, "data_received"): ("5631b17fab717d6b", f"{ICE} IceAgent replaces it"),
    (Connection, "gather_candidates"): ("d33db28d4d1e49ff", f"{ICE} IceAgent gathers in its place"),
    (Connection, "_check_periodic"): ("ce421a512904f981", f"{ICE} IceAgent waits in it for candidates of its own"),
    (Connection, "_check_list_maybe_complete"): ("b190e289adad3622", f"{ICE} IceAgent.gather_servers calls it"),
    (Connection, "_check_list_maybe_fail"): (
        "47cca0213103b400",
        f"{ICE} IceAgent waits in it for candidates of its own, and calls it",
    ),
    (Connection, "_remote_candidates_expected"): ("198a141bcd262d13", f"{ICE} IceAgent extends it"),
    (Connection, "protocol_lost"): ("447ed44956b65806", f"{ICE} IceAgent replaces it"),
    (StunProtocol, "connection_lost"): (
        "6d64b0e6f5b69f1f",
        f"{ICE} a transport of ours calls it at its end, and close() waits for that",
    ),
    (aioice.turn.TurnClientMixin, "connect"): ("6462e148043303ab", f"{RELAY} allocates with it"),
    (aioice.turn.TurnClientMixin, "send_data"): (
        "c25f67f43c7dcdb5",
        f"{RELAY} drives it once a channel is bound: it must not wait then",
    ),
    (aioice.turn.TurnClientMixin, "channel_bind"): ("7c8c376a78b02710", f"{RELAY} renews channels with it"),
    (aioice.turn.TurnClientMixin, "delete"): ("8ec62766df8ebb3a", f"{RELAY} says goodbye with it, and cancels it"),
    (aioice.turn.TurnClientMixin, "datagram_received"): (
        "2359a3a993778122",
        f"{RELAY} gives it a receiver that is no protocol of aioice's",
    ),
    (aioice.turn.TurnClientMixin, "connection_lost"): ("ce0d4dd4d0e5ea03", f"{RELAY} the receiver hears of the end by it"),
    (aioice.turn.TurnTransport, "sendto"): ("cee46ff3776d1c37", f"{RELAY} Relay stands for it"),
    (aioice.turn, "create_turn_endpoint"): ("c84ad1cc7c547570", f"{RELAY} allocate stands for it"),
    (Connection, "_pair_remote_candidate"): ("bf264fc1c6761107", f"{ICE} IceAgent pairs candidates that were gathered late"),
    (Connection, "sendto"): ("bf162ec03bdce2cc", f"{ICE} IceAgent.send_datagram does its part"),
    (StunProtocol, "datagram_received"): ("ff4c8b910d45fb3a", f"{ICE} the demultiplexer stands before it"),
    (StunProtocol, "request"): ("97991c38f65ea939", f"{ICE} IceAgent.query_consent calls it"),
    (aioice.ice, "server_reflexive_candidate"): ("76dd5558471714f7", f"{ICE} IceAgent.gather_servers calls it"),
    (aioice.ice, "get_host_addresses"): ("d4a54f9a68c39ff1", f"{ICE} local_addresses calls it"),
}


def digest(owner: Any, name: str) -> str:
    return hashlib.sha256(inspect.getsource(getattr(owner, name)).encode()).hexdigest()[:16]


@pytest.mark.parametrize(("owner", "name"), WHY, ids=lambda x: x if isinstance(x, str) else x.__name__)
def test_source_is_what_it_was(owner: Any, name: str) -> None:
    expected, why = WHY[owner, name]
    assert hasattr(owner, name), f"{owner.__name__}.{name} is gone. Check: {why}"
    found = digest(owner, name)
    assert found == expected, f"{owner.__name__}.{name} has changed (now {found!r}). Check: {why}"


def test_versions_are_those_the_digests_were_taken_from() -> None:
    """pyproject.toml holds aiortc to ~=1.16.0 and aioice to ~=0.13.0; nothing else was tried."""
    assert version("aiortc").startswith("1.16."), "run this whole file, then move the pin in pyproject.toml"
    assert version("aioice").startswith("0.13."), "run this whole file, then move the pin in pyproject.toml"


@pytest.mark.parametrize(
    ("ours", "theirs", "names"),
    [
        (FastDtls, RTCDtlsTransport, ["_RTCDtlsTransport__run", "_send_data", "_setup_srtp", "start", "stop"]),
        (
            GuardedSctp,
            RTCSctpTransport,
            [
                "_handle_data",
                "_set_state",
                "_get_inbound_stream",
                "_receive_data_chunk",
                "_mark_received",
                "_receive_sack_chunk",
                "_send_sack",
                "_data_channel_receive",
                "_data_channel_flush",
                "_send",
                "_transmit",
            ],
        ),
        (
            FastSctp,
            RTCSctpTransport,
            [
                "_receive",
                "_handle_data",
                "_receive_sack_chunk",
                "_send_sack",
                "_set_state",
                "_t3_start",
                "_t3_restart",
                "_t3_cancel",
            ],
        ),
        (SharedCertificate, RTCCertificate, ["_create_ssl_context"]),
        (IceAgent, Connection, ["query_consent", "data_received", "protocol_lost", "close", "_remote_candidates_expected"]),
        (Relay, aioice.turn.TurnTransport, ["sendto", "close"]),
    ],
)
def test_what_we_override_is_there_and_takes_the_same(ours: Any, theirs: Any, names: list[str]) -> None:
    for name in names:
        assert name in theirs.__dict__, f"{theirs.__name__}.{name} is gone: {ours.__name__}.{name} overrides nothing"
        was, now = inspect.signature(getattr(theirs, name)), inspect.signature(getattr(ours, name))
        assert list(was.parameters) == list(now.parameters), f"{theirs.__name__}.{name} takes {was}, ours takes {now}"
        assert inspect.iscoroutinefunction(getattr(theirs, name)) == inspect.iscoroutinefunction(getattr(ours, name)), name


async def test_the_attributes_we_read_are_there() -> None:
    """Each with the type it is used as; an attribute that only moved would be made anew, silently, by an assignment of ours."""
    a, b = Recorder(), Recorder()
    first, second = memory_pair(a, b, LinkOptions())
    await a.is_open()
    await b.is_open()
    dtls, association = first.dtls, first.sctp
    expected: list[tuple[Any, dict[str, Any]]] = [
        (dtls, {"_ssl": SSL.Connection, "_state": State, "_data_receiver": RTCSctpTransport, "_transport": object}),
        (
            association,
            {
                "_rto": (int, float),
                "_last_received_tsn": int,
                "_local_tsn": int,
                "_advertised_rwnd": int,
                "_inbound_streams": dict,
                "_sack_misordered": set,
                "_sack_duplicates": list,
                "_sack_needed": bool,
                "_data_channels": dict,
                "_data_channel_queue": object,
                "_association_state": RTCSctpTransport.State,
                "_flight_size": int,
                "_cwnd": int,
                "_sent_queue": deque,
                "_outbound_queue": deque,
                "_outbound_stream_seq": dict,
                "_reconfig_queue": list,
                "_reconfig_deferred": type(None),
                "_last_sacked_tsn": int,
                "_advanced_peer_ack_tsn": int,
                "_fast_recovery_exit": type(None),
                "_forward_tsn_chunk": type(None),
                "_local_verification_tag": int,
                "_remote_verification_tag": int,
                "_local_port": int,
                "_remote_port": int,
            },
        ),
    ]
    for owner, attributes in expected:
        for name, kind in attributes.items():
            assert isinstance(getattr(owner, name), kind), f"{type(owner).__mro__[1].__name__}.{name} is no {kind} any more"
    assert dtls._transport is first._port
    await ended(first, second)


def test_the_attributes_are_made_by_the_base_classes() -> None:
    """The other half of the test before: the names stand in the constructors."""
    for owner, names in (
        (RTCDtlsTransport, ["_ssl", "_state", "_data_receiver", "_transport", "_task"]),
        (
            RTCSctpTransport,
            ["_rto", "_last_received_tsn", "_sack_misordered", "_sack_duplicates", "_sack_needed", "_advertised_rwnd"],
        ),
        (Connection, ["_nominated", "_remote_candidates", "_remote_candidates_end", "_local_candidates", "_protocols"]),
        (Connection, ["_local_candidates_start", "_local_candidates_end", "_early_checks_done", "_closing"]),
        (
            aioice.turn.TurnClientMixin,
            ["peer_to_channel", "channel_to_peer", "receiver", "relayed_address", "mapped_address", "channel_refresh_time"],
        ),
    ):
        source = inspect.getsource(owner.__init__)
        for name in names:
            assert f"self.{name}" in source, f"{owner.__name__}.__init__ makes no {name} any more"


def test_the_constants_of_the_wire() -> None:
    assert aiortc.rtcsctptransport.SCTP_TSN_MODULO == 2**32
    assert (sctp.WEBRTC_DCEP, sctp.WEBRTC_STRING, sctp.WEBRTC_BINARY) == (50, 51, 53)
    assert (sctp.WEBRTC_STRING_EMPTY, sctp.WEBRTC_BINARY_EMPTY) == (56, 57)
    assert (sctp.DATA_CHANNEL_OPEN, sctp.DATA_CHANNEL_ACK) == (3, 2)
    assert sctp.SCTP_MAX_PACKET_LENGTH <= 1200, "a packet has to fit the minimum IPv6 MTU with DTLS and UDP around it"


def test_drive_runs_what_does_not_wait() -> None:
    async def inner() -> int:
        return 20

    async def outer() -> int:
        return await inner() + await inner() + 2

    assert drive(outer()) == 42


async def test_drive_refuses_what_waits() -> None:
    closed = []

    async def waits() -> None:
        try:
            import asyncio

            await asyncio.sleep(0)
        finally:
            closed.append(True)

    with pytest.raises(RuntimeError, match="waits"):
        drive(waits())
    assert closed


def test_drive_passes_exceptions_on() -> None:
    async def fails() -> None:
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        drive(fails())


def test_one_context_for_a_certificate() -> None:
    certificate = SharedCertificate.generateCertificate()
    first = certificate._create_ssl_context(SRTP_PROFILES)
    assert certificate._create_ssl_context(SRTP_PROFILES) is first
    assert SharedCertificate.generateCertificate()._create_ssl_context(SRTP_PROFILES) is not first
    assert first.get_session_cache_mode() == SSL.SESS_CACHE_OFF
    assert certificate.sha256 == certificate.getFingerprints()[0].value
