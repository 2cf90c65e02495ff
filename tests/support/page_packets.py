"""What bots publish in the demo world, as the tests of its page read it.

``python -m tests.support.page_packets`` writes it to GOLDEN again.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from simulation.core.audit import Audit, Meter
from simulation.core.chatter import Chatter
from simulation.core.payload import MIN_POSITION_BODY_BYTES, topic_mark

GOLDEN = Path(__file__).parents[2] / "web/demo/test/golden.json"

TOPICS = ("demo/cell/0/0", "demo/cell/-1/5", "demo/cell/12/-34", "demo/chat", "", "Grüße/👋")


def golden() -> dict[str, Any]:
    """Packets, with what they say; marks of topics; a line of the chat."""
    return {
        "positions": [
            _position(1, 0, "demo/cell/0/0", 0.0, (0.0, 0.0), MIN_POSITION_BODY_BYTES),
            _position(4_294_967_295, 149, "demo/cell/5/5", 1234567.890625, (23.75, 20.5), MIN_POSITION_BODY_BYTES),
            _position(77, 3, "demo/cell/-1/2", 98765.4321, (-0.125, 11.0625), 64),
        ],
        "marks": {topic: topic_mark(topic) for topic in TOPICS},
        "line": _line(),
    }


def _position(run: int, bot: int, topic: str, time: float, position: tuple[float, float], size: int) -> dict[str, Any]:
    audit = Audit(bot, run, Meter(), counted=False)
    for _ in range(bot + 1):  # so that the sequence is not always 0
        body = audit.outgoing(topic, size, time, position)
    x, y = position
    return {"body": body.hex(), "run": run, "sender": bot, "sequence": bot, "topic": topic, "time": time, "x": x, "y": y}


def _line() -> dict[str, str]:
    chatter = Chatter("demo/chat", "bot 7", 1.0, Random(1))
    lines = (chatter.line(float(second)) for second in range(1000))
    body = next(line for line in lines if line is not None).decode()
    return {"body": body, **json.loads(body)}


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden(), indent=2) + "\n")
