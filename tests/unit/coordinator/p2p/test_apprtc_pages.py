"""The pages of a call: parameters inside the page, and a policy that lets it make a call and nothing else."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from coordinator.io.pages import STATIC
from coordinator.p2p.core.apprtc_params import Query, Visit, loading_params, page_params
from coordinator.p2p.io.apprtc_pages import FOLDER, AppRtcPages
from protocol.errors import ConfigError

ROOM = "green-room"
VISIT = Visit("http://host:9090", "/apprtc", Query.of([("ts", "")]), token="a.b.c")
PARAMS: dict[str, Any] = {
    **page_params(VISIT, ROOM),
    "wss_url": "ws://host:8089/ws?access_token=a.b.c",
    "wss_post_url": "http://host:8089",
}
HOME = {name: value for name, value in PARAMS.items() if not name.startswith("room_")}


def request(path: str = "/apprtc/r/green-room", host: str = "host:9090", **headers: str) -> web.Request:
    return make_mocked_request("GET", path, headers={"Host": host, **headers})


def text(response: web.Response) -> str:
    assert isinstance(response.body, bytes)
    return response.body.decode()


class Reader(HTMLParser):
    """Reads a page as a browser does: what stands in the scripts of parameters, and what elements there are."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.params = self.script = ""
        self.scripts: list[dict[str, str | None]] = []
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.scripts.append(dict(attrs))
            self._inside = dict(attrs).get("id") or ("script" if not attrs else "")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "params":
            self.params += data
        elif self._inside == "script":
            self.script += data

    @property
    def loading_params(self) -> Any:
        """What the variable of that name is."""
        before, text = self.script.split(" = ", 1)
        assert before == "var loadingParams"
        assert text.endswith(";")
        return json.loads(text[:-1])

    @property
    def allowance(self) -> str:
        """What a policy has to say to let the script run."""
        return f"'sha256-{b64encode(hashlib.sha256(self.script.encode()).digest()).decode()}'"


@pytest.fixture(scope="module")
def pages() -> AppRtcPages:
    return AppRtcPages()


def policy_of(response: web.Response) -> dict[str, set[str]]:
    directives = (directive.split() for directive in response.headers["Content-Security-Policy"].split(";"))
    return {name: set(values) for name, *values in directives}


def test_each_page_is_the_one_that_is_wanted(pages: AppRtcPages) -> None:
    call = text(pages.page(request(), PARAMS, False))
    home = text(pages.page(request("/apprtc/"), HOME, False))
    full = text(pages.page(request(), PARAMS, True))
    assert "../js/call.js" in call
    assert "js/home.js" in home
    assert "Sorry, this room is full." in full
    assert "Sorry, this room is full." not in call + home
    assert "a.b.c" not in full


@pytest.mark.parametrize("params", [PARAMS, HOME])
def test_parameters_come_as_they_are(pages: AppRtcPages, params: dict[str, Any]) -> None:
    reader = Reader(text(pages.page(request(), params, False)))
    assert json.loads(reader.params) == params
    assert reader.loading_params == loading_params(params)
    assert ("roomId" in reader.loading_params) == (params is PARAMS)


@pytest.mark.parametrize(
    "evil",
    [
        "</script><script>alert(1)</script>",
        "<!--<script>",
        "-->",
        "]]>",
        '"',
        "\\",
        "'",
        "&lt;",
        "\u2028\u2029",
        "\ud800",
        '"PARAMS"',
        "é 👋",
    ],
)
def test_nothing_in_them_ends_the_element(pages: AppRtcPages, evil: str) -> None:
    params = {**PARAMS, "warning_messages": [evil], evil: evil}
    page = text(pages.page(request(), params, False))
    plain = Reader(text(pages.page(request(), PARAMS, False)))
    reader = Reader(page)
    assert json.loads(reader.params) == params
    assert reader.loading_params["warningMessages"] == [evil]
    assert reader.scripts == plain.scripts, "no script has come to it"
    assert not set("<>&") & set(reader.params + reader.script)


