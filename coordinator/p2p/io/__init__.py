"""Sockets and requests of the three protocols."""
