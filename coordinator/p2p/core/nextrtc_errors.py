"""How NextRTC says no: the signal `error`, with a code of the protocol in its content."""

from __future__ import annotations

import enum

from coordinator.p2p.core.nextrtc_messages import encode, frame


class ErrorCode(enum.StrEnum):
    """What clients know. The last two its own server never sends."""

    MEMBER_IN_OTHER_CONVERSATION = "MEMBER_IN_OTHER_CONVERSATION"
    CONVERSATION_NAME_OCCUPIED = "CONVERSATION_NAME_OCCUPIED"
    CONVERSATION_NOT_FOUND = "CONVERSATION_NOT_FOUND"
    INVALID_RECIPIENT = "INVALID_RECIPIENT"
    MEMBER_NOT_FOUND = "MEMBER_NOT_FOUND"
    INVALID_CONVERSATION_NAME = "INVALID_CONVERSATION_NAME"
    UNKNOWN_ERROR = "UNKNOWN_ERROR"


class RefusedError(Exception):
    """Something that a member wants and cannot have."""

    def __init__(self, code: ErrorCode, counted_as: str = "", reason: str = "") -> None:
        """`counted_as`: its name in :class:`Counts`, by default that of the code. `reason`: told where the code says too little."""
        super().__init__(code)
        self.code = code
        self.counted_as = counted_as or code.lower()
        self.reason = reason

    def frame(self, to: str) -> str:
        """The message to the member of this id."""
        custom = {"stackTrace": f"SignalingException - {self.code}"}
        if self.reason:
            custom["reason"] = self.reason
        return frame("error", to, content=encode(self.code.value), custom=encode(custom))
