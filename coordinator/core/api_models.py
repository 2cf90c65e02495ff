"""What goes in and out of the API. Checked by these models, and described to others by the schemas made of them.

Aliases are texts, as in :mod:`coordinator.core.feed`; times are seconds since the epoch.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from coordinator.core.cluster import Revocation
from coordinator.core.feed import CoordinatorNow, ServerNow, TopicNow
from coordinator.core.servers import Condition
from protocol.errors import TopicError
from protocol.limits import MAX_ALIAS, MAX_DRAIN_S, MAX_JTI_BYTES, MAX_PUBLISH_BYTES, MAX_TOPIC_BYTES
from protocol.tokens import MAX_SUBJECT_BYTES
from protocol.topics import check_topic

MAX_PAGE = 1_000
"""Entries in one answer."""

MAX_REVOKED_S = 366 * 86_400
"""A year: longer than any token should live."""

Alias = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,12}$", description="An alias, as the dashboard and GET /peers show it.")]
Subject = Annotated[str, Field(min_length=1, max_length=MAX_SUBJECT_BYTES, description="Whose token it is (`sub`).")]
TokenId = Annotated[str, Field(min_length=1, max_length=MAX_JTI_BYTES, description="The id of one token (`jti`).")]


class _Asked(BaseModel):
    """A body: nothing in it but what is known, and nothing turned into another type."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _bytes_at_most(text: str | None, most: int) -> str | None:
    if text is not None and len(text.encode()) > most:
        raise ValueError(f"has {len(text.encode())} bytes, at most {most} are allowed")
    return text


