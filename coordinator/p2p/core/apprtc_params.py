"""What AppRTC's clients are told about a call: made of the query of their request and of where they reached us.

Types are as those clients want them: several values are JSON written as a text, and true and false of a constraint stay texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict
from urllib.parse import quote, urlencode

from coordinator.core.origins import origin_at

TOKEN = "access_token"
"""The query's key for the one thing in it that is not for the call but for us."""

COLLIDER_PREFIX = "/collider"
"""Where Collider is beside every room server."""

ICE_PATH = "/v1alpha/iceconfig"

LOOPBACK_PATH = "/js/loopback.js"
"""The script that plays the other person of a loopback call, for pages of AppRTC's making."""

_LOADING = {
    "error_messages": "errorMessages",
    "warning_messages": "warningMessages",
    "is_loopback": "isLoopback",
    "room_id": "roomId",
    "room_link": "roomLink",
    "media_constraints": "mediaConstraints",
    "offer_options": "offerOptions",
    "pc_config": "peerConnectionConfig",
    "pc_constraints": "peerConnectionConstraints",
    "ice_server_url": "iceServerRequestUrl",
    "ice_server_transports": "iceServerTransports",
    "wss_url": "wssUrl",
    "wss_post_url": "wssPostUrl",
    "bypass_join_confirmation": "bypassJoinConfirmation",
    "version_info": "versionInfo",
}
"""What parameters are called in a page."""
_JSON_AS_TEXT = frozenset(
    (
        "is_loopback",
        "media_constraints",
        "offer_options",
        "pc_config",
        "pc_constraints",
        "bypass_join_confirmation",
        "version_info",
    )
)

_ADDRESS = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#]+)(?:/[A-Za-z0-9._~%-]+)*", re.ASCII)

_HD_FORCED = "mandatory:minWidth=1280,mandatory:minHeight=720"
_HD_WISHED = "optional:minWidth=1280,optional:minHeight=720"
_RESOLUTIONS_ARE_GONE = 'The "minre" and "maxre" parameters are no longer supported. Use "video" instead.'


@dataclass(frozen=True, slots=True)
class Query:
    """The query of a request: keys and values, in order, decoded."""

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Query:
        """What any mapping of queries has as its items."""
        return cls(tuple(pairs))

    def get(self, key: str, default: str = "") -> str:
        """The first value of that key."""
        return next((value for name, value in self.pairs if name == key), default)

    def encoded(self) -> str:
        """As it stands behind a path: empty, or from the question mark on."""
        return f"?{urlencode(self.pairs, quote_via=quote, errors='replace')}" if self.pairs else ""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request, as far as its answer depends on it."""

    origin: str
    """Where it reached us from outside: `http://host:port`."""
    prefix: str
    """Of the room server's paths below it; empty, or a path without a slash at its end."""
    query: Query = Query()
    user_agent: str = ""
    token: str = ""
    """What the client brought to be let in. It goes into the addresses the client is given, as far as they are ours."""


class Params(TypedDict, total=False):
    """What a page and a join reply contain; those of a room are missing without one."""

    error_messages: list[str]
    warning_messages: list[str]
    header_message: str | None
    is_loopback: str
    pc_config: str
    pc_constraints: str
    offer_options: str
    media_constraints: str
    ice_server_url: str
    ice_server_transports: str
    include_loopback_js: str
    wss_url: str
    wss_post_url: str
    bypass_join_confirmation: str
    version_info: str
    room_id: str
    room_link: str
    client_id: str
    is_initiator: str
    messages: list[str]


class Media(NamedTuple):
    """What camera and microphone are asked for."""

    constraints: dict[str, Any]
    warnings: list[str]


class IceAddress(NamedTuple):
    """Where a client asks for ICE servers."""

    url: str
    """Empty: nowhere."""
    warnings: list[str]


class ColliderAddress(NamedTuple):
    """Where a client finds Collider."""

    wss_url: str
    wss_post_url: str
    """Clients put `/{room}/{client}` behind it, so it has no query."""
    warnings: list[str]


def page_params(visit: Visit, room_id: str = "") -> Params:
    """For a page, of a room if one is named."""
    query = visit.query
    media = media_constraints(query, visit.user_agent)
    ice = ice_address(visit)
    collider = collider_address(visit)
    params = Params(
        error_messages=[],
        warning_messages=[*media.warnings, *ice.warnings, *collider.warnings],
        header_message=None,
        is_loopback=json.dumps(is_loopback(query)),
        pc_config=json.dumps(pc_config(query)),
        pc_constraints=json.dumps(pc_constraints(query)),
        offer_options="{}",
        media_constraints=json.dumps(media.constraints),
        ice_server_url=ice.url,
        ice_server_transports=query.get("tt"),
        include_loopback_js=f'<script src="{visit.prefix}{LOOPBACK_PATH}"></script>' if is_loopback(query) else "",
        wss_url=collider.wss_url,
        wss_post_url=collider.wss_post_url,
        bypass_join_confirmation="false",
        version_info="null",
    )
    if room_id:
        params["room_id"] = room_id
        params["room_link"] = room_link(visit, room_id)
    return params


def join_params(visit: Visit, room_id: str, client: str, is_initiator: bool, messages: Iterable[str]) -> Params:
    """For who has joined a room."""
    params = page_params(visit, room_id)
    params["client_id"] = client
    params["is_initiator"] = json.dumps(is_initiator)
    params["messages"] = list(messages)
    return params


def loading_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """`loadingParams` of a page: the same by the names they have there, and JSON no longer written as a text."""
    return {
        name: json.loads(params[key]) if key in _JSON_AS_TEXT else params[key] for key, name in _LOADING.items() if key in params
    }


