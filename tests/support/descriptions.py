"""Descriptions as other WebRTC stacks write them, shortened by nothing that matters (keys, addresses and names are made up)."""

from __future__ import annotations

FINGERPRINT = ":".join(f"{n:02X}" for n in range(32))

CHROMIUM = f"""v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS
m=application 51472 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 192.0.2.17
a=candidate:2999745851 1 udp 2122260223 192.0.2.17 51472 typ host generation 0 network-id 1 network-cost 10
a=candidate:842163049 1 udp 1677729535 203.0.113.9 51472 typ srflx raddr 192.0.2.17 rport 51472 generation 0 network-cost 10
a=candidate:4233069003 1 tcp 1518280447 192.0.2.17 9 typ host tcptype active generation 0 network-id 1
a=candidate:1510613869 1 udp 2122129151 7f0b2f31-8a6e-4c5d-9a10-0d2f6a1b7c11.local 60444 typ host generation 0
a=ice-ufrag:EsAw
a=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y
a=ice-options:trickle
a=fingerprint:sha-256 {FINGERPRINT}
a=setup:active
a=mid:0
a=sctp-port:5000
a=max-message-size:262144
"""

FIREFOX = f"""v=0
o=mozilla...THIS_IS_SDPARTA-99.0 5947364482 0 IN IP4 0.0.0.0
s=-
t=0 0
a=sendrecv
a=fingerprint:sha-256 {FINGERPRINT}
a=group:BUNDLE 0
a=ice-options:trickle
a=msid-semantic:WMS *
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=sendrecv
a=ice-pwd:05ffe4a1c3e4f9bd34a5c0c4ad3f8b1e
a=ice-ufrag:1f3c7a9b
a=mid:0
a=setup:active
a=sctp-port:5000
a=max-message-size:1073741823
"""

PION = f"""v=0
o=- 8120478327912211452 1700000000 IN IP4 0.0.0.0
s=-
t=0 0
a=msid-semantic:WMS*
a=fingerprint:sha-256 {FINGERPRINT}
a=extmap-allow-mixed
a=group:BUNDLE 0
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=setup:actpass
a=mid:0
a=sendrecv
a=sctp-port:5000
a=max-message-size:1073741823
a=ice-ufrag:sIxJMhkSsAyGWiDR
a=ice-pwd:rdaYxCIPMqvTyMdEwtyMaFwBLNCTcQVA
"""

PION_OLD = f"""v=0
o=- 6312093402211 1570000000 IN IP4 0.0.0.0
s=-
t=0 0
a=fingerprint:sha-256 {FINGERPRINT}
a=group:BUNDLE data
m=application 9 DTLS/SCTP 5000
c=IN IP4 0.0.0.0
a=setup:actpass
a=mid:data
a=sendrecv
a=sctpmap:5000 webrtc-datachannel 1024
a=ice-ufrag:QZUfVvfbaRWprfKI
a=ice-pwd:EWpLhWqdRYEFhyNdFFDDDNUYNtOEwKfx
a=candidate:foundation 1 udp 3776 192.0.2.44 52013 typ host generation 0
a=candidate:foundation 2 udp 3776 192.0.2.44 52013 typ host generation 0
a=end-of-candidates
"""

LIBDATACHANNEL = f"""v=0
o=rtc 3320186417 0 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=group:LS 0
a=msid-semantic:WMS *
a=ice-options:ice2,trickle
a=fingerprint:sha-256 {FINGERPRINT}
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=mid:0
a=sendrecv
a=sctp-port:5000
a=max-message-size:262144
a=setup:actpass
a=ice-ufrag:6M2h
a=ice-pwd:Zc8pLLvmVHa6fYw+Ku5bHu
a=candidate:1 1 UDP 2122317823 192.0.2.91 40212 typ host
a=candidate:2 1 UDP 2122317567 2001:db8::91 40212 typ host
a=end-of-candidates
"""

AIORTC = f"""v=0
o=- 3943872938 3943872938 IN IP4 0.0.0.0
s=-
t=0 0
a=group:BUNDLE 0
a=msid-semantic:WMS *
m=application 48307 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 192.0.2.5
a=mid:0
a=sctp-port:5000
a=max-message-size:262144
a=candidate:a9bc1c7c1dbc5ab28d7a1a7d0a5ae7f3 1 udp 2130706431 192.0.2.5 48307 typ host
a=end-of-candidates
a=ice-ufrag:Tb3f
a=ice-pwd:GmJ5xvH3pQZb8uMr0n4KcT
a=fingerprint:sha-256 {FINGERPRINT}
a=fingerprint:sha-384 {":".join(["AB"] * 48)}
a=fingerprint:sha-512 {":".join(["CD"] * 64)}
a=setup:actpass
"""

OFFERS = {"pion": PION, "pion, legacy": PION_OLD, "libdatachannel": LIBDATACHANNEL, "aiortc": AIORTC}
ANSWERS = {"Chromium": CHROMIUM, "Firefox": FIREFOX}
ALL = OFFERS | ANSWERS
