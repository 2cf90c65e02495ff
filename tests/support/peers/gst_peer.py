"""A GStreamer peer for end-to-end tests: libsoup's WebSocket, webrtcbin, a tone to send and a sink that counts what comes.

A program of its own for the system's Python, since GStreamer's bindings come with it. It speaks the simple signalling as its documents
tell: HELLO, then a call, or a room. On its standard output stands what happens, one JSON object a line:

    {"heard": TEXT}                     everything the server said
    {"buffers": {PEER: COUNT}}          audio buffers that have come out of the decoder, ten times a second
    {"candidate": TEXT}                 one of its own
    {"closed": CODE}                    the server has closed the socket
    {"failed": TEXT}                    and then it ends, with 1

It ends with 0 at SIGTERM, or when its standard input does, so that it never outlives a test.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable
from typing import Any

import gi  # type: ignore[import-not-found]  # Debian's, not one of this project's environment

for _library, _version in (("Gst", "1.0"), ("GstSdp", "1.0"), ("GstWebRTC", "1.0"), ("Soup", "3.0")):
    gi.require_version(_library, _version)

from gi.repository import Gio, GLib, Gst, GstSdp, GstWebRTC, Soup  # type: ignore[import-not-found]  # noqa: E402  # as above

HOST = "127.0.0.1"
PARTNER = "partner"
"""What the one peer of a session is called here."""

PIPELINE = (
    "webrtcbin name=webrtc bundle-policy=max-bundle latency=0 "
    "audiotestsrc is-live=true ! audioconvert ! audioresample ! opusenc ! rtpopuspay pt=97 "
    "! application/x-rtp,media=audio,encoding-name=OPUS,payload=97 ! queue ! webrtc."
)
_AGENTS: list[Any] = []
"""GStreamer 1.22 hands these out as if nobody owned them, so Python must never let go of one."""

SINK = "rtpopusdepay ! opusdec ! fakesink name=sink sync=false signal-handoffs=true"


def tell(**event: object) -> None:
    """Write a line."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


class Call:
    """Media with one other peer. GStreamer calls from threads of its own: what goes to the signalling is handed to the main loop."""

    def __init__(self, say: Callable[[dict[str, Any]], None], count: Callable[[], None]) -> None:
        self._say = say
        self._count = count
        self._pipe = Gst.parse_launch(PIPELINE)
        self._webrtc = self._pipe.get_by_name("webrtc")
        agent = self._webrtc.get_property("ice-agent")
        _AGENTS.append(agent)
        agent.emit("add-local-ip-address", HOST)
        agent.get_property("agent").set_property("upnp", False)
        self._webrtc.connect("on-ice-candidate", self._on_candidate)
        self._webrtc.connect("pad-added", self._on_pad)

    def start(self, *, offers: bool) -> None:
        """Begin to send, and make the offer or wait for it."""
        if offers:
            self._webrtc.connect("on-negotiation-needed", lambda webrtc: self._describe("offer"))
        self._pipe.set_state(Gst.State.PLAYING)

    def stop(self) -> None:
        """End it."""
        self._pipe.set_state(Gst.State.NULL)

    def take(self, message: dict[str, Any]) -> None:
        """A description or a candidate of the other."""
        if "ice" in message:
            self._webrtc.emit("add-ice-candidate", message["ice"]["sdpMLineIndex"], message["ice"]["candidate"])
            return
        kind = message["sdp"]["type"]
        result, sdp = GstSdp.SDPMessage.new_from_text(message["sdp"]["sdp"])
        if result != GstSdp.SDPResult.OK:
            raise ValueError("that is no session description")
        types = {"offer": GstWebRTC.WebRTCSDPType.OFFER, "answer": GstWebRTC.WebRTCSDPType.ANSWER}
        description = GstWebRTC.WebRTCSessionDescription.new(types[kind], sdp)
        then = Gst.Promise.new_with_change_func(lambda promise: self._describe("answer") if kind == "offer" else None)
        self._webrtc.emit("set-remote-description", description, then)

    def _describe(self, kind: str) -> None:
        self._webrtc.emit(f"create-{kind}", None, Gst.Promise.new_with_change_func(self._on_described, kind))

    def _on_described(self, promise: Any, kind: str) -> None:
        reply = promise.get_reply()  # has to be held: the description is a part of it
        description = reply.get_value(kind)
        self._webrtc.emit("set-local-description", description, Gst.Promise.new())
        GLib.idle_add(self._say, {"sdp": {"type": kind, "sdp": description.sdp.as_text()}})

    def _on_candidate(self, webrtc: Any, line: int, candidate: str) -> None:
        tell(candidate=candidate)
        GLib.idle_add(self._say, {"ice": {"candidate": candidate, "sdpMLineIndex": line}})

    def _on_pad(self, webrtc: Any, pad: Any) -> None:
        if pad.direction != Gst.PadDirection.SRC:
            return
        sink = Gst.parse_bin_from_description(SINK, True)
        sink.get_by_name("sink").connect("handoff", lambda *_: self._count())
        self._pipe.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.sinkpads[0])


