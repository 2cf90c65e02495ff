"""Decisions of a comm server: no I/O, no clock, no randomness of its own."""
