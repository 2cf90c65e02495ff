"""Verifies tokens with whatever keys the settings name; the same object at the coordinator and at every comm server."""

from __future__ import annotations

import logging
from collections.abc import Callable

import jwt

from protocol.codes import Code
from protocol.errors import ConfigError, TokenError
from protocol.keys import Key, KeySet
from protocol.tokens import Claims, TokenPolicy, verify
from service.clock import Clock
from service.keys import JwksSource, local_keys
from service.settings import ServiceSettings

log = logging.getLogger(__name__)

NO_KEY = (
    "authentication is on, but there is no key to verify tokens with. Give one of --auth-secret, --auth-secret-file, --auth-key-file "
    "or --auth-jwks-url (or their environment variables), or let everyone in with --auth none"
)


class Authenticator:
    """Judges tokens by one policy. Between :meth:`start` and :meth:`close` the keys of a JWKS URL are kept fresh."""

    def __init__(self, policy: TokenPolicy | None, clock: Clock, jwks: JwksSource | None = None) -> None:
        """`policy` None: authentication is off. `jwks` brings keys beside those of the policy."""
        self._policy = policy
        self._clock = clock
        self._jwks = jwks
        self._merged: tuple[tuple[Key, ...], TokenPolicy] | None = None
        self._is_revoked: Callable[[Claims], bool] = lambda claims: False

    @classmethod
    def from_settings(cls, settings: ServiceSettings, clock: Clock | None = None) -> Authenticator:
        """As the settings say. Raises :class:`ConfigError` when tokens are wanted and no key is configured, or one cannot be read."""
        clock = clock or Clock()
        if settings.auth == "none":
            return cls(None, clock)
        keys = local_keys(settings)
        if not keys and settings.auth_jwks_url is None:
            raise ConfigError(NO_KEY)
        policy = TokenPolicy(KeySet(keys), settings.auth_audience, settings.auth_issuer, settings.auth_leeway)
        jwks = JwksSource(settings.auth_jwks_url) if settings.auth_jwks_url is not None else None
        return cls(policy, clock, jwks)

    @property
    def enabled(self) -> bool:
        """Whether peers must bring tokens. Where not, use :func:`protocol.tokens.anonymous` and do not call :meth:`verify`."""
        return self._policy is not None

    def obey(self, is_revoked: Callable[[Claims], bool]) -> None:
        """From now on refuse genuine tokens too, of which this says that they are revoked."""
        self._is_revoked = is_revoked

    def is_revoked(self, claims: Claims) -> bool:
        """Whether a token that was verified before has been revoked since."""
        return self._is_revoked(claims)

    async def start(self) -> None:
        """Fetch the keys of a JWKS URL, if there is one; a URL that is away does not fail the start. Warns when authentication is off."""
        if self._policy is None:
            log.warning("authentication is off (--auth none): whoever reaches this port may join, as a server too")
        if self._jwks is not None:
            await self._jwks.start()

    async def close(self) -> None:
        """Stop fetching keys. Idempotent."""
        if self._jwks is not None:
            await self._jwks.close()

    def verify(self, token: str) -> Claims:
        """Verify `token` with the keys at hand; never waits.

        Raises :class:`TokenError`; with code TOKEN_UNVERIFIABLE when the key may be one that is being fetched or never could be, so
        that the bearer should try again. Raises RuntimeError when authentication is off.
        """
        policy = self._current_policy()
        try:
            claims = verify(token, policy, self._clock.now())
        except TokenError as error:
            if error.code is Code.AUTH_FAILED and self._may_come(token, policy.keys):
                raise TokenError(Code.TOKEN_UNVERIFIABLE, "the key of the token is not known here yet") from error
            raise
        if self._is_revoked(claims):
            raise TokenError(Code.TOKEN_REVOKED, Code.TOKEN_REVOKED.reason)
        return claims

    async def verify_patiently(self, token: str) -> Claims:
        """Like :meth:`verify`, but waits for a fetch that may bring the token's key, at most FETCH_TIMEOUT_S."""
        try:
            return self.verify(token)
        except TokenError as error:
            if error.code is not Code.TOKEN_UNVERIFIABLE or self._jwks is None or self._jwks.is_settled:
                raise
        await self._jwks.settled()
        return self.verify(token)

    def _current_policy(self) -> TokenPolicy:
        if self._policy is None:
            raise RuntimeError("authentication is off")
        if self._jwks is None:
            return self._policy
        published = self._jwks.keys
        if self._merged is None or self._merged[0] is not published:
            keys = KeySet([*self._policy.keys, *published])
            merged = TokenPolicy(keys, self._policy.audience, self._policy.issuer, self._policy.leeway_s)
            self._merged = (published, merged)
        return self._merged[1]

    def _may_come(self, token: str, keys: KeySet) -> bool:
        """Whether a fetch may bring the key this token names; asks for the fetch."""
        if self._jwks is None:
            return False
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            return False
        if header.get("alg") not in ("RS256", "ES256", "EdDSA"):
            return False  # published keys are never symmetric
        key_id = header.get("kid")
        if self._jwks.keys and (key_id is None or any(key.key_id == key_id for key in keys)):
            return False  # the key is here, the token is wrong
        return self._jwks.refresh_soon() or not self._jwks.keys