def test_the_policy_allows_a_call_and_nothing_else(pages: AppRtcPages) -> None:
    params = {**PARAMS, "ice_server_url": "https://ice.test/v1alpha/iceconfig?key="}
    page = pages.page(request(), params, False)
    assert policy_of(page) == {
        "default-src": {"'none'"},
        "script-src": {"'self'", Reader(text(page)).allowance},
        "style-src": {"'self'"},
        "img-src": {"'self'", "data:"},
        "connect-src": {"'self'", "ws://host:9090", "wss://host:9090", "ws://host:8089", "http://host:8089", "https://ice.test"},
        "media-src": {"blob:", "mediastream:"},
        "manifest-src": {"'self'"},
        "base-uri": {"'none'"},
        "form-action": {"'none'"},
        "frame-ancestors": {"'none'"},
    }


@pytest.mark.parametrize(
    "address",
    [
        "ws://x; script-src *",
        "ws://x y/ws",
        "ws://*/ws",
        "ws://[::1]:8089/ws",
        "ws://[",
        "javascript:alert(1)",
        "data:,x",
        "//x/ws",
        "ws://user@x/ws",
        "ws:///ws",
        "",
        None,
        3,
    ],
)
def test_the_policy_names_only_what_is_an_origin(pages: AppRtcPages, address: object) -> None:
    page = pages.page(request(), {**PARAMS, "wss_url": address, "wss_post_url": address}, False)
    policy = policy_of(page)
    assert policy["connect-src"] == {"'self'", "ws://host:9090", "wss://host:9090"}
    assert policy["script-src"] == {"'self'", Reader(text(page)).allowance}


def test_the_page_of_a_full_room_has_no_script_inside(pages: AppRtcPages) -> None:
    page = pages.page(request(), PARAMS, True)
    assert policy_of(page)["script-src"] == {"'self'"}
    assert "loadingParams" not in text(page)


@pytest.mark.parametrize("room_full", [True, False])
def test_headers_of_a_page(pages: AppRtcPages, room_full: bool) -> None:
    response = pages.page(request(**{"Accept-Encoding": "gzip"}), PARAMS, room_full)
    headers = dict(response.headers)
    assert response.status == 200
    assert headers.pop("Content-Security-Policy")
    assert headers == {
        "Cache-Control": "no-store",
        "Content-Type": "text/html; charset=utf-8",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(self), microphone=(self), fullscreen=(self), display-capture=(), geolocation=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def installed(root: Path, **changes: str | None) -> Path:
    """The pages, with these changed, or missing where None."""
    for page in ("home", "call", "full"):
        body = changes.get(page, (STATIC / FOLDER / f"{page}.html").read_text(encoding="utf-8"))
        if body is not None:
            (root / FOLDER).mkdir(exist_ok=True)
            (root / FOLDER / f"{page}.html").write_text(body, encoding="utf-8")
    return root


def test_an_installation_without_its_pages_does_not_start(tmp_path: Path) -> None:
    AppRtcPages(installed(tmp_path))
    for page in ("home", "call", "full"):
        root = tmp_path / page
        root.mkdir()
        with pytest.raises(ConfigError, match=rf"{page}\.html: there is no such file"):
            AppRtcPages(installed(root, **{page: None}))


@pytest.mark.parametrize(
    ("body", "times"), [("<p>", 0), ('"LOADING" <p>', 0), ('"PARAMS" "PARAMS" "LOADING"', 2), ('"PARAMS" "LOADING" "LOADING"', 2)]
)
def test_parameters_have_one_place(tmp_path: Path, body: str, times: int) -> None:
    with pytest.raises(ConfigError, match=rf"call\.html: .* has to be there once, it is {times} times"):
        AppRtcPages(installed(tmp_path, call=body))
