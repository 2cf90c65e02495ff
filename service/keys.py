"""Where keys come from: the settings, files, and a JWKS URL that is read again and again.

The keys of a URL may change at any time. They are fetched at the start, every ten minutes, and - no more often than every ten
seconds, so that made-up tokens cannot drive us against that server - when a token names a key we do not have. While the URL is away
the last good keys stay in force.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from protocol.errors import ConfigError
from protocol.keys import Key, jwks_keys, public_key, secret_key
from protocol.limits import KIB
from service.options import flag_of
from service.settings import ServiceSettings

log = logging.getLogger(__name__)

MAX_JWKS_BYTES = 256 * KIB
"""A key set has a few keys of at most 2 KiB; anything longer is something else."""

FETCH_TIMEOUT_S = 5.0
"""One fetch, from name resolution to the last byte. A token may be waiting for it."""

REFRESH_S = 600.0
"""Between fetches when all is well: how long a key that was withdrawn is still accepted."""

MIN_REFRESH_S = 10.0
"""Between fetches asked for by tokens with unknown keys."""

MAX_RETRY_S = 60.0
"""Between fetches while the URL is away; starts at a second and doubles."""

Fetch = Callable[[str], Awaitable[bytes]]


def shared_secret(settings: ServiceSettings) -> Key | None:
    """The HS256 key of ``--auth-secret`` or ``--auth-secret-file``; None where neither is set.

    Raises :class:`ConfigError` when both are, the file cannot be read, or the secret is too short.
    """
    if settings.auth_secret is not None and settings.auth_secret_file is not None:
        raise ConfigError("--auth-secret and --auth-secret-file: give one of them, not both")
    if settings.auth_secret is not None:
        return _named("auth_secret", secret_key, settings.auth_secret.get_secret_value())
    if settings.auth_secret_file is not None:
        return _named("auth_secret_file", secret_key, read_file(settings.auth_secret_file, "auth_secret_file").strip())
    return None


def local_keys(settings: ServiceSettings) -> list[Key]:
    """The keys that tokens are verified with and that need no network. Raises :class:`ConfigError`."""
    keys = []
    secret = shared_secret(settings)
    if secret is not None:
        keys.append(secret)
    if settings.auth_key_file is not None:
        pem = read_file(settings.auth_key_file, "auth_key_file")
        keys.append(public_key(pem, name=f"{flag_of('auth_key_file')} {settings.auth_key_file}"))
    return keys


def read_file(path: Path, option: str) -> bytes:
    """The content of a small file that `option` names. Raises :class:`ConfigError` naming both."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{flag_of(option)} {path}: cannot be read ({error.strerror})") from error


def _named(option: str, make: Callable[[Any], Key], material: object) -> Key:
    try:
        return make(material)
    except ConfigError as error:
        raise ConfigError(f"{flag_of(option)}: {error}") from None


class JwksSource:
    """The keys of a JWKS URL (RFC 7517), kept fresh by a task of its own between :meth:`start` and :meth:`close`."""

    def __init__(self, url: str, fetch: Fetch | None = None) -> None:
        self._url = url
        self._fetch = fetch or fetch_bytes
        self._keys: tuple[Key, ...] = ()
        self._task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()  # somebody asks for a fetch before its time
        self._settled = asyncio.Event()  # no fetch is wanted or under way
        self._last_attempt = float("-inf")  # loop time

    @property
    def keys(self) -> tuple[Key, ...]:
        """The last good keys; none until the first fetch that worked."""
        return self._keys

    @property
    def is_settled(self) -> bool:
        """No fetch is under way or about to be."""
        return self._settled.is_set()

    async def start(self) -> None:
        """Fetch once, and from now on again and again. Returns after the first try, whatever came of it, within FETCH_TIMEOUT_S."""
        self._task = asyncio.create_task(self._run(), name="jwks")
        await self._settled.wait()

    async def close(self) -> None:
        """Stop fetching. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def refresh_soon(self) -> bool:
        """Ask for a fetch because a key is missing; False when the last one was so short ago that it would bring nothing new."""
        if self._task is None or self._task.done():
            return False
        if not self._settled.is_set():
            return True
        if asyncio.get_running_loop().time() - self._last_attempt < MIN_REFRESH_S:
            return False
        self._settled.clear()
        self._wanted.set()
        return True

    async def settled(self) -> None:
        """Wait for the fetch that is under way, if one is; at most FETCH_TIMEOUT_S."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                await self._settled.wait()

    async def _run(self) -> None:
        failures = 0
        while True:
            failures = 0 if await self._try_fetch() else failures + 1
            pause = min(2.0 ** (failures - 1), MAX_RETRY_S) if failures else REFRESH_S
            # Not wait_for: up to Python 3.11 it loses a cancellation that comes together with the result.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wanted.wait()

    async def _try_fetch(self) -> bool:
        self._settled.clear()
        self._wanted.clear()
        self._last_attempt = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                body = await self._fetch(self._url)
            keys = tuple(jwks_keys(_json(body), name=self._url))
        except (aiohttp.ClientError, OSError, TimeoutError, ConfigError) as error:
            what = "no keys yet, tokens cannot be verified" if not self._keys else "the keys at hand stay in force"
            log.warning("keys of %s cannot be had (%s); %s", self._url, _why(error), what)
            return False
        finally:
            self._settled.set()
        if keys_id(keys) != keys_id(self._keys):
            log.info("keys of %s: %d (%s)", self._url, len(keys), ", ".join(str(key.key_id) for key in keys))
        self._keys = keys
        return True


def keys_id(keys: tuple[Key, ...]) -> list[tuple[str, str | None]]:
    """What tells one set of published keys from another in a log."""
    return [(key.algorithm, key.key_id) for key in keys]


async def fetch_bytes(url: str) -> bytes:
    """GET `url`. Raises :class:`ConfigError` for another status than 200 or a body over MAX_JWKS_BYTES, aiohttp's errors and OSError."""
    timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url, max_redirects=3) as response:
        if response.status != 200:
            raise ConfigError(f"HTTP {response.status}")
        body = bytearray()
        async for chunk in response.content.iter_chunked(16 * KIB):
            body += chunk
            if len(body) > MAX_JWKS_BYTES:
                raise ConfigError(f"longer than {MAX_JWKS_BYTES} bytes")
        return bytes(body)


def _json(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise ConfigError("not JSON") from None
    if not isinstance(document, dict):
        raise ConfigError("not a JSON object")
    return document


def _why(error: BaseException) -> str:
    return str(error) or type(error).__name__
