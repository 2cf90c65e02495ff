"""The HTTP API, ``/api/v1``: what a backend or an operator asks of the cluster. `coordinator/core/api_routes.py` lists what there is."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from coordinator.core import api_models as models
from coordinator.core import openapi
from coordinator.core.api_pages import BY_END, Order, page_of
from coordinator.core.api_problems import ApiError, FieldError, backplane_away, invalid, of_status, of_validation, wrong_field
from coordinator.core.api_routes import DOCUMENT, PREFIX, ROUTES, Route
from coordinator.core.cluster import Deed, Disconnect, TokenName
from coordinator.core.feed import ServerNow
from coordinator.core.registry import ROLE_NAMES, Peer
from coordinator.io.api_gate import MAX_BODY_BYTES, OPERATION, Gate, Handler
from coordinator.io.bodies import read_body
from coordinator.io.door import request_id_of
from coordinator.io.driver import Driver
from coordinator.io.frames import VERSION, Frames
from protocol.codes import Code
from protocol.tokens import MAX_SUBJECT_BYTES, Claims

log = logging.getLogger(__name__)

B = TypeVar("B", bound=BaseModel)

_BY_ALIAS: Order[ServerNow] = Order(key=lambda server: int(server["alias"]), read=int)
_PEERS: Order[Peer] = Order(key=lambda peer: peer.alias, read=int)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that may be answered."""

    request: web.Request
    by: Claims
    body: Any
    """Of the route's model; None where it takes none."""

    @property
    def query(self) -> Mapping[str, str]:
        """Parameters, each of which is one of the route's and stands once."""
        return self.request.query


Answer = Callable[[Asked], Awaitable[BaseModel | None]]


