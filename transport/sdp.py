"""Session descriptions with one data channel section: build ours, read anyone's. Pure.

Sources: RFC 8866 (SDP), RFC 8841 (SCTP over DTLS), RFC 8839 (ICE), RFC 8842 (setup and fingerprint), RFC 9429 (JSEP).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from protocol.errors import CandidateError, SdpError
from protocol.limits import MAX_CANDIDATES
from transport.candidates import IceCandidate, parse_candidate

MAX_SDP_CHARS = 32 * 1024
"""A description with MAX_CANDIDATES candidates is about 8 KiB."""

SCTP_PORT = 5000
"""The port WebRTC stacks use inside DTLS; any number would do."""

DEFAULT_MAX_MESSAGE_SIZE = 65_536
"""What a peer takes that does not say (RFC 8841 section 6.1)."""

SETUP_ROLES = ("actpass", "active", "passive")

_DIGEST_BYTES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PWD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_MID = re.compile(r"[!#-'*+.0-9A-Z^-~-]{1,32}")
_HEX_PAIRS = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*")
_DIGITS = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The digest a peer's DTLS certificate must have (RFC 8122 section 5)."""

    algorithm: str
    """Lower case; one of sha-256, sha-384, sha-512."""
    value: str
    """Upper case hex pairs with colons."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a description says about the one transport and its data channels."""

    ufrag: str
    pwd: str = field(repr=False)  # the ICE password is a secret of the two peers: never in a log
    fingerprints: tuple[Fingerprint, ...]
    setup: str
    """``actpass`` in offers; ``active`` or ``passive`` in answers (RFC 8842 section 5)."""
    ice_lite: bool = False
    sctp_port: int = SCTP_PORT
    max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE
    """Bytes the sender of this description takes in one message; 0 means any size."""
    candidates: tuple[IceCandidate, ...] = ()
    end_of_candidates: bool = False
    mid: str = "0"
    bundle: bool = True
    """The section is named in a BUNDLE group (RFC 9143), so an answer has to name it too."""
    legacy: bool = False
    """Written the way of draft-ietf-mmusic-sctp-sdp-05 (``DTLS/SCTP 5000`` and ``a=sctpmap``), so an answer has to be too."""


