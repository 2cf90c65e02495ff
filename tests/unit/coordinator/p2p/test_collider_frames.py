"""Frames of Collider: what is read leniently, what is not read at all, and how answers are written."""

from __future__ import annotations

import json

import pytest

from coordinator.p2p.core.collider_frames import Command, MalformedCommand, decode_command, error_frame, message_frame


@pytest.mark.parametrize(
    ("data", "command"),
    [
        ('{"cmd":"register","roomid":"r","clientid":"c"}', Command("register", "r", "c")),
        ('{"cmd":"register","roomid":"r","clientid":"c"}\n', Command("register", "r", "c")),
        (b'{"cmd":"register","roomid":"r","clientid":"c"}\n', Command("register", "r", "c")),
        ('{"cmd":"send","roomid":"r","clientid":"c","msg":"m"}', Command("send", "r", "c", "m")),
        ('{"msg":"m","cmd":"send","later":[1,{"x":null}]}', Command("send", msg="m")),
        ('{"cmd":"send","msg":null}', Command("send")),
        ('{"cmd":"send","msg":"a","msg":"b"}', Command("send", msg="b")),
        ('{"cmd":"send","msg":"\\ud800"}', Command("send", msg="\ud800")),
        (b'{"cmd":"send","msg":"\xff"}', Command("send", msg="\ufffd")),
        ("{}", Command()),
        ("null", Command()),
    ],
)
def test_commands(data: str | bytes, command: Command) -> None:
    assert decode_command(data) == command


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ("", "this is no JSON"),
        (b"", "this is no JSON"),
        ("hello", "this is no JSON"),
        ('{"cmd":"send"', "this is no JSON"),
        ('{"cmd":"send"} {}', "this is no JSON"),
        (b"\xff\xfe", "this is no JSON"),
        ("[" * 100_000, "this is no JSON"),
        ('{"cmd":' + "9" * 10_000 + "}", "this is no JSON"),
        ("[]", "this is no JSON object"),
        ('"register"', "this is no JSON object"),
        ("1", "this is no JSON object"),
        ('{"cmd":1}', "cmd is no string"),
        ('{"cmd":"send","msg":{"type":"bye"}}', "msg is no string"),
        ('{"cmd":"send","msg":""   ,"roomid":5}', "roomid is no string"),
        ('{"cmd":"send","clientid":12345678}', "clientid is no string"),
        ('{"cmd":"send","msg":false}', "msg is no string"),
    ],
    ids=range(16),
)
def test_what_is_no_command(data: str | bytes, what: str) -> None:
    with pytest.raises(MalformedCommand) as caught:
        decode_command(data)
    assert str(caught.value) == what


def test_answers_have_both_keys_the_message_first_and_end_their_line() -> None:
    assert message_frame("hi") == '{"msg":"hi","error":""}\n'
    assert error_frame("no") == '{"msg":"","error":"no"}\n'


@pytest.mark.parametrize("text", ['{"type":"offer","sdp":"v=0\r\n"}', "grüße \U0001f600", "\ud800", "<&>\u2028\0"])
def test_any_text_comes_through(text: str) -> None:
    frame = message_frame(text)
    assert frame.isascii()
    assert json.loads(frame) == {"msg": text, "error": ""}
