"""What operators and backends ask of a server, by way of a coordinator: PUBLISH, REVOKE, DRAIN."""

from __future__ import annotations

from commserver.core.lame_duck import LameDuck
from commserver.core.relay import Relay
from commserver.core.revocations import is_meant
from commserver.core.state import INFO, WARNING, State
from protocol import operations
from protocol.codes import Code
from protocol.errors import ProtocolError
from protocol.pb import broker_pb2 as pb


class Backoffice:
    """Does it, or logs why not: there is nobody to answer to."""

    def __init__(self, state: State, relay: Relay, lame_duck: LameDuck) -> None:
        self._state = state
        self._relay = relay
        self._lame_duck = lame_duck

    def asked(self, message: pb.PublishMessage | pb.RevokeMessage | pb.DrainMessage, now: float) -> None:
        """One of these came."""
        try:
            match message:
                case pb.PublishMessage():
                    self._relay.backend(operations.check_publish(message), now)
                case pb.RevokeMessage():
                    self._revoke(operations.check_revoke(message), now)
                case pb.DrainMessage():
                    seconds = operations.check_drain(message).seconds
                    self._lame_duck.begin(seconds or self._state.config.drain_seconds, now)
        except ProtocolError as error:
            self._state.counters.signals_ignored["not to be done"] += 1
            self._state.log(WARNING, "from the coordinator: %s", error)

    def _revoke(self, message: pb.RevokeMessage, now: float) -> None:
        state = self._state
        state.revocations.apply(message, now)
        code = Code.TOKEN_REVOKED if message.until > now else Code.DISCONNECTED
        meant = [session for session in state.peers if session.is_active and is_meant(message, session.alias, session.claims)]
        for session in meant:
            state.doom(session, code)
        if meant:
            state.log(INFO, "an administrator disconnects %d peers: %s", len(meant), code.reason)
