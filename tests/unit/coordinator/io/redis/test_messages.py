"""Messages between coordinators come out as they went in, and others are refused."""

from __future__ import annotations

import pytest

from coordinator.core.cluster import Deed, Disconnect, Forward, Revocation, ServerState
from coordinator.io.redis.messages import (
    Back,
    Claimed,
    Down,
    Evicted,
    Frame,
    Mark,
    Message,
    Reported,
    Up,
    decode,
    decode_record,
    decode_revocation,
    decode_state,
    encode_back,
    encode_deed,
    encode_disconnect,
    encode_frame,
    encode_report,
    encode_revocation,
    encode_state,
)
from protocol.tokens import TokenRole

STATE = ServerState(7, TokenRole.COMMUNICATION_SERVER_HUB, True, 1, 2, True, 0.125)
FORWARD = Forward(2**42 - 1, 8, TokenRole.CLIENT, 2, b"\n \x00\xff\n")
REVOCATION = Revocation("subject", "älice \n", 1_800_000_000.1, 1_700_000_000.2, True)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"claimed 1 4398046511103 1 1500", Claimed(1, 2**42 - 1, True, 1.5)),
        (b"claimed 1 7 0 0", Claimed(1, 7, False, 0.0)),
        (b"evicted 3 7", Evicted(3, 7)),
        (b"up 7 one.1\n" + encode_state(STATE), Up(STATE, "one.1")),
        (b"down 7 one.1", Down(7, "one.1")),
        (encode_report(7, "one.1", b"\x08\n"), Reported(7, "one.1", b"\x08\n")),
        (encode_frame("one.1", FORWARD), Frame(FORWARD, "one.1")),
        (encode_back(FORWARD), Back(FORWARD)),
        (b"revoked\n" + encode_revocation(REVOCATION), REVOCATION),
        (encode_deed(Deed("älice \n", "did \x00 it", 7)), Deed("älice \n", "did \x00 it", 7)),
        (encode_disconnect(Disconnect(alias=7)), Disconnect(alias=7)),
        (b"mark", Mark()),
    ],
)
def test_all_of_them(data: bytes, message: Message) -> None:
    assert decode(data) == message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"gossip 1",
        b'deed\n{"by": "alice", "what": 5, "server": 0}',
        b'deed\n{"by": "alice"}',
        b"mark 1",
        b"claimed 1 7 1",
        b"claimed x 7 1 0",
        b"evicted 1 7 9",
        b"down 7",
        b"frame one.1 7 8 CLIENT\nframe",
        b"frame one.1 7 8 JESTER 2\nframe",
        b"back 7\nframe",
        b"\xff\xfe",
        b"up 7 one.1",
        b"up 7 one.1\n[]",
        b'up 7 one.1\n{"alias":7}',
        b'up 7 one.1\n{"role":"CLIENT"}',
        b"revoked\n{}",
        b'revoked\n{"name":"colour","value":"x","until":1,"made_at":1}',
        b'revoked\n{"name":"jti","value":"x","until":1e999,"made_at":1}',
        b"disconnect\n7",
    ],
)
def test_what_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        decode(data)


def test_fields_of_a_newer_version_are_passed_over() -> None:
    assert decode_state(encode_state(STATE)[:-1] + b',"colour":"red"}') == STATE
    assert decode_revocation(encode_revocation(REVOCATION)[:-1] + b',"why":"x"}') == REVOCATION
    assert decode_record(b"one.1\n" + encode_state(STATE)) == Up(STATE, "one.1")