def is_loopback(query: Query) -> bool:
    """Whether somebody wants to call himself."""
    return query.get("debug") == "loopback"


def pc_config(query: Query) -> dict[str, Any]:
    """`RTCConfiguration`. No ICE servers in it: Android reads them in another form, and the web client asks for them only without any."""
    config: dict[str, Any] = {"iceServers": [], "bundlePolicy": "max-bundle", "rtcpMuxPolicy": "require"}
    if transports := query.get("it"):
        config["iceTransports"] = transports
    return config


def pc_constraints(query: Query) -> dict[str, Any]:
    """What was set for `dtls`, `dscp` and `ipv6`, if it is true or false. A call to oneself goes without DTLS."""
    wishes = {
        "DtlsSrtpKeyAgreement": "false" if is_loopback(query) else query.get("dtls"),
        "googDscp": query.get("dscp"),
        "googIPv6": query.get("ipv6"),
    }
    booleans = {"true": True, "false": False}
    return {"optional": [{name: booleans[wish.lower()]} for name, wish in wishes.items() if wish.lower() in booleans]}


def media_constraints(query: Query, user_agent: str) -> Media:
    """Of `audio`, `video`, `hd` and `firefox_fake_device`. Chrome on a desktop is asked for high definition where nothing is said."""
    warnings: list[str] = []
    video, hd = query.get("video"), query.get("hd").lower()
    if hd == "true":
        if video:
            warnings.append(f'The "hd" parameter has overridden video={video}')
        video = _HD_FORCED
    elif not hd and not video and "Chrome" in user_agent and "Android" not in user_agent:
        video = _HD_WISHED
    if query.get("minre") or query.get("maxre"):
        warnings.append(_RESOLUTIONS_ARE_GONE)
    constraints: dict[str, Any] = {"audio": track_constraints(query.get("audio")), "video": track_constraints(video)}
    if query.get("firefox_fake_device"):
        constraints["fake"] = True
    return Media(constraints, warnings)


def track_constraints(text: str) -> bool | dict[str, Any]:
    """Of one kind of media: `true`, `false`, or a list of `key=value` by commas, each with `mandatory:` or `optional:` if it likes.

    Without that, keys that begin with `goog` are optional, since other browsers do not know them. What is no pair is left out.
    """
    if text.lower() in ("", "true"):
        return True
    if text.lower() == "false":
        return False
    mandatory: dict[str, str] = {}
    optional: list[dict[str, str]] = []
    for is_mandatory, key, value in _constraints(text):
        if is_mandatory:
            mandatory[key] = value
        else:
            optional.append({key: value})
    return {"mandatory": mandatory, "optional": optional}


def _constraints(text: str) -> Iterator[tuple[bool, str, str]]:
    for constraint in text.split(","):
        *kinds, pair = constraint.split(":")
        key, *values = pair.split("=")
        if len(values) == 1:
            is_mandatory = kinds[0] == "mandatory" if len(kinds) == 1 else not constraint.startswith("goog")
            yield is_mandatory, key, values[0]


def room_link(visit: Visit, room_id: str) -> str:
    """The address of a room's page, with the query of the request. It is https where `wstls` says that TLS is to be had."""
    origin = visit.origin
    if visit.query.get("wstls") == "true" and origin.startswith("http:"):
        origin = f"https:{origin.removeprefix('http:')}"
    return f"{origin}{visit.prefix}/r/{room_id}{visit.query.encoded()}"


def ice_address(visit: Visit) -> IceAddress:
    """Here, or at the server that `ts` names; nowhere when that is there and empty."""
    here = f"{visit.origin}{visit.prefix}"
    base = visit.query.get("ts", here)
    warnings: list[str] = []
    if not base:
        return IceAddress("", warnings)
    if base != here and not _is_address(base):
        base, warnings = here, ['The "ts" parameter is ignored: it is no http or https address.']
    query = Query((("key", visit.query.get("apikey")), *_token(visit, base == here)))
    return IceAddress(f"{base}{ICE_PATH}{query.encoded()}", warnings)


def _is_address(text: str) -> bool:
    """Whether a path can be put behind it; a page's policy names the origin of what it is given, so that has to be one."""
    match = _ADDRESS.fullmatch(text)
    return match is not None and origin_at(match["scheme"], match["authority"]) is not None


def collider_address(visit: Visit) -> ColliderAddress:
    """Beside the room server, or at `wshpp` (host and port), then with TLS. `wstls` says whether with TLS, either way.

    A token goes with it to our own host alone, and to no other that somebody has put into a link.
    """
    scheme, _, own = visit.origin.partition("://")
    wanted, tls = visit.query.get("wshpp"), visit.query.get("wstls")
    place = origin_at("https", wanted) if wanted else None
    warnings = [] if place is not None or not wanted else ['The "wshpp" parameter is ignored: it is no host:port.']
    here = origin_at(scheme, own)
    if place is None:
        authority, path, is_ours = own, COLLIDER_PREFIX, True
    else:
        authority, path, is_ours = wanted, "", here is not None and here.host == place.host
        scheme = "https"
    scheme = {"true": "https", "false": "http"}.get(tls, scheme)
    url = f"{scheme}://{authority}{path}"
    token = Query(_token(visit, is_ours)).encoded()
    return ColliderAddress(f"{url.replace('http', 'ws', 1)}/ws{token}", url, warnings)


def _token(visit: Visit, is_ours: bool) -> tuple[tuple[str, str], ...]:
    return ((TOKEN, visit.token),) if visit.token and is_ours else ()
