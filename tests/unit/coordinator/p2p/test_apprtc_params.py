"""What AppRTC's clients are told: every parameter of the query, and every key of the answer with its type."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coordinator.p2p.core import apprtc_params
from coordinator.p2p.core.apprtc_params import Query, Visit

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
CHROME_ANDROID = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/120.0.0.0 Mobile Safari/537.36"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"
WISHED = {"mandatory": {}, "optional": [{"minWidth": "1280"}, {"minHeight": "720"}]}
FORCED = {"mandatory": {"minWidth": "1280", "minHeight": "720"}, "optional": []}

HERE = "http://rtc.example:9090"


def visit(origin: str = HERE, prefix: str = "/apprtc", agent: str = "", token: str = "", **query: str) -> Visit:
    return Visit(origin, prefix, Query.of(query.items()), agent, token)


def test_the_parameters_of_a_page_without_a_room() -> None:
    assert apprtc_params.page_params(visit()) == {
        "error_messages": [],
        "warning_messages": [],
        "header_message": None,
        "is_loopback": "false",
        "pc_config": '{"iceServers": [], "bundlePolicy": "max-bundle", "rtcpMuxPolicy": "require"}',
        "pc_constraints": '{"optional": []}',
        "offer_options": "{}",
        "media_constraints": '{"audio": true, "video": true}',
        "ice_server_url": f"{HERE}/apprtc/v1alpha/iceconfig?key=",
        "ice_server_transports": "",
        "include_loopback_js": "",
        "wss_url": "ws://rtc.example:9090/collider/ws",
        "wss_post_url": "http://rtc.example:9090/collider",
        "bypass_join_confirmation": "false",
        "version_info": "null",
    }


def test_a_room_adds_its_name_and_its_link() -> None:
    plain = apprtc_params.page_params(visit(it="relay"))
    params = apprtc_params.page_params(visit(it="relay"), "room-1")
    assert params.pop("room_id") == "room-1"
    assert params.pop("room_link") == f"{HERE}/apprtc/r/room-1?it=relay"
    assert params == plain


@pytest.mark.parametrize(("is_initiator", "text"), [(True, "true"), (False, "false")])
def test_a_join_adds_who_one_is_and_what_was_said(is_initiator: bool, text: str) -> None:
    page = apprtc_params.page_params(visit(), "r")
    params = apprtc_params.join_params(visit(), "r", "01234567", is_initiator, ("one", "two"))
    assert params.pop("client_id") == "01234567"
    assert params.pop("is_initiator") == text
    assert params.pop("messages") == ["one", "two"]
    assert params == page


# ----------------------------------------------------------------------------------------------------- the connection


def test_only_relays() -> None:
    assert apprtc_params.pc_config(Query.of([("it", "relay")])) == {
        "iceServers": [],
        "bundlePolicy": "max-bundle",
        "rtcpMuxPolicy": "require",
        "iceTransports": "relay",
    }


def test_one_transport_to_turn_servers() -> None:
    assert apprtc_params.page_params(visit(tt="tcp"))["ice_server_transports"] == "tcp"


@pytest.mark.parametrize(
    ("query", "optional"),
    [
        ({}, []),
        ({"dtls": "true"}, [{"DtlsSrtpKeyAgreement": True}]),
        ({"dtls": "False"}, [{"DtlsSrtpKeyAgreement": False}]),
        ({"dscp": "TRUE"}, [{"googDscp": True}]),
        ({"ipv6": "false"}, [{"googIPv6": False}]),
        ({"ipv6": "yes", "dscp": "", "dtls": "1"}, []),
        (
            {"ipv6": "true", "dscp": "false", "dtls": "true"},
            [{"DtlsSrtpKeyAgreement": True}, {"googDscp": False}, {"googIPv6": True}],
        ),
        ({"debug": "loopback"}, [{"DtlsSrtpKeyAgreement": False}]),
        ({"debug": "loopback", "dtls": "true"}, [{"DtlsSrtpKeyAgreement": False}]),
        ({"debug": "other", "dtls": "true"}, [{"DtlsSrtpKeyAgreement": True}]),
    ],
)
def test_constraints_of_the_connection(query: dict[str, str], optional: list[dict[str, bool]]) -> None:
    assert apprtc_params.pc_constraints(Query.of(query.items())) == {"optional": optional}


def test_a_call_to_oneself() -> None:
    params = apprtc_params.page_params(visit(debug="loopback"))
    assert params["is_loopback"] == "true"
    assert params["include_loopback_js"] == '<script src="/apprtc/js/loopback.js"></script>'
    at_the_root = apprtc_params.page_params(visit(prefix="", debug="loopback"))
    assert at_the_root["include_loopback_js"] == '<script src="/js/loopback.js"></script>'
    assert apprtc_params.page_params(visit(debug="else"))["include_loopback_js"] == ""


# --------------------------------------------------------------------------------------------- camera and microphone


@pytest.mark.parametrize(
    ("text", "constraints"),
    [
        ("", True),
        ("true", True),
        ("True", True),
        ("false", False),
        ("FALSE", False),
        ("minWidth=1280", {"mandatory": {"minWidth": "1280"}, "optional": []}),
        ("googNoiseReduction=true", {"mandatory": {}, "optional": [{"googNoiseReduction": "true"}]}),
        ("minWidth=1,minHeight=2,googX=y", {"mandatory": {"minWidth": "1", "minHeight": "2"}, "optional": [{"googX": "y"}]}),
        ("optional:minWidth=1,optional:minHeight=2", {"mandatory": {}, "optional": [{"minWidth": "1"}, {"minHeight": "2"}]}),
        ("mandatory:googX=true", {"mandatory": {"googX": "true"}, "optional": []}),
        ("whatever:minWidth=1", {"mandatory": {}, "optional": [{"minWidth": "1"}]}),
        ("a=1,a=2,optional:a=3,optional:a=4", {"mandatory": {"a": "2"}, "optional": [{"a": "3"}, {"a": "4"}]}),
        ("minWidth=", {"mandatory": {"minWidth": ""}, "optional": []}),
        ("nonsense", {"mandatory": {}, "optional": []}),
        ("a=b=c,d=e,", {"mandatory": {"d": "e"}, "optional": []}),
        ("goog:x:a=b", {"mandatory": {}, "optional": [{"a": "b"}]}),
    ],
)
def test_constraints_of_a_track(text: str, constraints: Any) -> None:
    assert apprtc_params.track_constraints(text) == constraints


OVERRIDDEN = 'The "hd" parameter has overridden video=false'
NO_LONGER = 'The "minre" and "maxre" parameters are no longer supported. Use "video" instead.'


@pytest.mark.parametrize(
    ("query", "agent", "video", "warnings"),
    [
        ({}, "", True, []),
        ({}, FIREFOX, True, []),
        ({}, CHROME, WISHED, []),
        ({}, CHROME_ANDROID, True, []),
        ({"video": "true"}, CHROME, True, []),
        ({"video": "false"}, CHROME, False, []),
        ({"hd": "false"}, CHROME, True, []),
        ({"hd": "false", "video": "false"}, CHROME, False, []),
        ({"hd": "true"}, CHROME, FORCED, []),
        ({"hd": "TRUE"}, FIREFOX, FORCED, []),
        ({"hd": "true", "video": "false"}, "", FORCED, [OVERRIDDEN]),
        ({"minre": "x"}, "", True, [NO_LONGER]),
        ({"maxre": "x", "video": "false"}, "", False, [NO_LONGER]),
        ({"minre": "x", "maxre": "y", "hd": "true", "video": "false"}, "", FORCED, [OVERRIDDEN, NO_LONGER]),
    ],
)
def test_video(query: dict[str, str], agent: str, video: Any, warnings: list[str]) -> None:
    media = apprtc_params.media_constraints(Query.of(query.items()), agent)
    assert media.constraints == {"audio": True, "video": video}
    assert media.warnings == warnings
    params = apprtc_params.page_params(visit(agent=agent, **query))
    assert params["warning_messages"] == warnings
    assert json.loads(params["media_constraints"]) == media.constraints


def test_audio() -> None:
    media = apprtc_params.media_constraints(Query.of([("audio", "false")]), CHROME)
    assert media.constraints == {"audio": False, "video": WISHED}


def test_a_camera_that_is_none() -> None:
    media = apprtc_params.media_constraints(Query.of([("firefox_fake_device", "1")]), "")
    assert media.constraints == {"audio": True, "video": True, "fake": True}


# ---------------------------------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("query", "url"),
    [
        ({}, f"{HERE}/apprtc/v1alpha/iceconfig?key="),
        ({"apikey": "k&1"}, f"{HERE}/apprtc/v1alpha/iceconfig?key=k%261"),
        ({"ts": "https://turn.example"}, "https://turn.example/v1alpha/iceconfig?key="),
        ({"ts": "https://turn.example", "apikey": "k"}, "https://turn.example/v1alpha/iceconfig?key=k"),
        ({"ts": ""}, ""),
        ({"ts": "", "apikey": "k"}, ""),
    ],
)
def test_where_to_ask_for_ice_servers(query: dict[str, str], url: str) -> None:
    assert apprtc_params.page_params(visit(**query))["ice_server_url"] == url


@pytest.mark.parametrize("ts", ["https://turn.example:443/some/path", "http://[::1]:1", "http://a"])
def test_where_ice_servers_may_be_asked_for(ts: str) -> None:
    params = apprtc_params.page_params(visit(ts=ts))
    assert (params["ice_server_url"], params["warning_messages"]) == (f"{ts}/v1alpha/iceconfig?key=", [])


@pytest.mark.parametrize(
    "ts",
    [
        "turn.example",
        "ftp://turn.example",
        "javascript:alert(1)",
        "https://",
        "https://a/",
        "https://a?b",
        "https://a/b?c",
        "https://user@a",
        "https://a; script-src *",
        "https://a:99999",
        "https://a/ b",
        "//a",
    ],
)
def test_where_they_may_not(ts: str) -> None:
    params = apprtc_params.page_params(visit(ts=ts))
    assert params["ice_server_url"] == f"{HERE}/apprtc/v1alpha/iceconfig?key="
    assert params["warning_messages"] == ['The "ts" parameter is ignored: it is no http or https address.']


@pytest.mark.parametrize(
    ("origin", "query", "link"),
    [
        ("http://a.example", {}, "http://a.example/apprtc/r/room"),
        ("https://a.example", {}, "https://a.example/apprtc/r/room"),
        ("http://a.example", {"wstls": "true"}, "https://a.example/apprtc/r/room?wstls=true"),
        ("http://a.example:80", {"wstls": "false"}, "http://a.example:80/apprtc/r/room?wstls=false"),
        ("https://a.example", {"wstls": "true"}, "https://a.example/apprtc/r/room?wstls=true"),
        ("https://a.example", {"wstls": "false"}, "https://a.example/apprtc/r/room?wstls=false"),
        ("http://a.example", {"it": "relay", "x": ""}, "http://a.example/apprtc/r/room?it=relay&x="),
        ("http://a.example", {"<b>": 'a b+&="ü'}, "http://a.example/apprtc/r/room?%3Cb%3E=a%20b%2B%26%3D%22%C3%BC"),
    ],
)
def test_the_link_of_a_room(origin: str, query: dict[str, str], link: str) -> None:
    assert apprtc_params.room_link(visit(origin, **query), "room") == link


def test_a_room_at_the_root() -> None:
    assert apprtc_params.room_link(visit(prefix=""), "room") == f"{HERE}/r/room"


@pytest.mark.parametrize(
    ("origin", "query", "url", "post_url"),
    [
        ("http://a:1", {}, "ws://a:1/collider/ws", "http://a:1/collider"),
        ("https://a:1", {}, "wss://a:1/collider/ws", "https://a:1/collider"),
        ("https://a", {}, "wss://a/collider/ws", "https://a/collider"),
        ("http://[::1]:1", {}, "ws://[::1]:1/collider/ws", "http://[::1]:1/collider"),
        ("http://http:1", {}, "ws://http:1/collider/ws", "http://http:1/collider"),
        ("http://a:1", {"wstls": "true"}, "wss://a:1/collider/ws", "https://a:1/collider"),
        ("https://a:1", {"wstls": "false"}, "ws://a:1/collider/ws", "http://a:1/collider"),
        ("http://a:1", {"wstls": "perhaps"}, "ws://a:1/collider/ws", "http://a:1/collider"),
        ("http://a:1", {"wshpp": "c:8089"}, "wss://c:8089/ws", "https://c:8089"),
        ("http://a:1", {"wshpp": "c"}, "wss://c/ws", "https://c"),
        ("http://a:1", {"wshpp": "c:8089", "wstls": "false"}, "ws://c:8089/ws", "http://c:8089"),
        ("https://a:1", {"wshpp": "c:8089", "wstls": "true"}, "wss://c:8089/ws", "https://c:8089"),
        ("https://a:1", {"wshpp": ""}, "wss://a:1/collider/ws", "https://a:1/collider"),
    ],
)
def test_where_collider_is(origin: str, query: dict[str, str], url: str, post_url: str) -> None:
    address = apprtc_params.collider_address(visit(origin, **query))
    assert address == (url, post_url, [])


@pytest.mark.parametrize("place", ["c:8089/path", "c:x", "c:99999", "a b", "user@c:1", "c?x", "[::1"])
def test_a_place_that_is_none_is_not_taken_and_said(place: str) -> None:
    params = apprtc_params.page_params(visit(wshpp=place))
    assert params["wss_url"] == "ws://rtc.example:9090/collider/ws"
    assert params["warning_messages"] == ['The "wshpp" parameter is ignored: it is no host:port.']


# -------------------------------------------------------------------------------------------------------------- token


def test_a_token_is_kept_in_every_address_that_is_ours() -> None:
    params = apprtc_params.page_params(visit(token="t/1", access_token="t/1", apikey="k"), "room")
    assert params["room_link"] == f"{HERE}/apprtc/r/room?access_token=t%2F1&apikey=k"
    assert params["ice_server_url"] == f"{HERE}/apprtc/v1alpha/iceconfig?key=k&access_token=t%2F1"
    assert params["wss_url"] == "ws://rtc.example:9090/collider/ws?access_token=t%2F1"
    assert params["wss_post_url"] == "http://rtc.example:9090/collider", "paths are put behind it"


@pytest.mark.parametrize(
    ("wshpp", "is_ours"),
    [
        ("rtc.example:8089", True),
        ("RTC.example:8089", True),
        ("rtc.example", True),
        ("evil.example:9090", False),
        ("rtc.example.evil.example", False),
    ],
)
def test_a_token_goes_to_our_own_host_alone(wshpp: str, is_ours: bool) -> None:
    url = apprtc_params.page_params(visit(token="t", wshpp=wshpp))["wss_url"]
    assert url == f"wss://{wshpp}/ws{'?access_token=t' if is_ours else ''}"


def test_a_token_does_not_go_to_another_ice_server() -> None:
    params = apprtc_params.page_params(visit(token="t", ts="https://turn.example"))
    assert params["ice_server_url"] == "https://turn.example/v1alpha/iceconfig?key="


# -------------------------------------------------------------------------------------------------------------- query


def test_the_first_value_of_a_key_counts_and_all_are_passed_on() -> None:
    query = Query.of([("it", "relay"), ("it", "all"), ("x", "")])
    assert (query.get("it"), query.get("x", "d"), query.get("y"), query.get("y", "d")) == ("relay", "", "", "d")
    assert query.encoded() == "?it=relay&it=all&x="
    assert Query().encoded() == ""


def test_what_is_no_unicode_breaks_nothing() -> None:
    query = Query.of([("\udcff", "\ud800")])
    assert query.encoded() == "?%3F=%3F"
    json.dumps(apprtc_params.page_params(Visit(HERE, "", query), "room"))


def test_what_a_page_has_by_other_names() -> None:
    """Texts that hold JSON are what they say."""
    params: dict[str, Any] = {**apprtc_params.page_params(visit(it="relay", tt="udp", video="false"), "room-1")}
    assert apprtc_params.loading_params(params) == {
        "errorMessages": [],
        "warningMessages": [],
        "isLoopback": False,
        "roomId": "room-1",
        "roomLink": params["room_link"],
        "mediaConstraints": {"audio": True, "video": False},
        "offerOptions": {},
        "peerConnectionConfig": json.loads(params["pc_config"]),
        "peerConnectionConstraints": {"optional": []},
        "iceServerRequestUrl": params["ice_server_url"],
        "iceServerTransports": "udp",
        "wssUrl": params["wss_url"],
        "wssPostUrl": params["wss_post_url"],
        "bypassJoinConfirmation": False,
        "versionInfo": None,
    }


def test_a_page_without_a_room_has_no_room() -> None:
    loading = apprtc_params.loading_params(dict(apprtc_params.page_params(visit())))
    assert not {"roomId", "roomLink"} & set(loading)
