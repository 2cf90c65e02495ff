"""Descriptions and candidates: whatever text comes, the answer is a description or an SdpError, and ours come back as written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import CandidateError, SdpError
from tests.support.descriptions import ALL, FINGERPRINT
from transport.candidates import CANDIDATE_TYPES, IceCandidate, parse_candidate
from transport.sdp import Description, Fingerprint, answer_to, build, parse_answer, parse_offer

ICE_CHARS = "abcXYZ019+/"
sample = st.sampled_from(sorted(ALL.values()))
ports = st.integers(0, 65535)
hosts = st.ip_addresses().map(str) | st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z]\.local", fullmatch=True)
candidates = st.builds(
    IceCandidate,
    foundation=st.text(ICE_CHARS, min_size=1, max_size=32),
    component=st.integers(1, 256),
    transport=st.sampled_from(["udp", "tcp"]),
    priority=st.integers(0, 2**32 - 1),
    host=hosts,
    port=ports,
    type=st.sampled_from(CANDIDATE_TYPES),
)
related = st.builds(
    lambda c, host, port: IceCandidate(c.foundation, c.component, c.transport, c.priority, c.host, c.port, "srflx", host, port),
    candidates,
    st.ip_addresses().map(str),
    ports,
)
descriptions = st.builds(
    Description,
    ufrag=st.text(ICE_CHARS, min_size=4, max_size=256),
    pwd=st.text(ICE_CHARS, min_size=22, max_size=256),
    fingerprints=st.just((Fingerprint("sha-256", FINGERPRINT),)),
    setup=st.sampled_from(["actpass", "active", "passive"]),
    ice_lite=st.booleans(),
    sctp_port=st.integers(1, 65535),
    max_message_size=st.integers(0, 2**63),
    candidates=st.lists(candidates | related, max_size=10).map(tuple),
    end_of_candidates=st.booleans(),
    mid=st.text("abc019-", min_size=1, max_size=32),
    bundle=st.booleans(),
    legacy=st.booleans(),
)


def read(text: str) -> None:
    for parse in (parse_offer, parse_answer):
        try:
            description = parse(text)
        except SdpError:
            continue
        assert parse_offer(build(description, 1)) == description


@given(st.text())
def test_any_text(text: str) -> None:
    read(text)


@given(st.lists(st.sampled_from("vosctma=:0123 /\r\n") | st.characters(), max_size=300).map("".join))
def test_text_of_the_same_letters(text: str) -> None:
    read("v=0\r\n" + text)


@given(sample, st.data())
def test_a_sample_with_a_part_replaced(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    read(text[:start] + data.draw(st.text(max_size=20)) + text[end:])


@given(sample, st.randoms(use_true_random=False))
def test_a_sample_with_its_lines_shuffled_lost_and_doubled(text: str, rng: object) -> None:
    lines = text.splitlines()
    picked = [line for line in lines for _ in range(rng.choice([0, 1, 1, 1, 2]))]  # type: ignore[attr-defined]  # a Random
    rng.shuffle(picked)  # type: ignore[attr-defined]  # as above
    read("\n".join(picked))
    read("v=0\n" + "\n".join(picked))


@given(descriptions, st.integers(0, 2**63 - 1))
def test_what_is_built_is_read_back(description: Description, session_id: int) -> None:
    assert parse_offer(build(description, session_id)) == description


@given(descriptions, descriptions)
def test_an_answer_always_chooses_a_role_and_keeps_the_offers_form(offer: Description, own: Description) -> None:
    answer = parse_answer(build(answer_to(offer, own), 1))
    assert (answer.mid, answer.bundle, answer.legacy) == (offer.mid, offer.bundle, offer.legacy)
    assert {answer.setup, offer.setup} in ({"active", "passive"}, {"active", "actpass"})


@given(candidates | related)
def test_candidates_are_read_back(candidate: IceCandidate) -> None:
    assert parse_candidate(str(candidate)) == candidate


@given(
    st.text()
    | st.lists(st.sampled_from(["candidate:1", "1", "udp", "typ", "host", "192.0.2.1", "raddr", "x"]), max_size=12).map(" ".join)
)
def test_any_candidate(text: str) -> None:
    try:
        candidate = parse_candidate(text)
    except CandidateError:
        return
    assert parse_candidate(str(candidate)) == candidate
