"""Static pages over real HTTP: what is served, with which headers, and what is not."""

from __future__ import annotations

import asyncio
import gzip
import http.client
from pathlib import Path

import aiohttp
import pytest

from coordinator.io import pages
from coordinator.io.pages import FOLDERS, STATIC
from protocol.errors import ConfigError
from tests.integration.coordinator.conftest import Running, Start

HTML = b"<!doctype html>" + b"<p>page</p>" * 100
SCRIPT = b"export const x = 1;\n" * 100
FILES = {
    "dashboard/index.html": HTML,
    "dashboard/main.js": SCRIPT,
    "dashboard/style.css": b"a{}",
    "dashboard/deep/icon.svg": b"<svg/>",
    "dashboard/live": b"never served: the socket is there",
    "dashboard/.hidden": b"hidden",
    "demo/index.html": HTML + b"demo",
    "sdk/rtcbroker.js": SCRIPT,
    "sdk/rtcbroker.d.ts": b"export {};\n",
    "sdk/odd.bin": bytes(range(256)),
    "secret/key.txt": b"outside",
}


@pytest.fixture
def static(tmp_path: Path) -> Path:
    for name, body in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(body)
    (tmp_path / "key.txt").write_bytes(b"outside")
    return tmp_path


@pytest.fixture
async def site(start: Start, static: Path) -> Running:
    return await start(static=static)


def headers_of(site: Running, **more: str) -> dict[str, str]:
    host = f"127.0.0.1:{site.port}"
    return {
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src 'self' ws://{host} wss://{host}; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        **more,
    }


