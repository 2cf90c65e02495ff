"""The coordinator's HTTP API as the commands of an operator use it: one request, and its problem as a sentence."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from protocol.errors import ConfigError, RtcBrokerError
from protocol.tokens import TokenRole, sign
from rtcbroker.cli.keys import read_text, signing_key
from service.tls import client_context

TIMEOUT_S = 15.0
"""For one answer."""

TOKEN_LIFETIME_S = 60.0
"""Of a token that is signed for one command; it is signed anew for each request."""

SUBJECT = "rtcbroker command line"
"""Whom the coordinator's log names where the token was signed here."""

_SCHEMES = {"ws": "http", "wss": "https", "http": "http", "https": "https"}
_MAX_ANSWER_BYTES = 16 * 1024 * 1024


class RefusedError(RtcBrokerError):
    """The coordinator does not do it, or cannot be reached; the text is for people."""


class Operator:
    """Asks one coordinator."""

    def __init__(
        self,
        coordinator: str,
        *,
        token: str | None = None,
        token_file: Path | None = None,
        secret: str | None = None,
        secret_file: Path | None = None,
        ca_file: Path | None = None,
    ) -> None:
        """A token, or a secret to sign one with, or neither where the cluster runs without authentication. Raises :class:`ConfigError`."""
        self._url = base_url(coordinator)
        if token is not None and token_file is not None:
            raise ConfigError("--token and --token-file: give one of them, not both")
        self._token = token.strip() if token is not None else read_text(token_file, "--token-file") if token_file else ""
        has_secret = secret is not None or secret_file is not None
        self._key = signing_key(secret, secret_file, None) if has_secret and not self._token else None
        self._context = client_context(ca_file)

    def get(self, path: str) -> Any:
        """GET. Raises :class:`RefusedError`."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """POST. Raises :class:`RefusedError`."""
        return self._ask("POST", path, json.dumps(body).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> Any:
        headers = {"Accept": "application/json"}
        if token := self._bearer():
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(f"{self._url}/api/v1{path}", body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=self._context) as response:
                return _document(response.read(_MAX_ANSWER_BYTES))
        except urllib.error.HTTPError as error:
            with error:
                raise RefusedError(_problem(error.code, error.read(_MAX_ANSWER_BYTES))) from None
        except (OSError, ValueError) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise RefusedError(f"the coordinator at {self._url} cannot be reached: {reason}") from error

    def _bearer(self) -> str:
        if self._key is None:
            return self._token
        return sign(self._key, subject=SUBJECT, role=TokenRole.ADMIN, now=time.time(), lifetime_s=TOKEN_LIFETIME_S)


def base_url(coordinator: str) -> str:
    """The HTTP address of a coordinator that is named as peers name it, too. Raises :class:`ConfigError`."""
    try:
        parts = urlsplit(coordinator)
        is_url = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or parts.username or parts.query or parts.fragment:
        raise ConfigError(f"--coordinator {coordinator!r}: is no URL such as http://localhost:9090 or wss://broker.example.org")
    return f"{_SCHEMES[parts.scheme]}://{parts.netloc}{parts.path.rstrip('/')}"


def _document(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        raise RefusedError("the answer is no JSON: is that the coordinator's port?") from None


def _problem(status: int, data: bytes) -> str:
    try:
        detail = json.loads(data)["detail"]
    except (ValueError, TypeError, KeyError):
        return f"HTTP {status}: is that the coordinator's port?"
    return f"{detail} (HTTP {status})"
