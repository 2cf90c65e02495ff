"""What a comm server does: sockets, timers, pages."""
