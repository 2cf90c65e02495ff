"""Everything that leans on the inside of aiortc and aioice: the one place to look at when either moves to a new minor version.

What is done to them here, all of it watched by tests/unit/transport/test_fastpath.py, which fails when the inside changes:

- :mod:`.dtls`: a port of ours stands where RTCDtlsTransport expects an ICE transport, so any source of datagrams will do, and
  all connections of a process share one OpenSSL context;
- :mod:`.sctp`: what a peer can make an association do is bounded, on both paths;
- :mod:`.fast_sctp`: nearly every packet is one whole message, next in line, or an acknowledgement that only counts; such packets
  (:mod:`.common`) are read and written on the spot, on the state aiortc keeps, and all others go to aiortc;
- both are *driven* on the fast path: aiortc's coroutines never wait on such a port, so each is run to its end on the spot. A
  received datagram then costs no queue and no wake-up of a task, and a message sent no task. Without the fast path aiortc runs
  as it comes: a task pumps datagrams from the port, and each send starts a task;
- :mod:`.ice`: aioice's agent hands its datagrams over directly, picks its local addresses to suit the offer, waits for candidates that
  STUN and TURN servers may yet bring, and checks consent with a nomination, so that an ICE-lite peer follows it to a new address at once;
- :mod:`.relay`: an allocation at a TURN server as a transport of that agent.
"""
