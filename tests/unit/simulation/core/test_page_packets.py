"""The page of the demo world is tested against packets of the bots as they are now."""

from __future__ import annotations

import json

from tests.support.page_packets import GOLDEN, golden


def test_the_page_is_tested_against_what_bots_publish() -> None:
    assert json.loads(GOLDEN.read_text()) == golden(), "run: python -m tests.support.page_packets"