class PublishRequest(_Asked):
    """A packet, as a client would publish it. Its body is one of `text`, `base64` and `json`; none of them: it is empty."""

    topic: str = Field(
        min_length=1, max_length=MAX_TOPIC_BYTES, description="Without white space; docs/protocol.md has the grammar."
    )
    text: str | None = Field(default=None, description=f"The body, as UTF-8; at most {MAX_PUBLISH_BYTES} bytes.")
    base64: str | None = Field(
        default=None, json_schema_extra={"contentEncoding": "base64"}, description="The body, any bytes (RFC 4648 section 4)."
    )
    json_: JsonValue = Field(default=None, alias="json", description="The body, any JSON, which is sent without blanks.")
    reliable: bool = Field(default=True, description="Which of the two channels it takes.")
    identity: bool = Field(default=False, description="Whether receivers see the subject of the token used here as its sender.")

    @field_validator("topic")
    @classmethod
    def _is_topic(cls, topic: str) -> str:
        try:
            return check_topic(topic)
        except TopicError as error:
            raise ValueError(error.why) from error

    @model_validator(mode="after")
    def _has_one_body(self) -> PublishRequest:
        given = [name for name in ("text", "base64", "json_") if name in self.model_fields_set]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(name.rstrip('_') for name in given)} were given: a packet has one body")
        size = len(self.body)
        if size > MAX_PUBLISH_BYTES:
            raise ValueError(f"the body has {size} bytes, at most {MAX_PUBLISH_BYTES} are allowed")
        return self

    @field_validator("base64")
    @classmethod
    def _is_base64(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError) as error:
                raise ValueError("is not base64") from error
        return text

    @property
    def body(self) -> bytes:
        """As it is sent. Raises ValueError for JSON with infinities."""
        if self.base64 is not None:
            return base64.b64decode(self.base64, validate=True)
        if "json_" in self.model_fields_set:
            return json.dumps(self.json_, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
        return (self.text or "").encode()


class PublishAnswer(BaseModel):
    """It was handed to a server."""

    server: Alias


class DisconnectRequest(_Asked):
    """Whom: one of the two."""

    subject: Subject | None = None
    alias: Alias | None = None

    @field_validator("subject")
    @classmethod
    def _fits(cls, subject: str | None) -> str | None:
        return _bytes_at_most(subject, MAX_SUBJECT_BYTES)

    @field_validator("alias")
    @classmethod
    def _is_alias(cls, alias: str | None) -> str | None:
        if alias is not None and int(alias) > MAX_ALIAS:
            raise ValueError(f"is above {MAX_ALIAS}")
        return alias

    @model_validator(mode="after")
    def _names_one(self) -> DisconnectRequest:
        if (self.subject is None) == (self.alias is None):
            raise ValueError("one of subject and alias is needed")
        return self


class DisconnectAnswer(BaseModel):
    """Everyone was told."""

    closed_here: int = Field(
        description="Sockets of this coordinator that were closed; others and links at servers are not counted."
    )


class RevokeRequest(_Asked):
    """Which tokens, by one of `subject` and `jti`, and for how long."""

    subject: Subject | None = None
    jti: TokenId | None = None
    seconds: float = Field(gt=0, le=MAX_REVOKED_S, description="For how long, from now on.")

    @field_validator("subject", "jti")
    @classmethod
    def _fits(cls, text: str | None) -> str | None:
        return _bytes_at_most(text, MAX_SUBJECT_BYTES)

    @model_validator(mode="after")
    def _names_one(self) -> RevokeRequest:
        if (self.subject is None) == (self.jti is None):
            raise ValueError("one of subject and jti is needed")
        return self


class RevocationNow(BaseModel):
    """One that is in force."""

    subject: str | None = Field(default=None, description="Tokens of this subject are refused.")
    jti: str | None = Field(default=None, description="The token with this id is refused.")
    until: float = Field(description="Until when.")
    made_at: float

    @classmethod
    def of(cls, revocation: Revocation) -> RevocationNow:
        """As it is shown."""
        by_subject = revocation.name == "subject"
        return cls(
            subject=revocation.value if by_subject else None,
            jti=None if by_subject else revocation.value,
            until=revocation.until,
            made_at=round(revocation.made_at, 3),
        )


class RevocationList(BaseModel):
    """A page of them, the first to end first."""

    revocations: list[RevocationNow]
    total: int
    next: str | None = Field(description="`after` of the next page; null on the last one.")


class DrainRequest(_Asked):
    """How long its clients have to move."""

    seconds: float = Field(
        default=0,
        ge=0,
        le=MAX_DRAIN_S,
        description="0: as long as the server was configured with (--drain-seconds).",
    )


class DrainAnswer(BaseModel):
    """The server was asked."""

    server: Alias
    seconds: float


class PeerNow(BaseModel):
    """A client or comm server whose socket is at this coordinator."""

    alias: Alias
    role: Literal["client", "server", "hub"]
    subject: str = Field(description="Of its token; empty where the cluster runs without authentication.")
    jti: str = Field(description="The id of its token; empty where it has none.")
    part2: bool = Field(description="Whether it speaks Part 2 of the wire; clients of webrtc-broker do not.")
    joined_at: float
    expires_at: float | None = Field(description="When its token ends; null: never.")
    request_id: str = Field(description="By which its join is found in logs.")


class PeerList(BaseModel):
    """A page of them, by alias."""

    peers: list[PeerNow]
    total: int = Field(description="That match.")
    next: str | None = Field(description="`after` of the next page; null on the last one.")


class ServerList(BaseModel):
    """A page of the cluster's servers, by alias."""

    servers: list[ServerNow]
    total: int
    next: str | None = Field(description="`after` of the next page; null on the last one.")


class TopicList(BaseModel):
    """The busiest topics, estimated from the ten busiest that each server reports; idle ones are not among them."""

    topics: list[TopicNow] = Field(description="Those with most deliveries, of what the servers report each second.")
    at_least: int = Field(description="As many different topics there are at least: those of the server that has most.")
    at_most: int = Field(description="And at most: all servers' together, which have many in common.")


class ClusterNow(BaseModel):
    """The whole cluster, as this coordinator knows it."""

    time: float
    auth: bool = Field(description="Whether peers must bring tokens.")
    coordinator: CoordinatorNow = Field(description="The coordinator that was asked.")
    servers: dict[Condition, int] = Field(
        description="How many servers there are of each state; only ready ones get new clients."
    )
    clients: int = Field(description="Clients of all servers together, as the servers tell.")
    revocations: int = Field(description="Revocations in force.")