class Api:
    """The handlers."""

    def __init__(self, driver: Driver, gate: Gate, frames: Frames) -> None:
        self._driver = driver
        self._gate = gate
        self._frames = frames
        self._document = json.dumps(openapi.document(VERSION), separators=(",", ":"))
        self._answers: dict[str, Answer] = {
            "cluster": self._cluster,
            "servers": self._servers,
            "drain": self._drain,
            "peers": self._peers,
            "topics": self._topics,
            "publish": self._publish,
            "disconnect": self._disconnect,
            "revocations": self._revocations,
            "revoke": self._revoke,
            "lift": self._lift,
        }

    @property
    def requests(self) -> Mapping[tuple[str, int], int]:
        """Answered so far, by operation and status."""
        return self._gate.requests

    def application(self) -> web.Application:
        """Everything below ``/api``, also what is not there, which is answered in the same way."""

        @web.middleware
        async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._gate.answer(request, handler)

        app = web.Application(middlewares=[answer])
        below = PREFIX.removeprefix("/api")
        app.router.add_get(below + DOCUMENT.path, self._openapi, allow_head=False, expect_handler=self._gate.expect)
        for route in ROUTES:
            if route is not DOCUMENT:
                app.router.add_route(route.method, below + route.path, self._handler(route), expect_handler=self._gate.expect)
        return app

    def _handler(self, route: Route) -> Handler:
        answer = self._answers[route.name]

        async def handle(request: web.Request) -> web.StreamResponse:
            request[OPERATION] = route.name
            claims = await self._gate.caller(request)
            if route.method != "GET" and (problem := self._driver.problem()) is not None:
                raise ApiError(503, "unavailable", problem, headers={"Retry-After": "1"})
            _check_query(request, route)
            body = None if route.body is None else await _body(request, route.body, needed=route.body_needed)
            told = await answer(Asked(request, claims, body))
            if told is None:
                return web.Response(status=route.status)
            return web.Response(status=route.status, text=told.model_dump_json(), content_type="application/json")

        return handle

    # What is asked

    async def _openapi(self, request: web.Request) -> web.StreamResponse:
        request[OPERATION] = DOCUMENT.name
        return web.Response(text=self._document, content_type="application/json")

    async def _cluster(self, asked: Asked) -> BaseModel:
        core, now = self._driver.core, self._driver.now()
        state = core.overview.state(self._frames.vitals(), core.overview.journal.newest, now)
        return models.ClusterNow(
            time=state["time"],
            auth=core.auth_required,
            coordinator=state["coordinator"],
            servers=core.server_conditions(now),
            clients=sum(server["clients"] for server in state["servers"]),
            revocations=len(core.revocations.in_force(now)),
        )

    async def _servers(self, asked: Asked) -> BaseModel:
        page = page_of(self._servers_now(), asked.query, _BY_ALIAS)
        return models.ServerList(servers=page.entries, total=page.total, next=page.next)

    async def _topics(self, asked: Asked) -> BaseModel:
        core, now = self._driver.core, self._driver.now()
        state = core.overview.state(self._frames.vitals(), core.overview.journal.newest, now)
        counts = [server["topics"] for server in state["servers"]]
        return models.TopicList(topics=state["topics"], at_least=max(counts, default=0), at_most=sum(counts))

    async def _peers(self, asked: Asked) -> BaseModel:
        role, subject = asked.query.get("role"), asked.query.get("subject")
        if role is not None and role not in ROLE_NAMES.values():
            raise wrong_field("role", f"{role[:20]!r} is none of {', '.join(ROLE_NAMES.values())}")
        wanted = [
            peer
            for peer in self._driver.core.peers()
            if (role is None or ROLE_NAMES[peer.role] == role) and (subject is None or peer.subject == subject)
        ]
        page = page_of(wanted, asked.query, _PEERS)
        return models.PeerList(peers=[_peer_now(peer) for peer in page.entries], total=page.total, next=page.next)

    async def _publish(self, asked: Asked) -> BaseModel:
        wanted: models.PublishRequest = asked.body
        identity = asked.by.subject.encode() if wanted.identity else b""
        now, away = self._driver.now(), self._driver.away()
        server = self._driver.operate(
            lambda operations: operations.publish(
                wanted.topic, wanted.body, now, reliable=wanted.reliable, identity=identity, alone=away is not None
            )
        )
        if server is None and away is not None:
            raise backplane_away("nothing was published: this coordinator has no server of its own that could take it", away)
        if server is None:
            raise ApiError(503, "no-servers", Code.NO_SERVERS.reason, code=int(Code.NO_SERVERS), headers={"Retry-After": "1"})
        self._note(asked, f"published to {wanted.topic!r}", server=server, often=True)
        return models.PublishAnswer(server=str(server))

    async def _disconnect(self, asked: Asked) -> BaseModel:
        wanted: models.DisconnectRequest = asked.body
        what = Disconnect(wanted.subject or "", int(wanted.alias or 0))
        away = self._driver.away()
        closed = self._driver.operate(lambda operations: operations.disconnect(what))
        self._note(asked, f"disconnected {f'subject {what.subject!r}' if what.subject else f'alias {what.alias}'}")
        if away is not None:
            raise backplane_away(f"{closed} sockets here were closed, and the servers here told, but nobody else", away)
        return models.DisconnectAnswer(closed_here=closed)

    async def _drain(self, asked: Asked) -> BaseModel:
        text = asked.request.match_info["alias"]
        seconds: float = asked.body.seconds
        alias = int(text) if text.isascii() and text.isdigit() and len(text) <= 13 else 0
        away = self._driver.away()
        outcome = self._driver.operate(lambda operations: operations.drain(alias, seconds, alone=away is not None))
        if outcome == "out of reach":
            raise backplane_away(f"server {alias} was not asked: its socket is at another coordinator", str(away))
        if outcome == "no such server":
            raise ApiError(404, "no-such-server", f"there is no server {text[:20]!r}; GET /api/v1/servers lists them")
        if outcome == "old server":
            raise ApiError(409, "old-server", f"server {alias} is a program of webrtc-broker, which cannot be asked to drain")
        self._note(asked, f"asked server {alias} to drain", server=alias)
        return models.DrainAnswer(server=str(alias), seconds=seconds)

    async def _revocations(self, asked: Asked) -> BaseModel:
        page = page_of(self._driver.core.revocations.in_force(self._driver.now()), asked.query, BY_END)
        shown = [models.RevocationNow.of(revocation) for revocation in page.entries]
        return models.RevocationList(revocations=shown, total=page.total, next=page.next)

    async def _revoke(self, asked: Asked) -> BaseModel:
        wanted: models.RevokeRequest = asked.body
        if not self._driver.core.auth_required:
            raise ApiError(409, "no-authentication", "the cluster runs without authentication: there are no tokens to refuse")
        name: TokenName = "subject" if wanted.subject is not None else "jti"
        value, now = wanted.subject or wanted.jti or "", self._driver.now()
        made = self._driver.operate(lambda operations: operations.revoke(name, value, now + wanted.seconds, now))
        if made is None:
            raise ApiError(
                409, "too-many-revocations", "there is no room for another revocation; lift some, or wait for them to end"
            )
        self._note(asked, f"revoked tokens with {name} {value!r} for {wanted.seconds:g} s")
        return models.RevocationNow.of(made)

    async def _lift(self, asked: Asked) -> None:
        given = [name for name in ("subject", "jti") if asked.query.get(name)]
        if len(given) != 1:
            raise invalid([FieldError(field="subject", detail="one of subject and jti is needed")])
        name: TokenName = "subject" if given[0] == "subject" else "jti"
        value, now = asked.query[name], self._driver.now()
        if self._driver.operate(lambda operations: operations.lift(name, value, now)) is None:
            raise ApiError(404, "no-such-revocation", f"no tokens with {name} {value[:MAX_SUBJECT_BYTES]!r} are revoked")
        self._note(asked, f"lifted the revocation of tokens with {name} {value!r}")

    def _note(self, asked: Asked, what: str, *, server: int = 0, often: bool = False) -> None:
        """Tell the log and all dashboards what was done, and for whom; `often`: perhaps many times a second."""
        deed = Deed(asked.by.subject, what, server)
        level = logging.DEBUG if often else logging.INFO
        log.log(level, "%s", deed.text, extra={"request_id": request_id_of(asked.request)})
        self._driver.note(deed, often=often)

    def _servers_now(self) -> list[ServerNow]:
        overview = self._driver.core.overview
        return overview.state(self._frames.vitals(), overview.journal.newest, self._driver.now())["servers"]


