"""Candidate lines: what is read, what is passed over, and what is named as wrong."""

from __future__ import annotations

import pytest

from protocol.errors import CandidateError
from protocol.signalling import END_OF_CANDIDATES, CandidateInit
from transport.candidates import IceCandidate, from_init, host_candidate, parse_candidate, relay_candidate

LINE = "candidate:842163049 1 udp 1677729535 203.0.113.9 51472 typ srflx raddr 192.0.2.17 rport 40100 generation 0 ufrag x"


def test_reads_every_part() -> None:
    assert parse_candidate(LINE) == IceCandidate(
        "842163049", 1, "udp", 1677729535, "203.0.113.9", 51472, "srflx", "192.0.2.17", 40100
    )


@pytest.mark.parametrize("prefix", ["a=candidate:", "candidate:", "", " a=candidate:"])
def test_the_prefix_may_be_any(prefix: str) -> None:
    assert parse_candidate(prefix + LINE.removeprefix("candidate:")) == parse_candidate(LINE)


def test_writes_what_it_read() -> None:
    candidate = parse_candidate(LINE)
    assert parse_candidate(str(candidate)) == candidate
    assert str(candidate).endswith("typ srflx raddr 192.0.2.17 rport 40100")


def test_ipv6_is_written_canonically() -> None:
    assert parse_candidate("candidate:1 1 UDP 5 2001:DB8:0::91 40212 typ host").host == "2001:db8::91"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("", "not a candidate"),
        ("candidate:1 1 udp 5 192.0.2.1 4000", "not a candidate"),
        ("candidate:1 1 udp 5 192.0.2.1 4000 type host", "not a candidate"),
        ("candidate:1 0 udp 5 192.0.2.1 4000 typ host", "component '0'"),
        ("candidate:1 x udp 5 192.0.2.1 4000 typ host", "component 'x'"),
        ("candidate:1 1 udp 4294967296 192.0.2.1 4000 typ host", "priority"),
        ("candidate:1 1 udp -5 192.0.2.1 4000 typ host", "priority"),
        ("candidate:1 1 udp 5 192.0.2.1 65536 typ host", "port '65536'"),
        ("candidate:1 1 udp 5 192.0.2.1 \uff14\uff10 typ host", "port"),
        ("candidate:1 1 udp 5 192.0.2.1_ 4000 typ ho/st", "type"),
        ("candidate:1 1 udp 5 not/a/host 4000 typ host", "address 'not/a/host'"),
        ("candidate:1 1 udp 5 -x- 4000 typ host", "address '-x-'"),
        ("candidate:\u00e9 1 udp 5 192.0.2.1 4000 typ host", "foundation"),
        ("candidate:1 1 udp 5 192.0.2.1 4000 typ srflx raddr ? rport 1", "address '?'"),
        ("candidate:1 1 udp 5 192.0.2.1 4000 typ srflx raddr 192.0.2.2 rport x", "rport 'x'"),
        ("candidate:" + "1" * 3000, "more than"),
    ],
)
def test_names_what_is_wrong(line: str, what: str) -> None:
    with pytest.raises(CandidateError, match=what.replace("?", r"\?")):
        parse_candidate(line)


@pytest.mark.parametrize(
    ("line", "usable"),
    [
        ("candidate:1 1 udp 5 192.0.2.1 4000 typ host", True),
        ("candidate:1 1 UDP 5 some-name.local 4000 typ host", True),
        ("candidate:1 1 tcp 5 192.0.2.1 9 typ host tcptype active", False),
        ("candidate:1 2 udp 5 192.0.2.1 4000 typ host", False),
        ("candidate:1 1 udp 5 192.0.2.1 4000 typ telepathic", False),
        ("candidate:1 1 udp 5 192.0.2.1 0 typ host", False),
    ],
)
def test_what_others_may_use_is_no_error(line: str, usable: bool) -> None:
    assert parse_candidate(line).is_usable is usable


def test_a_name_has_no_address() -> None:
    assert parse_candidate("candidate:1 1 udp 5 some-name.local 4000 typ host").address is None
    assert parse_candidate("candidate:1 1 udp 5 127.0.0.1 4000 typ host").address is not None


def test_host_candidates_are_ranked() -> None:
    first, second = host_candidate("192.0.2.1", 4000), host_candidate("192.0.2.2", 4000, rank=1)
    assert first.priority == 2130706431  # type 126, local preference 65535, component 1 (RFC 8445 section 5.1.2.1)
    assert first.priority > second.priority
    assert first.foundation != second.foundation
    assert parse_candidate(str(first)) == first


def test_a_relay_is_the_last_resort_and_says_of_us_what_it_may() -> None:
    first, second = (relay_candidate(("192.0.2.9", 5000), ("203.0.113.9", 40000), rank) for rank in (0, 1))
    assert host_candidate("192.0.2.1", 4000, rank=9).priority > first.priority > second.priority > 0
    assert first.foundation != second.foundation
    assert (first.type, first.host, first.port) == ("relay", "192.0.2.9", 5000)
    assert (first.related_host, first.related_port) == ("203.0.113.9", 40000)
    assert parse_candidate(str(first)) == first
    hidden = [relay_candidate((host, 5000), None) for host in ("192.0.2.9", "2001:db8::9")]
    assert [(c.related_host, c.related_port) for c in hidden] == [("0.0.0.0", 9), ("::", 9)]


def test_init_both_ways() -> None:
    candidate = parse_candidate(LINE)
    init = candidate.to_init("data", "frag")
    assert (init.sdp_mid, init.sdp_m_line_index, init.username_fragment) == ("data", 0, "frag")
    assert from_init(init) == candidate


@pytest.mark.parametrize("init", [None, END_OF_CANDIDATES, CandidateInit(""), CandidateInit("  ", "")])
def test_the_end_of_candidates(init: CandidateInit | None) -> None:
    assert from_init(init) is None
