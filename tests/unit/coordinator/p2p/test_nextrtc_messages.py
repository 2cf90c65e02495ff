"""One message: read leniently, written strictly."""

from __future__ import annotations

import json

import pytest

from coordinator.p2p.core.nextrtc_messages import BadMessageError, Message, encode, encode_escaped, frame, parse

CANDIDATE = '{"candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host","sdpMid":"0"}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"signal":"left"}', Message("left")),
        ('{"from":null,"to":null,"signal":"left","content":null,"custom":null}', Message("left")),
        ('{"from":"a","to":"b","signal":"text","content":"c","custom":{"d":"e"}}', Message("text", "b", "c", {"d": "e"})),
        ('{"from":{"never":["read"]},"signal":"left"}', Message("left")),
        ('{"signal":"text","content":"it\'s"}', Message("text", content="it's")),
        ('{"signal":"text","content":"<b>&"}', Message("text", content="<b>&")),
        ('{"signal":"text","unknown":1}', Message("text")),
        ("{}", Message()),
        (' \r\n{"signal":"left"}\n', Message("left")),
        ('{"signal":"text","content":"two\nlines\tand a tab"}', Message("text", content="two\nlines\tand a tab")),
        ('{"signal":"text","content":1.50e3}', Message("text", content="1.50e3")),
        ('{"signal":"text","content":-7}', Message("text", content="-7")),
        ('{"signal":"text","content":true}', Message("text", content="true")),
        ('{"signal":"text","content":NaN}', Message("text", content="NaN")),
        ('{"signal":"text","content":' + 5000 * "9" + "}", Message("text", content=5000 * "9")),
        (
            '{"signal":"text","custom":{"a":1,"b":false,"c":null,"d":""}}',
            Message("text", custom={"a": "1", "b": "false", "d": ""}),
        ),
    ],
)
def test_json(text: str, message: Message) -> None:
    assert parse(text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{'signal':'left'}", Message("left")),
        (
            "{'from':null,'to':'b','signal':'text','content':'c','custom':{'type':'MESH'}}",
            Message("text", "b", "c", {"type": "MESH"}),
        ),
        ("{'signal':'candidate','content':'" + CANDIDATE + "'}", Message("candidate", content=CANDIDATE)),
        (r"{'signal':'text','content':'it\'s'}", Message("text", content="it's")),
        (r"""{'signal':'text','content':'say \"hi\"'}""", Message("text", content='say "hi"')),
        (r"{'signal':'text','content':'a\\b\n'}", Message("text", content="a\\b\n")),
        ("{'signal':'text','content':7}", Message("text", content="7")),
    ],
)
def test_apostrophes_for_quotes(text: str, message: Message) -> None:
    assert parse(text) == message


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "JSON"),
        ("left", "JSON"),
        ("{'signal':'text','content':'it's'}", "JSON"),
        ('{"signal":"left"', "JSON"),
        ('{"signal":"left"}{}', "JSON"),
        ("\ufeff{}", "JSON"),
        (100_000 * "[", "JSON"),
        (100_000 * "{'a':", "JSON"),
        ('["signal"]', "object"),
        ('"left"', "object"),
        ("7", "object"),
        ("null", "object"),
        ('{"signal":["left"]}', "'signal'"),
        ('{"to":{}}', "'to'"),
        ('{"content":{"candidate":"x"}}', "'content'"),
        ('{"custom":"text"}', "'custom'"),
        ('{"custom":[]}', "'custom'"),
        ('{"custom":{"a":{"b":"c"}}}', "'custom'"),
        ('{"custom":{"a":["b"]}}', "'custom'"),
        (b'{"signal":"left"}', "binary"),
    ],
)
def test_what_is_no_message(data: str | bytes, words: str) -> None:
    with pytest.raises(BadMessageError, match=words) as caught:
        parse(data)
    assert len(str(caught.value)) < 60, "nothing of what came is in it"


def test_a_frame_has_all_five_keys_in_order() -> None:
    assert frame("ping", "m") == '{"from":"","to":"m","signal":"ping","content":"","custom":{}}'
    full = frame("text", "m", sender="n", content=encode('a "b"\n\u00e9'), custom=encode({"k": "v", "w": ""}))
    assert full == '{"from":"n","to":"m","signal":"text","content":"a \\"b\\"\\n\\u00e9","custom":{"k":"v","w":""}}'
    assert list(json.loads(full)) == ["from", "to", "signal", "content", "custom"]


def test_only_what_html_gives_a_meaning_is_escaped() -> None:
    assert encode_escaped('<script>"it\'s" & so on</script>') == ('"&lt;script&gt;\\"it\'s\\" &amp; so on&lt;/script&gt;"')
    assert encode_escaped({"<k>": "<v>"}) == '{"<k>":"&lt;v&gt;"}'
    assert encode("<&>") == '"<&>"'


def test_half_a_surrogate_pair_can_be_passed_on() -> None:
    text = frame("text", "m", content=encode(parse('{"content":"\\ud83d"}').content))
    assert text.encode()
    assert json.loads(text)["content"] == "\ud83d"
