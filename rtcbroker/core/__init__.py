"""What the client decides: no socket, no event loop, no clock; time and chance are arguments."""
