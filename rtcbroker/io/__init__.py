"""What the client does: the WebSocket to the coordinator, WebRTC links, timers and waiting."""
