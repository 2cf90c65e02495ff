"""A newcomer's first moments: it takes no clients until its links to the other servers stand.

A client that came sooner would miss what is published at the other servers, and they what it publishes. The coordinator is told so
(SERVER_STATUS, `linking`), and that it is over. It never lasts longer than LINKING_S: where a link cannot be made, across a partition,
say, a server that is alone is better than none, and must not wait for the others to go.

Only who has a new alias is a newcomer. A server that loses a link later goes on: its clients are here already, and the others would be
sent away from every server at once.
"""

from __future__ import annotations

from commserver.core.state import INFO, WARNING, State

LINKING_S = 5.0
"""Some twenty times what a link takes; two dials that get lost fit in."""


class Linking:
    """Keeps `state.linking`."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._newcomer = 0
        """The alias that we became one with."""

    def welcome(self, now: float) -> None:
        """The coordinator gave us our alias, perhaps the one we had."""
        state = self._state
        if state.alias == self._newcomer:
            return
        self._newcomer, state.linking = state.alias, True
        state.deadlines.set(("linking", 0), now + LINKING_S)
        state.deadlines.set(("status", 0), now)

    def look(self, is_linked: bool, now: float) -> None:
        """Links, or which of them there should be, have changed."""
        if self._state.linking and is_linked:
            self._state.log(INFO, "linked with all servers that there should be links with")
            self._over(now)

    def overdue(self, now: float) -> None:
        """LINKING_S have passed."""
        if self._state.linking:
            self._state.log(
                WARNING, "not linked with all other servers after %g s: clients may come, and miss packets", LINKING_S
            )
            self._over(now)

    def _over(self, now: float) -> None:
        self._state.linking = False
        self._state.deadlines.cancel(("linking", 0))
        self._state.deadlines.set(("status", 0), now)
