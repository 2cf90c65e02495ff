"""The coordinator's options: meaning, unit, default and why."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, field_validator

from coordinator.core.config import CoordinatorConfig
from coordinator.core.origins import OriginPolicy
from protocol.limits import KIB
from service.keys import shared_secret
from service.settings import ServiceSettings, group

_LISTEN = group("Listening")
_SELECT = group("Selection")
_LIVENESS = group("Liveness")
_LIMITS = group("Limits")


class CoordinatorSettings(ServiceSettings):
    """Options of ``rtcbroker coordinator``."""

    command: ClassVar[str] = "coordinator"

    host: str = Field(default="0.0.0.0", description="Address to listen on; '::' for IPv6 too.", json_schema_extra=_LISTEN)
    port: int = Field(
        default=9090, ge=0, le=65535, description="TCP port to listen on; 0 takes a free one.", json_schema_extra=_LISTEN
    )
    allowed_origins: list[str] = Field(
        default=[],
        description="Web pages that may connect from a browser, by their origin ('https://app.example.com'), beside the coordinator's "
        "own: those whose host and port are the ones in the request's Host header, which a proxy has to pass on. '*' lets in every page "
        "of every site. Who is not a browser sends no origin and is not affected.",
        json_schema_extra=_LISTEN,
    )
    selector: Literal["random", "two-choices"] = Field(
        default="random",
        description="How the server for a client is chosen: any one, or the less busy of two random ones.",
        json_schema_extra=_SELECT,
    )
    status_timeout: float = Field(
        default=20.0,
        gt=0,
        description="Seconds after its last status report at which a server gets no new clients; reports come every 5 seconds.",
        json_schema_extra=_SELECT,
    )
    resume_secret: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Secret of the proofs with which peers get their alias back. By default derived from the shared secret of the tokens, "
        "or else random, so that clients get a new alias after a restart (servers keep theirs). "
        "Several coordinators of one cluster need the same.",
        json_schema_extra=group("Authentication"),
    )
    ping_interval: float = Field(
        default=10.0, gt=0, description="Seconds of silence after which a socket is pinged.", json_schema_extra=_LIVENESS
    )
    ping_timeout: float = Field(
        default=5.0,
        gt=0,
        description="Seconds within which a pinged socket must give a sign of life.",
        json_schema_extra=_LIVENESS,
    )
    stop_timeout: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="Seconds that stopping may take, for peers to hear of it.",
        json_schema_extra=_LIVENESS,
    )
    max_clients: int = Field(
        default=20_000,
        ge=1,
        description="Clients connected at once; more are refused with HTTP 503. One costs about 20 KiB of memory and one file handle.",
        json_schema_extra=_LIMITS,
    )
    max_servers: int = Field(
        default=1_000, ge=1, description="Communication servers connected at once.", json_schema_extra=_LIMITS
    )
    outbox_frames: int = Field(
        default=4_096,
        ge=16,
        description="Frames that may wait for one peer before it is closed as too slow.",
        json_schema_extra=_LIMITS,
    )
    outbox_bytes: int = Field(
        default=1_024 * KIB,
        ge=128 * KIB,
        description="Bytes that may wait for one peer before it is closed as too slow.",
        json_schema_extra=_LIMITS,
    )
    client_frames_per_s: float = Field(
        default=20.0,
        gt=0,
        description="Signalling frames a client may send per second on average; a join takes 5 to 25.",
        json_schema_extra=_LIMITS,
    )
    client_frames_burst: int = Field(
        default=200, ge=30, description="How many of these may come at once.", json_schema_extra=_LIMITS
    )

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, origins: list[str]) -> list[str]:
        OriginPolicy(origins)
        return origins

    def core_config(self) -> CoordinatorConfig:
        """What the core needs of this. Raises :class:`protocol.errors.ConfigError` when a secret cannot be read."""
        return CoordinatorConfig(
            resume_key=self._resume_key(),
            auth_required=self.auth == "token",
            ping_interval_s=self.ping_interval,
            ping_timeout_s=self.ping_timeout,
            status_timeout_s=self.status_timeout,
            outbox_frames=self.outbox_frames,
            outbox_bytes=self.outbox_bytes,
            max_clients=self.max_clients,
            max_servers=self.max_servers,
            client_frames_per_s=self.client_frames_per_s,
            client_frames_burst=self.client_frames_burst,
        )

    def _resume_key(self) -> bytes:
        if self.resume_secret is not None:
            return _derived(self.resume_secret.get_secret_value().encode())
        shared = shared_secret(self)
        if shared is not None:
            return _derived(shared.material)
        return secrets.token_bytes(32)


def _derived(secret: bytes) -> bytes:
    """A key for this one purpose: a proof that leaks says nothing of the secret, nor can it be mistaken for a token's signature."""
    return hmac.new(secret, b"rtcbroker resume proof", hashlib.sha256).digest()
