"""What the three protocols decide; pure."""
