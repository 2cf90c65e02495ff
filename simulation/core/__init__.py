"""What a load test is and how it is judged: no I/O, no clock, no event loop."""
