"""Every route of the API: what it takes, what it answers, and with which statuses it may end. The OpenAPI document is made of this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from coordinator.core import api_models as models

PREFIX = "/api/v1"
DEFAULT_PAGE = 100

OF_EVERYONE = frozenset({403, 417, 429, 500})
"""A page of a foreign origin, a header Expect that is not met, too many requests, a fault of ours."""

OF_ADMINISTRATORS = frozenset({401, 422, 503})
"""No token that would do; a parameter that is none or wrong; no keys to verify the token with, stopping, or other coordinators out of reach."""

OF_BODIES = frozenset({400, 408, 413, 415})


@dataclass(frozen=True, slots=True)
class Query:
    """A parameter in the URL."""

    name: str
    schema: dict[str, Any]
    description: str


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    """Below :data:`PREFIX`; ``{alias}`` is a server's."""
    name: str
    """The operation's, and the label of its requests in metrics."""
    summary: str
    status: int
    """When all is well."""
    answer: type[BaseModel] | None
    """None: nothing, or (the document itself) an object of its own."""
    description: str = ""
    body: type[BaseModel] | None = None
    body_needed: bool = True
    queries: tuple[Query, ...] = ()
    own_problems: frozenset[int] = frozenset()
    token_needed: bool = True

    @property
    def problems(self) -> frozenset[int]:
        """All statuses it may end with when all is not well."""
        found = OF_EVERYONE | self.own_problems
        if self.token_needed:
            found |= OF_ADMINISTRATORS
        if self.body is not None:
            found |= OF_BODIES
        return found


def _paged(of: str) -> tuple[Query, ...]:
    return (
        Query(
            "limit",
            {"type": "integer", "minimum": 1, "maximum": models.MAX_PAGE, "default": DEFAULT_PAGE},
            f"At most so many {of} in one answer.",
        ),
        Query("after", {"type": "string", "maxLength": 600}, "`next` of the page before."),
    )


_SUBJECT = Query("subject", {"type": "string", "minLength": 1, "maxLength": 256}, "Of these tokens.")
_JTI = Query("jti", {"type": "string", "minLength": 1, "maxLength": 256}, "Of this token.")

DOCUMENT = Route("GET", "/openapi.json", "openapi", "This document", 200, None, description="Needs no token.", token_needed=False)

ROUTES = (
    DOCUMENT,
    Route("GET", "/cluster", "cluster", "The state of the cluster", 200, models.ClusterNow),
    Route(
        "GET",
        "/servers",
        "servers",
        "The comm servers of the cluster, whichever coordinator they are at",
        200,
        models.ServerList,
        queries=_paged("servers"),
    ),
    Route(
        "POST",
        "/servers/{alias}/drain",
        "drain",
        "Have a server move its clients to others, and end",
        202,
        models.DrainAnswer,
        description="It takes no new clients from now on; when its clients have moved or their time is over, its process ends. What it "
        "does meanwhile shows in GET /servers. 503 `backplane-away`: its socket is at another coordinator, which cannot be reached just "
        "now, and it was not asked.",
        body=models.DrainRequest,
        body_needed=False,
        own_problems=frozenset({404, 409}),
    ),
    Route(
        "GET",
        "/peers",
        "peers",
        "The peers whose sockets are at this coordinator",
        200,
        models.PeerList,
        description="A client keeps its socket while it is linked with a server. Other coordinators have peers of their own.",
        queries=(
            *_paged("peers"),
            Query("role", {"enum": ["client", "server", "hub"]}, "Only these."),
            Query("subject", _SUBJECT.schema, "Only those whose token is this subject's."),
        ),
    ),
    Route("GET", "/topics", "topics", "The busiest topics", 200, models.TopicList),
    Route(
        "POST",
        "/publish",
        "publish",
        "Publish a packet to a topic",
        202,
        models.PublishAnswer,
        description="One comm server gets it, and relays it to all subscribers of the cluster as if a client had published it there, under "
        "the alias 0. Packets of one topic that are published here one after the other keep their order. 202 says that it is on "
        "its way to the server, not that anyone has got it; nobody who subscribes later does. 503: there is no server that could take it, or "
        "(`backplane-away`) none that can be reached just now; nothing was published.",
        body=models.PublishRequest,
    ),
    Route(
        "POST",
        "/disconnect",
        "disconnect",
        "Close the connections of a subject or an alias, everywhere",
        202,
        models.DisconnectAnswer,
        description="They are closed with code 4008 and may come back; programs of ours do so at once. To keep them out, revoke. "
        "503 `backplane-away`: this was done here alone, and other coordinators cannot be reached just now; nobody tells them later, so "
        "ask again.",
        body=models.DisconnectRequest,
    ),
    Route(
        "GET",
        "/revocations",
        "revocations",
        "Which tokens are refused",
        200,
        models.RevocationList,
        queries=_paged("revocations"),
    ),
    Route(
        "POST",
        "/revocations",
        "revoke",
        "Refuse the tokens of a subject, or one token, for a time",
        201,
        models.RevocationNow,
        description="Whoever is connected with one is closed with code 4219, at all coordinators and servers, and not let in again before the "
        "time is over. Replaces a revocation of the same subject or token.",
        body=models.RevokeRequest,
        own_problems=frozenset({409}),
    ),
    Route(
        "DELETE",
        "/revocations",
        "lift",
        "Take a revocation back",
        204,
        None,
        description="Named by `subject` or by `jti`.",
        queries=(_SUBJECT, _JTI),
        own_problems=frozenset({404}),
    ),
)
