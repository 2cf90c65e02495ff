"""Everything an object holds on to, however deep: for tests of what must not be left there, whatever it would be called."""

from __future__ import annotations

import gc
import types
from collections.abc import Iterator
from typing import Any

_CODE = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType, types.FrameType)
"""What is shared by the whole program, or leads there. Bound methods are followed: they hold their object."""


def reachable(root: object) -> Iterator[Any]:
    """`root` and every object that can be reached from it, each once."""
    seen = {id(root)}
    waiting = [root]
    while waiting:
        found = waiting.pop()
        yield found
        for other in gc.get_referents(found):
            if id(other) not in seen and not isinstance(other, _CODE):
                seen.add(id(other))
                waiting.append(other)