class Peer:
    """The signalling."""

    def __init__(self, options: argparse.Namespace, loop: Any) -> None:
        self._options = options
        self._loop = loop
        self._socket: Any = None
        self._calls: dict[str, Call] = {}
        self._buffers: dict[str, int] = {}
        self.code = 0

    def connect(self) -> None:
        """Dial the server, trusting nobody but the authority given."""
        self._session = Soup.Session()
        self._session.set_proxy_resolver(None)
        self._session.set_tls_database(Gio.TlsFileDatabase.new(self._options.ca))
        message = Soup.Message.new("GET", self._options.url)
        self._session.websocket_connect_async(message, None, [], GLib.PRIORITY_DEFAULT, None, self._on_connected)
        GLib.timeout_add(100, self._report)

    def quit(self, code: int = 0) -> bool:
        """Leave."""
        self.code = self.code or code
        for call in self._calls.values():
            call.stop()
        self._loop.quit()
        return False

    def _on_connected(self, session: Any, result: Any) -> None:
        try:
            self._socket = session.websocket_connect_finish(result)
        except GLib.Error as error:
            tell(failed=error.message)
            self.quit(1)
            return
        self._socket.connect("message", self._on_message)
        self._socket.connect("closed", lambda socket: tell(closed=socket.get_close_code()))
        self._socket.send_text(f"HELLO {self._options.id}")

    def _on_message(self, socket: Any, kind: Any, data: Any) -> None:
        text = data.get_data().decode()
        tell(heard=text)
        try:
            self._understand(text)
        except Exception as error:
            tell(failed=f"{type(error).__name__}: {error}")
            self.quit(1)

    def _understand(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        if word == "HELLO":
            self._begin()
        elif word == "SESSION_OK" and self._options.ask:
            self._socket.send_text("OFFER_REQUEST")
        elif word in ("SESSION_OK", "OFFER_REQUEST"):
            self._call(PARTNER, offers=True)
        elif word == "ROOM_OK":
            for uid in rest.split():
                self._call(uid, offers=True)
        elif word == "ROOM_PEER_MSG":
            uid, _, message = rest.partition(" ")
            self._take(uid, message)
        elif word == "ROOM_PEER_LEFT":
            self._calls.pop(rest).stop()
            del self._buffers[rest]
        elif word.startswith("{"):
            self._take(PARTNER, text)
        elif word != "ROOM_PEER_JOINED":
            raise ValueError(text)

    def _begin(self) -> None:
        if self._options.call:
            self._socket.send_text(f"SESSION {self._options.call}")
        elif self._options.room:
            self._socket.send_text(f"ROOM {self._options.room}")

    def _call(self, uid: str, *, offers: bool) -> Call:
        call = self._calls[uid] = Call(lambda message: self._say(uid, message), lambda: self._count(uid))
        self._buffers[uid] = 0
        call.start(offers=offers)
        return call

    def _take(self, uid: str, text: str) -> None:
        call = self._calls.get(uid) or self._call(uid, offers=False)
        call.take(json.loads(text))

    def _say(self, uid: str, message: dict[str, Any]) -> None:
        prefix = "" if uid == PARTNER else f"ROOM_PEER_MSG {uid} "
        self._socket.send_text(prefix + json.dumps(message))

    def _count(self, uid: str) -> None:
        if uid in self._buffers:
            self._buffers[uid] += 1

    def _report(self) -> bool:
        tell(buffers=self._buffers)
        return True


def main() -> int:
    """Read the command line, and live until told to end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--ca", required=True, help="PEM file of the only authority to trust")
    parser.add_argument("--id", required=True)
    parser.add_argument("--call", help="whom to call; else it waits to be called, or is in a room")
    parser.add_argument("--ask", action="store_true", help="ask the one who is called for the offer")
    parser.add_argument("--room")
    Gst.init(None)
    loop = GLib.MainLoop()
    peer = Peer(parser.parse_args(), loop)
    GLib.unix_signal_add(GLib.PRIORITY_HIGH, signal.SIGTERM, peer.quit)
    GLib.io_add_watch(sys.stdin, GLib.PRIORITY_HIGH, GLib.IOCondition.HUP, lambda *_: peer.quit())
    peer.connect()
    loop.run()
    return peer.code


if __name__ == "__main__":
    sys.exit(main())
