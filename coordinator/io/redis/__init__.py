"""The backplane on Redis: what several coordinators share, and how each of them lives on while it is away."""
