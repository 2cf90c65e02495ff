"""The one configuration of STUN and TURN servers, and what each peer is given of it.

TURN servers relay at their operator's cost, so they want credentials: a fixed pair for everyone, or pairs that end by themselves, made of
a secret that coordinator and TURN server share. The latter is what coturn calls `use-auth-secret`: the user name is the time at which it
ends (seconds since the epoch), a colon and the user, the credential base64(HMAC-SHA1(secret, user name)). So the two never talk.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable

from protocol.errors import ConfigError
from protocol.ice import NO_ICE, IceGrant, IceServer, IceUrl, parse_ice_url
from protocol.limits import MAX_ICE_TEXT_BYTES, MAX_ICE_URLS

__all__ = ["DEFAULT_LIFETIME_S", "IceGrant", "IceServer", "IceServers"]

DEFAULT_LIFETIME_S = 3_600
"""Long beside any join, short enough that credentials which leak are soon worth nothing."""

MAX_USER_CHARS = 64
"""Of a user in a user name: aliases and rooms are shorter; with the rest it stays far below what STUN takes."""

_NOT_FOR_USERS = re.compile(r"[^A-Za-z0-9._@+-]")


class IceServers:
    """Made once from the operator's options; :meth:`issue` is for every join."""

    def __init__(
        self,
        urls: Iterable[str] = (),
        *,
        username: str = "",
        credential: str = "",
        turn_secret: bytes = b"",
        lifetime_s: int = DEFAULT_LIFETIME_S,
    ) -> None:
        """`username` and `credential`, or `turn_secret`: what the TURN servers among `urls` want; all of them want the same.

        Raises :class:`ConfigError` that names the option and the entry.
        """
        parsed = [_parsed(url) for url in dict.fromkeys(urls)]
        if len(parsed) > MAX_ICE_URLS:
            raise ConfigError(f"--ice-servers: {len(parsed)} URLs, at most {MAX_ICE_URLS} are allowed")
        _check_credentials(next(filter(_is_turn, parsed), None), username, credential, turn_secret)
        self._stun = tuple(url.text for url in parsed if not url.is_turn)
        self._turn = tuple(url.text for url in parsed if url.is_turn)
        self._username = username
        self._credential = credential
        self._secret = turn_secret
        self._lifetime_s = lifetime_s

    def issue(self, user: str, now: float) -> IceGrant:
        """The servers for `user` at `now` (seconds since the epoch). Credentials made of a secret are his alone, and end.

        TURN servers log the user, send it in the clear, and count by it where they limit each user: give something that tells people
        apart and does not name them. Characters that do not suit a user name are replaced, and what is too long is cut.
        """
        if not self._turn:
            return IceGrant(self._stun_servers()) if self._stun else NO_ICE
        if not self._secret:
            return IceGrant((*self._stun_servers(), IceServer(self._turn, self._username, self._credential)))
        username = f"{int(now) + self._lifetime_s}:{_NOT_FOR_USERS.sub('_', user)[:MAX_USER_CHARS]}"
        mac = hmac.new(self._secret, username.encode(), hashlib.sha1).digest()
        turn = IceServer(self._turn, username, base64.b64encode(mac).decode())
        return IceGrant((*self._stun_servers(), turn), float(self._lifetime_s))

    def _stun_servers(self) -> tuple[IceServer, ...]:
        return (IceServer(self._stun),) if self._stun else ()


def _parsed(url: str) -> IceUrl:
    try:
        return parse_ice_url(url)
    except ValueError as error:
        raise ConfigError(f"--ice-servers: {error}") from None


def _is_turn(url: IceUrl) -> bool:
    return url.is_turn


def _check_credentials(turn: IceUrl | None, username: str, credential: str, secret: bytes) -> None:
    """Whether what is there goes together; `turn` is a TURN server, if there is one."""
    if bool(username) != bool(credential):
        given, lacks = ("--ice-username", "--ice-credential") if username else ("--ice-credential", "--ice-username")
        raise ConfigError(f"{given}: needs {lacks} beside it")
    if username and secret:
        raise ConfigError("--ice-username and --ice-turn-secret: give fixed credentials or a secret to make some of, not both")
    for option, value in (("--ice-username", username), ("--ice-credential", credential)):
        if len(value.encode()) > MAX_ICE_TEXT_BYTES:
            raise ConfigError(f"{option}: longer than {MAX_ICE_TEXT_BYTES} bytes")
    if turn is None and (username or secret):
        option = "--ice-username" if username else "--ice-turn-secret"
        raise ConfigError(f"{option}: there is no TURN server among --ice-servers that it would be for")
    if turn is not None and not (username or secret):
        raise ConfigError(
            f"--ice-servers {turn}: a TURN server wants credentials: --ice-username and --ice-credential, "
            "or --ice-turn-secret (--ice-turn-secret-file)"
        )