async def get(site: Running, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers but for the obvious, and the body as it came."""
    async with aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=["Accept-Encoding"]) as session:
        url = f"http://127.0.0.1:{site.port}{path}"
        async with session.request(method, url, headers=headers, allow_redirects=False) as response:
            # Case means nothing in a header's name, and aiohttp writes this one another way.
            plain = {{"Etag": "ETag"}.get(name, name): value for name, value in response.headers.items()}
            del plain["Date"], plain["Server"]
            return response.status, plain, await response.read()


@pytest.mark.parametrize(
    ("path", "name", "content_type"),
    [
        ("/", "dashboard/index.html", "text/html; charset=utf-8"),
        ("/dashboard/main.js", "dashboard/main.js", "text/javascript; charset=utf-8"),
        ("/dashboard/style.css", "dashboard/style.css", "text/css; charset=utf-8"),
        ("/dashboard/deep/icon.svg", "dashboard/deep/icon.svg", "image/svg+xml"),
        ("/demo", "demo/index.html", "text/html; charset=utf-8"),
    ],
)
async def test_a_page_comes_with_exactly_these_headers(site: Running, path: str, name: str, content_type: str) -> None:
    body = FILES[name]
    status, headers, got = await get(site, path)
    assert (status, got) == (200, body)
    tag = headers.pop("ETag")
    assert tag.startswith('"')
    more = {"Vary": "Accept-Encoding"} if len(body) > 100 else {}
    expected = {"Cache-Control": "no-cache", "Content-Type": content_type, "Content-Length": str(len(body)), **more}
    assert headers == headers_of(site, **expected)


async def test_the_sdk_is_for_other_sites_too(site: Running) -> None:
    status, headers, body = await get(site, "/sdk/rtcbroker.js")
    assert (status, body) == (200, SCRIPT)
    del headers["ETag"]
    assert headers == headers_of(
        site,
        **{
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Cache-Control": "no-cache",
            "Content-Type": "text/javascript; charset=utf-8",
            "Content-Length": str(len(SCRIPT)),
            "Vary": "Accept-Encoding",
        },
    )
    assert (await get(site, "/sdk/rtcbroker.d.ts"))[1]["Content-Type"] == "text/plain; charset=utf-8"
    assert (await get(site, "/sdk/odd.bin"))[1]["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("GZIP", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=0.0, *", False),
        ("*;q=0, gzip", True),
        ("br", False),
        ("identity", False),
    ],
)
async def test_gzip_for_who_takes_it(site: Running, accepted: str, zipped: bool) -> None:
    _, headers, body = await get(site, "/dashboard/main.js", **{"Accept-Encoding": accepted})
    assert (headers.get("Content-Encoding") == "gzip") is zipped
    assert headers["Content-Length"] == str(len(body))
    assert (gzip.decompress(body) if zipped else body) == SCRIPT
    assert headers["Vary"] == "Accept-Encoding"


async def test_what_gzip_does_not_make_smaller_is_left(site: Running) -> None:
    _, headers, body = await get(site, "/sdk/odd.bin", **{"Accept-Encoding": "gzip"})
    assert body == FILES["sdk/odd.bin"]
    assert not {"Content-Encoding", "Vary"} & headers.keys()


async def test_a_browser_asks_again_and_gets_304(site: Running) -> None:
    for accepted in ("gzip", "identity"):
        _, first, _ = await get(site, "/", **{"Accept-Encoding": accepted})
        for known in (first["ETag"], f"W/{first['ETag']}", f'"x", {first["ETag"]}', "*"):
            status, headers, body = await get(site, "/", **{"Accept-Encoding": accepted, "If-None-Match": known})
            assert (status, body) == (304, b"")
            expected = {"ETag": first["ETag"], "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
            assert headers == headers_of(site, **expected)
        for unknown in ('"x"', "nonsense"):
            assert (await get(site, "/", **{"Accept-Encoding": accepted, "If-None-Match": unknown}))[0] == 200


async def test_the_tag_is_of_what_is_sent(site: Running) -> None:
    plain = (await get(site, "/"))[1]["ETag"]
    zipped = (await get(site, "/", **{"Accept-Encoding": "gzip"}))[1]["ETag"]
    other = (await get(site, "/demo"))[1]["ETag"]
    assert len({plain, zipped, other}) == 3


async def test_head_is_get_without_the_body(site: Running) -> None:
    for path in ("/", "/sdk/rtcbroker.js", "/nothing", "/sdk/nothing"):
        status, headers, body = await get(site, path)
        head = await get(site, path, "HEAD")
        assert head == (status, headers, b"")
        assert int(headers["Content-Length"]) == len(body)


@pytest.mark.parametrize(
    "path",
    [
        "/dashboard/nothing.js",
        "/sdk/",
        "/sdk/nothing",
        "/dashboard/deep/",
        "/dashboard/.hidden",
        "/dashboard/main.js/",
        "/demo/x",
    ],
)
async def test_what_is_not_there_is_not_listed(site: Running, path: str) -> None:
    status, headers, body = await get(site, path)
    assert status == 404
    if not path.endswith("sdk/"):
        assert body == b"there is no such page\n"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "path",
    [
        "/dashboard/../secret/key.txt",
        "/dashboard/..%2fsecret%2fkey.txt",
        "/dashboard/%2e%2e/key.txt",
        "/sdk/..\\key.txt",
        "/dashboard//etc/passwd",
        "/sdk/%00",
        "/secret/key.txt",
        "/key.txt",
    ],
)
async def test_no_way_leads_outside(site: Running, path: str) -> None:
    """Asked as a browser never would: with the path as it stands."""

    def ask() -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=5)
        try:
            connection.putrequest("GET", path)
            connection.endheaders()
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    status, body = await asyncio.to_thread(ask)
    assert status in (400, 404)
    assert b"outside" not in body


@pytest.mark.parametrize(("path", "to"), [("/dashboard", "/"), ("/dashboard/", "/"), ("/demo/", "/demo")])
async def test_a_page_has_one_address(site: Running, path: str, to: str) -> None:
    status, headers, _ = await get(site, path)
    assert (status, headers["Location"]) == (307, to)


async def test_pages_are_read_only(site: Running) -> None:
    status, headers, _ = await get(site, "/", "POST")
    assert status == 405
    assert headers["Allow"] == "GET,HEAD"


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("broker.example", True),
        ("Broker.example:8443", True),
        ("[::1]:9090", False),  # no policy can name it
        ("x; script-src *", False),
        ("", False),
    ],
)
async def test_a_policy_names_the_host_only_if_it_is_one(site: Running, host: str, named: bool) -> None:
    policy = (await get(site, "/", Host=host))[1]["Content-Security-Policy"]
    sockets = f" ws://{host} wss://{host}" if named else ""
    assert f"connect-src 'self'{sockets};" in policy
    assert policy.count("script-src") == 1


async def test_too_many_files_stop_the_start(start: Start, static: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, value in (("MAX_FILES", 3), ("MAX_TOTAL_BYTES", 1_000)):
        with monkeypatch.context() as patched:
            patched.setattr(pages, limit, value)
            with pytest.raises(ConfigError, match="web pages"):
                await start(static=static)


async def test_without_files_there_is_nothing(start: Start, tmp_path: Path) -> None:
    site = await start(static=tmp_path / "none")
    assert (await get(site, "/"))[0] == 404


async def test_what_is_built_is_served(coordinator: Running) -> None:
    """The real files of our own pages, each under the name it has in the package."""
    paths = [path for folder in FOLDERS for path in (STATIC / folder).rglob("*") if path.is_file()]
    names = sorted(path.relative_to(STATIC).as_posix() for path in paths)
    assert "sdk/rtcbroker.js" in names
    for name in names:
        status, headers, body = await get(coordinator, f"/{name}")
        assert (status, body) == (200, (STATIC / name).read_bytes()), name
        assert headers["Content-Type"] != "application/octet-stream", f"{name}: what kind of file is that?"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/no/such/thing", 404), ("POST", "/", 405), ("GET", "/connect", 426)]
)
async def test_errors_are_pages_too(start: Start, method: str, path: str, status: int) -> None:
    coordinator = await start(auth="none")
    async with coordinator.http.request(method, path) as response:
        assert response.status == status
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
