"""The contract: what may be said on the wire, and by whom. Pure functions and data; imports nothing else of the project."""
