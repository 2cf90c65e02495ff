"""How this server stands with its coordinator: what that is told of our load, how much of it it understands, what it gives us."""

from __future__ import annotations

from commserver.core.events import LoadSampled, ReportDue, SendSignal
from commserver.core.report import Reporter
from commserver.core.state import State
from protocol import signalling
from protocol.pb import broker_pb2 as pb


class Standing:
    """SERVER_STATUS for every coordinator, at changes; SERVER_REPORT for one that speaks Part 2, once a second."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._reporter = Reporter(state)
        self._wants_reports = False
        self._cpu = 0.0

    def welcome(self, message: pb.WelcomeMessage, now: float) -> None:
        """The coordinator is there; a `resume` says that it speaks Part 2."""
        self._wants_reports = bool(message.resume)
        self.ice_servers(message, now)

    def ice_servers(self, message: pb.WelcomeMessage | pb.IceServersMessage, now: float) -> None:
        """STUN and TURN servers, in place of those we had."""
        self._state.ice.granted(signalling.ice_grant(message), now)

    def offline(self) -> None:
        """The coordinator is away: what it would be told now is soon old."""
        self._wants_reports = False

    def load_sampled(self, event: LoadSampled, now: float) -> None:
        """Tell it with the next status."""
        self._cpu = event.cpu
        self._state.status_changed(now)

    def send_status(self) -> None:
        """Tell who may come, and how busy we are."""
        state = self._state
        status = signalling.server_status(
            clients=state.peers.client_count,
            max_clients=state.config.max_peers,
            draining=state.draining,
            cpu=self._cpu,
            linking=state.linking,
        )
        state.emit(SendSignal(status))

    def report_due(self, event: ReportDue, _now: float) -> None:
        """Tell what happened since the last time. Intervals go on while nobody listens, so that the first report is of one like all others."""
        if self._wants_reports:
            self._state.emit(SendSignal(self._reporter.report(event)))
        else:
            self._reporter.skip(event)
