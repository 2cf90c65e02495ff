"""Everything the coordinator does: WebSockets, HTTP pages, the timer, the wire to other coordinators."""
