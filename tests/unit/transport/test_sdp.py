"""Descriptions: ours line by line, those of other stacks, and every way of being wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.errors import SdpError
from protocol.limits import MAX_CANDIDATES, OLD_PEER_SIGNAL_BYTES
from tests.support.descriptions import (
    AIORTC,
    ALL,
    ANSWERS,
    CHROMIUM,
    FINGERPRINT,
    FIREFOX,
    LIBDATACHANNEL,
    OFFERS,
    PION,
    PION_OLD,
)
from transport.candidates import host_candidate
from transport.sdp import MAX_SDP_CHARS, Description, Fingerprint, answer_to, build, parse_answer, parse_offer

OFFER = Description(
    ufrag="abcd1234",
    pwd="p" * 24,
    fingerprints=(Fingerprint("sha-256", FINGERPRINT),),
    setup="actpass",
    ice_lite=True,
    max_message_size=65536,
    candidates=(host_candidate("192.0.2.7", 3478), host_candidate("2001:db8::7", 3478, 1)),
    end_of_candidates=True,
)


def test_our_offer_line_by_line() -> None:
    assert build(OFFER, 42).split("\r\n") == [
        "v=0",
        "o=- 42 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        "a=group:BUNDLE 0",
        "m=application 3478 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 192.0.2.7",
        "a=mid:0",
        "a=ice-ufrag:abcd1234",
        "a=ice-pwd:" + "p" * 24,
        f"a=fingerprint:sha-256 {FINGERPRINT}",
        "a=setup:actpass",
        "a=sctp-port:5000",
        "a=max-message-size:65536",
        "a=candidate:1 1 udp 2130706431 192.0.2.7 3478 typ host",
        "a=candidate:2 1 udp 2130706175 2001:db8::7 3478 typ host",
        "a=end-of-candidates",
        "",
    ]


def test_our_offer_fits_the_old_peers_frames() -> None:
    many = tuple(host_candidate(f"2001:db8:1:2:3:4:5:{n}", 65535, n) for n in range(16))
    assert len(build(replace(OFFER, candidates=many), 2**62)) < OLD_PEER_SIGNAL_BYTES - 200


def test_reads_what_it_writes() -> None:
    assert parse_offer(build(OFFER, 7)) == OFFER


def test_answer_is_trickled_and_active() -> None:
    own = replace(OFFER, ice_lite=False, candidates=(), end_of_candidates=False)
    text = build(answer_to(parse_offer(PION), own), 7)
    assert "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n" in text
    assert "a=ice-options:trickle" in text
    assert "a=ice-lite" not in text
    assert parse_answer(text).setup == "active"


def test_answer_takes_the_role_that_is_left() -> None:
    assert answer_to(replace(OFFER, setup="active"), OFFER).setup == "passive"
    assert answer_to(replace(OFFER, setup="passive"), OFFER).setup == "active"


def test_answer_has_the_form_of_a_legacy_offer() -> None:
    offer = parse_offer(PION_OLD)
    text = build(answer_to(offer, replace(OFFER, sctp_port=5000)), 7)
    assert "DTLS/SCTP 5000\r\n" in text
    assert "a=sctpmap:5000 webrtc-datachannel" in text
    assert "a=sctp-port" not in text
    assert "a=group:BUNDLE data" in text
    assert parse_offer(text).mid == "data"


def test_no_bundle_group_is_answered_where_none_was_offered() -> None:
    offer = parse_offer(PION.replace("a=group:BUNDLE 0\n", ""))
    assert not offer.bundle
    assert "BUNDLE" not in build(answer_to(offer, OFFER), 7)


def test_ipv6_comes_first_in_c_line() -> None:
    text = build(replace(OFFER, candidates=(host_candidate("2001:db8::7", 3478),)), 7)
    assert "c=IN IP6 2001:db8::7" in text


@pytest.mark.parametrize("name", OFFERS)
def test_reads_offers_of(name: str) -> None:
    offer = parse_offer(OFFERS[name])
    assert offer.setup == "actpass"
    assert offer.sctp_port == 5000
    assert offer.fingerprints[0] == Fingerprint("sha-256", FINGERPRINT)
    assert offer.bundle
    assert not offer.ice_lite


@pytest.mark.parametrize("name", ANSWERS)
def test_reads_answers_of(name: str) -> None:
    answer = parse_answer(ANSWERS[name])
    assert answer.setup == "active"
    assert answer.fingerprints == (Fingerprint("sha-256", FINGERPRINT),)


def test_details_of_the_samples() -> None:
    chromium = parse_answer(CHROMIUM)
    assert (chromium.ufrag, chromium.pwd, chromium.max_message_size) == ("EsAw", "bP+XJMM09aR8AiX1jdukzR6Y", 262144)
    assert [c.is_usable for c in chromium.candidates] == [True, True, False, True]
    assert not chromium.end_of_candidates
    assert parse_offer(PION_OLD).legacy
    assert parse_offer(PION_OLD).max_message_size == 65536  # none given (RFC 8841 section 6.1)
    assert [c.component for c in parse_offer(PION_OLD).candidates] == [1, 2]
    assert len(parse_offer(AIORTC).fingerprints) == 3
    assert parse_offer(LIBDATACHANNEL).candidates[1].host == "2001:db8::91"
    assert parse_offer(LIBDATACHANNEL).end_of_candidates


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("ending", ["\r\n", "\n"])
def test_line_endings(name: str, ending: str) -> None:
    assert parse_offer(ending.join(ALL[name].splitlines())) == parse_offer(ALL[name])


@pytest.mark.parametrize("name", ["fingerprint", "ice-ufrag", "ice-pwd", "setup", "sctp-port"])
def test_names_what_is_missing(name: str) -> None:
    lines = [line for line in FIREFOX.splitlines() if not line.startswith(f"a={name}")]
    with pytest.raises(SdpError, match=f"no a={name}"):
        parse_answer("\n".join(lines))


def test_the_sections_own_attribute_counts_before_the_sessions() -> None:
    text = FIREFOX.replace("a=mid:0", "a=mid:0\na=fingerprint:sha-256 " + ":".join(["AA"] * 32))
    assert parse_answer(text).fingerprints == (Fingerprint("sha-256", ":".join(["AA"] * 32)),)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("v=0", "v=1", "first line"),
        ("s=-", "nonsense", "line 3"),
        ("m=application", "m=audio", "data channel section"),
        ("webrtc-datachannel", "something", "want UDP/DTLS/SCTP"),
        ("m=application 51472", "m=application 0", "rejected"),
        ("m=application 51472", "m=application x", "port of m="),
        ("a=setup:active", "a=setup:holdconn", "a=setup:holdconn"),
        ("a=setup:active", "a=setup:actpass", "has to choose"),
        ("a=sctp-port:5000", "a=sctp-port:0", "a=sctp-port '0'"),
        ("a=sctp-port:5000", "a=sctp-port:70000", "a=sctp-port"),
        ("a=max-message-size:262144", "a=max-message-size:-1", "a=max-message-size"),
        ("a=ice-ufrag:EsAw", "a=ice-ufrag:Es", "a=ice-ufrag"),
        ("a=ice-ufrag:EsAw", "a=ice-ufrag:Es:Aw", "a=ice-ufrag"),
        ("a=ice-pwd:bP+X", "a=ice-pwd:b P+X", "a=ice-pwd"),
        ("a=mid:0", "a=mid:" + "x" * 40, "a=mid"),
        ("a=fingerprint:sha-256 00", "a=fingerprint:sha-256 0", "hex pairs"),
        ("a=fingerprint:sha-256", "a=fingerprint:sha-1", "no a=fingerprint with"),
        ("typ host tcptype", "tip host tcptype", "not a candidate"),
    ],
)
def test_names_what_is_wrong(old: str, new: str, what: str) -> None:
    assert old in CHROMIUM
    with pytest.raises(SdpError, match=what):
        parse_answer(CHROMIUM.replace(old, new))


def test_the_password_is_never_shown() -> None:
    with pytest.raises(SdpError) as caught:
        parse_answer(CHROMIUM.replace("a=ice-pwd:bP+X", "a=ice-pwd:sec-ret"))
    assert "sec-ret" not in str(caught.value)
    assert "p" * 24 not in repr(OFFER)


@pytest.mark.parametrize("text", ["", "v=0\r\n", FIREFOX + "m=audio 9 UDP/TLS/RTP/SAVPF 111\n"])
def test_wants_one_section(text: str) -> None:
    with pytest.raises(SdpError, match="media sections"):
        parse_answer(text)


def test_limits() -> None:
    line = "a=candidate:1 1 udp 5 192.0.2.1 4000 typ host\n"
    assert len(parse_answer(FIREFOX + line * MAX_CANDIDATES).candidates) == MAX_CANDIDATES
    with pytest.raises(SdpError, match="candidates, at most"):
        parse_answer(FIREFOX + line * (MAX_CANDIDATES + 1))
    with pytest.raises(SdpError, match="more than"):
        parse_answer(FIREFOX + "a=x\n" * MAX_SDP_CHARS)