def _peer_now(peer: Peer) -> models.PeerNow:
    return models.PeerNow(
        alias=str(peer.alias),
        role=ROLE_NAMES[peer.role],
        subject=peer.subject,
        jti=peer.token_id,
        part2=peer.part2,
        joined_at=round(peer.joined_at, 3),
        expires_at=None if math.isinf(peer.expires_at) else peer.expires_at,
        request_id=peer.request_id,
    )


def _check_query(request: web.Request, route: Route) -> None:
    known = {query.name: query.schema for query in route.queries}
    for name in dict.fromkeys(request.query):
        if name not in known:
            raise wrong_field(name[:60], f"is no parameter here; there are {', '.join(known) or 'none'}")
        if len(request.query.getall(name)) > 1:
            raise wrong_field(name, "stands there more than once")
        if not known[name].get("minLength", 0) <= len(request.query[name]) <= known[name].get("maxLength", math.inf):
            raise wrong_field(name, f"has {len(request.query[name])} characters")


async def _body(request: web.Request, model: type[B], *, needed: bool) -> B:
    data = await read_body(request, MAX_BODY_BYTES)
    if not data and not needed:
        data = b"{}"
    elif request.content_type != "application/json" or (request.charset or "utf-8").lower() != "utf-8":
        raise of_status(415, "the body has to be application/json, in UTF-8")
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise of_validation(error, in_body=True) from error
