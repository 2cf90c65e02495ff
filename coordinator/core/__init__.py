"""Everything the coordinator decides: no socket, no clock, no chance of its own."""
