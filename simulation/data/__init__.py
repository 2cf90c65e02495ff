"""A small movement trace of the project's own making, and how it was made."""
