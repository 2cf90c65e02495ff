"""What a load test does: processes, bots, terminal, files."""