def build(description: Description, session_id: int) -> str:
    """Write a description, offer or answer. `session_id` is any number below 2^63 (RFC 8866 section 5.2)."""
    # Where a client would look without ICE; 9 and 0.0.0.0 are the placeholders of trickle ICE (RFC 8840 section 4.1.1).
    places = ((c.host, c.port) for c in description.candidates if c.is_usable and c.address is not None)
    address, port = next(places, ("0.0.0.0", 9))
    family = "IP6" if ":" in address else "IP4"
    lines = ["v=0", f"o=- {session_id} 2 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    if description.ice_lite:
        lines.append("a=ice-lite")
    if description.bundle:
        lines.append(f"a=group:BUNDLE {description.mid}")
    form = f"DTLS/SCTP {description.sctp_port}" if description.legacy else "UDP/DTLS/SCTP webrtc-datachannel"
    lines += [f"m=application {port} {form}", f"c=IN {family} {address}", f"a=mid:{description.mid}"]
    lines += [f"a=ice-ufrag:{description.ufrag}", f"a=ice-pwd:{description.pwd}"]
    if not description.ice_lite:
        lines.append("a=ice-options:trickle")
    lines += [f"a=fingerprint:{f.algorithm} {f.value}" for f in description.fingerprints]
    lines.append(f"a=setup:{description.setup}")
    sctp = (
        f"a=sctpmap:{description.sctp_port} webrtc-datachannel 65535"
        if description.legacy
        else f"a=sctp-port:{description.sctp_port}"
    )
    lines += [sctp, f"a=max-message-size:{description.max_message_size}"]
    lines += [f"a={candidate}" for candidate in description.candidates]
    if description.end_of_candidates:
        lines.append("a=end-of-candidates")
    return "\r\n".join(lines) + "\r\n"


def answer_to(offer: Description, own: Description) -> Description:
    """`own` as an answer to `offer`: its section's name and form, and the DTLS role that is left (RFC 8842 section 5.3).

    Where the offer leaves the choice, the answer is active: the client hello then needs no extra round trip.
    """
    setup = "passive" if offer.setup == "active" else "active"
    return replace(own, setup=setup, mid=offer.mid, bundle=offer.bundle, legacy=offer.legacy)


def parse_offer(text: str) -> Description:
    """Read an offer. Raises :class:`SdpError`, which names what is missing or wrong."""
    return _parse(text)


def parse_answer(text: str) -> Description:
    """Read an answer: as an offer, but the DTLS role has been chosen. Raises :class:`SdpError`."""
    description = _parse(text)
    if description.setup == "actpass":
        raise SdpError("a=setup:actpass in an answer, which has to choose (RFC 8842 section 5.3)")
    return description


def _parse(text: str) -> Description:
    if len(text) > MAX_SDP_CHARS:
        raise SdpError(f"the description has more than {MAX_SDP_CHARS} characters")
    session, sections = _sections(text)
    if len(sections) != 1:
        raise SdpError(f"the description has {len(sections)} media sections, want one data channel section")
    media = sections[0]
    legacy, fmt = _media_line(media[0][1])
    lines = _Attributes(session, media[1:])
    mid = _matching(_MID, lines.one("mid", "0"), "a=mid")
    return Description(
        ufrag=_matching(_UFRAG, lines.need("ice-ufrag"), "a=ice-ufrag"),
        pwd=_matching(_PWD, lines.need("ice-pwd"), "a=ice-pwd", secret=True),
        fingerprints=_fingerprints(lines.all("fingerprint")),
        setup=_setup(lines.need("setup")),
        ice_lite=lines.has("ice-lite"),
        sctp_port=_sctp_port(lines, legacy, fmt),
        max_message_size=_number(lines.one("max-message-size", str(DEFAULT_MAX_MESSAGE_SIZE)), 0, 2**63, "a=max-message-size"),
        candidates=_candidates(lines.own("candidate")),
        end_of_candidates=lines.has("end-of-candidates"),
        mid=mid,
        bundle=any(group.split()[:1] == ["BUNDLE"] and mid in group.split()[1:] for group in lines.all("group")),
        legacy=legacy,
    )


_Line = tuple[str, str]


def _sections(text: str) -> tuple[list[_Line], list[list[_Line]]]:
    """The session's lines, and each media section's; lines may end in CRLF or LF."""
    session: list[_Line] = []
    sections: list[list[_Line]] = []
    for number, raw in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        line = raw.rstrip()
        if not line:
            continue
        if len(line) < 2 or line[1] != "=":
            raise SdpError(f"line {number} is not of the form x=value: {line[:40]!r}")
        if number == 1 and line != "v=0":
            raise SdpError(f"the first line is {line[:40]!r}, want 'v=0'")
        kind, value = line[0], line[2:]
        if kind == "m":
            sections.append([])
        (sections[-1] if sections else session).append((kind, value))
    return session, sections


class _Attributes:
    """The ``a=`` lines of the section, and behind them those of the session, which it inherits."""

    def __init__(self, session: Iterable[_Line], media: Iterable[_Line]) -> None:
        self._session = _by_name(session)
        self._media = _by_name(media)

    def all(self, name: str) -> list[str]:
        return self._media.get(name) or self._session.get(name) or []

    def own(self, name: str) -> list[str]:
        return self._media.get(name, [])

    def has(self, name: str) -> bool:
        return name in self._media or name in self._session

    def one(self, name: str, default: str) -> str:
        values = self.all(name)
        return values[0] if values else default

    def need(self, name: str) -> str:
        values = self.all(name)
        if not values:
            raise SdpError(f"no a={name}")
        return values[0]


def _by_name(lines: Iterable[_Line]) -> dict[str, list[str]]:
    table: dict[str, list[str]] = {}
    for kind, value in lines:
        if kind == "a":
            name, _, content = value.partition(":")
            table.setdefault(name, []).append(content.strip())
    return table


def _media_line(value: str) -> tuple[bool, str]:
    """Whether the section has the legacy form, and its format: ``webrtc-datachannel``, or the SCTP port in the legacy form."""
    parts = value.split()
    if len(parts) < 4 or parts[0] != "application":
        raise SdpError(f"m={value[:60]}: want a data channel section (m=application)")
    if _number(parts[1].partition("/")[0], 0, 65535, "the port of m=") == 0:
        raise SdpError("the data channel section was rejected (port 0)")
    if parts[2] in ("UDP/DTLS/SCTP", "TCP/DTLS/SCTP") and parts[3] == "webrtc-datachannel":
        return False, parts[3]
    if parts[2] == "DTLS/SCTP":
        return True, parts[3]
    raise SdpError(f"m={value[:60]}: want UDP/DTLS/SCTP webrtc-datachannel")


def _sctp_port(lines: _Attributes, legacy: bool, fmt: str) -> int:
    if lines.has("sctp-port"):
        return _number(lines.need("sctp-port"), 1, 65535, "a=sctp-port")
    if legacy:
        return _number(fmt, 1, 65535, "the format of m=")
    raise SdpError("no a=sctp-port")


def _fingerprints(values: list[str]) -> tuple[Fingerprint, ...]:
    """Those with a digest we know; there has to be one."""
    found: list[Fingerprint] = []
    for value in values[:8]:
        algorithm, _, digest = value.partition(" ")
        algorithm, digest = algorithm.lower(), digest.strip()
        size = _DIGEST_BYTES.get(algorithm)
        if size is None:
            continue
        if not _HEX_PAIRS.fullmatch(digest) or len(digest) != 3 * size - 1:
            raise SdpError(f"a=fingerprint:{algorithm} is not {size} hex pairs")
        found.append(Fingerprint(algorithm, digest.upper()))
    if not found:
        raise SdpError("no a=fingerprint with sha-256, sha-384 or sha-512")
    return tuple(found)


def _setup(value: str) -> str:
    if value not in SETUP_ROLES:
        raise SdpError(f"a=setup:{value[:20]}, want one of {', '.join(SETUP_ROLES)}")
    return value


def _candidates(values: list[str]) -> tuple[IceCandidate, ...]:
    if len(values) > MAX_CANDIDATES:
        raise SdpError(f"{len(values)} candidates, at most {MAX_CANDIDATES} are allowed")
    try:
        return tuple(parse_candidate(value) for value in values)
    except CandidateError as error:
        raise SdpError(error.detail) from error


def _matching(pattern: re.Pattern[str], value: str, what: str, *, secret: bool = False) -> str:
    if not pattern.fullmatch(value):
        raise SdpError(f"{what} is malformed" + ("" if secret else f": {value[:40]!r}"))
    return value


def _number(text: str, low: int, high: int, what: str) -> int:
    if not _DIGITS.fullmatch(text) or not low <= int(text) <= high:
        raise SdpError(f"{what} {text[:20]!r}: want a number from {low} to {high}")
    return int(text)
